"""Nothing that the model writes is obeyed by a page, wherever it is shown.

Each payload of `payloads` is shown in each place that shows text of the model, in JupyterLab and in
Notebook 7. Then the page is examined: what it has requested, which scripts have run, what is drawn
outside of its output, and what a click could trigger.
"""

# ruff: noqa: E501 - the script reads best so

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from claude_magic.tape import Failure, Reply, Text, Thinking, ToolUse

from .conftest import Notebook, notebook_file
from .payloads import PAYLOADS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, Page, Request

    from .conftest import Lab

# Each takes most of a minute where something else runs, and a slow machine takes twice as long.
pytestmark = pytest.mark.timeout(400)


class Beacon:
    """A server on loopback that notes what is fetched from it."""

    def __init__(self) -> None:
        self.hits: list[str] = []
        hits = self.hits

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                hits.append(self.path)
                self.send_response(200)
                self.send_header("content-type", "image/svg+xml")
                self.end_headers()
                self.wfile.write(b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>')

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture(scope="module")
def beacon() -> Iterator[Beacon]:
    beacon = Beacon()
    yield beacon
    beacon.close()


@pytest.fixture
def payloads(beacon: Beacon) -> dict[str, str]:
    return {name: text.replace("BEACON", beacon.url) for name, text in PAYLOADS.items()}


#: What a page shows that is alive, as far as it can be found in its elements. Ours are left out.
EXAMINE = r"""
() => {
  const found = [];
  const AREA = '.jp-OutputArea-output, .jp-claude-status, .jp-claude-bar, .jp-MarkdownOutput';
  const inMath = node => node.closest('mjx-container') !== null;
  // The part of an element that no ancestor which scrolls or clips hides.
  const seen = (node, area) => {
    let { left, top, right, bottom } = node.getBoundingClientRect();
    for (let at = node; at !== area; ) {
      at = at.parentElement;
      if (getComputedStyle(at).overflow === 'visible') continue;
      const clip = at.getBoundingClientRect();
      [left, top] = [Math.max(left, clip.left), Math.max(top, clip.top)];
      [right, bottom] = [Math.min(right, clip.right), Math.min(bottom, clip.bottom)];
    }
    return { left, top, right, bottom };
  };
  const named = node => `${node.tagName} ${node.outerHTML.slice(0, 120)}`;
  const examine = (node, tags) => {
    if (tags.test(node.tagName)) found.push('tag ' + named(node));
    for (const { name, value } of node.attributes) {
      if (name.startsWith('on') || name.startsWith('data-commandlinker')) found.push(`${name} ${named(node)}`);
      if (/^(href|xlink:href|src|action|formaction|data|poster|srcset)$/.test(name)) {
        const address = value.replace(/[\s\x00-\x20]/g, '');
        if (/^(?!https?:|mailto:|attachment:)[a-z][a-z0-9+.-]*:/i.test(address)) found.push(`scheme ${named(node)}`);
      }
      if (name === 'style' && /url\(|@import/i.test(value)) found.push(`style ${named(node)}`);
    }
  };
  // Views of ours and of the front end, with buttons and icons of their own.
  for (const view of document.querySelectorAll('.claude-magic-question, .jp-Completer, .Toastify, .jp-Dialog')) {
    for (const node of view.querySelectorAll('*'))
      examine(node, /^(script|iframe|object|embed|form|link|style|video|audio|base|meta|img)$/i);
  }
  for (const area of document.querySelectorAll(AREA)) {
    const box = area.getBoundingClientRect();
    for (const node of area.querySelectorAll('*')) {
      examine(node, /^(script|iframe|object|embed|form|link|style|video|audio|svg|base|meta|input|textarea)$/i);
      if (/position:(?!\s*relative)/i.test(node.getAttribute('style') ?? '')) found.push(`style ${named(node)}`);
      const style = getComputedStyle(node);
      if (/fixed|sticky/.test(style.position)) found.push(`${style.position} ${named(node)}`);
      if (style.position === 'absolute' && !inMath(node)) found.push(`absolute ${named(node)}`);
      if (node.closest('mjx-assistive-mml') || !node.checkVisibility()) continue;
      const rect = seen(node, area);
      if (rect.right <= rect.left || rect.bottom <= rect.top) continue;
      const out = [box.left - rect.left, box.top - rect.top, rect.bottom - box.bottom];
      if (out.some(by => by > 3)) found.push(`outside by ${out.map(Math.round)} ${named(node)}`);
    }
  }
  // What a click would meet must lie within the output that it belongs to.
  for (let x = 10; x < innerWidth; x += 35) {
    for (let y = 10; y < innerHeight; y += 20) {
      const area = document.elementFromPoint(x, y)?.closest('.jp-OutputArea-output');
      const box = area?.getBoundingClientRect();
      if (box && (x < box.left - 1 || x > box.right + 1 || y < box.top - 1 || y > box.bottom + 1))
        found.push(`covers ${x},${y} ${area.outerHTML.slice(0, 120)}`);
    }
  }
  found.push(...Object.keys(window).filter(key => key.startsWith('pwn_')));
  return found;
}
"""


class Watch:
    """Notes what a page requests from elsewhere, and examines it."""

    def __init__(self, page: Page, origin: str, beacon: Beacon) -> None:
        self._page = page
        self._beacon = beacon
        self._origin = origin
        self.requested: list[str] = []
        page.on("request", self._note)

    def _note(self, request: Request) -> None:
        same = self._origin.replace("http", "ws", 1)
        if not request.url.startswith((self._origin, same, "data:", "blob:", "about:")):
            self.requested.append(request.url)

    def found(self) -> list[str]:
        """Return all that has happened, and what could, once math is typeset."""
        self._page.wait_for_function("() => !document.querySelector('.MathJax_Processing')")
        # Two frames and the requests that they cause; a beacon answers at once.
        self._page.evaluate(
            "() => new Promise(done => requestAnimationFrame(() => setTimeout(done, 500)))"
        )
        found: list[str] = self._page.evaluate(EXAMINE)
        return [*found, *self.requested, *self._beacon.hits]


class Examined(Notebook):
    """A notebook in either front end."""

    def wait_until_idle(self) -> None:
        self.page.locator(".jp-Notebook .jp-Cell").first.wait_for()
        self.page.wait_for_function(
            "() => window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel?.status"
            " === 'idle'"
        )


#: Where a notebook of the server is shown, by the front end.
ADDRESSES = {"lab": "lab/workspaces/{stem}/tree/{stem}.ipynb", "notebook": "notebooks/{stem}.ipynb"}


@pytest.fixture
def open_watched(lab: Lab, browser: Browser, beacon: Beacon) -> Callable[..., Any]:
    @contextmanager
    def open_it(kind: str, name: str, *cells: str) -> Iterator[tuple[Examined, Watch]]:
        beacon.hits.clear()
        stem = f"beacons-{kind}-{name}"
        (lab.root / f"{stem}.ipynb").write_text(json.dumps(notebook_file(cells)))
        context = browser.new_context(viewport={"width": 1100, "height": 900})
        page = context.new_page()
        url = lab.url + ADDRESSES[kind].format(stem=stem)
        notebook = Examined(page, f"{url}?token={lab.token}")
        watch = Watch(page, lab.url, beacon)
        notebook.show()
        try:
            yield notebook, watch
        finally:
            page.evaluate("jupyterapp.shell.currentWidget.sessionContext.shutdown()")
            context.close()

    return open_it


_RAW = """\
from IPython.display import display
for text in {texts!r}:
    display({{"text/markdown": text, "text/plain": text}}, raw=True)"""


def test_the_examination_finds_what_is_not_passed_through_the_gate(
    open_watched: Callable[..., Any], payloads: dict[str, str]
) -> None:
    shown = ["image", "overlay", "command", "mml-token-url", "mermaid-image", "script", "links"]
    cell = _RAW.format(texts=[payloads[name] for name in shown])
    with open_watched("lab", "control", cell) as (notebook, watch):
        notebook.run(0)
        notebook.page.locator("mjx-container").first.wait_for()
        notebook.page.wait_for_timeout(2000)
        found = watch.found()
    for sign in (
        "/i1",
        "fixed ",
        "data-commandlinker",
        "/mml",
        "/mermaid",
        "pwn_onerror",
        "scheme ",
    ):
        assert any(sign in each for each in found), (sign, found)


def _proposed(payloads: dict[str, str]) -> Reply:
    everything = "\n\n".join(payloads.values())
    cells = [
        {"kind": "markdown", "source": everything},
        {"kind": "code", "source": everything},
        {"kind": "code", "source": everything, "replaces": 2},
    ]
    return Reply.of(ToolUse("mcp__kernel__propose_cells", {"cells": cells}))


@pytest.mark.promise(
    "Nothing the model writes loads, runs, triggers a command or is drawn outside its output.",
    against="model",
)
@pytest.mark.parametrize("kind", ADDRESSES)
def test_nothing_that_the_model_writes_is_alive(
    open_watched: Callable[..., Any],
    scripted: Callable[..., str],
    payloads: dict[str, str],
    kind: str,
) -> None:
    everything = "\n\n".join(payloads.values())
    texts = [Text(text) for text in payloads.values()]
    odd = payloads["mml-token"]
    load = scripted(
        Reply.of(*texts[::2]),
        Reply.of(*texts[1::2]),
        Reply.of(*texts),
        Reply.of(Thinking(everything), Text("Well.")),
        Reply.of(
            ToolUse("mcp__kernel__inspect_variable", {"name": everything}),
            ToolUse(odd, {odd: everything}),
        ),
        Reply.of("Looked."),
        _proposed(payloads),
        Reply.of("Proposed."),
        Failure(400, "invalid_request_error", everything),
        Reply.of(ToolUse("mcp__kernel__run_python", {"code": everything, "description": odd})),
        Reply.of("Then not."),
        Reply.of(ToolUse("ExitPlanMode", {"plan": everything})),
        Reply.of("Then not."),
    )
    cells = [
        f"{load}\nglobals()['x<img src=x onerror=window.pwn_name=1>'] = 1",
        "x = 1 / 0",
        "%%claude\nanswer",
        "%%claude\nanswer again",
        "%%claude --bg\nanswer in the background",
        "%%claude\nthink",
        "%%claude\ncall tools",
        "%%claude\nfail",
        "%%claude\nask",
        "%%claude --plan\nplan",
        "%claude_sessions\n%claude_sessions --past",
        "%%claude\npropose",
    ]
    order = [0, 1, 2, 3, 4, 5, 6, 11, 7, 8, 9, 10]
    with open_watched(kind, "sinks", *cells) as (notebook, watch):
        for number in order:
            place = cells[number].rpartition("\n")[2]
            if place == "ask":
                notebook.start(number)
                refuse = notebook.decision("No")
                assert watch.found() == [], place
                refuse.click()
                notebook.wait_for_text(number, "You said no:")
                notebook.wait_until_idle()
            else:
                notebook.run(number)
            if number == 4:
                notebook.wait_for_text(number, " out · ")
            assert watch.found() == [], place
        # The whole page, one screen after the other.
        for at in range(0, len(cells), 2):
            notebook.cell(at).scroll_into_view_if_needed()
            assert watch.found() == []
        _in_other_places(notebook, watch, odd)
        pending = notebook.page.locator(".jp-claude-proposal")
        assert pending.count() == 3
        notebook.page.evaluate("jupyterapp.commands.execute('docmanager:save').then(() => null)")
        notebook.show()
        notebook.page.locator(".jp-RawCell").first.wait_for()
        for at in range(0, len(cells), 2):
            notebook.cell(at).scroll_into_view_if_needed()
            assert watch.found() == []
        # Neither the command to render all, nor a run, renders what is proposed.
        notebook.command("notebook:render-all-markdown")
        assert notebook.page.locator(".jp-MarkdownCell").count() == 0
        assert watch.found() == []


def _in_other_places(notebook: Examined, watch: Watch, odd: str) -> None:
    """Show a payload in a notification and as a completion."""
    notebook.command("claude-magic:switch", session=odd)
    notebook.page.locator(".Toastify__toast, .jp-Notification-Toast").first.wait_for()
    assert watch.found() == []
    notebook.cell(2).locator(".cm-content").click()
    notebook.page.keyboard.press("Control+End")
    notebook.page.keyboard.type(" @")
    notebook.page.keyboard.press("Tab")
    notebook.page.locator(".jp-Completer-item").first.wait_for()
    assert watch.found() == []
    notebook.page.keyboard.press("Escape")


_PROPOSED = (
    "## Result\n\n![chart](BEACON/accepted) <img src=BEACON/tag> [here](BEACON/link)\n\nEnd."
)


def _pend(
    notebook: Examined,
) -> Any:
    notebook.run(0)
    notebook.run(1)
    bar = notebook.page.locator(".jp-claude-proposal").first
    bar.wait_for()
    return bar


@pytest.mark.promise(
    "Proposed Markdown is source until it is accepted, and accepting warns about HTML and addresses.",
    against="model",
)
@pytest.mark.parametrize(
    ("button", "cell_holds", "hits"),
    [
        ("Accept without them", "(image)", False),
        ("Accept as written", "<img src=", True),
        ("Cancel", None, False),
    ],
)
def test_accepting_markdown_that_holds_addresses_warns_first(
    open_watched: Callable[..., Any],
    scripted: Callable[..., str],
    beacon: Beacon,
    button: str,
    cell_holds: str | None,
    *,
    hits: bool,
) -> None:
    cells = [
        {"kind": "markdown", "source": _PROPOSED.replace("BEACON", beacon.url)},
        {"kind": "markdown", "source": "Only *text*."},
    ]
    load = scripted(
        Reply.of(ToolUse("mcp__kernel__propose_cells", {"cells": cells})), Reply.of("Proposed.")
    )
    name = f"accept-{button[:12].replace(' ', '-')}"
    with open_watched("lab", name, load, "%%claude\nGo.") as (notebook, watch):
        bar = _pend(notebook)
        assert watch.found() == []
        bar.get_by_role("button", name="Accept all 2").click()
        dialog = notebook.page.locator(".jp-Dialog")
        dialog.get_by_text("HTML: img").wait_for()
        dialog.get_by_text(beacon.url.removeprefix("http://")).wait_for()
        assert watch.found() == []
        dialog.get_by_role("button", name=button).click()
        dialog.wait_for(state="detached")
        # The harmless one is accepted without a warning.
        notebook.page.locator(".jp-MarkdownCell em", has_text="text").wait_for()
        source = notebook.page.evaluate(
            "() => jupyterapp.shell.currentWidget.content.widgets[2].model.sharedModel.getSource()"
        )
        kind = notebook.page.evaluate(
            "() => jupyterapp.shell.currentWidget.content.widgets[2].model.type"
        )
        assert kind == ("raw" if cell_holds is None else "markdown")
        assert (cell_holds or "<img src=") in source
        notebook.page.wait_for_timeout(1000)
        assert bool(beacon.hits) == hits
        assert notebook.page.locator(".jp-claude-proposal").count() == (cell_holds is None)
