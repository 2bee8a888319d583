"""Carries a turn's events from the loop thread to another one."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

from .events import TextDelta, ThinkingDelta, ToolCallDelta

if TYPE_CHECKING:
    from collections.abc import Callable

    from .events import Event

#: Pieces of an answer wake the other thread this often at most, in seconds. Each time the two
#: threads take turns at the interpreter's lock, which costs more than what they hand on.
EVERY_S = 0.01


class Relay:
    """A turn's listener that hands events on, many at a time where they come fast.

    The first piece after a pause or behind something else goes at once, those that follow it within
    `every_s` go together, and whatever is no piece goes at once with all before it. Loop thread
    only.

    Parameters
    ----------
    hand_on
        Takes the events, in their order; must return at once.
    every_s
        How often pieces are handed on at most, in seconds.
    """

    def __init__(
        self,
        hand_on: Callable[[list[Event]], object],
        every_s: float = EVERY_S,
    ) -> None:
        self._hand_on = hand_on
        self._every_s = every_s
        self._held: list[Event] = []
        self._handed_on_s = -math.inf
        self._timer: asyncio.TimerHandle | None = None

    def __call__(self, event: Event) -> None:
        """Take an event."""
        self._held.append(event)
        if not isinstance(event, (TextDelta, ThinkingDelta, ToolCallDelta)):
            self._release()
            self._handed_on_s = -math.inf
        elif self._timer is None:
            loop = asyncio.get_running_loop()
            due_s = self._handed_on_s + self._every_s
            if due_s <= loop.time():
                self._release()
            else:
                self._timer = loop.call_at(due_s, self._release)

    def _release(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._handed_on_s = asyncio.get_running_loop().time()
        events, self._held = self._held, []
        self._hand_on(events)
