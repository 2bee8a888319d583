"""Admission of connections: those that do not know the token are few, and do not last.

Any user of the machine can connect to a port on loopback, and each connection costs the kernel a
file descriptor, of which it often has no more than 1024. So a connection counts as unknown until it
has sent a request with the token; the number of unknown ones and the life of each are limited.
"""

from __future__ import annotations

import asyncio
import re
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

#: Life of a connection that has not sent the token, in seconds.
UNKNOWN_LIFETIME_S = 5.0

#: Unknown connections at a time, if the process may open enough files.
MOST_UNKNOWN = 64
_FEWEST_UNKNOWN = 8
#: Part of the process's file descriptors that unknown connections may take.
_SHARE = 16

#: Size of a request's head, in bytes.
_MAX_HEAD_BYTES = 64 * 1024

#: The end of a head, also for those who forget the carriage returns.
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_LINE_END = re.compile(rb"\r?\n")


def most_unknown() -> int:
    """Return how many unknown connections this process can have at a time."""
    if sys.platform == "win32":
        return MOST_UNKNOWN
    import resource  # noqa: PLC0415 - Windows has none

    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files == resource.RLIM_INFINITY:
        return MOST_UNKNOWN
    return max(_FEWEST_UNKNOWN, min(MOST_UNKNOWN, files // _SHARE))


class Gate:
    """Makes the protocol of each new connection. Event loop's thread only.

    Parameters
    ----------
    admits
        Tells by a request's headers, names in lower case, whether it has the token.
    serve
        Makes the protocol that serves a connection.
    """

    def __init__(
        self,
        admits: Callable[[Mapping[str, str]], bool],
        serve: Callable[[], asyncio.Protocol],
    ) -> None:
        self.admits = admits
        self.serve = serve
        self._most = most_unknown()
        # In the order in which they came.
        self._unknown: dict[_Visitor, asyncio.TimerHandle] = {}

    def visitor(self) -> asyncio.Protocol:
        """Return the protocol of a new connection."""
        return _Visitor(self)

    def enter(self, visitor: _Visitor) -> None:
        """Count an unknown connection, in the place of the oldest one if there are too many.

        A client that knows the token sends it with its first bytes, so the oldest is none of those.
        """
        if len(self._unknown) >= self._most:
            next(iter(self._unknown)).drop()
        loop = asyncio.get_running_loop()
        self._unknown[visitor] = loop.call_later(UNKNOWN_LIFETIME_S, visitor.drop)

    def leave(self, visitor: _Visitor) -> None:
        """Stop counting a connection: it has shown the token, or is closed."""
        timer = self._unknown.pop(visitor, None)
        if timer is not None:
            timer.cancel()

    def close(self) -> None:
        """Drop all unknown connections."""
        for visitor in list(self._unknown):
            visitor.drop()


class _Visitor(asyncio.Protocol):
    """Reads the head of the first request, then leaves the connection to the server's protocol."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._transport: asyncio.Transport | None = None
        self._head = bytearray()
        self._served: asyncio.Protocol | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - of a stream protocol
        self._transport = transport
        self._gate.enter(self)

    def data_received(self, data: bytes) -> None:
        if self._served is not None:
            self._served.data_received(data)
            return
        seen = max(len(self._head) - 3, 0)
        self._head += data
        end = _HEAD_END.search(self._head, seen)
        if end is not None:
            self._serve(end.start())
        elif len(self._head) > _MAX_HEAD_BYTES:
            self.drop()

    def _serve(self, end: int) -> None:
        sent, self._head = bytes(self._head), bytearray()
        if self._gate.admits(_headers(sent[:end])):
            self._gate.leave(self)
        else:
            # The answer closes the connection, so that no client keeps it for its next request.
            sent = sent[:end] + b"\r\nconnection: close" + sent[end:]
        self._served = self._gate.serve()
        assert self._transport is not None  # noqa: S101 - it has received something
        self._served.connection_made(self._transport)
        self._served.data_received(sent)

    def drop(self) -> None:
        """Close the connection at once."""
        self._gate.leave(self)
        if self._transport is not None:
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._gate.leave(self)
        if self._served is not None:
            self._served.connection_lost(exc)

    def eof_received(self) -> bool | None:
        return self._served.eof_received() if self._served is not None else None

    def pause_writing(self) -> None:
        if self._served is not None:
            self._served.pause_writing()

    def resume_writing(self) -> None:
        if self._served is not None:
            self._served.resume_writing()


def _headers(head: bytes) -> dict[str, str]:
    """Return the headers of a request; of those that come twice, the first."""
    headers: dict[str, str] = {}
    for line in _LINE_END.split(head)[1:]:
        name, _, value = line.decode("latin-1").partition(":")
        headers.setdefault(name.strip().lower(), value.strip())
    return headers
