"""The one thread that owns every Claude Code process and every pipe to one."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from claude_magic.errors import SessionError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

T = TypeVar("T")

_logger = logging.getLogger(__name__)

#: So many processes start at once.
MAX_STARTS = 2

#: So many threads read and write files for the loop: one more than the import of the SDK occupies.
#: asyncio itself would start as many as the machine has cores, and keep them.
MAX_FILE_THREADS = 2


class FileThreads(ThreadPoolExecutor):
    """Threads that read and write files for the event loop.

    The interpreter ends all of its thread pools before it calls `atexit` functions, and sessions
    are closed by those. From then on the event loop does this work itself.
    """

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Run a function on one of the threads, or at once where there are no threads any more."""
        try:
            return super().submit(fn, *args, **kwargs)
        except RuntimeError:
            future: Future[T] = Future()
            try:
                future.set_result(fn(*args, **kwargs))
            except Exception as error:  # noqa: BLE001 - the caller awaits it
                future.set_exception(error)
            return future


class LoopThread:
    """A daemon thread that runs one event loop for the life of the process.

    It never prints, displays or asks. Its methods may be called from any other thread; `run` must
    not be called from the loop itself, where it would wait for itself.
    """

    def __init__(self) -> None:
        self._loop = _new_event_loop()
        self._loop.set_exception_handler(_log_quietly)
        self._loop.set_default_executor(
            FileThreads(MAX_FILE_THREADS, thread_name_prefix="claude-magic-files"),
        )
        #: Held while a process starts: on a small machine more than two slow each other down.
        self.starts = asyncio.Semaphore(MAX_STARTS)
        self._thread = threading.Thread(target=self._serve, name="claude-magic-loop", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        # Not set as this thread's event loop: that would go through the event loop policy, and
        # some keep one loop for all threads, which is the user's.
        self._loop.run_forever()

    def check_elsewhere(self) -> None:
        """Raise a SessionError if the caller is the loop thread, which must not wait for itself."""
        if threading.current_thread() is self._thread:
            raise SessionError(
                "A blocking session call was made on claude-magic's own loop thread; "
                "use the a… form, such as `await session.aconnect()`.",
            )

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        """Start a coroutine on the loop and return its future."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def start(self, begin: Callable[[], asyncio.Task[T]]) -> Future[T]:
        """Have the loop begin a task, in the order of the calls, and return its future.

        Cancelling the future, or leaving it, does not touch the task.
        """
        future: Future[T] = Future()
        future.set_running_or_notify_cancel()

        def settle(task: asyncio.Task[T]) -> None:
            error = asyncio.CancelledError() if task.cancelled() else task.exception()
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(task.result())

        self.call_soon(lambda: begin().add_done_callback(settle))
        return future

    def call_soon(self, callback: Callable[..., object], *arguments: object) -> None:
        """Have the loop call `callback`, in the order of the calls."""
        self._loop.call_soon_threadsafe(callback, *arguments)

    def call_later(self, delay_s: float, callback: Callable[..., object], *arguments: Any) -> None:
        """Have the loop call `callback` after so many seconds."""
        self.call_soon(lambda: self._loop.call_later(delay_s, callback, *arguments))

    def run(self, coroutine: Coroutine[Any, Any, T], timeout_s: float | None = None) -> T:
        """Run a coroutine on the loop and wait for it.

        Parameters
        ----------
        coroutine
            What to run.
        timeout_s
            How long to wait, in seconds; None waits without end.

        Raises
        ------
        SessionError
            If called on the loop thread.
        TimeoutError
            If it takes longer than `timeout_s`; the coroutine is cancelled.
        """
        if threading.current_thread() is self._thread:
            coroutine.close()
            self.check_elsewhere()
        future = self.submit(coroutine)
        try:
            return future.result(timeout_s)
        except BaseException:
            # A KeyboardInterrupt or a timeout here must not leave the work running unseen.
            future.cancel()
            raise


def _log_quietly(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log what asyncio would print into whichever cell runs. Any thread."""
    _logger.info("%s: %r", context.get("message"), context.get("exception"))


def _new_event_loop() -> asyncio.AbstractEventLoop:
    if sys.platform == "win32":
        # ipykernel 6 sets a policy whose loops cannot start processes.
        return asyncio.ProactorEventLoop()
    from .process_loop import ProcessLoop  # noqa: PLC0415 - Windows has no such module

    return ProcessLoop()


# Re-entrant: the garbage collector may run a session's finalizer while this thread holds it.
_lock = threading.RLock()
_thread: LoopThread | None = None


def loop_thread() -> LoopThread:
    """Return this process's loop thread, starting it at the first call."""
    global _thread  # noqa: PLW0603 - one loop per process is the point
    with _lock:
        if _thread is None:
            _thread = LoopThread()
        return _thread


def running_loop_thread() -> LoopThread | None:
    """Return this process's loop thread if there is one already."""
    return _thread


def _forget_after_fork() -> None:
    """Drop the parent's loop: its thread does not exist in a forked child."""
    global _lock, _thread  # noqa: PLW0603
    _lock = threading.RLock()
    _thread = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)
