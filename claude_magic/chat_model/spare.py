"""Processes that are ready before the next call needs them."""

from __future__ import annotations

import os
import threading
import weakref
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from claude_magic.session import ClaudeSession, loop_thread
from claude_magic.session.environment import inherited_names

if TYPE_CHECKING:
    from claude_magic.session import SessionOptions

#: What nobody took is closed after so long, in seconds.
KEPT_S = 60.0

#: Of several that nobody took, all but one are closed after so long, in seconds: the calls of a
#: batch come at once behind each other.
CROWD_KEPT_S = 2.0


@dataclass(frozen=True, eq=False)
class Spare:
    """A session with nothing said in it, whose process runs or is about to.

    Attributes
    ----------
    session
        The session.
    surroundings
        What its process took over from this one when it started.
    """

    session: ClaudeSession
    surroundings: object

    @classmethod
    def of(cls, options: SessionOptions) -> Spare:
        """Make a session that has not been started."""
        return cls(ClaudeSession(options), _surroundings())

    def serves(self, options: SessionOptions) -> bool:
        """Tell whether a process that starts now would be no different."""
        session = self.session
        fits = session.options == options and self.surroundings == _surroundings()
        return fits and session.state.live


class Spares:
    """The sessions with nothing said in them that a model has ready for its single-turn calls.

    To start Claude Code takes ten times as long as a call to it. Connecting sends nothing, so what
    a new one answers cannot know of any call before; one that has served is given back only when
    it has been cleared. Any thread may call.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ready: list[Spare] = []

    @property
    def ready(self) -> tuple[ClaudeSession, ...]:
        """The sessions that wait for a call, the one that serves next at the end."""
        with self._lock:
            return tuple(spare.session for spare in self._ready)

    def take(self, options: SessionOptions) -> Spare:
        """Return a session for one call: one that is ready and has these options, or a new one.

        Those that have other options are closed: the calls seem to have changed. The caller closes
        the session, or gives it back.
        """
        with self._lock:
            ready, self._ready = self._ready, []
            fitting = [spare for spare in ready if spare.serves(options)]
            self._ready = fitting[:-1]
        for spare in ready:
            if spare not in fitting:
                spare.session.start_closing()
        return fitting[-1] if fitting else Spare.of(options)

    def prepare(self, options: SessionOptions) -> None:
        """Begin to connect a session for the next call, in the background, if none is ready."""
        with self._lock:
            if self._ready:
                return
            spare = Spare.of(options)
            self._ready.append(spare)
        spare.session.start_connecting()
        self._close_later(spare)

    def give_back(self, spare: Spare) -> None:
        """Have a session forget what was said, in the background, and serve another call."""
        spare.session.start_clearing()
        again = Spare(spare.session, spare.surroundings)
        with self._lock:
            self._ready.append(again)
        self._close_later(again)

    def close(self) -> None:
        """Close what is ready, in the background; twice is harmless."""
        with self._lock:
            ready, self._ready = self._ready, []
        for spare in ready:
            spare.session.start_closing()

    def drop(self, spare: Spare, *, crowded: bool) -> None:
        """Close a session if it still is ready; where `crowded`, only if another is, too."""
        with self._lock:
            if spare not in self._ready or (crowded and len(self._ready) == 1):
                return
            self._ready.remove(spare)
        spare.session.start_closing()

    def _close_later(self, spare: Spare) -> None:
        mine, it = weakref.ref(self), weakref.ref(spare)
        loop_thread().call_later(KEPT_S, _expire, mine, it, False)  # noqa: FBT003
        loop_thread().call_later(CROWD_KEPT_S, _expire, mine, it, True)  # noqa: FBT003


def _surroundings() -> object:
    """Return what a process takes over from this one when it starts, such as a key set since."""
    inherited = {name: os.environ[name] for name in inherited_names(os.environ)}
    # Claude Code tells the model the date on which it started.
    return inherited, Path.cwd(), date.today()  # noqa: DTZ011 - that of this machine


def _expire(spares: weakref.ref[Spares], spare: weakref.ref[Spare], crowded: bool) -> None:  # noqa: FBT001
    mine, it = spares(), spare()
    if mine is not None and it is not None:
        mine.drop(it, crowded=crowded)
