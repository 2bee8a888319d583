"""Running a coroutine to its end on a thread whose event loop is busy running us."""

from __future__ import annotations

import asyncio
import sys
import types
from asyncio import events, tasks
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine, Generator, Iterator

_Result = TypeVar("_Result")

#: How long code that was interrupted may take to clean up, in seconds.
CLEAN_UP_S = 5.0


class PrivateLoop:
    """An event loop of our own, for a thread that has one running already.

    asyncio refuses to run a loop within a loop because it takes both for one. They are two here,
    and the outer one stands still meanwhile, as it does for any code that takes its time. So what
    belongs to the outer loop cannot be awaited here: that raises an error, and hurts nothing.
    Tasks that are left go on with the next coroutine that is run. One thread only.
    """

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None

    def run(self, coroutine: Coroutine[Any, Any, _Result]) -> _Result:
        """Run a coroutine to its end and return its result.

        Raises
        ------
        KeyboardInterrupt
            If one was raised meanwhile; the coroutine was cancelled and had `CLEAN_UP_S` seconds
            for its ends. The traceback is that of the place where it was cancelled.
        """
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
        with _no_running_loop():
            try:
                return run_in(self._loop, _within(self._loop, coroutine))
            except _NotEndedError as error:
                # What does not end must not go on in the middle of something else.
                self._loop = None
                raise KeyboardInterrupt from error

    def close(self) -> None:
        """End the loop and the tasks that were left in it."""
        loop, self._loop = self._loop, None
        if loop is None:
            return
        with _no_running_loop():
            left = tasks.all_tasks(loop)
            for task in left:
                task.cancel()
            loop.run_until_complete(asyncio.wait(left, timeout=CLEAN_UP_S)) if left else None
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()


async def _within(
    loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, _Result]
) -> _Result:
    result: _Result = await _stepped(loop, coroutine)
    return result


@types.coroutine
def _stepped(
    loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, _Result]
) -> Generator[Any, Any, _Result]:
    """Run a coroutine and refuse it what belongs to another loop.

    asyncio refuses that as well, but leaves the future behind so that nobody can await it any
    more, not even where it belongs.
    """
    send: Any = None
    error: BaseException | None = None
    while True:
        try:
            awaited = coroutine.send(send) if error is None else coroutine.throw(error)
        except StopIteration as ended:
            result: _Result = ended.value
            return result
        send, error = None, None
        if isinstance(awaited, asyncio.Future) and awaited.get_loop() is not loop:
            awaited._asyncio_future_blocking = False  # noqa: SLF001 - as asyncio's tasks do
            error = RuntimeError(
                "What is awaited belongs to the kernel's own event loop, which stands still "
                "while code runs for Claude. Await it in a cell, or make it anew in this code.",
            )
            continue
        try:
            send = yield awaited
        except BaseException as thrown:  # noqa: BLE001 - it is the coroutine's to handle
            error = thrown


class _NotEndedError(Exception):
    """A coroutine that was interrupted and did not end."""


def run_in(loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, _Result]) -> _Result:
    """Run a coroutine in a loop that is not running, and leave nothing of it if interrupted.

    Raises
    ------
    KeyboardInterrupt
        If one was raised meanwhile.
    """
    task = loop.create_task(coroutine)
    try:
        return loop.run_until_complete(task)
    except KeyboardInterrupt as interrupt:
        if task.done():
            raise
        task.cancel()
        done, _ = loop.run_until_complete(asyncio.wait([task], timeout=CLEAN_UP_S))
        if not done:
            raise _NotEndedError from interrupt
        try:
            task.result()
        except BaseException as ended:  # noqa: BLE001 - whatever became of it, it was interrupted
            raise KeyboardInterrupt().with_traceback(ended.__traceback__) from None
        raise


@contextmanager
def _no_running_loop() -> Iterator[None]:
    """Make asyncio take this thread for one that runs no loop."""
    loop = events._get_running_loop()  # noqa: SLF001 - asyncio has it for other loops
    if loop is None:
        yield
        return
    task = None
    # From Python 3.14 the running task is the thread's, no longer the loop's.
    swap: Any = getattr(tasks, "_swap_current_task", None)
    if sys.version_info >= (3, 12):
        task = swap(loop, None)
    events._set_running_loop(None)  # noqa: SLF001
    try:
        yield
    finally:
        events._set_running_loop(loop)  # noqa: SLF001
        if sys.version_info >= (3, 12):
            swap(loop, task)
