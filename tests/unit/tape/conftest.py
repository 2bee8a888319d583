"""What the tests of the tape share: requests as Claude Code sends them, and a plain HTTP client."""

from __future__ import annotations

import json
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPResponse
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from claude_magic.tape import MessagesRequest, MessagesServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager


def _body(*turns: str | list[dict[str, Any]], **fields: Any) -> dict[str, Any]:
    roles = ("user", "assistant")
    messages = [
        {"role": roles[number % 2], "content": content} for number, content in enumerate(turns)
    ]
    return {"model": "claude-test", "stream": True, "messages": messages, **fields}


@pytest.fixture
def ask() -> Callable[..., MessagesRequest]:
    """Build a request whose messages are the user's and the model's in turn."""

    def build(*turns: str | list[dict[str, Any]], **fields: Any) -> MessagesRequest:
        return MessagesRequest.from_http(_body(*turns, **fields), {})

    return build


@pytest.fixture
def http() -> Callable[..., AbstractContextManager[HTTPResponse]]:
    """Send one HTTP request, with the server's token unless other headers are given."""

    @contextmanager
    def opened(
        server: MessagesServer,
        *turns: str,
        path: str = "/v1/messages?beta=true",
        method: str = "POST",
        raw: bytes | None = None,
        headers: dict[str, str] | None = None,
        **fields: Any,
    ) -> Iterator[HTTPResponse]:
        where = urlsplit(server.url)
        connection = HTTPConnection(where.hostname or "", where.port, timeout=10)
        sent = raw if raw is not None else json.dumps(_body(*turns, **fields)).encode()
        key = {"x-api-key": server.token} if headers is None else headers
        try:
            connection.request(method, path, sent, key)
            with connection.getresponse() as response:
                yield response
        finally:
            connection.close()

    return opened
