"""A process that is ready before the next call needs it."""

from __future__ import annotations

import os
import threading
import weakref
from pathlib import Path
from typing import TYPE_CHECKING

from claude_magic.session import ClaudeSession, loop_thread
from claude_magic.session.environment import inherited_names

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
        self._surroundings: object = None

    def take(self, options: SessionOptions) -> ClaudeSession:
        """Return a session for one call: the spare, if it has these options, or a new one.

        The caller closes it.
        """
        with self._lock:
            session, self._session = self._session, None
            moved = self._surroundings != _surroundings()
        if session is not None:
            if session.options == options and session.state.live and not moved:
                return session
            session.start_closing()
        return ClaudeSession(options)

    def prepare(self, options: SessionOptions) -> None:
        """Begin to connect a session for the next call, in the background."""
        session = ClaudeSession(options)
        with self._lock:
            before, self._session = self._session, session
            self._surroundings = _surroundings()
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


def _surroundings() -> object:
    """Return what a process takes over from this one when it starts, such as a key set since."""
    inherited = {name: os.environ[name] for name in inherited_names(os.environ)}
    return inherited, Path.cwd()


def _expire(spare: weakref.ref[Spare], session: weakref.ref[ClaudeSession]) -> None:
    alive = spare()
    if alive is not None:
        alive.drop(session())
