"""A server on this machine's loopback interface, in a thread of its own."""

from __future__ import annotations

import logging
import os
import socket
import threading
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from claude_magic.errors import TapeError
from claude_magic.shadowing import refuse_shadowed

if TYPE_CHECKING:
    import asyncio
    from types import TracebackType

    from starlette.types import ASGIApp
    from typing_extensions import Self

    from .listener import Listener

_THREAD_NAME = "claude-magic-tape"


class LoopbackServer(ABC):
    """A server on 127.0.0.1.

    Owns a socket and one daemon thread while it runs. It may be started again after it was
    stopped. `start` and `stop` belong to one thread at a time.

    Parameters
    ----------
    port
        Where to listen, from 1 to 65535; None for a free port, another one at each start.
    """

    def __init__(self, port: int | None = None) -> None:
        self._wanted_port = port or 0
        self._port: int | None = None
        self._listener: Listener | None = None
        self._thread: threading.Thread | None = None
        self._quiet = _QuietFilter()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @abstractmethod
    def _application(self, stopping: asyncio.Event) -> ASGIApp:
        """Return what is served; called when the server starts.

        Parameters
        ----------
        stopping
            Ends all open replies when it is set.
        """

    @property
    def url(self) -> str:
        """The base URL.

        Raises
        ------
        TapeError
            If the server does not run.
        """
        if self._port is None:
            raise TapeError("The server does not run, so it has no URL. Start it first.")
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Start to serve; requests are answered when this returns.

        Raises
        ------
        TapeError
            If the server runs already.
        OSError
            If there is no free port, or the one that is wanted is taken.
        """
        if self._thread is not None:
            raise TapeError(f"The server runs already, at {self.url}. Stop it first.")
        refuse_shadowed()
        from .listener import Listener  # noqa: PLC0415 - starlette and uvicorn are heavy

        listener = Listener(self._application)
        # The protocol is named because asyncio turns Nagle's algorithm off only where it is: with
        # it, each reply on a kept connection comes 40 ms late.
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        if os.name == "posix":  # elsewhere it lets two servers share a port
            # Connections of the last run may still linger.
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", self._wanted_port))
        self._listener = listener
        self._thread = threading.Thread(
            target=self._listener.run_on,
            args=(listening,),
            name=_THREAD_NAME,
            daemon=True,
        )
        self._port = listening.getsockname()[1]
        self._quiet.install()
        self._thread.start()
        self._listener.wait_until_ready()

    def stop(self) -> None:
        """Drop open replies, free the port and end the thread; harmless if not running."""
        if self._listener is None or self._thread is None:
            return
        self._listener.finish()
        self._thread.join()
        self._quiet.remove()
        self._listener = self._thread = self._port = None


class _QuietFilter(logging.Filter):
    """Keeps uvicorn's chatter about this server away from the notebook, but no traceback.

    Only that of a tape's thread: another uvicorn in the same process keeps its log as it is.
    """

    _LOGGERS = ("uvicorn.error", "uvicorn.access")

    def filter(self, record: logging.LogRecord) -> bool:
        return record.threadName != _THREAD_NAME or record.exc_info is not None

    def install(self) -> None:
        for name in self._LOGGERS:
            logging.getLogger(name).addFilter(self)

    def remove(self) -> None:
        for name in self._LOGGERS:
            logging.getLogger(name).removeFilter(self)
