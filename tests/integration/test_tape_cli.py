"""The real Claude Code above the tape's server: what it makes of each kind of answer."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from claude_agent_sdk import (
    AssistantMessage,
    ClaudeAgentOptions,
    ClaudeSDKClient,
    ResultMessage,
    StreamEvent,
    SystemMessage,
    TextBlock,
    ThinkingBlock,
    ToolUseBlock,
)

from claude_magic.tape import (
    Conversation,
    Cut,
    Failure,
    MessagesServer,
    Reply,
    Tape,
    TapeTurn,
    Thinking,
    ToolUse,
    offline_demo,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    from claude_agent_sdk import Message


@pytest.fixture(autouse=True)
def _sterile(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep this machine's settings and credentials away."""
    for name in list(os.environ):
        if name.startswith(("ANTHROPIC", "CLAUDE")):
            monkeypatch.delenv(name)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))


@asynccontextmanager
async def claude(environment: Mapping[str, str], cwd: Path) -> AsyncIterator[ClaudeSDKClient]:
    options = ClaudeAgentOptions(
        cwd=cwd,
        env=dict(environment),
        setting_sources=[],
        strict_mcp_config=True,
        include_partial_messages=True,
        tools=["Read"],
        permission_mode="default",
    )
    async with ClaudeSDKClient(options) as client:
        yield client


def environment_of(server: MessagesServer, tmp_path: Path) -> dict[str, str]:
    return {
        "ANTHROPIC_BASE_URL": server.url,
        "ANTHROPIC_API_KEY": server.token,
        "CLAUDE_CONFIG_DIR": str(tmp_path / "home" / "config"),
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "NO_PROXY": "127.0.0.1",
    }


async def say(client: ClaudeSDKClient, prompt: str) -> list[Message]:
    await client.query(prompt)
    return [message async for message in client.receive_response()]


def result(messages: list[Message]) -> ResultMessage:
    last = messages[-1]
    assert isinstance(last, ResultMessage)
    return last


def deltas(messages: list[Message]) -> list[str]:
    events = [message.event for message in messages if isinstance(message, StreamEvent)]
    told: list[dict[str, Any]] = [event["delta"] for event in events if "delta" in event]
    return [delta["text"] for delta in told if delta.get("type") == "text_delta"]


def content(messages: list[Message]) -> list[object]:
    return [
        block
        for message in messages
        if isinstance(message, AssistantMessage)
        for block in message.content
    ]


def tape_of(*turns: TapeTurn) -> Tape:
    return Tape("Test", (Conversation("test", turns),))


async def test_a_reply_streams_word_by_word(tmp_path: Path) -> None:
    tape = tape_of(TapeTurn("Hello?", (Reply.of("Hello from the tape."),)))
    with offline_demo(tape) as demo:
        async with claude(demo.environment, tmp_path) as client:
            messages = await say(client, "Hello?")
        (request,) = demo.server.requests
    assert deltas(messages) == ["Hello ", "from ", "the ", "tape."]
    assert content(messages) == [TextBlock("Hello from the tape.")]
    assert result(messages).result == "Hello from the tape."
    assert not result(messages).is_error
    assert request.stream
    assert request.prompt == "Hello?"
    assert request.session_id == result(messages).session_id
    assert "Read" in request.tools


async def test_a_conversation_is_matched_by_its_history(tmp_path: Path) -> None:
    with offline_demo() as demo:
        async with claude(demo.environment, tmp_path) as client:
            await say(client, "\nMy name is Ada. What is the median\n  of 3, 1 and 2?\n")
            told = await say(client, "What is my name?")
        async with claude(demo.environment, tmp_path) as client:
            untold = await say(client, "What is my name?")
    assert result(told).result == "Your name is Ada."
    assert "I don't know" in (result(untold).result or "")


async def test_a_tool_runs_and_the_tape_goes_on(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("a,b\n1,2\n")
    call = ToolUse("Read", {"file_path": str(tmp_path / "data.csv")})
    tape = tape_of(
        TapeTurn(
            "What is in data.csv?",
            (
                Reply.of(Thinking("A file."), "Let me look.", call),
                Reply.of(call),
                Reply.of("Two columns."),
            ),
        ),
        TapeTurn("Thank you.", (Reply.of("You are welcome."),)),
    )
    with offline_demo(tape) as demo:
        async with claude(demo.environment, tmp_path) as client:
            messages = await say(client, "What is in data.csv?")
            thanks = await say(client, "Thank you.")
        requests = demo.server.requests
    kinds = [type(block) for block in content(messages)]
    assert kinds == [ThinkingBlock, TextBlock, ToolUseBlock, ToolUseBlock, TextBlock]
    assert result(messages).result == "Two columns."
    assert result(thanks).result == "You are welcome."
    (came_back,) = requests[1].tool_results
    assert "a,b" in came_back.text
    assert not came_back.is_error
    assert [request.tool_result_count for request in requests] == [0, 1, 2, 0]


async def test_a_miss_reaches_the_reader_at_once_and_spoils_nothing(tmp_path: Path) -> None:
    with offline_demo() as demo:
        async with claude(demo.environment, tmp_path) as client:
            await say(client, "My name is Ada. What is the median of 3, 1 and 2?")
            missed = await say(client, "What is my own name?")
            name = await say(client, "What is my name?")
        assert len(demo.server.requests) == 3
    assert result(missed).is_error
    assert result(missed).api_error_status == 418
    told = (result(missed).result or "").splitlines()
    assert told[0] == (
        "API Error: 418 The tape “First conversations” (scripted replies) has no reply to"
        " “What is my own name?” after “My name is Ada. What is the median of 3, 1 and 2?”."
    )
    assert told[1].startswith("Nearest prompt on it, ")
    assert told[2:4] == ["- What is my name?", "+ What is my own name?"]
    assert result(name).result == "Your name is Ada."


async def test_a_failure_is_the_turns_result(tmp_path: Path) -> None:
    failure = Failure(
        429,
        "rate_limit_error",
        "Slow down.",
        headers={"x-should-retry": "false"},
    )
    with MessagesServer(lambda _: failure) as server:
        async with claude(environment_of(server, tmp_path), tmp_path) as client:
            messages = await say(client, "Hello?")
        assert len(server.requests) == 1
    assert result(messages).is_error
    assert result(messages).api_error_status == 429
    assert "Slow down." in (result(messages).result or "")


async def test_a_cut_stream_is_asked_for_again(tmp_path: Path) -> None:
    replies = iter((Reply.of("Hello ", Cut()), Reply.of("Hello again.")))
    with MessagesServer(lambda _: next(replies)) as server:
        async with claude(environment_of(server, tmp_path), tmp_path) as client:
            messages = await say(client, "Hello?")
        assert [request.prompt for request in server.requests] == ["Hello?", "Hello?"]
    retries = [
        message
        for message in messages
        if isinstance(message, SystemMessage) and message.subtype == "api_retry"
    ]
    assert len(retries) == 1
    assert result(messages).result == "Hello again."


async def test_what_a_test_replier_raises_is_shown(tmp_path: Path) -> None:
    def broken(_: object) -> Reply:
        raise LookupError("no such word")

    with MessagesServer(broken) as server:
        async with claude(environment_of(server, tmp_path), tmp_path) as client:
            messages = await say(client, "Hello?")
        assert len(server.requests) == 1
    assert "LookupError: no such word" in (result(messages).result or "")
