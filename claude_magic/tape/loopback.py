"""A server on this machine's loopback interface, in a thread of its own."""

from __future__ import annotations

import logging
import os
import secrets
import socket
import threading
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from claude_magic.errors import TapeError
from claude_magic.shadowing import refuse_shadowed

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Mapping
    from types import TracebackType

    from starlette.types import ASGIApp
    from typing_extensions import Self

    from .listener import Listener

_THREAD_NAME = "claude-magic-tape"


def key_in(headers: Mapping[str, str]) -> str:
    """Return the API key that a request carries, or an empty text.

    Parameters
    ----------
    headers
        The request's headers; their names are looked up in lower case.
    """
    scheme, _, bearer = headers.get("authorization", "").partition(" ")
    return headers.get("x-api-key") or (bearer if scheme.lower() == "bearer" else "")


class LoopbackServer(ABC):
    """A server on 127.0.0.1.

    Owns a socket and one daemon thread while it runs. It may be started again after it was
    stopped. Connections that do not send its token are few at a time and end after a few seconds.
    `start` and `stop` belong to one thread at a time.

    Parameters
    ----------
    token
        The secret that requests must carry; a random one if None.
    port
        Where to listen, from 1 to 65535; None for a free port, another one at each start.
    """

    def __init__(self, token: str | None = None, port: int | None = None) -> None:
        self.token = token if token is not None else secrets.token_urlsafe(24)
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

    def _token_in(self, headers: Mapping[str, str]) -> str:
        """Return the token that a request carries, or a text that is none.

        Parameters
        ----------
        headers
            The request's headers, names in lower case.
        """
        return key_in(headers)

    def _admits(self, headers: Mapping[str, str]) -> bool:
        """Tell whether a request's connection may stay; event loop's thread."""
        return secrets.compare_digest(self._token_in(headers).encode(), self.token.encode())

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

        listener = Listener(self._application, self._admits)
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
