"""The event loop that listens on a socket, in a thread of its own.

All that uvicorn does not promise to keep is used here: that a server can start without sockets, and
how its protocol for one connection is made.
"""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from .gate import Gate

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Coroutine, Mapping

    from starlette.types import ASGIApp

# An idle connection is never closed first: Claude Code would take it for a network error and retry.
_KEEP_ALIVE_S = 24 * 3600

#: Connections that wait to be accepted.
_BACKLOG = 1024

#: Pause after a connection could not be accepted, in seconds: mostly, no file descriptor is free.
_ACCEPT_PAUSE_S = 0.2


class Listener(uvicorn.Server):
    """Serves one socket with one event loop, once.

    `run_on` belongs to a thread of its own, which it occupies until `finish` is called from any
    other thread. Signal handlers are left alone, because uvicorn installs them only on the main
    thread.

    Parameters
    ----------
    application
        Makes what is served; what it is given ends all open replies when it is set.
    admits
        Tells by a request's headers, names in lower case, whether it has the token.
    """

    def __init__(
        self,
        application: Callable[[asyncio.Event], ASGIApp],
        admits: Callable[[Mapping[str, str]], bool],
    ) -> None:
        self._stopping = asyncio.Event()
        self._gate = Gate(admits, self._protocol)
        self._listening: socket.socket | None = None
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        super().__init__(
            uvicorn.Config(
                application(self._stopping),
                http=H11Protocol,
                ws="none",
                lifespan="auto",
                log_config=None,
                date_header=False,
                server_header=False,
                timeout_keep_alive=_KEEP_ALIVE_S,
                timeout_graceful_shutdown=1,
            ),
        )

    def run_on(self, listening: socket.socket) -> None:
        """Serve the bound socket until `finish` is called; closes it."""
        self._listening = listening
        listening.settimeout(0.0)
        listening.listen(_BACKLOG)
        try:
            # None for uvicorn: asyncio's server accepts all that wait at once, and so takes all
            # file descriptors before the gate sees the first of them.
            _run(self.serve(sockets=[]))
        finally:
            listening.close()
            self._ready.set()

    def wait_until_ready(self) -> None:
        """Wait until requests are served, or `run_on` has failed."""
        self._ready.wait()

    def finish(self) -> None:
        """End all open replies and make `run_on` return."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._stopping.set)

    async def main_loop(self) -> None:
        """Accept connections until the end; uvicorn's own loop polls ten times a second."""
        self._loop = asyncio.get_running_loop()
        self._ready.set()
        accepting = asyncio.create_task(self._accept())
        stopping = asyncio.create_task(self._stopping.wait())
        await asyncio.wait((accepting, stopping), return_when=asyncio.FIRST_COMPLETED)
        accepting.cancel()
        stopping.cancel()
        await asyncio.wait((accepting, stopping))
        self._gate.close()
        for connection in list(self.server_state.connections):
            # A client that does not read would keep the connection open until it does.
            if connection.transport.get_write_buffer_size():
                connection.transport.abort()
        if not accepting.cancelled():
            accepting.result()

    async def _accept(self) -> None:
        """Accept one connection after the other, each after the gate has seen the one before."""
        assert self._listening is not None  # noqa: S101 - set before the loop runs
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(self._listening)
            except OSError:
                await asyncio.sleep(_ACCEPT_PAUSE_S)
                continue
            try:
                await loop.connect_accepted_socket(self._gate.visitor, connection)
            except OSError:  # its client has left already
                connection.close()

    def _protocol(self) -> asyncio.Protocol:
        return H11Protocol(
            config=self.config,
            server_state=self.server_state,
            app_state=self.lifespan.state,
            _loop=self._loop,
        )


def _run(serving: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine on an event loop of its own, as `asyncio.run` does.

    `asyncio.run` makes its loop through the event loop policy and sets it there; some policies keep
    one loop for all threads, which is the user's.
    """
    loop = asyncio.SelectorEventLoop()
    try:
        loop.run_until_complete(serving)
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True)) if left else None
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
    finally:
        loop.close()
