"""HTTP responses that end early: when the client leaves, or the server stops."""

from __future__ import annotations

import asyncio
import json
from abc import abstractmethod
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from .reply import Cut, Failure, Hold, OtherBlock, Pause, Text, Thinking, ToolUse
from .sse import event_stream, whole_message

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.types import Receive, Scope, Send

    from .reply import Control, Reply
    from .request import MessagesRequest

# How often a closed gate is looked at, in seconds.
_GATE_INTERVAL_S = 0.005


def failed(failure: Failure) -> Response:
    """Return an error as the API words it."""
    # Escaped, as a message of the API can be that is not valid Unicode.
    body = json.dumps(failure.body())
    return Response(body, failure.status, dict(failure.headers), "application/json")


class EndingResponse(Response):
    """Sends something, until it is complete, cut, the client leaves or the server stops.

    Parameters
    ----------
    stopping
        Tells that the server stops.
    media_type
        What is sent.
    """

    def __init__(self, stopping: asyncio.Event, media_type: str | None = None) -> None:
        super().__init__(media_type=media_type)
        del self.headers["content-length"]
        self._stopping = stopping

    @abstractmethod
    async def _send(self, send: Send) -> None:
        """Send all; returning early makes the server drop the connection."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, as ASGI asks for it."""
        del scope
        sending = asyncio.create_task(self._send(send))
        ends: list[asyncio.Task[Any]] = [
            sending,
            asyncio.create_task(_client_left(receive)),
            asyncio.create_task(self._stopping.wait()),
        ]
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in ends:
                task.cancel()
            await asyncio.wait(ends)
        if not sending.cancelled():
            sending.result()


class ReplyResponse(EndingResponse):
    """Sends one reply."""

    def __init__(self, reply: Reply, request: MessagesRequest, stopping: asyncio.Event) -> None:
        super().__init__(stopping, "text/event-stream" if request.stream else "application/json")
        self._reply = reply
        self._request = request

    async def _send(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        for part in self._parts():
            if isinstance(part, bytes):
                await send({"type": "http.response.body", "body": part, "more_body": True})
            elif isinstance(part, Cut):
                return
            else:
                await _obey(part)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    def _parts(self) -> Iterable[bytes | Control]:
        if self._request.stream:
            yield from event_stream(self._reply, self._request)
            return
        for step in self._reply.steps:
            if not isinstance(step, Text | Thinking | ToolUse | OtherBlock):
                yield step
        yield json.dumps(whole_message(self._reply, self._request)).encode()


async def _obey(control: Control) -> None:
    if isinstance(control, Hold):
        # The gate belongs to another thread, so there is nothing that this loop could await.
        while not control.gate.is_set():  # noqa: ASYNC110
            await asyncio.sleep(_GATE_INTERVAL_S)
    elif isinstance(control, Pause):
        await asyncio.sleep(control.seconds)
    else:
        await asyncio.Event().wait()


async def _client_left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
