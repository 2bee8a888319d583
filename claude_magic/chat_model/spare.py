"""Processes that are ready before the next call needs them."""

from __future__ import annotations

import os
import threading
import weakref
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from claude_magic.errors import SessionClosedError
from claude_magic.session import ClaudeSession, loop_thread
from claude_magic.session.environment import inherited_names

if TYPE_CHECKING:
    from collections.abc import Iterable

    from claude_magic.session import SessionOptions

#: What nobody took is closed after so long, in seconds.
KEPT_S = 60.0

#: Of several alike that nobody took, all but one are closed after so long, in seconds: the calls of
#: a batch come at once behind each other.
CROWD_KEPT_S = 2.0

#: So many may wait that do not serve the call which is made, such as those of a chain's other step.
MOST_OTHERS = 3


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

    @property
    def fresh(self) -> bool:
        """Whether a process with the same options that starts now would be no different."""
        return self.session.state.live and self.surroundings == _surroundings()


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

        The caller closes the session, or gives it back.
        """
        with self._lock:
            ready = [spare for spare in self._ready if spare.fresh]
            dropped = [spare for spare in self._ready if spare not in ready]
            fitting = [spare for spare in ready if spare.session.options == options]
            if fitting:
                ready.remove(fitting[-1])
            else:
                dropped += ready[:-MOST_OTHERS]
                ready = ready[-MOST_OTHERS:]
            self._ready = ready
        _close(dropped)
        return fitting[-1] if fitting else Spare.of(options)

    def prepare(self, options: SessionOptions) -> None:
        """Have a session ready for the next call; it connects in the background.

        What has other options is closed: the calls have changed.
        """
        with self._lock:
            ready = [spare for spare in self._ready if spare.session.options == options]
            dropped = [spare for spare in self._ready if spare not in ready]
            new = [] if ready else [Spare.of(options)]
            self._ready = ready + new
        _close(dropped)
        for spare in new:
            spare.session.start_connecting()
            self._close_later(spare)

    def give_back(self, spare: Spare) -> None:
        """Have a session forget what was said, in the background, and serve another call."""
        try:
            spare.session.start_clearing()
        except SessionClosedError:
            return  # with the interpreter
        again = Spare(spare.session, spare.surroundings)
        with self._lock:
            self._ready.append(again)
        self._close_later(again)

    def close(self) -> None:
        """Close what is ready, in the background; twice is harmless."""
        with self._lock:
            ready, self._ready = self._ready, []
        _close(ready)

    def drop(self, spare: Spare, *, crowded: bool) -> None:
        """Close a session if it still is ready; where `crowded`, only if another like it is."""
        with self._lock:
            alike = [each for each in self._ready if each.session.options == spare.session.options]
            if spare not in alike or (crowded and len(alike) == 1):
                return
            self._ready.remove(spare)
        _close([spare])

    def _close_later(self, spare: Spare) -> None:
        mine, it = weakref.ref(self), weakref.ref(spare)
        loop_thread().call_later(KEPT_S, _expire, mine, it, False)  # noqa: FBT003
        loop_thread().call_later(CROWD_KEPT_S, _expire, mine, it, True)  # noqa: FBT003


def _close(spares: Iterable[Spare]) -> None:
    for spare in spares:
        spare.session.start_closing()


def _surroundings() -> object:
    """Return what a process takes over from this one when it starts, such as a key set since."""
    inherited = {name: os.environ[name] for name in inherited_names(os.environ)}
    # Claude Code tells the model the date on which it started.
    return inherited, Path.cwd(), date.today()  # noqa: DTZ011 - that of this machine


def _expire(spares: weakref.ref[Spares], spare: weakref.ref[Spare], crowded: bool) -> None:  # noqa: FBT001
    mine, it = spares(), spare()
    if mine is not None and it is not None:
        mine.drop(it, crowded=crowded)
