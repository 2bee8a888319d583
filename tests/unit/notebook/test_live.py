"""A turn in a front end that shows it while it happens."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from claude_magic.errors import TurnInterruptedError
from claude_magic.notebook.renderers import LiveRenderer
from claude_magic.session import (
    BackgroundReply,
    PermissionAsked,
    PermissionDenied,
    RetryScheduled,
    TextDelta,
    TextWithdrawn,
    ThinkingDelta,
    ThinkingFinished,
    ToolFinished,
    ToolStarted,
    TurnFailed,
    TurnFinished,
    TurnStarted,
    Usage,
)

if TYPE_CHECKING:
    from claude_magic.session import Event, SessionStatus

    from .conftest import Cell, Clock

END = TurnFinished("", Usage(10, 20), 0.0, 1.0, "claude-test", "5f1c0a52")
PARAGRAPH = "The median is the middle of the sorted values. " * 20 + "\n\n"


@pytest.fixture
def renderer(cell: Cell, status: SessionStatus, clock: Clock) -> LiveRenderer:
    return LiveRenderer(status, clock)


def show(renderer: LiveRenderer, *events: Event) -> None:
    """Show events as the pump does, on a machine that is fast."""
    for event in events:
        renderer.show(event)
        if renderer.due_s == 0:
            renderer.refresh()


def stream(renderer: LiveRenderer, clock: Clock, text: str, block: int = 0, size: int = 50) -> None:
    for start in range(0, len(text), size):
        show(renderer, TextDelta(text[start : start + size], block))
        clock.now_s += 0.01
        if renderer.due_s == 0:
            renderer.refresh()


def test_a_long_answer_is_several_outputs_that_add_up_to_it(
    renderer: LiveRenderer, cell: Cell, clock: Clock
) -> None:
    text = PARAGRAPH * 50
    stream(renderer, clock, text)
    show(renderer, END)
    assert 8 < len(cell.outputs) < 15
    assert "".join(cell.markdown[:-1]) == text
    assert "claude-test" in cell.markdown[-1]


def test_a_segment_that_is_complete_is_not_sent_again(
    renderer: LiveRenderer, cell: Cell, clock: Clock
) -> None:
    text = "".join(f"Number {number}: {PARAGRAPH}" for number in range(50))
    stream(renderer, clock, text)
    show(renderer, END)
    final = [bundle["text/markdown"] for bundle in cell.outputs]
    sent = [message["data"]["text/markdown"] for message in cell.sent]
    assert all(sent.count(text) <= 2 for text in final)  # once more with its plain text
    assert sum(map(len, sent)) < 6 * len(text)


def test_text_is_shown_ten_times_a_second_at_most(
    renderer: LiveRenderer, cell: Cell, clock: Clock
) -> None:
    show(renderer, TurnStarted("claude-test"), TextDelta("a", 0))
    before = len(cell.sent)
    stream(renderer, clock, "b" * 99, size=1)  # in 0.99 s
    assert 9 <= len(cell.sent) - before <= 10


def test_what_cannot_be_divided_is_sent_less_often(
    renderer: LiveRenderer, cell: Cell, clock: Clock
) -> None:
    stream(renderer, clock, "word " * 10_000)
    sent = sum(len(message["data"]["text/markdown"]) for message in cell.sent)
    assert sent < 10 * 60_000 * 1.2  # ten seconds


def test_everything_is_markdown_and_never_html(
    renderer: LiveRenderer, cell: Cell, clock: Clock
) -> None:
    hostile = "<script>alert(1)</script>"
    show(
        renderer,
        TextDelta(hostile, 0),
        ThinkingDelta(hostile),
        ThinkingFinished(hostile, "x"),
        ToolStarted("1", "Read", {"file_path": hostile}),
        PermissionAsked("Read", {"file_path": hostile}),
        PermissionDenied("Read", {"file_path": hostile}),
        ToolFinished("1", "Read", is_error=False, text=hostile),
        BackgroundReply(hostile, hostile),
        END,
    )
    for message in cell.sent:
        assert set(message["data"]) <= {"text/markdown", "text/plain"}
    ours = [text for text in cell.markdown if text.startswith(("<sub>", "<details>", "Not"))]
    assert len(ours) == 4
    assert not any("<script" in text for text in cell.markdown)
    final = cell.outputs[0]
    assert final == {"text/markdown": "&lt;script>alert(1)&lt;/script>", "text/plain": hostile}


def test_text_that_is_withdrawn_gives_its_outputs_to_what_is_said_instead(
    renderer: LiveRenderer, cell: Cell, clock: Clock
) -> None:
    stream(renderer, clock, PARAGRAPH * 12)
    count = len(cell.outputs)
    assert count > 2
    show(renderer, TextWithdrawn(0), TextDelta("Anew.", 0), END)
    assert cell.markdown[0] == "Anew."
    assert len(cell.markdown) == 2
    assert len(cell.outputs) == count + 1


def test_thinking_is_in_view_while_it_lasts_and_folded_afterwards(
    renderer: LiveRenderer, cell: Cell, clock: Clock
) -> None:
    show(renderer, TurnStarted("claude-test"), ThinkingDelta("The median of four"))
    assert cell.markdown == ["<sub>Thinking … The median of four</sub>"]
    clock.now_s += 3
    show(renderer, ThinkingDelta(" <b>values</b>"))
    assert "&#60;b&#62;values" in cell.markdown[0]
    show(renderer, ThinkingFinished("The median of four <b>values</b>", "x"))
    show(renderer, TextDelta("It is 2.", 0), END)
    thought, answer, _ = cell.markdown
    assert thought.startswith("<details><summary><small>Thought for 3 s</small></summary>")
    assert "<pre>The median of four &#60;b&#62;values&#60;/b&#62;</pre>" in thought
    assert answer == "It is 2."


def test_thinking_that_the_api_keeps_to_itself_leaves_no_line(
    renderer: LiveRenderer, cell: Cell
) -> None:
    show(renderer, ThinkingFinished("", "x"), TextDelta("Hello.", 0), END)
    assert cell.markdown[0] == "Hello."


def test_a_tool_is_one_line_that_says_how_it_stands(renderer: LiveRenderer, cell: Cell) -> None:
    show(renderer, ToolStarted("1", "Bash", {"command": "ls", "timeout": 5}))
    assert cell.markdown[0].startswith("<details><summary>⋯ <code>Bash ls</code></summary>")
    assert "timeout: 5" in cell.markdown[0]
    show(renderer, ToolStarted("2", "Read", {"file_path": "b"}))
    show(renderer, ToolFinished("2", "Read", is_error=True, text="no such file"))
    show(renderer, ToolFinished("1", "Bash", is_error=False, text="a\n\nb", left_out=7), END)
    first, second, _ = cell.markdown
    assert first.startswith("<details><summary>✓ <code>Bash ls</code></summary>")
    assert "a&#10;\nb\n… 7 more characters</pre>" in first
    assert second.startswith("<details><summary>✗ <code>Read b</code></summary>")
    assert "no such file" in second


def test_long_arguments_are_bounded_and_what_is_left_out_is_said(
    renderer: LiveRenderer, cell: Cell
) -> None:
    show(renderer, ToolStarted("1", "Write", {"file_path": "a", "content": "line\n" * 1000}))
    assert len(cell.markdown[0]) < 3000
    assert "more characters" in cell.markdown[0]


def test_a_tool_that_never_ended_is_not_left_running(renderer: LiveRenderer, cell: Cell) -> None:
    show(renderer, ToolStarted("1", "Bash", {"command": "sleep 60"}))
    show(renderer, TurnFailed(TurnInterruptedError("")))
    assert cell.markdown[0].startswith("<details><summary>✗")
    assert "without a result" in cell.markdown[0]


def test_a_turn_never_has_more_outputs_than_jupyterlab_shows(
    renderer: LiveRenderer, cell: Cell, clock: Clock
) -> None:
    for number in range(300):
        call = str(number)
        stream(renderer, clock, f"Step {number}.\n\n" + PARAGRAPH * 2, block=number, size=200)
        show(renderer, ToolStarted(call, "Read", {"file_path": f"file-{number}"}))
        show(renderer, ToolFinished(call, "Read", is_error=False, text="x" * 500))
    show(renderer, TextDelta("The end.", 300), END)
    assert len(cell.outputs) < 50
    shown = "\n\n".join(cell.markdown)
    positions = [shown.index(f"Step {number}.") for number in range(300)]
    assert positions == sorted(positions)
    assert all(f"✓ <code>Read file-{number}</code>" in shown for number in range(300))
    assert cell.markdown[-2].endswith("The end.")


def test_an_output_that_several_segments_share_is_sent_once_each_time(
    renderer: LiveRenderer, cell: Cell, clock: Clock
) -> None:
    stream(renderer, clock, PARAGRAPH * 200, size=500)
    sent = len(cell.sent)
    renderer.show(TextDelta(PARAGRAPH * 10, 0))
    clock.now_s += 60
    renderer.refresh()
    outputs = [message["transient"]["display_id"] for message in cell.sent[sent:]]
    assert outputs
    assert len(outputs) == len(set(outputs))
    assert "".join(cell.markdown).split() == (PARAGRAPH * 210).split()


def test_a_retry_is_said_while_it_is_waited_for(renderer: LiveRenderer, cell: Cell) -> None:
    show(renderer, RetryScheduled(1, 10, 0.5, 529))
    assert cell.markdown == ["<sub>The API answered 529; retry 1 of 10 in 0.5 s …</sub>"]
