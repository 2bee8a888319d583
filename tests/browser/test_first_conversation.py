"""The magics as a person sees them in JupyterLab, on the offline demo; and the README's picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from .conftest import Notebook

    OpenNotebook = Callable[..., Notebook]

LOAD = "%load_ext claude_magic\n%claude_connect --demo"

RAINFALL = """\
%%claude
My name is Ada and I teach an introduction to statistics. Here is the monthly rainfall of our town
last year in millimetres, January to December:

72, 58, 64, 41, 55, 38, 29, 47, 66, 83, 91, 77

Summarise it in a small table for my students: minimum, median, mean and maximum."""


def test_an_answer_is_in_view_before_it_is_complete(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook(LOAD, RAINFALL)
    notebook.run(0)
    notebook.start(1)
    notebook.wait_for_text(1, "Hello Ada.")
    assert notebook.cell(1).locator(".jp-InputPrompt").inner_text() == "[*]:"
    notebook.output(1).get_by_role("cell", name="November").wait_for()
    notebook.wait_for_text(1, "no single month pulls the mean far to one side")
    notebook.wait_for_text(1, "scripted replies")


def test_stopping_a_cell_keeps_its_text_and_fails_it(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook(LOAD, RAINFALL, "%claude What is my name?")
    notebook.run(0)
    notebook.start(1)
    notebook.wait_for_text(1, "Hello Ada.")
    notebook.command("notebook:interrupt-kernel")
    notebook.wait_for_text(1, "TurnInterruptedError")
    notebook.wait_for_text(1, "Hello Ada.")


@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_the_picture_of_the_readme(open_notebook: OpenNotebook, theme: str) -> None:
    notebook = open_notebook(
        LOAD,
        RAINFALL,
        "%%claude\nWhich month was the wettest, and by how much over the median?",
        "%claude_status",
    )
    notebook.command("apputils:change-theme", theme=f"JupyterLab {theme}")
    notebook.page.set_viewport_size({"width": 1000, "height": 1100})
    notebook.command("application:toggle-left-area")
    for cell in range(4):
        notebook.run(cell)
    notebook.wait_for_text(2, "30 mm over the median")
    panel = notebook.output(3).locator('.claude-magic-status[data-state="ready"]')
    panel.wait_for()
    assert panel.get_by_text("scripted replies").is_visible()
    notebook.screenshot(
        f"first-conversation-{theme.lower()}", notebook.page.locator(".jp-Notebook")
    )
