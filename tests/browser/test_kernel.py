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
    notebook.decision("Allow once").click()
    notebook.wait_for_text(2, "I propose two cells")
    notebook.page.locator(".jp-Notebook .jp-Cell").nth(4).wait_for()
    assert "max(rates)" in notebook.cell(4).locator(".cm-content").inner_text()
    notebook.screenshot(f"kernel-{theme}")
    notebook.run(4)
    assert "3.58" in notebook.output(4).inner_text()
