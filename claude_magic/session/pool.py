"""At most so many live processes among the conversations of one kernel."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .conversation import Conversation


class Pool:
    """Gives conversations room for their process, and parks idle ones where there is none.

    A Claude Code process takes 100 to 250 MB, a parked conversation nothing; to resume one takes
    0.4 s. So the conversation that was used least recently makes room for the one that is used now.
    One with a turn in the line or a task in the background is not idle; where all are busy, whoever
    wants room waits for it, in the order in which they came. One whose transcript cannot be written
    is never parked, and does not count.

    Loop thread only, but for `max_live`, which any thread may set.

    Parameters
    ----------
    max_live
        How many processes there may be, from 1.
    """

    def __init__(self, max_live: int) -> None:
        self.max_live = max_live
        self._admitted: list[Conversation] = []
        self._line = asyncio.Lock()
        self._changed = asyncio.Event()
        self._shrinking: asyncio.Task[None] | None = None

    async def make_room(self, conversation: Conversation) -> None:
        """Wait until a conversation may start its process; it is told where that takes time."""
        if self._line.locked():
            conversation.wait_for_room(self.max_live)
        async with self._line:
            while conversation not in self._admitted:
                if self._live < self.max_live:
                    self._admitted.append(conversation)
                elif not await self._park_one():
                    conversation.wait_for_room(self.max_live)
                    await self._changed.wait()

    @property
    def _live(self) -> int:
        """How many processes there are, but for those that cannot be parked without a loss."""
        return sum(not conversation.status.unwritten for conversation in self._admitted)

    async def shrink(self) -> None:
        """Park idle conversations until there are no more processes than there may be now."""
        async with self._line:
            while self._live > self.max_live and await self._park_one():
                pass

    async def _park_one(self) -> bool:
        # From here on a change is not missed, even while one of them is being parked.
        self._changed.clear()
        idle = [conversation for conversation in self._admitted if conversation.idle]
        for conversation in sorted(idle, key=lambda one: one.status.used_s or 0.0):
            if await conversation.rest():
                return True
        return False

    def look(self) -> None:
        """Look again whether somebody could make room, or there are too many. Loop thread only."""
        self._changed.set()
        # There may be fewer places than there were, and those who were busy are idle by now.
        if self._live > self.max_live and self._shrinking is None:
            self._shrinking = asyncio.create_task(self.shrink())
            self._shrinking.add_done_callback(self._shrunk)

    def _shrunk(self, _task: asyncio.Task[None]) -> None:
        self._shrinking = None

    def leave(self, conversation: Conversation) -> None:
        """Take note that a conversation has no process any more; twice is harmless."""
        if conversation in self._admitted:
            self._admitted.remove(conversation)
        self.look()
