"""A turn where nobody watches and outputs are compared."""

from __future__ import annotations

from typing import TYPE_CHECKING

from claude_magic.notebook.renderers import FinalRenderer
from claude_magic.session import (
    TextDelta,
    ThinkingDelta,
    ThinkingFinished,
    ToolFinished,
    ToolStarted,
    TurnFinished,
    Usage,
)

if TYPE_CHECKING:
    from claude_magic.session import SessionStatus

    from .conftest import Cell

END = TurnFinished("", Usage(10, 20), 0.0, 1.0, "claude-test", "5f1c0a52")


def test_thinking_is_not_shown_and_each_output_is_sent_once(
    cell: Cell, status: SessionStatus
) -> None:
    renderer = FinalRenderer(status)
    for event in (
        ThinkingDelta("hm"),
        ThinkingFinished("hm", "x"),
        TextDelta("Let me ", 0),
        TextDelta("look.", 0),
        ToolStarted("1", "Read", {"file_path": "a"}),
        ToolFinished("1", "Read", is_error=False, text="<b>"),
        END,
    ):
        renderer.show(event)
    assert not any(message["update"] for message in cell.sent)
    text, tool = cell.markdown
    assert text == "Let me look."
    assert tool.startswith("<details><summary>✓ <code>Read a</code></summary>")
    assert "<pre>&#60;b&#62;</pre>" in tool
    assert set(cell.outputs[1]) == {"text/markdown", "text/plain"}


def test_tools_are_shown_in_the_order_of_their_start(cell: Cell, status: SessionStatus) -> None:
    renderer = FinalRenderer(status)
    for name in "abc":
        renderer.show(ToolStarted(name, "Read", {"file_path": name}))
    for name in "ca":
        renderer.show(ToolFinished(name, "Read", is_error=False, text=""))
    renderer.show(END)
    assert [bundle["text/plain"] for bundle in cell.outputs] == ["✓ Read a", "✗ Read b", "✓ Read c"]
