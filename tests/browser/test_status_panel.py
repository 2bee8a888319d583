from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Locator

    from .conftest import Lab, Notebook

    OpenNotebook = Callable[..., Notebook]

SETUP = """
import json, time
from claude_magic.session import SessionOptions, SessionRegistry
from claude_magic.tape import offline_demo
from claude_magic.widgets import StatusPanel

demo = offline_demo().start()
options = SessionOptions(environment=demo.environment, label=demo.label)
registry = SessionRegistry(options)
panel = StatusPanel(registry.main)
"""

ASK = "registry.main.session.ask('What is my name?').text"

#: Notes when the panel's state changed, in seconds since the epoch by the browser's clock.
WATCH = """
() => {
  const card = document.querySelector(".claude-magic-status");
  window.seen = [];
  const note = () => {
    if (window.seen.at(-1)?.[0] !== card.dataset.state) {
      window.seen.push([card.dataset.state, Date.now() / 1000]);
    }
  };
  new MutationObserver(note).observe(card, { attributes: true });
}
"""

#: How far behind the session the panel may be, in seconds. Measured: 0.002 to 0.06.
LIVE_S = 1.0


def in_state(notebook: Notebook, cell: int, state: str) -> Locator:
    """Wait until the panel in a cell's output shows a state, and return the panel."""
    panel = notebook.output(cell).locator(f'.claude-magic-status[data-state="{state}"]')
    panel.wait_for()
    panel.get_by_role("status").get_by_text(state, exact=True).wait_for()
    return panel


def press(panel: Locator, name: str) -> None:
    panel.get_by_role("button", name=name, exact=True, disabled=False).click()


def session_id(panel: Locator) -> str:
    shown = panel.locator(".cm-code").get_attribute("title")
    assert shown is not None
    return shown


def test_buttons_work_and_their_effect_shows_without_running_a_cell(
    open_notebook: OpenNotebook,
) -> None:
    notebook = open_notebook(SETUP, "panel")
    notebook.run(0)
    notebook.run(1)
    panel = in_state(notebook, 1, "new")
    assert panel.get_by_text("scripted replies").is_visible()
    assert panel.get_by_role("button", name="Disconnect", disabled=True).is_visible()

    press(panel, "Connect")
    panel = in_state(notebook, 1, "ready")
    assert panel.get_by_role("button", name="Connect", exact=True, disabled=True).is_visible()
    before = session_id(panel)

    press(panel, "Disconnect")
    panel = in_state(notebook, 1, "parked")
    assert session_id(panel) == before

    press(panel, "Connect")
    panel = in_state(notebook, 1, "ready")
    press(panel, "Reset")
    press(panel, "Really? Context is lost")
    panel = in_state(notebook, 1, "new")
    assert session_id(panel) != before


def test_changes_show_and_buttons_work_while_a_cell_is_running(
    open_notebook: OpenNotebook,
    lab: Lab,
) -> None:
    notebook = open_notebook(
        SETUP + "told = []\n"
        "note = lambda status: told.append((status.state.value, time.time()))\n"
        "end = registry.main.subscribe(note)",
        "panel",
        "registry.main.connect()\n"
        "from pathlib import Path\n"
        "while not Path('let-the-cell-end').exists():\n"
        "    time.sleep(0.05)",
        "print(json.dumps(told))",
    )
    notebook.run(0)
    notebook.run(1)
    in_state(notebook, 1, "new")
    notebook.page.evaluate(WATCH)

    notebook.start(2)
    press(in_state(notebook, 1, "ready"), "Disconnect")
    press(in_state(notebook, 1, "parked"), "Connect")
    in_state(notebook, 1, "ready")
    assert notebook.cell(2).locator(".jp-InputPrompt").inner_text() == "[*]:"
    (lab.root / "let-the-cell-end").touch()
    notebook.run(3)

    told = [item for item in json.loads(notebook.output(3).inner_text()) if item[0] != "new"]
    seen = notebook.page.evaluate("window.seen")
    assert [state for state, _ in seen] == [state for state, _ in told]
    behind_s = [at - before for (_, at), (_, before) in zip(seen, told, strict=True)]
    print("shown after, in ms:", [round(1000 * late) for late in behind_s])  # noqa: T201
    assert max(behind_s) < LIVE_S


def test_two_views_stay_in_step(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook(SETUP, "panel", "panel")
    for cell in range(3):
        notebook.run(cell)
    press(in_state(notebook, 1, "new"), "Connect")
    press(in_state(notebook, 2, "ready"), "Disconnect")
    assert session_id(in_state(notebook, 1, "parked")) == session_id(
        in_state(notebook, 2, "parked"),
    )


def test_a_reloaded_page_shows_the_present_state(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook(SETUP, "panel")
    notebook.run(0)
    notebook.run(1)
    press(in_state(notebook, 1, "new"), "Connect")
    before = session_id(in_state(notebook, 1, "ready"))
    notebook.command("docmanager:save")
    press(in_state(notebook, 1, "ready"), "Disconnect")
    in_state(notebook, 1, "parked")

    notebook.show()

    panel = in_state(notebook, 1, "parked")
    assert session_id(panel) == before
    press(panel, "Connect")
    in_state(notebook, 1, "ready")


def test_a_restarted_kernel_leaves_no_panel_that_looks_alive(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook(SETUP, "panel")
    notebook.run(0)
    notebook.run(1)
    in_state(notebook, 1, "new")
    notebook.page.evaluate("jupyterapp.shell.currentWidget.sessionContext.restartKernel()")
    panel = in_state(notebook, 1, "gone")
    assert panel.get_by_role("button", disabled=True).count() == 3


def test_a_closed_panel_takes_its_views_away_and_the_session_goes_on(
    open_notebook: OpenNotebook,
) -> None:
    notebook = open_notebook(SETUP, "panel", f"panel.close()\n{ASK}")
    notebook.run(0)
    notebook.run(1)
    in_state(notebook, 1, "new")
    notebook.run(2)
    notebook.wait_for_text(2, "I don't know.")
    assert notebook.output(1).locator(".claude-magic-status").count() == 0


def test_reset_asks_back_and_the_keyboard_is_enough(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook(SETUP, "panel")
    notebook.run(0)
    notebook.run(1)
    panel = in_state(notebook, 1, "new")
    keyboard = notebook.page.keyboard
    before = session_id(panel)
    # By its class, because its name changes.
    reset = panel.locator(".cm-reset")

    reset.dblclick()
    assert reset.inner_text() == "Really? Context is lost"
    keyboard.press("Escape")
    assert reset.inner_text() == "Reset"

    keyboard.press("Enter")
    assert reset.inner_text() == "Really? Context is lost"
    keyboard.press("Shift+Tab")
    assert reset.inner_text() == "Reset"
    assert session_id(panel) == before

    keyboard.press("Tab")
    keyboard.press("Space")
    keyboard.press("Enter")
    notebook.page.wait_for_function(
        "before => document.querySelector('.claude-magic-status .cm-code').title !== before",
        arg=before,
    )


def test_what_others_wrote_is_shown_as_text(open_notebook: OpenNotebook) -> None:
    markup = "<img src=x onerror='window.harmed = true'>"
    notebook = open_notebook(
        SETUP,
        f"panel = StatusPanel(SessionRegistry(options.but(label={markup!r})).main)\n"
        f"panel.error = {markup!r}\n"
        "panel",
    )
    notebook.run(0)
    notebook.run(1)
    panel = in_state(notebook, 1, "new")
    assert panel.get_by_role("alert").inner_text() == markup
    assert panel.locator(".cm-badge").inner_text() == markup
    assert panel.locator("img").count() == 0
    assert notebook.page.evaluate("window.harmed") is None


@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_looks(open_notebook: OpenNotebook, theme: str) -> None:
    notebook = open_notebook(
        SETUP,
        f"display(panel)\n{ASK}",
        "import tempfile\n"
        "with tempfile.TemporaryDirectory() as gone:\n"
        "    lost = SessionRegistry(options.but(label=None, cwd=gone, model='opus')).main\n"
        "lost.connect()\n"
        "StatusPanel(lost)",
        "StatusPanel(SessionRegistry().main)",
    )
    notebook.page.set_viewport_size({"width": 900, "height": 1140})
    notebook.command("application:toggle-left-area")
    notebook.command("apputils:change-theme", theme=f"JupyterLab {theme}")
    try:
        for cell in range(4):
            notebook.run(cell)
        in_state(notebook, 1, "ready").get_by_text("346 in, 20 out").wait_for()
        in_state(notebook, 3, "new")
        notebook.screenshot(f"status-panel-{theme.lower()}")
        lost = in_state(notebook, 2, "lost")
        assert lost.locator(".cm-reason").is_visible()
        lost.locator(".cm-reset").click()
        notebook.screenshot(f"status-panel-lost-{theme.lower()}", of=lost)
    finally:
        notebook.command("apputils:change-theme", theme="JupyterLab Light")
