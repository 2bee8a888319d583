"""Work for the main thread, done while a cell there waits for Claude."""

from __future__ import annotations

import asyncio
import signal
import threading
from concurrent.futures import Future
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from claude_magic.errors import NobodyWaitsError, SessionError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")


class Job(Generic[T]):
    """One piece of work for the main thread, and who waits for it.

    Parameters
    ----------
    work
        Is called on the main thread. A KeyboardInterrupt that it lets pass stops the turn.
    """

    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self._withdrawn = False
        self.outcome: Future[T] = Future()

    def perform(self) -> bool:
        """Do the work, unless nobody waits for it any more. Main thread only.

        Returns
        -------
        bool
            Whether somebody interrupted it, which is meant for the turn as well.
        """
        if not self.outcome.set_running_or_notify_cancel():
            return False
        try:
            result = self._work()
        except KeyboardInterrupt:
            self.outcome.set_exception(SessionError("It was interrupted."))
            return not self._withdrawn
        except Exception as error:  # noqa: BLE001 - whoever waits for it hears of it
            self.outcome.set_exception(error)
        except BaseException as error:
            self.outcome.set_exception(SessionError(f"It ended with {type(error).__name__}."))
            raise
        else:
            self.outcome.set_result(result)
        return False

    def withdraw(self) -> None:
        """Let go of the work: it is not begun any more, or interrupted. Any thread but the main."""
        self._withdrawn = True
        if not self.outcome.cancel() and not self.outcome.done():
            _interrupt_main_thread()


def _interrupt_main_thread() -> None:
    # A real signal, because a read from a terminal waits for nothing else.
    main = threading.main_thread().ident
    if hasattr(signal, "pthread_kill") and main is not None:
        signal.pthread_kill(main, signal.SIGINT)
    else:
        signal.raise_signal(signal.SIGINT)


class Desk:
    """Where work for the main thread is laid down; the cell that waits for Claude takes it up.

    Cells may nest: code that Claude runs in the kernel may ask Claude in its turn. The innermost
    one takes the work.
    """

    def __init__(self) -> None:
        # Held while work changes hands, so that none is given to a cell that has ended.
        self._lock = threading.Lock()
        self._takers: list[tuple[Callable[[Job[Any]], object], list[Job[Any]]]] = []

    @contextmanager
    def attended(self, take: Callable[[Job[Any]], object]) -> Iterator[None]:
        """Take up work for as long as a cell waits.

        Parameters
        ----------
        take
            Is given each job, on the loop thread; it must return at once and see to it that the
            main thread performs the job.
        """
        jobs: list[Job[Any]] = []
        with self._lock:
            self._takers.append((take, jobs))
        try:
            yield
        finally:
            with self._lock:
                self._takers.pop()
            for job in jobs:
                job.outcome.cancel()  # nobody will take it up; harmless where that is done

    async def perform(self, work: Callable[[], T]) -> T:
        """Have work done on the main thread and wait for it. Loop thread only.

        Whoever is cancelled takes the work back: what runs is interrupted.

        Raises
        ------
        NobodyWaitsError
            If no cell waits for Claude.
        """
        job = Job(work)
        with self._lock:
            if not self._takers:
                raise NobodyWaitsError
            take, jobs = self._takers[-1]
            jobs.append(job)
            take(job)
        waiting = asyncio.wrap_future(job.outcome)
        # Where the waiter leaves, nobody else takes the exception.
        waiting.add_done_callback(lambda done: done.cancelled() or done.exception())
        try:
            # Cancelling the future alone would not reach work that has begun.
            return await asyncio.shield(waiting)
        except asyncio.CancelledError:
            if job.outcome.cancelled():
                raise NobodyWaitsError from None
            job.withdraw()
            raise
