"""A Messages API on this machine's loopback interface, for the real Claude Code to talk to."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Protocol, TypeAlias

from .loopback import LoopbackServer
from .reply import Failure

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from starlette.types import ASGIApp

    from .reply import Reply
    from .request import MessagesRequest

# So that a demo that runs for days does not grow; a test asks for far fewer.
_KEPT_REQUESTS = 1000


class Replier(Protocol):
    """What a server asks for its answers."""

    def reply(self, request: MessagesRequest) -> Reply | Failure:
        """Answer one request.

        Called on the server's thread, which serves everybody: it must not block. To make a reply
        wait, put a `Hold` into it.
        """
        ...


AnyReplier: TypeAlias = "Replier | Callable[[MessagesRequest], Reply | Failure]"


class MessagesServer(LoopbackServer):
    """A loopback server that speaks the Messages API.

    `start` and `stop` belong to one thread at a time; everything else is thread-safe.

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
        super().__init__(token, port)
        self._replier = replier if callable(replier) else replier.reply
        self._news = threading.Condition()
        self._requests: deque[MessagesRequest] = deque(maxlen=_KEPT_REQUESTS)
        self._request_count = 0
        self._errors: list[Exception] = []

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

    def _application(self, stopping: asyncio.Event) -> ASGIApp:
        from .endpoint import messages_endpoint  # noqa: PLC0415 - starlette is heavy

        return messages_endpoint(self.token, self._answer, stopping)

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
