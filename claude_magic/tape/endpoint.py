"""The ASGI application that speaks the Messages API."""

from __future__ import annotations

import asyncio
import json
import secrets
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from .reply import Cut, Failure, Hold, OtherBlock, Pause, Text, Thinking, ToolUse, input_tokens
from .request import MessagesRequest
from .sse import event_stream, whole_message

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send

    from .reply import Control, Reply

# How often a closed gate is looked at, in seconds.
_GATE_INTERVAL_S = 0.005


def messages_endpoint(
    token: str,
    answer: Callable[[MessagesRequest], Reply | Failure],
    stopping: asyncio.Event,
) -> Starlette:
    """Build the application.

    Parameters
    ----------
    token
        The API key that requests must carry.
    answer
        Called on the event loop's thread for each request, so it must not block.
    stopping
        Ends all open replies when it is set.
    """

    async def messages(http: Request) -> Response:
        request = await _read(http, token)
        if isinstance(request, Failure):
            return _failed(request)
        reply = answer(request)
        if isinstance(reply, Failure):
            return _failed(reply)
        return _ReplyResponse(reply, request, stopping)

    async def count_tokens(http: Request) -> Response:
        request = await _read(http, token)
        if isinstance(request, Failure):
            return _failed(request)
        return JSONResponse({"input_tokens": sum(input_tokens(request))})

    async def alive(_: Request) -> Response:
        return Response()

    async def unknown(http: Request, _: Exception) -> Response:
        where = f"{http.method} {http.url.path}"
        return _failed(Failure(404, "not_found_error", f"{where}: there is no such endpoint here"))

    return Starlette(
        routes=[
            Route("/", alive, methods=["HEAD"]),
            Route("/v1/messages", messages, methods=["POST"]),
            Route("/v1/messages/count_tokens", count_tokens, methods=["POST"]),
        ],
        exception_handlers={HTTPException: unknown},
    )


async def _read(http: Request, token: str) -> MessagesRequest | Failure:
    scheme, _, bearer = http.headers.get("authorization", "").partition(" ")
    key = http.headers.get("x-api-key") or (bearer if scheme.lower() == "bearer" else "")
    if not secrets.compare_digest(key.encode(), token.encode()):
        return Failure(401, "authentication_error", "the API key is not this server's token")
    try:
        body = json.loads(await http.body())
        return MessagesRequest.from_http(body, http.headers)
    except (ValueError, ClientDisconnect) as error:
        return Failure(400, "invalid_request_error", str(error) or "the client left")


def _failed(failure: Failure) -> Response:
    return JSONResponse(failure.body(), failure.status, dict(failure.headers))


class _ReplyResponse(Response):
    """Sends one reply, until it is complete, cut, the client leaves or the server stops."""

    def __init__(self, reply: Reply, request: MessagesRequest, stopping: asyncio.Event) -> None:
        super().__init__(media_type="text/event-stream" if request.stream else "application/json")
        del self.headers["content-length"]
        self._reply = reply
        self._request = request
        self._stopping = stopping

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
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

    async def _send(self, send: Send) -> None:
        """Send the reply; returning early makes the server drop the connection."""
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
