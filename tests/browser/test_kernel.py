"""Claude in the kernel, as it looks in JupyterLab: questions, looks, proposed cells."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from claude_magic.tape import Reply, Text, ToolUse

if TYPE_CHECKING:
    from collections.abc import Callable

    from .conftest import Notebook

    OpenNotebook = Callable[..., Notebook]

_CODE = """\
rates = [round(mm / 25.4, 2) for mm in rainfall]
print(f"{max(rates)} inches at most")
rates[:3]"""

#: Would run if the question were shown as Markdown that is trusted.
_HOSTILE = "print('<img src=x onerror=\"window.owned = true\">')\n# ``` <script>window.owned = true"


def _press_enter_with(notebook: Notebook, number: int, answer: str) -> None:
    field = notebook.output(number).locator("input.jp-Stdin-input")
    field.wait_for()
    field.fill(answer)
    field.press("Enter")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_question_shows_what_would_run_and_the_answer_decides(
    open_notebook: OpenNotebook,
    scripted: Callable[..., str],
    theme: str,
) -> None:
    cells = [
        {"kind": "markdown", "source": "## Rainfall in inches"},
        {"kind": "code", "source": "max(rates)"},
    ]
    load = scripted(
        Reply.of(
            Text("I convert the rainfall first."),
            ToolUse("mcp__kernel__run_python", {"code": _CODE}),
        ),
        Reply.of(ToolUse("mcp__kernel__propose_cells", {"cells": cells})),
        Reply.of("The wettest month had **3.58 inches**. I propose two cells for the record."),
    )
    notebook = open_notebook(
        load,
        "rainfall = [72, 58, 64, 41, 55, 38, 29, 47, 66, 83, 91, 77]",
        "%%claude\nHow much is @rainfall in inches?",
    )
    if theme == "dark":
        notebook.command("apputils:change-theme", theme="JupyterLab Dark")
    notebook.run(0)
    notebook.run(1)
    notebook.start(2)
    notebook.output(2).locator("input.jp-Stdin-input").wait_for()
    notebook.screenshot(f"question-{theme}")
    _press_enter_with(notebook, 2, "y")
    notebook.wait_for_text(2, "I propose two cells")
    notebook.page.locator(".jp-Notebook .jp-Cell").nth(3).wait_for()
    assert "max(rates)" in notebook.cell(3).locator(".cm-content").inner_text()
    notebook.screenshot(f"kernel-{theme}")
    notebook.run(3)
    assert "3.58" in notebook.output(3).inner_text()


def test_nothing_in_a_question_can_run(
    open_notebook: OpenNotebook,
    scripted: Callable[..., str],
) -> None:
    load = scripted(
        Reply.of(ToolUse("mcp__kernel__run_python", {"code": _HOSTILE})),
        Reply.of("Well."),
    )
    notebook = open_notebook(load, "%%claude\nGo.")
    notebook.run(0)
    notebook.start(1)
    notebook.output(1).locator("input.jp-Stdin-input").wait_for()
    notebook.screenshot("question-hostile")
    assert notebook.output(1).locator("script, img, [onerror]").count() == 0
    assert "onerror" in notebook.output(1).inner_text()
    _press_enter_with(notebook, 1, "n")
    notebook.wait_for_text(1, "Well.")
    assert notebook.page.evaluate("window.owned") is None
