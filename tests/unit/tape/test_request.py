from __future__ import annotations

from typing import Any

import pytest

from claude_magic.tape import MessagesRequest, ToolResult, VisibleTurn


def text(value: str) -> dict[str, Any]:
    return {"type": "text", "text": value}


def tool_result(call: str, content: object, *, is_error: bool | None = None) -> dict[str, Any]:
    block: dict[str, Any] = {"type": "tool_result", "tool_use_id": call, "content": content}
    return block if is_error is None else {**block, "is_error": is_error}


def request(*messages: tuple[str, object], **body: Any) -> MessagesRequest:
    listed = [{"role": role, "content": content} for role, content in messages]
    return MessagesRequest.from_http({"messages": listed, **body}, {"X-Some": "Thing"})


def test_it_tells_what_was_asked_for() -> None:
    asked = MessagesRequest.from_http(
        {
            "model": "claude-test",
            "stream": True,
            "system": [text("One."), text("Two.")],
            "tools": [{"name": "Read"}, {"name": "Grep"}],
            "messages": [{"role": "user", "content": "Hello?"}],
        },
        {"X-Claude-Code-Session-Id": "abc", "Accept": "*/*"},
    )
    assert asked.model == "claude-test"
    assert asked.stream
    assert asked.system == "One.\n\nTwo."
    assert asked.tools == ("Read", "Grep")
    assert asked.messages == [{"role": "user", "content": "Hello?"}]
    assert asked.session_id == "abc"
    assert asked.headers == {"x-claude-code-session-id": "abc", "accept": "*/*"}


def test_what_is_not_said_has_an_empty_value() -> None:
    asked = request(("user", "Hello?"))
    assert asked.model == asked.system == ""
    assert not asked.stream
    assert asked.tools == ()
    assert asked.session_id is None
    assert asked.tool_results == ()


def test_the_visible_conversation_leaves_out_what_claude_code_added() -> None:
    asked = request(
        ("user", [text("<system-reminder>\nbe\nbrief</system-reminder>"), text("What is in it?")]),
        ("system", "# Environment\nyou are in a directory"),
        ("assistant", [text("Let me look."), {"type": "tool_use", "id": "t1", "name": "Read"}]),
        ("user", [tool_result("t1", "a,b"), text("<system-reminder>x</system-reminder>")]),
        ("assistant", [text("Two columns.")]),
        ("user", [text("[Request interrupted by user]\n"), text("Go on.")]),
    )
    assert asked.visible_turns == (
        VisibleTurn("user", ("What is in it?",)),
        VisibleTurn("assistant", ("Let me look.",)),
        VisibleTurn("assistant", ("Two columns.",)),
        VisibleTurn("user", ("Go on.",)),
    )
    assert asked.prompt == "Go on."


def test_a_reminder_inside_a_text_is_cut_out_of_it() -> None:
    asked = request(("user", "Hello <system-reminder>x</system-reminder>there"))
    assert asked.prompt == "Hello there"


def test_text_blocks_of_one_message_are_one_turn() -> None:
    asked = request(("user", [text("One.\n"), text("Two.")]))
    assert asked.visible_turns == (VisibleTurn("user", ("One.", "Two.")),)
    assert asked.prompt == "One.\n\nTwo."


def test_there_may_be_no_prompt() -> None:
    assert request(("system", "x")).prompt == ""


def test_tool_results_are_those_of_the_last_user_message() -> None:
    asked = request(
        ("user", "Look."),
        ("assistant", [{"type": "tool_use", "id": "t1"}, {"type": "tool_use", "id": "t2"}]),
        (
            "user",
            [
                tool_result("t1", "plain"),
                tool_result("t2", [text("in"), text("blocks")], is_error=True),
            ],
        ),
        ("system", "a note"),
    )
    assert asked.tool_results == (
        ToolResult("t1", "plain", is_error=False),
        ToolResult("t2", "in\n\nblocks", is_error=True),
    )
    assert asked.tool_result_count == 2


def test_tool_results_count_from_the_last_prompt() -> None:
    first = (
        ("user", "Look."),
        ("assistant", [{"type": "tool_use", "id": "t1"}]),
        ("user", [tool_result("t1", "x"), text("[Request interrupted by user for tool use]")]),
    )
    assert request(*first).tool_result_count == 1
    stopped = (*first[:2], ("user", [tool_result("t1", "x"), text("Never mind.")]))
    assert request(*stopped).tool_result_count == 0


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (None, "messages: must be a list"),
        ([], "messages: must be a list"),
        ({}, "messages: must be a list"),
        ({"messages": []}, "at least one message"),
        ({"messages": ["x"]}, r"messages\.0: must be an object with a role"),
        ({"messages": [{"role": "user", "content": 1}]}, "a text or a list of blocks"),
    ],
)
def test_what_is_no_request_is_refused(body: object, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        MessagesRequest.from_http(body, {})
