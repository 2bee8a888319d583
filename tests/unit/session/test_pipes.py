"""How an answer that trickles from a pipe is read."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from claude_magic.session import pipes
from claude_magic.session.pipes import PIECE, TRICKLE_BYTES, PipeLoop

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="asyncio reads pipes otherwise")


def _piece(text: str) -> bytes:
    return b'{"type":' + PIECE + b',"text":"' + text.encode() + b'"}\n'


class Heard(asyncio.Protocol):
    """What came of a pipe, as it was handed on."""

    transport: asyncio.ReadTransport

    def __init__(self) -> None:
        self.came: asyncio.Queue[bytes | None] = asyncio.Queue()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.ReadTransport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.came.put_nowait(data)

    def connection_lost(self, exc: Exception | None) -> None:
        assert exc is None
        self.came.put_nowait(None)

    async def next(self) -> bytes | None:
        return await asyncio.wait_for(self.came.get(), 20)

    async def nothing(self) -> None:
        """See that nothing comes, though the loop goes round and round."""
        for _ in range(100):
            await asyncio.sleep(0)
        assert self.came.empty()


@contextmanager
def _pipe(loop: PipeLoop) -> Iterator[tuple[Heard, int]]:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb", buffering=0) as pipe:
        transport, heard = loop.run_until_complete(loop.connect_read_pipe(Heard, pipe))
        yield heard, writing
        transport.close()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()


async def _trickle(heard: Heard, writing: int) -> None:
    """Write pieces, each when the one before it was heard, until one has the pipe rest."""
    while heard.transport.is_reading():
        os.write(writing, _piece("so"))
        assert await heard.next() == _piece("so")


@pytest.fixture
def loop(monkeypatch: pytest.MonkeyPatch) -> PipeLoop:
    """Give a loop whose pipes rest for so long that what comes meanwhile is there in time."""
    monkeypatch.setattr(pipes, "STEADY_S", 0.05)
    monkeypatch.setattr(pipes, "PAUSE_S", 0.5)
    return PipeLoop()


def test_pieces_that_trickle_are_read_together(loop: PipeLoop) -> None:
    with _pipe(loop) as (heard, writing):

        async def come() -> None:
            await _trickle(heard, writing)
            os.write(writing, _piece("a"))
            os.write(writing, _piece("b"))
            await heard.nothing()
            # The pipe goes on by itself.
            assert await heard.next() == _piece("a") + _piece("b")
            os.write(writing, b"the end\n")
            os.close(writing)
            assert await heard.next() == b"the end\n"
            assert await heard.next() is None

        loop.run_until_complete(come())


@pytest.mark.parametrize(
    "other",
    [b'{"type":"control_request"}\n', _piece("a") + b"{}\n", _piece("so" * TRICKLE_BYTES)],
    ids=["a question", "a question behind a piece", "a gush"],
)
def test_what_is_no_trickle_of_pieces_has_the_pipe_read_at_once(
    loop: PipeLoop,
    other: bytes,
) -> None:
    with _pipe(loop) as (heard, writing):

        async def come() -> None:
            await _trickle(heard, writing)
            os.write(writing, other)
            assert await heard.next() == other
            assert heard.transport.is_reading()
            os.close(writing)

        loop.run_until_complete(come())


def test_a_protocol_that_is_full_stays_so_when_the_pipe_has_rested(loop: PipeLoop) -> None:
    with _pipe(loop) as (heard, writing):

        async def come() -> None:
            await _trickle(heard, writing)
            heard.transport.pause_reading()
            os.write(writing, _piece("late"))
            await asyncio.sleep(2 * pipes.PAUSE_S)
            assert heard.came.empty()
            heard.transport.resume_reading()
            assert await heard.next() == _piece("late")
            os.close(writing)

        loop.run_until_complete(come())
