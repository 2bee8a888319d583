from __future__ import annotations

import asyncio
import json
import logging
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection, IncompleteRead
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from claude_magic.errors import TapeError
from claude_magic.tape import (
    Cut,
    Failure,
    Hold,
    MessagesRequest,
    MessagesServer,
    Reply,
    Stall,
    Text,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from http.client import HTTPResponse

    from starlette.types import Message

    Http = Callable[..., AbstractContextManager[HTTPResponse]]


def hello(request: MessagesRequest) -> Reply:
    return Reply.of(f"Hello, {request.prompt}")


@pytest.fixture
def server() -> Iterator[MessagesServer]:
    with MessagesServer(hello) as running:
        yield running


def read_until(response: HTTPResponse, part: str) -> str:
    seen = ""
    while part not in seen:
        line = response.readline().decode()
        assert line, f"the stream ended without {part!r}: {seen}"
        seen += line
    return seen


def error(response: HTTPResponse) -> tuple[int, dict[str, str]]:
    body = json.load(response)
    assert body["type"] == "error"
    return response.status, body["error"]


def test_a_streamed_reply(server: MessagesServer, http: Http) -> None:
    with http(server, "Ada") as response:
        assert response.status == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        events = [
            json.loads(line.removeprefix(b"data: ")) for line in response if line[:5] == b"data:"
        ]
    assert [event["type"] for event in events[:2]] == ["message_start", "content_block_start"]
    assert [event["delta"]["text"] for event in events[2:4]] == ["Hello, ", "Ada"]
    assert events[-1] == {"type": "message_stop"}


def test_a_reply_in_one_piece(server: MessagesServer, http: Http) -> None:
    with http(server, "Ada", stream=False) as response:
        assert response.headers["content-type"] == "application/json"
        message = json.load(response)
    assert message["type"] == "message"
    assert message["content"] == [{"type": "text", "text": "Hello, Ada"}]


def test_a_replier_may_be_an_object(http: Http) -> None:
    class Greeter:
        def reply(self, request: MessagesRequest) -> Reply:
            return hello(request)

    with MessagesServer(Greeter()) as server, http(server, "Ada", stream=False) as response:
        assert json.load(response)["content"][0]["text"] == "Hello, Ada"


def test_it_is_alive(server: MessagesServer, http: Http) -> None:
    with http(server, path="/", method="HEAD", headers={}) as response:
        assert response.status == 200


def test_it_estimates_tokens(server: MessagesServer, http: Http) -> None:
    with http(server, "x" * 4000, path="/v1/messages/count_tokens") as response:
        assert 1000 <= json.load(response)["input_tokens"] < 1050
    assert server.requests == []


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/v1/models"), ("GET", "/v1/messages"), ("POST", "/")],
)
def test_anything_else_is_not_there(
    server: MessagesServer,
    http: Http,
    method: str,
    path: str,
) -> None:
    with http(server, path=path, method=method) as response:
        status, told = error(response)
    assert status == 404
    assert told["type"] == "not_found_error"
    assert told["message"] == f"{method} {path}: there is no such endpoint here"


@pytest.mark.promise("The tape server answers only clients with its token.", against="local")
@pytest.mark.parametrize("path", ["/v1/messages", "/v1/messages/count_tokens"])
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-api-key": "somebody"},
        {"x-api-key": "jos\xe9"},
        {"authorization": "Bearer somebody"},
        {"authorization": "Basic secret-token"},
    ],
)
def test_without_the_token_there_is_no_answer(
    http: Http,
    path: str,
    headers: dict[str, str],
) -> None:
    with MessagesServer(hello, token="secret-token") as server:
        with http(server, "Ada", path=path, headers=headers) as response:
            status, told = error(response)
        assert server.requests == []
    assert status == 401
    assert told["type"] == "authentication_error"


def test_the_token_may_come_as_bearer(server: MessagesServer, http: Http) -> None:
    with http(server, "Ada", headers={"Authorization": f"Bearer {server.token}"}) as response:
        assert response.status == 200


def test_each_server_has_a_token_of_its_own() -> None:
    first, second = MessagesServer(hello), MessagesServer(hello)
    assert len(first.token) >= 32
    assert first.token != second.token


@pytest.mark.parametrize("raw", [b"", b"{", b"\xff", b'{"messages": 1}'])
def test_a_bad_request_is_told_so(server: MessagesServer, http: Http, raw: bytes) -> None:
    with http(server, raw=raw) as response:
        status, told = error(response)
    assert status == 400
    assert told["type"] == "invalid_request_error"
    assert server.requests == []


def test_a_failure_is_the_apis_error(http: Http) -> None:
    failure = Failure(429, "rate_limit_error", "Slow down", headers={"retry-after": "7"})
    with MessagesServer(lambda _: failure) as server, http(server, "Ada") as response:
        assert response.headers["retry-after"] == "7"
        assert error(response) == (429, {"type": "rate_limit_error", "message": "Slow down"})


def test_what_the_replier_raises_is_kept(http: Http) -> None:
    def broken(_: MessagesRequest) -> Reply:
        raise LookupError("no such word")

    with MessagesServer(broken) as server:
        with http(server, "Ada") as response:
            # Otherwise Claude Code asks ten times more.
            assert response.headers["x-should-retry"] == "false"
            assert error(response)[1]["message"] == "LookupError: no such word"
            assert response.status == 500
        assert [str(each) for each in server.errors] == ["no such word"]


def test_requests_are_kept_in_order(server: MessagesServer, http: Http) -> None:
    for name in ("Ada", "Grace"):
        with http(server, name) as response:
            response.read()
    assert [request.prompt for request in server.requests] == ["Ada", "Grace"]
    assert server.wait_for_requests(2) == server.requests


def test_waiting_for_requests(server: MessagesServer, http: Http) -> None:
    with ThreadPoolExecutor() as threads:
        waiting = threads.submit(server.wait_for_requests, 1)
        with http(server, "Ada"):
            assert waiting.result(timeout=10)[0].prompt == "Ada"
    with pytest.raises(TimeoutError, match=r"1 of 2 requests came within 0\.0 s"):
        server.wait_for_requests(2, timeout_s=0.0)


def test_a_held_reply_waits_for_its_gate_and_holds_up_nobody(http: Http) -> None:
    gate = threading.Event()

    def held(request: MessagesRequest) -> Reply:
        return Reply.of("begun", Hold(gate), "done") if request.prompt == "hold" else hello(request)

    with MessagesServer(held) as server, http(server, "hold") as response:
        read_until(response, "begun")
        with http(server, "Ada") as other:
            assert b"message_stop" in other.read()
        gate.set()
        assert "done" in read_until(response, "message_stop")


@pytest.mark.parametrize("stream", [True, False])
def test_a_cut_drops_the_connection(http: Http, stream: bool) -> None:  # noqa: FBT001
    with (
        MessagesServer(lambda _: Reply.of("begun", Cut(), "never")) as server,
        http(server, "Ada", stream=stream) as response,
    ):
        with pytest.raises(IncompleteRead) as cut:
            response.read()
        assert (b"begun" in cut.value.partial) is stream
        assert b"never" not in cut.value.partial


def test_stopping_drops_open_replies_and_frees_everything(http: Http) -> None:
    before = set(threading.enumerate())
    replies = {
        "stall": Reply.of("begun", Stall()),
        "hold": Reply.of("begun", Hold(threading.Event())),
    }
    server = MessagesServer(lambda request: replies[request.prompt])
    server.start()
    where = urlsplit(server.url)
    with http(server, "stall") as stalled, http(server, "hold") as held:
        read_until(stalled, "begun")
        read_until(held, "begun")
        begin = time.monotonic()
        server.stop()
        assert time.monotonic() - begin < 1.0
        for response in (stalled, held):
            with pytest.raises(IncompleteRead):
                response.read()
    assert set(threading.enumerate()) == before
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((where.hostname or "", where.port or 0))


def test_stopping_does_not_wait_for_a_client_that_reads_nothing() -> None:
    flood = Reply.of(Text("x" * 2**26, chunks=("x" * 2**20,) * 64))
    body = json.dumps({"stream": True, "messages": [{"role": "user", "content": "Ada"}]})
    with MessagesServer(lambda _: flood) as server:
        where = urlsplit(server.url)
        connection = HTTPConnection(where.hostname or "", where.port, timeout=10)
        connection.request("POST", "/v1/messages", body, {"x-api-key": server.token})
        response = connection.getresponse()
        begin = time.monotonic()
        server.stop()
        assert time.monotonic() - begin < 1.0
    response.close()
    connection.close()


def test_replies_on_a_kept_connection_are_not_delayed(server: MessagesServer) -> None:
    where = urlsplit(server.url)
    connection = HTTPConnection(where.hostname or "", where.port, timeout=10)
    body = json.dumps({"stream": True, "messages": [{"role": "user", "content": "Ada"}]})
    took: list[float] = []
    for _ in range(10):
        begin = time.monotonic()
        connection.request("POST", "/v1/messages", body, {"x-api-key": server.token})
        connection.getresponse().read()
        took.append(time.monotonic() - begin)
    connection.close()
    # With Nagle's algorithm each but the first would take 40 ms.
    assert sorted(took)[1] < 0.03


def test_it_starts_again_after_a_stop(http: Http) -> None:
    server = MessagesServer(hello)
    for _ in range(2):
        with server, http(server, "Ada") as response:
            assert response.status == 200
    server.stop()
    assert len(server.requests) == 2


def test_it_listens_where_it_is_told(http: Http) -> None:
    with MessagesServer(hello) as server, http(server, "Ada"):
        url = server.url
    again = MessagesServer(hello, port=int(url.rpartition(":")[2]))
    with again, http(again, "Ada") as response:
        assert (again.url, response.status) == (url, 200)


def test_misuse_is_told() -> None:
    server = MessagesServer(hello)
    with pytest.raises(TapeError, match="does not run"):
        _ = server.url
    with server, pytest.raises(TapeError, match=r"runs already, at http://127\.0\.0\.1:\d+"):
        server.start()


def test_the_log_stays_quiet_about_this_server_only(
    http: Http,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG, "uvicorn")
    before = len(logging.getLogger("uvicorn.error").filters)
    with MessagesServer(lambda _: Reply.of(Cut())) as server:
        with http(server, "Ada") as response, pytest.raises(IncompleteRead):
            response.read()
        logging.getLogger("uvicorn.error").error("from another server")
    told = [record.message for record in caplog.records if record.name.startswith("uvicorn")]
    assert told == ["from another server"]
    assert len(logging.getLogger("uvicorn.error").filters) == before


async def test_a_reply_ends_when_the_client_leaves() -> None:
    from claude_magic.tape.endpoint import messages_endpoint  # noqa: PLC0415 - heavy

    sent: list[Message] = []
    body = json.dumps({"stream": True, "messages": [{"role": "user", "content": "Ada"}]}).encode()
    begun = asyncio.Event()

    async def receive() -> Message:
        if not sent:
            return {"type": "http.request", "body": body, "more_body": False}
        await begun.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)
        if b"begun" in message.get("body", b""):
            begun.set()

    app = messages_endpoint("token", lambda _: Reply.of("begun", Stall()), asyncio.Event())
    scope: dict[str, Any] = {
        "type": "http",
        "method": "POST",
        "path": "/v1/messages",
        "query_string": b"",
        "headers": [(b"x-api-key", b"token")],
    }
    await asyncio.wait_for(app(scope, receive, send), timeout=10)
    assert begun.is_set()
    assert sent[-1]["more_body"]
