"""A process that is ready before the next call needs it."""

from __future__ import annotations

import threading
import weakref
from typing import TYPE_CHECKING

from claude_magic.session import ClaudeSession, loop_thread

if TYPE_CHECKING:
    from claude_magic.session import SessionOptions

#: A spare that nobody took is closed after so long, in seconds.
KEPT_S = 60.0


class Spare:
    """At most one connected session that has heard nothing, for the next single-turn call.

    To start Claude Code takes ten times as long as a call to it. Connecting sends nothing, so what
    a spare answers cannot know of any call before. Any thread may call.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._session: ClaudeSession | None = None

    def take(self, options: SessionOptions) -> ClaudeSession:
        """Return a session for one call: the spare, if it has these options, or a new one.

        The caller closes it.
        """
        with self._lock:
            session, self._session = self._session, None
        if session is not None:
            if session.options == options and session.state.live:
                return session
            session.start_closing()
        return ClaudeSession(options)

    def prepare(self, options: SessionOptions) -> None:
        """Begin to connect a session for the next call, in the background."""
        session = ClaudeSession(options)
        with self._lock:
            before, self._session = self._session, session
        if before is not None:
            before.start_closing()
        session.start_connecting()
        loop_thread().call_later(KEPT_S, _expire, weakref.ref(self), weakref.ref(session))

    def close(self) -> None:
        """Close the spare, if there is one, in the background; twice is harmless."""
        with self._lock:
            session, self._session = self._session, None
        if session is not None:
            session.start_closing()

    def drop(self, session: ClaudeSession | None) -> None:
        """Close a session if it still is the spare."""
        if session is not None and self._session is session:
            self.close()


def _expire(spare: weakref.ref[Spare], session: weakref.ref[ClaudeSession]) -> None:
    alive = spare()
    if alive is not None:
        alive.drop(session())
