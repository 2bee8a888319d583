"""The one thread that owns every Claude Code process and every pipe to one."""

from __future__ import annotations

import asyncio
import os
import threading
from typing import TYPE_CHECKING, Any, TypeVar

from claude_magic.errors import SessionError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from concurrent.futures import Future

T = TypeVar("T")


class LoopThread:
    """A daemon thread that runs one event loop for the life of the process.

    It never prints, displays or asks. Its methods may be called from any other thread; `run` must
    not be called from the loop itself, where it would wait for itself.
    """

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name="claude-magic-loop", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        """Start a coroutine on the loop and return its future."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def call_soon(self, callback: Callable[..., object], *arguments: object) -> None:
        """Have the loop call `callback`, in the order of the calls."""
        self._loop.call_soon_threadsafe(callback, *arguments)

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
            raise SessionError(
                "A blocking session call was made on claude-magic's own loop thread; "
                "use the a… form, such as `await session.aconnect()`.",
            )
        future = self.submit(coroutine)
        try:
            return future.result(timeout_s)
        except BaseException:
            # A KeyboardInterrupt or a timeout here must not leave the work running unseen.
            future.cancel()
            raise


_lock = threading.Lock()
_thread: LoopThread | None = None


def loop_thread() -> LoopThread:
    """Return this process's loop thread, starting it at the first call."""
    global _thread  # noqa: PLW0603 - one loop per process is the point
    with _lock:
        if _thread is None:
            _thread = LoopThread()
        return _thread


def _forget_after_fork() -> None:
    """Drop the parent's loop: its thread does not exist in a forked child."""
    global _lock, _thread  # noqa: PLW0603
    _lock = threading.Lock()
    _thread = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)
