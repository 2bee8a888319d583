"""Carries a turn's events from the loop thread to the cell that waits for them."""

from __future__ import annotations

import queue
import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from claude_magic.errors import TurnInterruptedError
from claude_magic.session import TurnFailed, TurnFinished

if TYPE_CHECKING:
    from collections.abc import Iterator

    from claude_magic.session import Event, Turn

    from .renderers import Renderer


class _Interrupt:
    """What the signal handler puts among the events."""


def pump(turn: Turn, renderer: Renderer) -> TurnFinished:
    """Show a turn's events in the running cell until it ends.

    The first interrupt of the kernel stops the turn and waits for its end, so that what was said
    stays in the conversation; the second one does not wait. Main thread only.

    Raises
    ------
    ClaudeMagicError
        If the turn failed.
    TurnInterruptedError
        If the kernel was interrupted, even where the answer was complete by then: whoever stops a
        cell wants the cells after it not to run.
    """
    # SimpleQueue is the one queue that a signal handler may put into: it takes no lock that the
    # interrupted code could be holding.
    arrivals: queue.SimpleQueue[Event | _Interrupt] = queue.SimpleQueue()
    interrupts = 0
    with _interrupts_into(arrivals):
        turn.subscribe(arrivals.put)
        while True:
            try:
                event = arrivals.get(timeout=renderer.due_s)
            except queue.Empty:
                renderer.refresh()
                continue
            if isinstance(event, _Interrupt):
                interrupts += 1
                turn.interrupt()
                if interrupts > 1:
                    raise TurnInterruptedError(turn.text)
                continue
            renderer.show(event)
            if renderer.due_s == 0:
                renderer.refresh()
            if isinstance(event, TurnFailed):
                raise event.error
            if isinstance(event, TurnFinished):
                if interrupts:
                    raise TurnInterruptedError(turn.text)
                return event


@contextmanager
def _interrupts_into(arrivals: queue.SimpleQueue[Event | _Interrupt]) -> Iterator[None]:
    """Turn SIGINT into an arrival for as long as the cell runs."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set handlers, and only it is interrupted
        return
    # Between cells ipykernel ignores SIGINT, so the handler must come and go with the cell.
    before = signal.signal(signal.SIGINT, lambda _number, _frame: arrivals.put(_Interrupt()))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
