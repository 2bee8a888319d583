"""A Messages API on this machine's loopback interface, for the real Claude Code to talk to."""

from __future__ import annotations

import logging
import os
import secrets
import socket
import threading
from collections import deque
from typing import TYPE_CHECKING, Protocol, TypeAlias

from claude_magic.errors import TapeError

from .reply import Failure

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from typing_extensions import Self

    from .listener import Listener
    from .reply import Reply
    from .request import MessagesRequest

# So that a demo that runs for days does not grow; a test asks for far fewer.
_KEPT_REQUESTS = 1000
_THREAD_NAME = "claude-magic-tape"


class Replier(Protocol):
    """What a server asks for its answers."""

    def reply(self, request: MessagesRequest) -> Reply | Failure:
        """Answer one request.

        Called on the server's thread, which serves everybody: it must not block. To make a reply
        wait, put a `Hold` into it.
        """
        ...


AnyReplier: TypeAlias = "Replier | Callable[[MessagesRequest], Reply | Failure]"


class MessagesServer:
    """A loopback server that speaks the Messages API.

    Owns a socket on 127.0.0.1 and one daemon thread while it runs. It may be started again after it
    was stopped. `start` and `stop` belong to one thread at a time; everything else is thread-safe.

    Parameters
    ----------
    replier
        Answers the requests: an object with a ``reply`` method, such as a `Tape`, or a function.
    token
        The API key that requests must carry, so that no other user of the machine is served; a
        random one if None.
    port
        Where to listen, from 1 to 65535; None for a free port, another one at each start.

    Examples
    --------
    >>> with MessagesServer(lambda request: Reply.of("Hello.")) as server:
    ...     environment = {"ANTHROPIC_BASE_URL": server.url, "ANTHROPIC_API_KEY": server.token}
    """

    def __init__(
        self,
        replier: AnyReplier,
        *,
        token: str | None = None,
        port: int | None = None,
    ) -> None:
        self.token = token if token is not None else secrets.token_urlsafe(24)
        self._replier = replier if callable(replier) else replier.reply
        self._news = threading.Condition()
        self._requests: deque[MessagesRequest] = deque(maxlen=_KEPT_REQUESTS)
        self._request_count = 0
        self._errors: list[Exception] = []
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

    @property
    def requests(self) -> list[MessagesRequest]:
        """The requests for a message that came so far, oldest first; the last 1000 of them."""
        with self._news:
            return list(self._requests)

    @property
    def errors(self) -> list[Exception]:
        """What the replier raised so far, oldest first."""
        with self._news:
            return list(self._errors)

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
        from .listener import Listener  # noqa: PLC0415 - starlette and uvicorn are heavy

        # The protocol is named because asyncio turns Nagle's algorithm off only where it is: with
        # it, each reply on a kept connection comes 40 ms late.
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        if os.name == "posix":  # elsewhere it lets two servers share a port
            # Connections of the last run may still linger.
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", self._wanted_port))
        self._listener = Listener(self.token, self._answer)
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

    def wait_for_requests(self, count: int, timeout_s: float = 10.0) -> list[MessagesRequest]:
        """Wait until so many requests for a message have come since the server was made.

        Parameters
        ----------
        count
            How many, from 0.
        timeout_s
            How long to wait at most, in seconds.

        Returns
        -------
        list of MessagesRequest
            The requests so far, like `requests`.

        Raises
        ------
        TimeoutError
            If fewer came in that time.
        """
        with self._news:
            if not self._news.wait_for(lambda: self._request_count >= count, timeout_s):
                raise TimeoutError(
                    f"{self._request_count} of {count} requests came within {timeout_s} s",
                )
            return list(self._requests)

    def _answer(self, request: MessagesRequest) -> Reply | Failure:
        with self._news:
            self._requests.append(request)
            self._request_count += 1
            self._news.notify_all()
        try:
            return self._replier(request)
        except Exception as error:  # noqa: BLE001 - whatever a test's function raises, it is shown
            with self._news:
                self._errors.append(error)
            told = f"{type(error).__name__}: {error}"
            return Failure(500, "api_error", told, headers={"x-should-retry": "false"})


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
