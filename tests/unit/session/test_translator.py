"""What a tool gave back, as far as it is told."""

from __future__ import annotations

from typing import Any

import pytest
from claude_agent_sdk import (
    AssistantMessage,
    TextBlock,
    ThinkingBlock,
    ToolResultBlock,
    ToolUseBlock,
    UserMessage,
)

from claude_magic.session import TextDelta, ThinkingFinished, ToolFinished
from claude_magic.session.sdk.translator import MOST_RESULT, Translator


def _finished(content: str | list[dict[str, Any]] | None, *, is_error: bool = False) -> Any:
    translator = Translator()
    started = AssistantMessage([ToolUseBlock("1", "Read", {"file_path": "a"})], "claude-test")
    list(translator.translate(started))
    (event,) = translator.translate(UserMessage([ToolResultBlock("1", content, is_error)]))
    return event


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (None, ""),
        ("all of it", "all of it"),
        ([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], "a\nb"),
        ([{"type": "text", "text": "a"}, {"type": "image", "source": {}}], "a\n[image]"),
    ],
)
def test_the_result_of_a_tool_is_told_as_text(
    content: str | list[dict[str, Any]] | None, text: str
) -> None:
    assert _finished(content) == ToolFinished("1", "Read", is_error=False, text=text)


def test_a_long_result_is_bounded_and_says_by_how_much() -> None:
    event = _finished("x" * (MOST_RESULT + 7), is_error=True)
    assert event == ToolFinished("1", "Read", is_error=True, text="x" * MOST_RESULT, left_out=7)


def test_what_is_no_character_reaches_nobody() -> None:
    translator = Translator()
    said = AssistantMessage([ThinkingBlock("a\ud800", ""), TextBlock("b\udc00")], "claude-test")
    thought, text = translator.translate(said)
    assert thought == ThinkingFinished("a\ufffd", "")
    assert text == TextDelta("b\ufffd", 0)
    assert _finished("c\ud800").text == "c\ufffd"
