"""The turns of one conversation, one after another."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from claude_magic.errors import ClaudeMagicError, SessionError, TurnInterruptedError

from .events import TurnFailed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .events import TurnFinished
    from .turn import Turn


class Line:
    """The turns that are under way or wait for it, in the order in which they came.

    Every turn that joins settles, however it ends. Loop thread only.

    Parameters
    ----------
    exchange
        Asks a turn's prompt and returns its last event; it is called for one turn at a time.
    on_left
        Called when a turn has left the line.
    """

    def __init__(
        self,
        exchange: Callable[[Turn], Awaitable[TurnFinished]],
        on_left: Callable[[], object],
    ) -> None:
        self._exchange = exchange
        self._on_left = on_left
        self._one_at_a_time = asyncio.Lock()
        self._tasks: dict[Turn, asyncio.Task[None]] = {}
        self._stopped: set[Turn] = set()

    def __contains__(self, turn: object) -> bool:
        return turn in self._tasks

    @property
    def empty(self) -> bool:
        """Whether no turn is under way and none waits."""
        return not self._tasks

    @property
    def first(self) -> Turn | None:
        """The turn that is under way, or about to be."""
        return next(iter(self._tasks), None)

    @property
    def gap(self) -> asyncio.Lock:
        """What to hold between the turns that have joined by now and those that join later."""
        return self._one_at_a_time

    def join(self, turn: Turn) -> None:
        """Put a turn at the end of the line; its events tell the rest."""
        task = asyncio.create_task(self._perform(turn))
        self._tasks[turn] = task
        task.add_done_callback(lambda done: self._leave(turn, done))

    async def _perform(self, turn: Turn) -> None:
        try:
            async with self._one_at_a_time:
                turn.publish(await self._exchange(turn))
        except ClaudeMagicError as error:
            turn.publish(TurnFailed(error))
        except Exception as error:  # noqa: BLE001 - whoever waits for the turn must hear of it
            failure = SessionError(f"claude-magic failed: {type(error).__name__}: {error}")
            failure.__cause__ = error
            turn.publish(TurnFailed(failure))

    def _leave(self, turn: Turn, task: asyncio.Task[None]) -> None:
        del self._tasks[turn]
        self._stopped.discard(turn)
        self._on_left()
        if task.cancelled():  # perhaps before its first step
            turn.publish(TurnFailed(TurnInterruptedError(turn.text, sent=turn.sent)))

    def mark_stopped(self, turn: Turn) -> None:
        """Take note that a turn is to stop."""
        self._stopped.add(turn)

    def stopped(self, turn: Turn) -> bool:
        """Tell whether a turn was to stop."""
        return turn in self._stopped

    def cancel(self, turn: Turn) -> None:
        """Take a turn out of the line that Claude Code has not heard of."""
        self._tasks[turn].cancel()

    def until(self, made_s: float) -> dict[Turn, asyncio.Task[None]]:
        """Return the turns that were made until a time, by `time.monotonic()`, and their tasks."""
        return {turn: task for turn, task in self._tasks.items() if turn.created_s <= made_s}
