"""The event loop that listens on a socket, in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import uvicorn

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Coroutine

    from starlette.types import ASGIApp

# An idle connection is never closed first: Claude Code would take it for a network error and retry.
_KEEP_ALIVE_S = 24 * 3600


class Listener(uvicorn.Server):
    """Serves one socket with one event loop, once.

    `run_on` belongs to a thread of its own, which it occupies until `finish` is called from any
    other thread. Signal handlers are left alone, because uvicorn installs them only on the main
    thread.

    Parameters
    ----------
    application
        Makes what is served; what it is given ends all open replies when it is set.
    """

    def __init__(self, application: Callable[[asyncio.Event], ASGIApp]) -> None:
        self._stopping = asyncio.Event()
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        super().__init__(
            uvicorn.Config(
                application(self._stopping),
                http="h11",
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
        """Serve the socket until `finish` is called; closes it."""
        try:
            _run(self.serve(sockets=[listening]))
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
        """Wait for the end: uvicorn's own loop polls ten times a second."""
        self._loop = asyncio.get_running_loop()
        self._ready.set()
        await self._stopping.wait()
        for connection in list(self.server_state.connections):
            # A client that does not read would keep the connection open until it does.
            if connection.transport.get_write_buffer_size():
                connection.transport.abort()


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
