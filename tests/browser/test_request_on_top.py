"""A permission request cannot be covered: hit tests and pixels under overlays of every kind."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

import pytest

from claude_magic.tape import Reply, ToolUse

from .conftest import wait_until_ready
from .overlays import FULL, OVERLAYS, TOP, Overlay

if TYPE_CHECKING:
    from collections.abc import Callable

    from PIL.Image import Image
    from playwright.sync_api import Locator, Page

    from .conftest import Lab, Notebook

    OpenNotebook = Callable[..., Notebook]

SIZES = [(1200, 900), (800, 600), (480, 320)]

#: A body that scrolls, a note and a rule: all that a request can have.
COMMAND = "\n".join(["rm -rf data  # all of it", *(f"echo {n}" for n in range(40))])
CALL = ToolUse("Bash", {"command": COMMAND, "description": "List the files of the folder"})

#: The points of the request, 4 pixels apart, that something else is in front of.
COVERED = """
card => {
  const { left, top, right, bottom } = card.getBoundingClientRect();
  const covered = [];
  if (left < 0 || top < 0 || right > innerWidth || bottom > innerHeight) covered.push("outside");
  for (let y = top + 4; y <= bottom - 4; y += 4) {
    for (let x = left + 4; x <= right - 4; x += 4) {
      if (!card.contains(document.elementFromPoint(x, y))) covered.push([x, y]);
    }
  }
  return covered;
}
"""

ADD = """
([html, opened]) => {
  const parent = document.createElement('div');
  parent.id = 'hostile';
  parent.innerHTML = html;
  document.body.append(parent);
  eval(`(${opened})`)(parent.firstElementChild);
}
"""
REMOVE = "document.getElementById('hostile').remove()"


#: The corners of a request are round, and the page is seen beside them; in pixels.
CORNER = 10


#: The same picture may be drawn a little differently: in levels of a colour, of 255.
NOISE = 3


def picture(of: Locator) -> Image:
    """Return the pixels of a request."""
    from PIL import Image  # noqa: PLC0415 - only needed here

    image = Image.open(io.BytesIO(of.screenshot())).convert("RGB")
    width, height = image.size
    for left in (0, width - CORNER):
        for top in (0, height - CORNER):
            image.paste((0, 0, 0), (left, top, left + CORNER, top + CORNER))
    return image


def differ(one: Image, other: Image) -> bool:
    """Return whether two pictures look different."""
    from PIL import ImageChops  # noqa: PLC0415 - only needed here

    if one.size != other.size:
        return True
    return max(ImageChops.difference(one, other).tobytes()) > NOISE


def enabled(card: Locator) -> Locator:
    return card.locator('.cm-once[aria-disabled="false"]')


def disabled(page: Page) -> Locator:
    """The button that allows, also where it cannot be seen, while it does nothing."""
    return page.locator('.claude-magic-question .cm-once[aria-disabled="true"]')


def press(page: Page) -> None:
    """Press where the button is, whatever is in front of it, as a person would."""
    left, top, width, height = page.evaluate(
        "() => { const b = document.querySelector('.claude-magic-question .cm-once')"
        ".getBoundingClientRect(); return [b.left, b.top, b.width, b.height]; }"
    )
    page.mouse.click(left + width / 2, top + height / 2)


@pytest.fixture
def asking(open_notebook: OpenNotebook, scripted: Callable[..., str]) -> Notebook:
    """A notebook whose cell waits for a decision."""
    load = scripted(Reply.of(CALL), Reply.of("Well."))
    notebook = open_notebook(load, "%%claude\nGo.")
    notebook.run(0)
    notebook.start(1)
    notebook.decision("Allow once")
    return notebook


@pytest.mark.timeout(600)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_every_point_is_the_requests_or_its_buttons_do_nothing(
    asking: Notebook, size: tuple[int, int]
) -> None:
    page, card = asking.page, asking.question
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.mouse.move(1, 1)
    enabled(card).wait_for()
    asking.screenshot(f"request-{size[0]}x{size[1]}")
    clean = picture(card)
    assert card.evaluate(COVERED) == []
    failed = []
    for overlay in OVERLAYS:
        page.evaluate(ADD, [overlay.html, overlay.opened])
        try:
            _check(page, card, overlay, clean)
        except Exception as error:  # noqa: BLE001 - all rows are tried
            failed.append(f"{overlay.name}: {str(error)[:300]}")
        page.evaluate(REMOVE)
        enabled(card).wait_for()
    assert not failed, "\n".join(failed)
    asking.decision("No").click()
    asking.wait_for_text(1, "You said no:")


def _check(page: Page, card: Locator, overlay: Overlay, clean: Image) -> None:
    if overlay.ends == "above":
        # It may have gone above the overlay again, after which the buttons wait.
        page.evaluate("new Promise(done => setTimeout(done, 200))")
        enabled(card).wait_for(timeout=5000)
        assert card.evaluate(COVERED) == []
        assert not differ(picture(card), clean), "it looks different"
    else:
        disabled(page).wait_for(state="attached", timeout=5000)
        # Not a moment only.
        press(page)
        page.evaluate("new Promise(done => setTimeout(done, 800))")
        press(page)
        assert disabled(page).count() == 1, "it can be pressed"


#: Puts a box into the answer, as markup that passed the gate would, and returns what it covers.
OVERFLOWING = """
style => {
  const output = document.querySelector('.jp-OutputArea-output.jp-RenderedMarkdown');
  const box = document.createElement('div');
  box.style = style;
  output.append(box);
  const { left, top, right, bottom } = output.getBoundingClientRect();
  const outside = [];
  for (let y = 2; y < innerHeight; y += 8) {
    for (let x = 2; x < innerWidth; x += 8) {
      const within = x >= left && x <= right && y >= top && y <= bottom;
      if (!within && box.contains(document.elementFromPoint(x, y))) outside.push([x, y]);
    }
  }
  box.remove();
  return outside;
}
"""


def test_what_an_answer_draws_stays_in_its_output(
    open_notebook: OpenNotebook, scripted: Callable[..., str]
) -> None:
    notebook = open_notebook(scripted(Reply.of("An **answer**.")), "%%claude\nGo.")
    notebook.run(0)
    notebook.run(1)
    notebook.wait_for_text(1, "An answer.")
    for style in (
        f"position:fixed;{FULL}{TOP}",
        f"position:absolute;{FULL}{TOP}",
        f"position:relative;left:-400px;top:-200px;{FULL}{TOP}",
        f"margin:-400px;{FULL}{TOP}",
        f"position:fixed;transform:scale(9);{FULL}{TOP}",
    ):
        assert notebook.page.evaluate(OVERFLOWING, style) == [], style


def test_what_comes_at_the_last_moment_has_a_press_do_nothing(asking: Notebook) -> None:
    page = asking.page
    cover = next(each for each in OVERLAYS if each.name == "popover that lets clicks through")
    # In the same task as the press there is no time for the regular check.
    page.evaluate(
        "([html]) => addEventListener('pointerdown', () => {"
        "  const parent = document.createElement('div'); parent.id = 'hostile';"
        "  parent.innerHTML = html; document.body.append(parent);"
        "  parent.firstElementChild.showPopover(); }, { capture: true, once: true })",
        [cover.html],
    )
    press(page)
    page.evaluate(REMOVE)
    asking.decision("No").click()
    asking.wait_for_text(1, "You said no:")


def test_a_page_that_is_zoomed_into_shows_not_all_of_it_and_says_so(asking: Notebook) -> None:
    page = asking.page
    session = page.context.new_cdp_session(page)
    session.send("Emulation.setPageScaleFactor", {"pageScaleFactor": 2})
    disabled(page).wait_for()
    asking.question.get_by_text("too small to show all").wait_for()
    session.send("Emulation.setPageScaleFactor", {"pageScaleFactor": 1})
    asking.decision("Allow once")


def test_a_window_that_is_too_small_is_said(asking: Notebook) -> None:
    asking.page.set_viewport_size({"width": 300, "height": 120})
    disabled(asking.page).wait_for()
    asking.question.get_by_text("too small to show all").wait_for()
    asking.page.set_viewport_size({"width": 480, "height": 320})
    asking.decision("No").click()
    asking.wait_for_text(1, "You said no:")


@pytest.mark.parametrize("size", SIZES[::2], ids=str)
def test_it_stays_above_or_out_of_the_way_of_what_jupyterlab_opens(
    asking: Notebook, size: tuple[int, int]
) -> None:
    page, card = asking.page, asking.question
    page.set_viewport_size({"width": size[0], "height": size[1]})
    enabled(card).wait_for()
    asking.command("apputils:notify", message="ls", type="info", options={"autoClose": False})
    page.get_by_text("ls", exact=True).first.wait_for()
    enabled(card).wait_for()
    assert card.evaluate(COVERED) == []

    page.evaluate("void jupyterapp.commands.execute('help:about')")
    dialog = page.locator(".jp-Dialog")
    dialog.wait_for()
    page.evaluate("new Promise(done => setTimeout(done, 300))")
    # Either it is above, or it has stepped aside; a dialog's buttons can be reached.
    assert not card.count() or card.evaluate(COVERED) == []
    page.keyboard.press("Escape")
    dialog.wait_for(state="detached")
    enabled(card).wait_for()

    # In a small window, the request is above the menu bar.
    page.locator(".lm-MenuBar-item", has_text="File").first.press("Enter")
    page.locator(".lm-Menu").first.wait_for()
    page.evaluate("new Promise(done => setTimeout(done, 300))")
    assert not card.count() or card.evaluate(COVERED) == []
    page.keyboard.press("Escape")
    asking.decision("No").click()
    asking.wait_for_text(1, "You said no:")


def test_it_hides_with_its_notebook_comes_back_and_goes_with_it(
    asking: Notebook, scripted: Callable[..., str]
) -> None:
    page, card = asking.page, asking.question
    path = page.evaluate("jupyterapp.shell.currentWidget.context.path")
    page.evaluate(
        "path => jupyterapp.serviceManager.contents.copy(path, '').then(model =>"
        " jupyterapp.commands.execute('docmanager:open', { path: model.path })).then(() => null)",
        path,
    )
    other = page.evaluate("jupyterapp.shell.currentWidget.context.path")
    card.wait_for(state="hidden")
    # The other notebook asks as well: each shows its own.
    own = scripted(
        Reply.of(ToolUse("mcp__kernel__run_python", {"code": "of_the_other = 1"})),
        Reply.of("Well."),
    )
    wait_until_ready(page)
    page.evaluate(
        "load => jupyterapp.shell.currentWidget.content.widgets[0]"
        ".model.sharedModel.setSource(load)",
        own,
    )
    page.wait_for_function(
        "() => jupyterapp.shell.currentWidget.sessionContext.session?.kernel?.status === 'idle'"
    )
    # It ends with the cells, which wait for a decision.
    page.evaluate("void jupyterapp.commands.execute('notebook:run-all-cells')")
    card.filter(has_text="of_the_other").wait_for()
    assert card.count() == 1
    asking.command("docmanager:open", path=path)
    card.filter(has_text="rm -rf data").wait_for()
    assert card.count() == 1
    asking.command("docmanager:open", path=other)
    card.filter(has_text="of_the_other").wait_for()
    asking.decision("No").click()
    page.locator(".jp-Notebook:visible").get_by_text("You said no:").first.wait_for()
    page.evaluate("jupyterapp.shell.currentWidget.sessionContext.shutdown()")
    asking.command("docmanager:open", path=path)
    card.wait_for()
    # Closing a notebook leaves its kernel, which another page may ask for.
    page.evaluate(
        "{ const panel = jupyterapp.shell.currentWidget;"
        " window.ended = panel.sessionContext.session.kernel;"
        " panel.context.model.dirty = false; panel.dispose(); }"
    )
    page.locator(".claude-magic-question").wait_for(state="detached")
    page.evaluate("window.ended.shutdown()")
    asking.command("docmanager:open", path=other)


#: What browsers of some years ago did not have.
OLD = {
    "without popovers": "delete HTMLElement.prototype.showPopover;"
    "delete HTMLElement.prototype.popover;",
    "without modal dialogs either": "delete HTMLElement.prototype.showPopover;"
    "delete HTMLElement.prototype.popover; delete HTMLDialogElement.prototype.showModal;",
}


def test_a_browser_without_popovers_shows_a_modal_dialog(asking: Notebook) -> None:
    page = asking.page
    page.add_init_script(OLD["without popovers"])
    page.reload()
    asking.decision("Allow once")
    assert asking.question.evaluate("card => card.matches('dialog:modal')")
    page.keyboard.press("Escape")
    assert asking.question.count() == 1
    asking.screenshot("request-dialog")
    asking.decision("No").click()
    page.locator(".claude-magic-question").wait_for(state="detached")


def test_a_browser_without_a_top_layer_is_asked_in_text(
    open_notebook: OpenNotebook, scripted: Callable[..., str], lab: Lab
) -> None:
    call = ToolUse("mcp__kernel__run_python", {"code": "y = 1"})
    notebook = open_notebook(scripted(Reply.of(call), Reply.of("Well.")), "%%claude\nGo.")
    notebook.page.add_init_script(OLD["without modal dialogs either"])
    notebook.show()
    notebook.run(0)
    notebook.start(1)
    answer = notebook.output(1).get_by_role("textbox")
    answer.wait_for()
    assert notebook.page.locator(".claude-magic-question").count() == 0
    answer.fill("n")
    answer.press("Enter")
    notebook.wait_for_text(1, "Well.")
    assert re.search(r"y = 1", notebook.output(1).inner_text())


def test_the_focus_goes_there_by_a_command_and_back_by_escape(asking: Notebook) -> None:
    page = asking.page
    focused = "document.activeElement.closest('.claude-magic-question') !== null"
    assert not page.evaluate(focused)
    page.keyboard.press("Escape")
    page.keyboard.press("Alt+Shift+D")
    page.wait_for_function(focused)
    page.keyboard.press("Escape")
    page.wait_for_function(f"!({focused})")
    page.keyboard.press("Alt+Shift+D")
    page.wait_for_function(focused)
    for _ in range(3):
        page.keyboard.press("Tab")
    names = page.evaluate("document.activeElement.textContent")
    assert names in {"Allow once", "Allow in this session"}
    asking.decision("No").press("Enter")
    asking.wait_for_text(1, "You said no:")
