"""Tool calls of other providers in a history: every one reaches the API in a form that it takes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage

from claude_magic import ClaudeCodeChatModel
from claude_magic.chat_model.messages import exchange
from claude_magic.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

_VALID = re.compile(r"[A-Za-z0-9_-]{1,128}")


def _call(call_id: str | None, name: str = "weather", **args: Any) -> dict[str, Any]:
    return {"name": name, "args": args, "id": call_id, "type": "tool_call"}


def _asked(*calls: dict[str, Any]) -> AIMessage:
    return AIMessage("", tool_calls=list(calls))


# ruff: noqa: E501 - a case is a line
#: Histories of calls and results; the result of a call has its number as text.
HISTORIES: dict[str, list[BaseMessage]] = {
    "Anthropic": [_asked(_call("toolu_01A", n=1)), ToolMessage("1", tool_call_id="toolu_01A")],
    "OpenAI": [_asked(_call("call_abc", n=1)), ToolMessage("1", tool_call_id="call_abc")],
    "OpenAI's other API": [_asked(_call("call_a|fc_b", n=1)), ToolMessage("1", tool_call_id="call_a|fc_b")],
    "Kimi": [_asked(_call("functions.weather:0", n=1)), ToolMessage("1", tool_call_id="functions.weather:0")],
    "ids that differ in what is replaced": [
        _asked(_call("a.b", n=1), _call("a:b", n=2)),
        ToolMessage("2", tool_call_id="a:b"),
        ToolMessage("1", tool_call_id="a.b"),
    ],
    "no ids": [
        _asked(_call(None, n=1), _call(None, n=2)),
        ToolMessage("1", tool_call_id=""),
        ToolMessage("2", tool_call_id=""),
    ],
    "no ids, and made-up ones in the results": [
        _asked(_call(None, n=1), _call("", n=2)),
        ToolMessage("1", tool_call_id="weather"),
        ToolMessage("2", tool_call_id="weather"),
    ],
    "one id for several calls": [
        _asked(_call("0", n=1), _call("0", n=2)),
        ToolMessage("1", tool_call_id="0"),
        ToolMessage("2", tool_call_id="0"),
    ],
    "one id again and again": [
        _asked(_call("0", n=1)),
        ToolMessage("1", tool_call_id="0"),
        _asked(_call("0", n=2)),
        ToolMessage("2", tool_call_id="0"),
    ],
    "an id that is another one with a number": [
        _asked(_call("a_2", n=1), _call("a", n=2), _call("b", n=3), _call("b_0", n=4)),
        *(ToolMessage(str(n), tool_call_id=i) for n, i in ((1, "a_2"), (2, "a"), (3, "b"), (4, "b_0"))),
    ],
    "an id that is too long": [_asked(_call("x" * 500, n=1)), ToolMessage("1", tool_call_id="x" * 500)],
    "an id in another script": [_asked(_call("呼び出し", n=1)), ToolMessage("1", tool_call_id="呼び出し")],
    "a lone surrogate": [_asked(_call("a\ud800", n=1)), ToolMessage("1", tool_call_id="a\ud800")],
    "a name with dots": [_asked(_call("a", "functions.weather", n=1)), ToolMessage("1", tool_call_id="a")],
    "a name with spaces": [_asked(_call("a", "the weather", n=1)), ToolMessage("1", tool_call_id="a")],
    "a name that is too long": [_asked(_call("a", "x" * 500, n=1)), ToolMessage("1", tool_call_id="a")],
    "an empty name": [_asked(_call("a", "", n=1)), ToolMessage("1", tool_call_id="a")],
    "blocks without ids": [
        AIMessage(
            [{"type": "tool_use", "id": None, "name": "weather", "input": {"n": 1}}],
            tool_calls=[_call(None, n=1)],
        ),
        ToolMessage("1", tool_call_id=""),
    ],
    "a native result": [
        _asked(_call("a.b", n=1)),
        HumanMessage([{"type": "tool_result", "tool_use_id": "a.b", "content": "1"}]),
    ],
}  # fmt: skip


#: Histories that hold no id twice, when one follows the other.
NEW_IDS = (
    "Kimi",
    "no ids",
    "one id for several calls",
    "an id that is another one with a number",
    "an id in another script",
)


def _blocks(messages: Sequence[Any]) -> list[dict[str, Any]]:
    return [
        block
        for message in messages
        if not isinstance(message, str)
        for block in message
        if block["type"] in {"tool_use", "tool_result"}
    ]


def _check(blocks: list[dict[str, Any]]) -> None:
    calls = [block for block in blocks if block["type"] == "tool_use"]
    results = [block for block in blocks if block["type"] == "tool_result"]
    ids = {call["id"]: str(call["input"]["n"]) for call in calls}
    assert len(ids) == len(calls)
    assert calls
    for call in calls:
        assert _VALID.fullmatch(call["id"])
        assert _VALID.fullmatch(call["name"])
    assert len(results) == len(calls)
    for result in results:
        assert ids[result["tool_use_id"]] in str(result["content"])


@pytest.mark.failure(
    "A history holds another provider's tool calls",
    then="Ids and names are made valid, and each result stays with its call",
)
@pytest.mark.parametrize("history", HISTORIES.values(), ids=HISTORIES)
def test_each_result_belongs_to_its_call(history: list[BaseMessage]) -> None:
    messages = [HumanMessage("Weather?"), *history, AIMessage("So."), HumanMessage("And?")]
    asked = exchange(messages)
    _check(_blocks([told.content for told in asked.history]))
    # A longer history has the same ids, so that a session knows what it has heard.
    longer = exchange([*messages, AIMessage("So."), HumanMessage("And?")])
    assert longer.history[: len(asked.history)] == asked.history


def test_valid_ids_stay_as_they_are() -> None:
    asked = exchange([HumanMessage("Weather?"), *HISTORIES["Anthropic"]])
    assert _blocks([asked.prompt])[0]["tool_use_id"] == "toolu_01A"


@pytest.mark.parametrize("foreign", ["a.b", "", "x" * 500])
def test_a_result_of_no_call_is_refused_by_its_id(foreign: str) -> None:
    with pytest.raises(UsageError, match="tool_call_id="):
        exchange([HumanMessage("Hello"), ToolMessage("1", tool_call_id=foreign)])


def test_a_result_of_a_call_that_a_session_knows_passes() -> None:
    asked = exchange([ToolMessage("1", tool_call_id="toolu_1")])
    assert _blocks([asked.prompt])[0]["tool_use_id"] == "toolu_1"


@pytest.mark.failure(
    "A history holds another provider's tool calls",
    then="Ids and names are made valid, and each result stays with its call",
)
def test_the_api_is_sent_what_it_takes(connected: Any) -> None:
    messages: list[BaseMessage] = [HumanMessage("Weather?")]
    for name in NEW_IDS:
        messages += [*HISTORIES[name], AIMessage("So."), HumanMessage("And?")]
    ClaudeCodeChatModel(warm_spare=False).invoke(messages)
    _check(_blocks([message["content"] for message in connected.requests[-1].messages]))
