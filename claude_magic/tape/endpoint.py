"""The ASGI application that speaks the Messages API."""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from .loopback import key_in
from .reply import Failure, input_tokens
from .request import MessagesRequest
from .responses import ReplyResponse, failed

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from starlette.requests import Request

    from .reply import Reply


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
            return failed(request)
        reply = answer(request)
        if isinstance(reply, Failure):
            return failed(reply)
        return ReplyResponse(reply, request, stopping)

    async def count_tokens(http: Request) -> Response:
        request = await _read(http, token)
        if isinstance(request, Failure):
            return failed(request)
        return JSONResponse({"input_tokens": sum(input_tokens(request))})

    async def alive(_: Request) -> Response:
        return Response()

    async def unknown(http: Request, _: Exception) -> Response:
        where = f"{http.method} {http.url.path}"
        return failed(Failure(404, "not_found_error", f"{where}: there is no such endpoint here"))

    return Starlette(
        routes=[
            Route("/", alive, methods=["HEAD"]),
            Route("/v1/messages", messages, methods=["POST"]),
            Route("/v1/messages/count_tokens", count_tokens, methods=["POST"]),
        ],
        exception_handlers={HTTPException: unknown},
    )


async def _read(http: Request, token: str) -> MessagesRequest | Failure:
    if not secrets.compare_digest(key_in(http.headers).encode(), token.encode()):
        return Failure(401, "authentication_error", "the API key is not this server's token")
    try:
        body = json.loads(await http.body())
        return MessagesRequest.from_http(body, http.headers)
    except (ValueError, ClientDisconnect) as error:
        return Failure(400, "invalid_request_error", str(error) or "the client left")
