"""The JupyterLab extension in a real JupyterLab: every button and command of it is pressed."""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING

import pytest

from claude_magic.tape import Hold, Reply, ToolUse

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Locator

    from .conftest import Lab, Notebook

    OpenNotebook = Callable[..., Notebook]

DEMO = "%load_ext claude_magic\n%claude_connect --demo"


def status(notebook: Notebook, text: str) -> Locator:
    """Wait until the status bar says something of Claude, and return its item."""
    item = notebook.page.locator(".jp-claude-status")
    item.filter(has_text=text).wait_for()
    return item


def press(notebook: Notebook, name: str) -> None:
    """Press a button of the notebook's toolbar."""
    item = notebook.page.locator(f'.jp-NotebookPanel:visible [data-jp-item-name="{name}"]')
    item.locator("jp-button, button").first.click()


def choose(notebook: Notebook, label: str) -> None:
    """Choose an entry of the menu that is open."""
    notebook.page.locator(".jp-claude-menu .lm-Menu-item:not(.lm-mod-disabled)").filter(
        has_text=re.compile(rf"^{re.escape(label)}")
    ).click()


def test_the_status_bar_follows_the_conversation_and_its_menu_steers_it(
    open_notebook: OpenNotebook,
) -> None:
    notebook = open_notebook(DEMO, "x = 1")
    item = status(notebook, "Claude: not loaded")
    notebook.run(0)
    status(notebook, "Claude: ready")
    item.click()
    notebook.screenshot("lab-menu")
    choose(notebook, "Disconnect")
    status(notebook, "Claude: parked")
    item.click()
    choose(notebook, "Connect")
    status(notebook, "Claude: ready")


def test_the_toolbar_inserts_a_prompt_cell_and_loads_the_magics_first(
    open_notebook: OpenNotebook,
    scripted: Callable[..., str],
) -> None:
    load = scripted(Reply.of("Hello."))
    notebook = open_notebook(load.partition("\n%load_ext")[0], "")
    notebook.run(0)
    notebook.cell(1).click()
    press(notebook, "claude-ask")
    notebook.cell(2).wait_for()
    assert notebook.cell(1).locator(".cm-content").inner_text() == "%load_ext claude_magic"
    status(notebook, "Claude: ready")
    notebook.page.keyboard.type("Who are you?")
    assert notebook.cell(2).locator(".cm-content").inner_text() == "%%claude\nWho are you?"
    notebook.run(2)
    notebook.wait_for_text(2, "Hello.")
    notebook.screenshot("lab-asked")


def test_stopping_from_the_toolbar_works_while_the_cell_is_running(
    open_notebook: OpenNotebook,
    scripted: Callable[..., str],
) -> None:
    gate = threading.Event()
    load = scripted(Reply.of("Once upon a time ", Hold(gate), "the end."))
    notebook = open_notebook(load, "%%claude\nTell me a story.")
    notebook.run(0)
    notebook.start(1)
    notebook.wait_for_text(1, "Once upon a time")
    status(notebook, "Claude: busy")
    press(notebook, "claude-stop")
    notebook.wait_for_text(1, "TurnInterruptedError")
    gate.set()
    status(notebook, "Claude: ready")


def test_a_failed_cell_offers_an_explanation_which_proposes_it_corrected(
    open_notebook: OpenNotebook,
    scripted: Callable[..., str],
) -> None:
    fixed = "total = 1 + 2\nprint(total)"
    cells = [{"kind": "code", "source": fixed, "replaces": 2}]
    load = scripted(
        Reply.of(ToolUse("mcp__kernel__propose_cells", {"cells": cells})),
        Reply.of("A text and a number cannot be added."),
    )
    notebook = open_notebook(load, "total = 1 + '2'\nprint(total)", "x = 1")
    notebook.run(0)
    notebook.run(1)
    notebook.cell(1).get_by_role("button", name="Explain with Claude").click()
    notebook.wait_for_text(2, "cannot be added")
    bar = notebook.cell(1).locator(".jp-claude-proposal")
    bar.wait_for()
    notebook.screenshot("lab-diff")
    assert bar.locator(".jp-mod-removed").all_inner_texts() == ["- total = 1 + '2'"]
    assert bar.locator(".jp-mod-added").all_inner_texts() == ["+ total = 1 + 2"]
    bar.get_by_role("button", name="Accept").click()
    assert notebook.cell(1).locator(".cm-content").inner_text() == fixed
    notebook.run(1)
    assert notebook.output(1).inner_text().strip() == "3"
    assert notebook.page.get_by_role("button", name="Explain with Claude").count() == 0


def test_proposed_cells_of_both_kinds_come_below_and_are_accepted_or_rejected(
    open_notebook: OpenNotebook,
    scripted: Callable[..., str],
) -> None:
    cells = [
        {"kind": "markdown", "source": "## Rainfall"},
        {"kind": "code", "source": "rain = [72, 58]"},
        {"kind": "code", "source": "max(rain)"},
    ]
    load = scripted(
        Reply.of(ToolUse("mcp__kernel__propose_cells", {"cells": cells})),
        Reply.of("Three cells."),
    )
    notebook = open_notebook(load, "%%claude\nPropose.", "last = True")
    notebook.run(0)
    notebook.run(1)
    bars = notebook.page.locator(".jp-claude-proposal")
    bars.nth(2).wait_for()
    notebook.screenshot("lab-proposals")
    # Markdown is source until it is accepted.
    assert notebook.cell(2).locator(".cm-content").inner_text() == "## Rainfall"
    assert notebook.page.locator(".jp-MarkdownCell").count() == 0
    assert notebook.cell(3).locator(".cm-content").inner_text() == "rain = [72, 58]"
    assert notebook.cell(5).locator(".cm-content").inner_text() == "last = True"
    notebook.cell(2).get_by_role("button", name="Accept", exact=True).click()
    notebook.cell(2).locator("h2", has_text="Rainfall").wait_for()
    notebook.cell(4).get_by_role("button", name="Reject", exact=True).click()
    notebook.run(3)
    assert bars.count() == 0
    assert notebook.cell(4).locator(".cm-content").inner_text() == "last = True"


def test_prompt_cells_are_prose_and_names_are_completed_while_a_cell_is_running(
    open_notebook: OpenNotebook,
    lab: Lab,
) -> None:
    notebook = open_notebook(
        "%load_ext claude_magic\nrainfall, rates, other = [1], [2], 3",
        "import time, pathlib\n"
        "while not pathlib.Path('end-completion').exists():\n    time.sleep(0.05)",
        "%%claude\nWhat's in *this*, and don't\n\n```python\nfor x in y: pass\n```\n\nabout @ra",
    )
    notebook.run(0)
    notebook.start(1)
    cell = notebook.cell(2)
    cell.locator(".cm-content").click()
    notebook.page.keyboard.press("Control+End")
    notebook.screenshot("lab-prose")
    notebook.page.keyboard.press("Tab")
    items = notebook.page.locator(".jp-Completer-item")
    items.first.wait_for()
    notebook.screenshot("lab-completion")
    assert items.locator(".jp-Completer-match").all_inner_texts() == ["rainfall", "rates"]
    notebook.page.keyboard.press("Enter")
    (lab.root / "end-completion").touch()
    assert cell.locator(".cm-content").inner_text().endswith("about @rainfall")


def test_every_command_is_in_the_palette_and_has_its_effect(
    open_notebook: OpenNotebook,
    scripted: Callable[..., str],
) -> None:
    notebook = open_notebook(scripted(Reply.of("Hello.")), "%claude Hello")
    keyboard = notebook.page.keyboard

    def invoke(label: str) -> None:
        notebook.command("apputils:activate-command-palette")
        keyboard.type(label)
        found = notebook.page.locator(".lm-CommandPalette-item:not(.lm-mod-disabled)")
        found.filter(has_text=label).first.click()

    notebook.run(0)
    status(notebook, "Claude: ready")
    invoke("Disconnect from Claude")
    status(notebook, "Claude: parked")
    invoke("Connect to Claude")
    status(notebook, "Claude: ready")
    invoke("Claude Status Panel")
    notebook.page.locator('.claude-magic-status[data-state="ready"]').wait_for()
    invoke("Continue Last Conversation with Claude")
    notebook.page.get_by_text("%claude_connect --last").wait_for()
    notebook.page.locator(".jp-Cell", has_text="--last").get_by_text("UsageError").wait_for()
    invoke("Ask Claude")
    notebook.page.locator(".jp-Cell.jp-mod-active", has_text="%%claude").wait_for()


def test_shortcuts_reach_the_commands_and_reset_asks_back(
    open_notebook: OpenNotebook,
    scripted: Callable[..., str],
) -> None:
    notebook = open_notebook(scripted(Reply.of("Hello.")), "%claude Hello", "1 / 0")
    keyboard, dialog = notebook.page.keyboard, notebook.page.locator(".jp-Dialog")
    for cell in range(3):
        notebook.run(cell)
    status(notebook, "Claude: ready")
    keyboard.press("Alt+Shift+R")
    dialog.get_by_text("Claude forgets all of it: 1 answer so far.").wait_for()
    notebook.screenshot("lab-reset")
    dialog.get_by_role("button", name="Cancel").click()
    status(notebook, "Claude: ready")
    keyboard.press("Alt+Shift+R")
    dialog.get_by_role("button", name="Reset").click()
    status(notebook, "Claude: new")
    keyboard.press("Alt+Shift+P")
    notebook.page.locator('.claude-magic-status[data-state="new"]').wait_for()
    keyboard.press("Alt+Shift+A")
    notebook.page.locator(".jp-Cell.jp-mod-active", has_text="%%claude").wait_for()


@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_looks(open_notebook: OpenNotebook, scripted: Callable[..., str], theme: str) -> None:
    cells = [
        {"kind": "markdown", "source": "The sum of **two** numbers:"},
        {"kind": "code", "source": "total = 1 + 2\ntotal", "replaces": 2},
        {"kind": "code", "source": "total ** 2"},
    ]
    load = scripted(
        Reply.of(ToolUse("mcp__kernel__propose_cells", {"cells": cells})),
        Reply.of("A text and a number cannot be added; `'2'` is a text."),
    )
    notebook = open_notebook(
        load,
        "total = 1 + '2'\ntotal",
        "%%claude\nWhy does **this** fail?\n\n```python\n1 + '2'\n```",
    )
    notebook.command("apputils:change-theme", theme=f"JupyterLab {theme}")
    notebook.command("application:toggle-left-area")
    notebook.page.set_viewport_size({"width": 1000, "height": 1100})
    try:
        notebook.run(0)
        # Where the tests' server is concerns nobody who looks at the README.
        notebook.command("notebook:hide-cell-code")
        notebook.run(1)
        notebook.run(2)
        notebook.page.locator(".jp-claude-proposal").nth(2).wait_for()
        notebook.page.locator(".jp-claude-status").click()
        notebook.screenshot(f"lab-extension-{theme.lower()}")
        notebook.page.keyboard.press("Escape")
    finally:
        notebook.command("apputils:change-theme", theme="JupyterLab Light")
