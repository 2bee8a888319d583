"""The ASGI application of the recording proxy."""

from __future__ import annotations

import asyncio
import json
import secrets
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import Route

from claude_magic.errors import TapeError

from .recorder import TOKEN_HEADER
from .reply import TAPE_SIGNATURE, Failure
from .request import MessagesRequest
from .responses import EndingResponse, ReplyResponse, failed
from .transcription import read_message, read_stream
from .upstream import passed_on

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send

    from .recording import Recording
    from .reply import Reply
    from .tape import History
    from .upstream import Upstream

_OK = 200
_BAD_GATEWAY = 502

#: The last event is no longer than this, in bytes.
_LAST_EVENT_BYTES = 200


def forwarding_endpoint(
    token: str,
    recording: Recording,
    upstream: Upstream,
    stopping: asyncio.Event,
    complain: Callable[[str], None],
) -> Starlette:
    """Build the application.

    Parameters
    ----------
    token
        What requests must carry besides their credential.
    recording
        Takes the answers down, on the event loop's thread.
    upstream
        Where requests go.
    stopping
        Ends all open replies when it is set.
    complain
        Is told why an answer could not be taken down.

    Raises
    ------
    TapeError
        If a certificate or a proxy that is configured cannot be used.
    """
    proxy = _Proxy(token, recording, upstream, stopping, complain)

    async def alive(_: Request) -> Response:
        return Response()

    async def unknown(http: Request, _: Exception) -> Response:
        where = f"{http.method} {http.url.path}"
        return failed(
            Failure(404, "not_found_error", f"{where}: a recording forwards no such thing")
        )

    application = Starlette(
        routes=[
            Route("/", alive, methods=["HEAD"]),
            Route("/v1/messages", proxy.messages, methods=["POST"]),
            Route("/v1/messages/count_tokens", proxy.count_tokens, methods=["POST"]),
        ],
        exception_handlers={HTTPException: unknown},
        lifespan=proxy.lifespan,
    )
    # A redirect would go to whatever host the request names, and to those without the token, too.
    application.router.redirect_slashes = False
    return application


class _Proxy:
    def __init__(
        self,
        token: str,
        recording: Recording,
        upstream: Upstream,
        stopping: asyncio.Event,
        complain: Callable[[str], None],
    ) -> None:
        self._token = token
        self.recording = recording
        self._upstream = upstream
        self._stopping = stopping
        self.complain = complain
        self._client = upstream.client()
        #: Whoever asks what is being answered waits for that answer.
        self.turns: dict[tuple[History, int], asyncio.Lock] = {}

    @asynccontextmanager
    async def lifespan(self, _: Starlette) -> AsyncIterator[None]:
        yield
        await self._client.aclose()

    async def messages(self, http: Request) -> Response:
        read = await self._read(http)
        if isinstance(read, Failure):
            return failed(read)
        try:
            request = MessagesRequest.from_http(json.loads(read), http.headers)
        except ValueError as error:
            return failed(Failure(400, "invalid_request_error", str(error)))
        return _Recorded(self, request, self._forwarded(http, _unsigned(read)), self._stopping)

    async def count_tokens(self, http: Request) -> Response:
        read = await self._read(http)
        if isinstance(read, Failure):
            return failed(read)
        return _Forwarded(self, self._forwarded(http, read), self._stopping)

    async def send(self, forwarded: httpx.Request) -> httpx.Response:
        # What the far end remembers of one session is nothing that another one should send.
        self._client.cookies.clear()
        return await self._client.send(forwarded, stream=True)

    async def _read(self, http: Request) -> bytes | Failure:
        if not secrets.compare_digest(
            http.headers.get(TOKEN_HEADER, "").encode(), self._token.encode()
        ):
            told = "this recording belongs to somebody else: its token is missing"
            return Failure(401, "authentication_error", told)
        try:
            return await http.body()
        except ClientDisconnect:
            return Failure(400, "invalid_request_error", "the client left")

    def _forwarded(self, http: Request, body: bytes) -> httpx.Request:
        # Not `http.url`, of which the Host header is a part.
        sent = http.scope["query_string"].decode("latin-1")
        query = f"?{sent}" if sent else ""
        headers = passed_on(http.headers.raw, (TOKEN_HEADER,))
        scheme, _, bearer = http.headers.get("authorization", "").partition(" ")
        self.recording.hide(http.headers.get("x-api-key", ""))
        self.recording.hide(bearer if scheme.lower() == "bearer" else "")
        return self._client.build_request(
            "POST",
            f"{self._upstream.url}{http.scope['path']}{query}",
            headers=[*headers, (b"accept-encoding", b"identity")],
            content=body,
        )


class _Forwarded(EndingResponse):
    """Asks the far end and hands its answer on as it comes."""

    def __init__(self, proxy: _Proxy, forwarded: httpx.Request, stopping: asyncio.Event) -> None:
        super().__init__(stopping)
        self._proxy = proxy
        self._forwarded = forwarded

    async def _send(self, send: Send) -> None:
        try:
            response = await self._proxy.send(self._forwarded)
        except httpx.TransportError as error:
            await self._send_failure(send, error)
            return
        try:
            await self._hand_on(response, send)
        except httpx.TransportError:
            return  # the client sees a connection that breaks off, as we did
        finally:
            await response.aclose()
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _hand_on(self, response: httpx.Response, send: Send) -> None:
        headers = [(name.lower(), value) for name, value in passed_on(response.headers.raw)]
        status = response.status_code
        await send({"type": "http.response.start", "status": status, "headers": headers})
        async for piece in response.aiter_bytes():
            self._take(response, piece)
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        self._end(response)

    def _take(self, response: httpx.Response, piece: bytes) -> None:
        """Take note of a piece that has come."""

    def _end(self, response: httpx.Response) -> None:
        """Take note that all has come."""

    async def _send_failure(self, send: Send, error: httpx.TransportError) -> None:
        host = self._forwarded.url.host
        told = f"the recording cannot reach {host}: {error or type(error).__name__}"
        body = json.dumps(Failure(_BAD_GATEWAY, "api_error", told).body()).encode()
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": _BAD_GATEWAY, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": False})


class _Recorded(_Forwarded):
    """Answers from the tape, or asks the far end and takes its answer down once it is complete."""

    def __init__(
        self,
        proxy: _Proxy,
        request: MessagesRequest,
        forwarded: httpx.Request,
        stopping: asyncio.Event,
    ) -> None:
        super().__init__(proxy, forwarded, stopping)
        self._request = request
        self._came = bytearray()
        self._done = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        recording, request = self._proxy.recording, self._request
        place = recording.place(request)
        lock = self._proxy.turns.setdefault(place, asyncio.Lock())
        async with lock:
            answer = recording.answer(request)
            if answer is None:
                recording.ask(request)
                await super().__call__(scope, receive, send)
                return
        if isinstance(answer, Failure):
            await failed(answer)(scope, receive, send)
        else:
            await ReplyResponse(answer, request, self._stopping)(scope, receive, send)

    def _take(self, response: httpx.Response, piece: bytes) -> None:
        if response.status_code != _OK:
            return
        self._came += piece
        # Claude Code may leave once it has the last event, before the body ends.
        if self._came.endswith(b"\n\n") and b'"message_stop"' in self._came[-_LAST_EVENT_BYTES:]:
            self._end(response)

    def _end(self, response: httpx.Response) -> None:
        if response.status_code != _OK or self._done:
            return
        try:
            reply = self._reply()
            if reply is not None:
                self._proxy.recording.record(self._request, reply)
                self._done = True
        except (ValueError, OSError, RecursionError, TapeError) as error:
            self._done = True
            self._proxy.complain(f"An answer could not be taken down: {error}")

    def _reply(self) -> Reply | None:
        if self._request.stream:
            return read_stream(bytes(self._came))
        return read_message(json.loads(self._came))


def _unsigned(body: bytes) -> bytes:
    """Return a request's body without thoughts of a tape, whose signature the API refuses."""
    signature = TAPE_SIGNATURE
    if signature.encode() not in body:
        return body
    changed: dict[str, Any] = json.loads(body)
    for message in changed["messages"]:
        if message["role"] == "assistant" and isinstance(message["content"], list):
            message["content"] = [
                block
                for block in message["content"]
                if block.get("type") != "thinking" or block.get("signature") != signature
            ]
    return json.dumps(changed).encode()
