"""Tools that this process runs while the turn goes on, and calls that need consent."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest

from claude_magic import Allow, ClaudeSession, Deny
from claude_magic.errors import TurnInterruptedError
from claude_magic.session import (
    PermissionDenied,
    Picture,
    ServedTool,
    ToolAnswer,
    ToolDefinition,
    ToolFinished,
    ToolStarted,
)
from claude_magic.tape import Reply, ToolUse

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from claude_magic import PermissionRequest
    from claude_magic.session import PermissionAnswer

#: The smallest PNG that there is: one grey dot.
DOT = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010800000000"
    "3a7e9b55"
    "0000000a49444154789c636000000002000148afa471"
    "0000000049454e44ae426082"
)

SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
}

WEATHER = ToolDefinition("weather", "Tells the weather of a city.", SCHEMA)


async def _weather(arguments: Mapping[str, Any]) -> ToolAnswer:
    return ToolAnswer(f"It rains in {arguments['city']}.", (Picture("image/png", DOT),))


async def _yes(_request: PermissionRequest) -> PermissionAnswer:
    return Allow()


def _call(connected: Any, *calls: ToolUse) -> None:
    connected.replies += [*(Reply.of(call) for call in calls), Reply.of("Well.")]


def test_a_tool_that_only_looks_runs_unasked_and_shows_pictures(connected: Any) -> None:
    _call(connected, ToolUse("mcp__kernel__weather", {"city": "Oslo"}))
    with ClaudeSession(toolbox=[ServedTool(WEATHER, _weather, looks_only=True)]) as session:
        turn = session.send("How is the weather?")
        events = list(turn)
    (tool,) = connected.requests[0].body["tools"]
    assert tool["name"] == "mcp__kernel__weather"
    assert tool["description"] == "Tells the weather of a city."
    assert tool["input_schema"]["properties"] == SCHEMA["properties"]
    kinds = [type(event) for event in events]
    assert kinds.index(ToolStarted) < kinds.index(ToolFinished)
    (finished,) = [event for event in events if isinstance(event, ToolFinished)]
    assert not finished.is_error
    assert "It rains in Oslo." in finished.text
    result = connected.requests[-1].body["messages"][-1]["content"][0]["content"]
    assert [part["type"] for part in result[:2]] == ["text", "image"]


def test_a_tool_that_may_change_something_is_asked_for(connected: Any) -> None:
    ran: list[Mapping[str, Any]] = []

    async def run(arguments: Mapping[str, Any]) -> ToolAnswer:
        ran.append(arguments)
        return ToolAnswer("done")

    tool = ServedTool(WEATHER, run)
    for decide, times in ((None, 0), (_yes, 1)):
        _call(connected, ToolUse(tool.wire_name, {"city": "Oslo"}))
        with ClaudeSession(toolbox=[tool], on_permission=decide) as session:
            session.ask("Make it rain.")
        assert len(ran) == times


def test_a_tool_that_raises_says_so_to_the_model_alone(connected: Any) -> None:
    async def fail(_arguments: Mapping[str, Any]) -> ToolAnswer:
        raise RuntimeError("made up")

    _call(connected, ToolUse("mcp__kernel__weather", {"city": "Oslo"}))
    with ClaudeSession(toolbox=[ServedTool(WEATHER, fail, looks_only=True)]) as session:
        events = list(session.send("Hello"))
    (finished,) = [event for event in events if isinstance(event, ToolFinished)]
    assert finished.is_error
    assert finished.text == "The tool failed: RuntimeError: made up"


def test_an_interrupt_cancels_the_tool(connected: Any) -> None:
    running, cancelled = threading.Event(), threading.Event()

    async def wait(_arguments: Mapping[str, Any]) -> ToolAnswer:
        running.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise
        raise AssertionError

    _call(connected, ToolUse("mcp__kernel__weather", {"city": "Oslo"}))
    with ClaudeSession(toolbox=[ServedTool(WEATHER, wait, looks_only=True)]) as session:
        turn = session.send("Hello")
        assert running.wait(20)
        turn.interrupt()
        with pytest.raises(TurnInterruptedError):
            turn.result()
        assert cancelled.wait(20)


def test_a_fork_has_the_same_tools(connected: Any) -> None:
    with ClaudeSession(toolbox=[ServedTool(WEATHER, _weather, looks_only=True)]) as session:
        session.ask("a")
        with session.fork() as fork:
            fork.ask("b")
    assert [len(request.body["tools"]) for request in connected.requests] == [1, 1]


@pytest.mark.parametrize("mode", ["default", "acceptEdits", "plan", "dontAsk"])
def test_what_needs_consent_is_asked_for_in_every_mode(
    connected: Any,
    tmp_path: Path,
    mode: Any,
) -> None:
    (tmp_path / ".env").write_text("KEY=planted-value")
    (tmp_path / "notes.txt").write_text("quokka")
    asked: list[str] = []

    async def decide(request: PermissionRequest) -> PermissionAnswer:
        asked.append(request.name)
        return Deny("not now")

    calls = [
        ToolUse("Read", {"file_path": str(tmp_path / "notes.txt")}),
        ToolUse("Read", {"file_path": str(tmp_path / ".env")}),
        ToolUse("Bash", {"command": "ls"}),
        ToolUse("mcp__kernel__weather", {"city": "Oslo"}),
    ]
    _call(connected, *calls)
    with ClaudeSession(
        tools=["Read", "Bash"],
        allowed_tools=["Bash", "Read"],
        permission_mode=mode,
        cwd=tmp_path,
        on_permission=decide,
        consent_for=lambda request: "notes.txt" not in str(request.arguments),
        toolbox=[ServedTool(WEATHER, _weather, looks_only=True)],
    ) as session:
        events = list(session.send("Go."))
    assert asked == ["Read", "Bash", "mcp__kernel__weather"]
    results = [event for event in events if isinstance(event, ToolFinished)]
    assert [result.is_error for result in results] == [False, True, True, True]
    assert sum(isinstance(event, PermissionDenied) for event in events) == 3
    assert "planted-value" not in str(connected.requests[-1].body)


def test_where_it_cannot_be_told_whether_consent_is_needed_it_is(
    connected: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(_request: PermissionRequest) -> bool:
        raise RuntimeError("made up")

    _call(connected, ToolUse("mcp__kernel__weather", {"city": "Oslo"}))
    tool = ServedTool(WEATHER, _weather, looks_only=True)
    with ClaudeSession(toolbox=[tool], consent_for=fail) as session:
        events = list(session.send("Go."))
    assert any(isinstance(event, PermissionDenied) for event in events)
    assert "made up" in caplog.text
