from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import pytest

from claude_magic.tape import Cut, Hold, Pause, Reply, Text, Thinking, ToolUse, Usage
from claude_magic.tape.sse import event_stream, whole_message

if TYPE_CHECKING:
    from collections.abc import Callable

    from claude_magic.tape import MessagesRequest

    Ask = Callable[..., MessagesRequest]


def played(reply: Reply, request: MessagesRequest) -> list[Any]:
    """Return the stream with its events parsed and its control steps as they are."""
    parts: list[Any] = []
    for part in event_stream(reply, request):
        if isinstance(part, bytes):
            name, data = part.decode().removesuffix("\n\n").split("\n")
            event = json.loads(data.removeprefix("data: "))
            assert name == f"event: {event['type']}"
            parts.append(event)
        else:
            parts.append(part)
    return parts


def short(parts: list[Any]) -> list[Any]:
    """Return what tells the parts apart: the type and the index or the delta's value."""
    told: list[Any] = []
    for part in parts:
        if not isinstance(part, dict):
            told.append(part)
        elif part["type"] == "content_block_delta":
            kind, value = part["delta"].items()
            told.append((kind[1], value[1]))
        elif part["type"].startswith("content_block"):
            told.append((part["type"], part["index"]))
        else:
            told.append(part["type"])
    return told


def test_a_text_is_the_exact_sequence_of_events(ask: Ask) -> None:
    reply = Reply((Text("Hello you"),), usage=Usage(10, 5, 3, 2))
    events = played(reply, ask("Hello?"))
    start = events.pop(0)
    message_id = start["message"].pop("id")
    assert message_id.startswith("msg_")
    assert start == {
        "type": "message_start",
        "message": {
            "type": "message",
            "role": "assistant",
            "model": "claude-test",
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {
                "input_tokens": 10,
                "cache_creation_input_tokens": 2,
                "cache_read_input_tokens": 3,
                "output_tokens": 1,
            },
        },
    }
    assert events == [
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "text_delta", "text": "Hello "},
        },
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "you"}},
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {"output_tokens": 5},
        },
        {"type": "message_stop"},
    ]


def test_message_ids_are_unique(ask: Ask) -> None:
    reply = Reply.of("Hello.")
    ids = {played(reply, ask("Hello?"))[0]["message"]["id"] for _ in range(20)}
    ids |= {whole_message(reply, ask("Hello?"))["id"] for _ in range(20)}
    assert len(ids) == 40


def test_thinking_and_tools_have_their_own_deltas(ask: Ask) -> None:
    tool = ToolUse("Read", {"file_path": "/a/rather/long/path/to/data.csv"})
    events = played(Reply.of(Thinking("Hm, well", "sig"), "Look.", tool), ask("Hello?"))
    assert short(events)[1:-2] == [
        ("content_block_start", 0),
        ("thinking_delta", "Hm, "),
        ("thinking_delta", "well"),
        ("signature_delta", "sig"),
        ("content_block_stop", 0),
        ("content_block_start", 1),
        ("text_delta", "Look."),
        ("content_block_stop", 1),
        ("content_block_start", 2),
        ("input_json_delta", '{"file_path": "/a/rather/long/pa'),
        ("input_json_delta", 'th/to/data.csv"}'),
        ("content_block_stop", 2),
    ]
    opened = [event["content_block"] for event in events if "content_block" in event]
    assert opened[0] == {"type": "thinking", "thinking": "", "signature": ""}
    assert opened[2].pop("id").startswith("toolu_")
    assert opened[2] == {"type": "tool_use", "name": "Read", "input": {}}
    assert events[-2]["delta"]["stop_reason"] == "tool_use"


def test_a_tool_call_keeps_the_id_that_it_was_given(ask: Ask) -> None:
    message = whole_message(Reply.of(ToolUse("Glob", id="t1")), ask("Hello?"))
    assert message["content"] == [{"type": "tool_use", "id": "t1", "name": "Glob", "input": {}}]


def test_a_control_step_happens_inside_the_block_before_it(ask: Ask) -> None:
    hold = Hold(threading.Event())
    reply = Reply.of("Hel", hold, "lo", "Bye", Cut())
    assert short(played(reply, ask("Hello?"))) == [
        "message_start",
        ("content_block_start", 0),
        ("text_delta", "Hel"),
        hold,
        ("text_delta", "lo"),
        ("content_block_stop", 0),
        ("content_block_start", 1),
        ("text_delta", "Bye"),
        Cut(),
        ("content_block_stop", 1),
        "message_delta",
        "message_stop",
    ]
    content = whole_message(reply, ask("Hello?"))["content"]
    assert content == [{"type": "text", "text": "Hello"}, {"type": "text", "text": "Bye"}]


def test_a_text_is_cut_where_the_chunks_say(ask: Ask) -> None:
    reply = Reply.of(Text("Hello", chunks=("He", "llo")))
    assert short(played(reply, ask("Hello?")))[2:4] == [("text_delta", "He"), ("text_delta", "llo")]


def test_words_keep_every_character(ask: Ask) -> None:
    said = "\n  | a | b |\n|---|---|\n\n```\n x\n```\n"
    events = short(played(Reply.of(said), ask("Hello?")))
    assert "".join(event[1] for event in events if event[0] == "text_delta") == said


def test_a_pace_puts_a_pause_between_words(ask: Ask) -> None:
    reply = Reply((Text("one two three"),), words_per_second=4)
    assert [part for part in played(reply, ask("Hello?")) if isinstance(part, Pause)] == [
        Pause(0.25),
        Pause(0.25),
    ]


def test_the_whole_message_has_the_same_content(ask: Ask) -> None:
    reply = Reply((Thinking("Hm", "sig"), Text("Hello")), stop_reason="max_tokens")
    message = whole_message(reply, ask("Hello?"))
    assert message["content"] == [
        {"type": "thinking", "thinking": "Hm", "signature": "sig"},
        {"type": "text", "text": "Hello"},
    ]
    assert message["stop_reason"] == "max_tokens"
    assert message["role"] == "assistant"


def test_usage_is_estimated_from_the_characters(ask: Ask) -> None:
    first = Reply.of("x" * 400).usage_for(ask("y" * 400))
    assert first.output_tokens == 100
    assert 100 <= first.input_tokens < 130
    assert first.cache_read_input_tokens == 0
    second = Reply.of("x").usage_for(ask("y" * 400, "x" * 400, "z" * 40))
    assert 100 <= second.cache_read_input_tokens <= first.input_tokens
    assert 110 <= second.input_tokens < 160


def test_a_tool_call_counts_as_written(ask: Ask) -> None:
    assert Reply.of(ToolUse("Read", {"x": "y" * 400})).usage_for(ask("Go")).output_tokens > 100


def test_impossible_replies_are_refused() -> None:
    with pytest.raises(ValueError, match="must add up to the text 'Hello'"):
        Text("Hello", chunks=("He", "lo"))
    with pytest.raises(ValueError, match="words_per_second=0: must be above 0"):
        Reply((), words_per_second=0)
