"""The bare claude-agent-sdk, used as its documentation shows it."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from claude_agent_sdk import (
    ClaudeAgentOptions,
    ClaudeSDKClient,
    ResultMessage,
    StreamEvent,
    query,
)

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

#: The tools of a `%%claude` cell, so that both sides have Claude Code do the same.
TOOLS = ("Read", "Glob", "Grep", "Edit", "Write", "Bash")


@dataclass(frozen=True)
class Took:
    """How long a turn took.

    Attributes
    ----------
    first_s
        To the first piece of the answer, in seconds.
    whole_s
        To its end, in seconds.
    deltas
        In how many pieces the answer came.
    session_id
        The conversation.
    """

    first_s: float
    whole_s: float
    deltas: int
    session_id: str


def options(**changes: Any) -> ClaudeAgentOptions:
    """Return what both sides are started with."""
    return ClaudeAgentOptions(
        **{
            "setting_sources": [],
            "strict_mcp_config": True,
            "tools": [],
            "include_partial_messages": True,
            **changes,
        },
    )


async def turn(client: ClaudeSDKClient, prompt: str) -> Took:
    """Have one turn with a connected client."""
    return await _turn(client, prompt, time.perf_counter())


async def _turn(client: ClaudeSDKClient, prompt: str, began: float) -> Took:
    first_s, deltas, session_id = 0.0, 0, ""
    await client.query(prompt)
    async for message in client.receive_response():
        if isinstance(message, StreamEvent) and message.event["type"] == "content_block_delta":
            deltas += 1
            first_s = first_s or time.perf_counter() - began
        elif isinstance(message, ResultMessage):
            assert not message.is_error, message.result
            session_id = message.session_id
    return Took(first_s, time.perf_counter() - began, deltas, session_id)


class BareClient:
    """A persistent `ClaudeSDKClient` with an event loop of its own, as a context.

    Parameters
    ----------
    **changes
        Options that differ from `options`.
    """

    def __init__(self, **changes: Any) -> None:
        self._loop = asyncio.new_event_loop()
        self._client = ClaudeSDKClient(options(**changes))

    def ask(self, prompt: str) -> Took:
        """Have one turn."""
        return self._loop.run_until_complete(turn(self._client, prompt))

    def __enter__(self) -> Self:
        self._loop.run_until_complete(self._client.connect())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._loop.run_until_complete(self._client.disconnect())
        self._loop.close()


def resumed(session_id: str, prompt: str, **changes: Any) -> Took:
    """Resume a conversation in a new process and have one turn, connecting included."""

    async def once() -> Took:
        began = time.perf_counter()
        client = ClaudeSDKClient(options(resume=session_id, **changes))
        await client.connect()
        try:
            return await _turn(client, prompt, began)
        finally:
            await client.disconnect()

    return asyncio.run(once())


def single(prompt: str = "Hello", **changes: Any) -> float:
    """Ask with the SDK's `query()`, a process for the call; return how long it took, in seconds."""
    began = time.perf_counter()
    asyncio.run(_query(prompt, options(**changes)))
    return time.perf_counter() - began


def singles(count: int, at_once: int) -> float:
    """Ask so often with `query()`, some at a time; return how long all took, in seconds."""

    async def all_of_them() -> None:
        room = asyncio.Semaphore(at_once)

        async def once() -> None:
            async with room:
                await _query("Hello", options())

        await asyncio.gather(*(once() for _ in range(count)))

    began = time.perf_counter()
    asyncio.run(all_of_them())
    return time.perf_counter() - began


async def _query(prompt: str, given: ClaudeAgentOptions) -> None:
    async for message in query(prompt=prompt, options=given):
        if isinstance(message, ResultMessage):
            assert not message.is_error, message.result
