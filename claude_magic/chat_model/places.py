"""How many single-turn calls may have a process at a time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from claude_magic.session import loop_thread

if TYPE_CHECKING:
    from concurrent.futures import Future
    from types import TracebackType

    from typing_extensions import Self

    from claude_magic.session import LoopThread

#: A process takes about 180 MB; a batch of a hundred prompts must not start a hundred of them.
MAX_PROCESSES = 4


class Place:
    """One of the places for single-turn calls, as a context; waits until one is free.

    Any thread and any event loop may wait. The places are those of the loop thread, so a forked
    child has places of its own.

    Parameters
    ----------
    wanted
        Whether a place is needed at all.
    """

    def __init__(self, *, wanted: bool = True) -> None:
        self._wanted = wanted
        self._loop: LoopThread | None = None
        self._until: Future[None] | None = None

    def keep_until(self, ended: Future[None]) -> None:
        """Give the place back only when the process has ended."""
        self._until = ended

    def __enter__(self) -> Self:
        if self._wanted:
            loop = loop_thread()
            loop.run(_places(loop).acquire())
            self._loop = loop
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        loop, self._loop = self._loop, None
        if loop is None:
            return
        if self._until is None:
            loop.call_soon(_places(loop).release)
        else:
            self._until.add_done_callback(lambda _: loop.call_soon(_places(loop).release))

    async def __aenter__(self) -> Self:
        if self._wanted:
            loop = loop_thread()
            given = loop.submit(_places(loop).acquire())
            try:
                await asyncio.wrap_future(given)
            except asyncio.CancelledError:
                # It may have been given in the same moment.
                given.add_done_callback(lambda done: _give_back(done, loop))
                raise
            self._loop = loop
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.__exit__(kind, error, traceback)


def _give_back(given: Future[Any], loop: LoopThread) -> None:
    if not given.cancelled():
        loop.call_soon(_places(loop).release)


_semaphores: dict[LoopThread, asyncio.Semaphore] = {}


def _places(loop: LoopThread) -> asyncio.Semaphore:
    return _semaphores.setdefault(loop, asyncio.Semaphore(MAX_PROCESSES))
