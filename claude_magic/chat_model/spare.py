"""Processes that are ready before the next call needs them."""

from __future__ import annotations

import os
import threading
import time
import weakref
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING

from claude_magic.errors import SessionClosedError
from claude_magic.session import ClaudeSession, loop_thread
from claude_magic.session.environment import inherited_names
from claude_magic.session.folders import working_folder

from .places import MAX_PROCESSES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from claude_magic.session import SessionOptions

#: What nobody took is closed after so long, in seconds.
KEPT_S = 60.0

#: Of several alike that nobody took, all but one are closed after so long, in seconds: the calls of
#: a batch come at once behind each other.
CROWD_KEPT_S = 2.0

#: A process serves so many calls, since each leaves it some memory, and for so long, in seconds,
#: since it tells the model what it saw at its start.
MOST_CALLS = 100
MOST_AGE_S = 600.0


@dataclass(frozen=True, eq=False)
class Spare:
    """A session with nothing said in it, whose process runs or is about to.

    Attributes
    ----------
    session
        The session.
    surroundings
        What its process takes over from this one.
    made_s
        When it was made, by `time.monotonic()`.
    served
        How many calls it has served.
    """

    session: ClaudeSession
    surroundings: object
    made_s: float = field(default_factory=time.monotonic)
    served: int = 0

    def fresh(self, surroundings: object) -> bool:
        """Tell whether a process with the same options that starts now would be no different."""
        return self.session.state.live and self.surroundings == surroundings

    @property
    def worn(self) -> bool:
        """Whether it has served for long enough."""
        return self.served >= MOST_CALLS or time.monotonic() - self.made_s > MOST_AGE_S


class Spares:
    """The sessions with nothing said in them that a model has ready for its single-turn calls.

    To start Claude Code takes ten times as long as a call to it. Connecting sends nothing, so what
    a new one answers cannot know of any call before; one that has served is kept only when it has
    been cleared. Any thread may call; a forked child begins without any.
    """

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._process_id = os.getpid()
        # Re-entrant: the garbage collector may end a stream, and give its session back, while this
        # thread holds it. For the same reason the list is changed in place.
        self._lock = threading.RLock()
        self._ready: list[Spare] = []

    def _held(self) -> threading.RLock:
        if os.getpid() != self._process_id:
            self._begin()
        return self._lock

    @property
    def ready(self) -> tuple[ClaudeSession, ...]:
        """The sessions that wait for a call, the one that was used last at the end."""
        with self._held():
            return tuple(spare.session for spare in self._ready)

    def take(self, options: SessionOptions) -> Spare:
        """Return a session for one call: one that is ready and has these options, or a new one.

        The caller closes the session, or gives it back.
        """
        surroundings = _surroundings()
        with self._held():
            dropped = [spare for spare in self._ready if not spare.fresh(surroundings)]
            fresh = [spare for spare in self._ready if spare not in dropped]
            fitting = [spare for spare in fresh if spare.session.options == options]
            if not fitting:
                # There will be one more.
                dropped += fresh[: max(0, len(fresh) + 1 - MAX_PROCESSES)]
            self._remove((*fitting[-1:], *dropped))
        _close(dropped)
        return fitting[-1] if fitting else Spare(ClaudeSession(options), surroundings)

    def prepare(self, options: SessionOptions) -> None:
        """Have a session ready for the next call; it connects in the background.

        What has other options is closed: the calls have changed.
        """
        with self._held():
            dropped = [spare for spare in self._ready if spare.session.options != options]
            self._remove(dropped)
            wanted = not self._ready
        _close(dropped)
        if wanted:
            spare = Spare(ClaudeSession(options), _surroundings())
            spare.session.start_connecting()
            self._add(spare)

    def give_back(self, spare: Spare) -> bool:
        """Have a session forget what was said, in the background, to serve another call.

        Returns
        -------
        bool
            False where it has served for long enough, or is closed; then the caller closes it.
        """
        again = replace(spare, served=spare.served + 1)
        if again.worn:
            return False
        try:
            again.session.start_clearing()
        except SessionClosedError:
            return False  # with the interpreter
        self._add(again)
        return True

    def close(self) -> None:
        """Close what is ready, in the background; twice is harmless."""
        with self._held():
            dropped = [*self._ready]
            self._remove(dropped)
        _close(dropped)

    def drop(self, spare: Spare) -> None:
        """Close a session if it still is ready."""
        with self._held():
            if spare not in self._ready:
                return
            self._remove([spare])
        _close([spare])

    def drop_among_others(self, spare: Spare) -> None:
        """Close a session if it still is ready, and another like it is."""
        options = spare.session.options
        with self._held():
            alike = sum(each.session.options == options for each in self._ready)
        if alike > 1:
            self.drop(spare)

    def _add(self, spare: Spare) -> None:
        """Keep a session for a while, and no more than so many of them."""
        with self._held():
            self._ready.append(spare)
            dropped = self._ready[:-MAX_PROCESSES]
            self._remove(dropped)
        _close(dropped)
        mine, it = weakref.ref(self), weakref.ref(spare)
        loop_thread().call_later(KEPT_S, _after, Spares.drop, mine, it)
        loop_thread().call_later(CROWD_KEPT_S, _after, Spares.drop_among_others, mine, it)

    def _remove(self, spares: Iterable[Spare]) -> None:
        for spare in spares:
            if spare in self._ready:
                self._ready.remove(spare)


def _after(
    drop: Callable[[Spares, Spare], None],
    spares: weakref.ref[Spares],
    spare: weakref.ref[Spare],
) -> None:
    mine, it = spares(), spare()
    if mine is not None and it is not None:
        drop(mine, it)


def _close(spares: Iterable[Spare]) -> None:
    for spare in spares:
        spare.session.start_closing()


def _surroundings() -> object:
    """Return what a process takes over from this one when it starts, such as a key set since."""
    inherited = {name: os.environ[name] for name in inherited_names(os.environ)}
    # Claude Code tells the model the date; nobody promises that it looks again.
    return inherited, working_folder(), date.today()  # noqa: DTZ011 - that of this machine
