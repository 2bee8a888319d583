"""Connections to the tape's ports from processes that do not know the token."""

from __future__ import annotations

import os
import select
import socket
import sys
import threading
import time
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from claude_magic.tape import MessagesRequest, MessagesServer, Reply
from claude_magic.tape import gate as gate_module
from claude_magic.tape.gate import MOST_UNKNOWN, UNKNOWN_LIFETIME_S, most_unknown
from claude_magic.tape.places import Places
from claude_magic.tape.recorder import TOKEN_HEADER, Recorder
from claude_magic.tape.recording import Recording, empty_tape
from claude_magic.tape.scrubbing import Scrubbing
from claude_magic.tape.upstream import Upstream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from claude_magic.tape.loopback import LoopbackServer

FDS = "/proc/self/fd"
BODY = b'{"messages": [{"role": "user", "content": "Ada"}]}'
POST = b"POST /v1/messages HTTP/1.1\r\nHost: a\r\n"
LENGTH = b"Content-Length: %d\r\n" % len(BODY)

#: What a client sends at first, and then again and again. None of them sends the token.
UNKNOWN = {
    "nothing": (b"", b""),
    "half of a line": (b"POST /v1/mess", b""),
    "half of a head": (POST, b""),
    "trickling head": (POST, b"X"),
    "trickling headers": (POST, b"X: 1\r\n"),
    "trickling empty lines": (b"", b"\r"),
    "whole head, no body": (POST + b"Content-Length: 9\r\n\r\n", b""),
    "trickling body": (POST + b"Content-Length: 999999\r\n\r\n", b"x"),
    "trickling chunks": (POST + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
    "wrong token": (POST + b"x-api-key: x\r\nContent-Length: 9\r\n\r\n", b"x"),
    "empty token": (POST + b"x-api-key:\r\n%s:\r\n\r\n" % TOKEN_HEADER.encode(), b"x"),
    "alive": (b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", b""),
    "alive, to be kept": (b"HEAD / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\n\r\n", b""),
    "alive again and again": (b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", b"HEAD / HTTP/1.1\r\n\r\n"),
    "no HTTP": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"\0"),
    "HTTP 2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\0"),
    "large head": (POST + b"X: " + b"a" * 200_000, b""),
}


def hello(request: MessagesRequest) -> Reply:
    return Reply.of(f"Hello, {request.prompt}")


@pytest.fixture(params=["replay", "record"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LoopbackServer]:
    with ExitStack() as running:
        far_end = running.enter_context(MessagesServer(hello))
        if request.param == "replay":
            yield far_end
            return
        scrubbing = Scrubbing(Places(tmp_path))
        recording = Recording(tmp_path / "t.yaml", empty_tape("T"), scrubbing, "")
        recorder = Recorder(recording, Upstream.of({"ANTHROPIC_BASE_URL": far_end.url}))
        recorder.far_key = far_end.token  # type: ignore[attr-defined]
        yield running.enter_context(recorder)


def connected(server: LoopbackServer) -> socket.socket:
    where = urlsplit(server.url)
    return socket.create_connection((where.hostname or "", where.port or 0), timeout=30)


def known(server: LoopbackServer) -> bytes:
    """Return the head of a request with the token."""
    key = getattr(server, "far_key", server.token)
    tokens = f"x-api-key: {key}\r\n{TOKEN_HEADER}: {server.token}\r\n".encode()
    return POST + tokens + LENGTH + b"\r\n"


def answer(client: socket.socket) -> bytes:
    """Return one whole answer, which comes in chunks."""
    received = b""
    while not received.endswith(b"\r\n0\r\n\r\n"):
        more = client.recv(65536)
        assert more, f"the connection was closed after {received!r}"
        received += more
    return received


def open_files() -> int:
    return len(os.listdir(FDS))  # noqa: PTH208 - counted, not read


def is_open(client: socket.socket) -> bool:
    try:
        while select.select([client], [], [], 0)[0]:
            if not client.recv(65536):
                return False
    except OSError:
        return False
    return True


@pytest.mark.promise(
    "A tape's port serves and keeps no connection without its token.",
    against="local",
)
def test_a_connection_without_the_token_ends_within_seconds(server: LoopbackServer) -> None:
    with ExitStack() as stack:
        clients = {name: stack.enter_context(connected(server)) for name in UNKNOWN}
        begun = time.monotonic()
        for name, client in clients.items():
            with suppress(OSError):  # closed while it still sends
                client.sendall(UNKNOWN[name][0])
        left = dict(clients)
        while left and time.monotonic() < begun + 4 * UNKNOWN_LIFETIME_S:
            for name, client in list(left.items()):
                with suppress(OSError):
                    client.sendall(UNKNOWN[name][1])
                if not is_open(client):
                    del left[name]
            time.sleep(0.05)
        assert not left


def test_without_the_token_no_connection_is_kept(server: LoopbackServer) -> None:
    with connected(server) as client:
        client.sendall(UNKNOWN["alive, to be kept"][0])
        received = b""
        while more := client.recv(65536):
            received += more
    assert received.startswith(b"HTTP/1.1 200")
    assert b"connection: close" in received.lower()


def test_with_the_token_a_connection_is_kept(
    server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate_module, "UNKNOWN_LIFETIME_S", 0.1)
    with connected(server) as client, connected(server) as other:
        client.sendall(known(server) + BODY)
        assert b"200 OK" in answer(client)
        # When this one is gone, the time of the first one has passed, too.
        assert other.recv(1) == b""
        client.sendall(known(server) + BODY)
        assert b"200 OK" in answer(client)


@pytest.mark.parametrize("pieces", [1, 7, 100_000])
def test_the_token_may_come_in_pieces(server: LoopbackServer, pieces: int) -> None:
    request = known(server) + BODY
    size = -(-len(request) // pieces)
    with connected(server) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(0, len(request), size):
            client.sendall(request[at : at + size])
        assert b"Hello, Ada" in answer(client)


@pytest.mark.skipif(not os.path.isdir(FDS), reason="open files are counted in /proc")  # noqa: PTH112
def test_many_connections_take_few_files_and_do_not_keep_the_owner_out(
    server: LoopbackServer,
) -> None:
    most = most_unknown()
    assert 8 <= most <= MOST_UNKNOWN
    count = 300
    with ExitStack() as stack:
        before = open_files()
        for _ in range(count):
            client = stack.enter_context(connected(server))
            client.sendall(POST)
            # One more is accepted before the oldest is closed.
            assert open_files() - before <= count + most + 4
            with connected(server) as owner:
                owner.sendall(known(server) + BODY)
                assert b"Hello, Ada" in answer(owner)
        assert open_files() - before <= count + most + 4


def hammer(server: LoopbackServer, done: threading.Event) -> None:
    """Connect and connect again, each time with half a request, and keep the last hundred."""
    kept: list[socket.socket] = []
    while not done.is_set():
        with suppress(OSError):
            client = connected(server)
            kept.append(client)
            client.sendall(POST)
        if len(kept) > 100:
            kept.pop(0).close()
    for client in kept:
        client.close()


@pytest.mark.promise(
    "A tape's port serves and keeps no connection without its token.",
    against="local",
)
def test_the_owner_is_served_while_somebody_hammers(server: LoopbackServer) -> None:
    done = threading.Event()
    threads = [threading.Thread(target=hammer, args=(server, done)) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(50):
            with connected(server) as owner:
                owner.sendall(known(server) + BODY)
                assert b"Hello, Ada" in answer(owner)
    finally:
        done.set()
        for thread in threads:
            thread.join()


def test_a_stop_ends_the_connections_of_strangers(server: LoopbackServer) -> None:
    with connected(server) as client, connected(server) as other:
        client.sendall(POST)
        other.sendall(known(server) + BODY)
        answer(other)  # by now the first one has been accepted
        begun = time.monotonic()
        server.stop()
        assert time.monotonic() - begun < UNKNOWN_LIFETIME_S
        assert not is_open(client)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
@pytest.mark.parametrize(
    ("limit", "most"), [(-1, 64), (1 << 20, 64), (1024, 64), (256, 16), (64, 8), (0, 8)]
)
def test_where_few_files_may_be_open_strangers_get_fewer(
    limit: int, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    import resource  # noqa: PLC0415

    getrlimit: Callable[[int], tuple[int, int]] = lambda _: (limit, -1)  # noqa: E731
    monkeypatch.setattr(resource, "getrlimit", getrlimit)
    assert most_unknown() == most
