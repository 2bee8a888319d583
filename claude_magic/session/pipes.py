"""How the loop thread reads the pipes of its processes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable

P = TypeVar("P", bound=asyncio.BaseProtocol)

#: A pipe from which an answer trickles is read this often, in seconds. JupyterLab shows the answer
#: ten times in a second.
PAUSE_S = 0.08

#: It trickles when it has done so for so long, in seconds: a short answer waits for nothing.
STEADY_S = 0.5

#: More than this at a time is no trickle, in bytes.
TRICKLE_BYTES = 4096

#: What each line has that is a piece of an answer. In what an answer says, quotes are escaped.
PIECE = b'"content_block_delta"'


class PipeLoop(asyncio.SelectorEventLoop):
    """An event loop that reads an answer which trickles from a pipe in sips, not in drops.

    Claude Code writes a line for each few words, and each line that comes alone costs several
    rounds of the loop. Of a long answer, sips save half of what it takes to read it.
    """

    async def connect_read_pipe(
        self,
        protocol_factory: Callable[[], P],
        pipe: Any,
    ) -> tuple[asyncio.ReadTransport, P]:
        """Read a pipe; see `asyncio.loop.connect_read_pipe`."""
        protocol = protocol_factory()
        sips = Sips(cast("asyncio.Protocol", protocol), self)
        transport, _ = await super().connect_read_pipe(lambda: sips, pipe)
        return transport, protocol


class Sips(asyncio.Protocol, asyncio.ReadTransport):
    """Stands between a pipe and its protocol, and has the pipe rest while an answer trickles.

    It is the protocol of the one and the transport of the other, so that reading goes on when
    neither side has paused it. Loop thread only.

    Parameters
    ----------
    protocol
        Takes what comes.
    loop
        The running loop.
    """

    _pipe: asyncio.ReadTransport

    def __init__(self, protocol: asyncio.Protocol, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._protocol = protocol
        self._loop = loop
        self._full = self._resting = False
        self._came_s = self._since_s = 0.0

    # -- what the pipe tells -------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._pipe = cast("asyncio.ReadTransport", transport)
        self._protocol.connection_made(self)

    def data_received(self, data: bytes) -> None:
        """Hand on what came, and let the pipe rest if it has been trickling for some time."""
        self._protocol.data_received(data)
        now_s = self._loop.time()
        trickles = len(data) < TRICKLE_BYTES and data.count(PIECE) == data.count(b"\n")
        # A rest may be over later than it should be.
        if not trickles or now_s - self._came_s > 2 * PAUSE_S:
            self._since_s = now_s
        self._came_s = now_s
        if now_s - self._since_s > STEADY_S:
            self._resting = True
            self._pipe.pause_reading()
            self._loop.call_later(PAUSE_S, self._go_on)

    def _go_on(self) -> None:
        self._resting = False
        if not self._full:
            self._pipe.resume_reading()

    def eof_received(self) -> bool | None:
        """Tell the end."""
        return self._protocol.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the loss."""
        self._protocol.connection_lost(exc)

    # -- what the protocol does to the pipe ----------------------------------------------------

    def pause_reading(self) -> None:
        """Read no more until `resume_reading`."""
        self._full = True
        self._pipe.pause_reading()

    def resume_reading(self) -> None:
        """Go on, once the pipe has rested."""
        self._full = False
        if not self._resting:
            self._pipe.resume_reading()

    def is_reading(self) -> bool:
        """Tell whether nothing but the pipe itself is waited for."""
        return not (self._full or self._resting or self._pipe.is_closing())

    def close(self) -> None:
        """Close the pipe."""
        self._pipe.close()

    def is_closing(self) -> bool:
        """Tell whether the pipe is closed, or about to be."""
        return self._pipe.is_closing()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return what the pipe tells of itself."""
        return self._pipe.get_extra_info(name, default)
