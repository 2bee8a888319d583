"""Carries a turn's events from the loop thread to the cell that waits for them."""

from __future__ import annotations

import queue
import signal
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

from claude_magic.errors import TurnInterruptedError
from claude_magic.session import Relay, TurnFailed, TurnFinished

from .desk import Job

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from claude_magic.session import ClaudeSession, Event, Prompt, SessionOptions, Turn

    from .desk import Desk
    from .renderers import Renderer

    _Arrival: TypeAlias = "list[Event] | _Interrupt | Job[Any]"

#: Pieces of an answer wake the cell this often at most, in seconds: it shows them less often still.
HAND_ON_EVERY_S = 0.05

#: On Windows nothing interrupts a wait, so it must end by itself now and then, in seconds.
WAKE_EVERY_S = 0.2 if sys.platform == "win32" else None


class _Interrupt:
    """What the signal handler puts among the events."""


def pump(  # noqa: PLR0913 - what a cell has to do with
    session: ClaudeSession,
    prompt: Prompt,
    renderer: Renderer,
    desk: Desk,
    *,
    options: SessionOptions | None = None,
    on_sent: Callable[[Turn], object] = lambda _: None,
) -> TurnFinished:
    """Send a prompt and show what comes of it in the running cell until the turn ends.

    Work that is laid on the desk meanwhile is done in between. The first interrupt of the kernel
    stops the turn and waits for its end, so that what was said stays in the conversation; the
    second one does not wait. Main thread only.

    Parameters
    ----------
    session, prompt, options
        As of `ClaudeSession.send`.
    renderer
        Shows what comes.
    desk
        Where work for the main thread is laid down.
    on_sent
        Called with the turn as soon as there is one.

    Raises
    ------
    ClaudeMagicError
        If the turn failed, or there was nothing to send.
    TurnInterruptedError
        If the kernel was interrupted, even where the answer was complete by then: whoever stops a
        cell wants the cells after it not to run.
    """
    # SimpleQueue is the one queue that a signal handler may put into: it takes no lock that the
    # interrupted code could be holding.
    arrivals: queue.SimpleQueue[_Arrival] = queue.SimpleQueue()
    interrupts = 0
    with _interrupts_into(arrivals), desk.attended(arrivals.put):
        turn = session.send(prompt, options=options)
        on_sent(turn)
        turn.subscribe(Relay(arrivals.put, HAND_ON_EVERY_S))
        try:
            while True:
                arrival = _next(arrivals, renderer)
                if isinstance(arrival, Job):
                    renderer.refresh()
                    if not arrival.perform():
                        continue
                    arrival = _Interrupt()
                if isinstance(arrival, _Interrupt):
                    interrupts += 1
                    turn.interrupt()
                    if interrupts == 1:
                        continue
                    arrival = [TurnFailed(TurnInterruptedError(turn.text))]
                finished = _show(arrival, renderer)
                if finished is not None:
                    if interrupts:
                        raise TurnInterruptedError(turn.text)
                    return finished
        finally:
            # A renderer that fails must not leave Claude writing for nobody.
            if not turn.settled:
                turn.interrupt()


def _show(events: list[Event], renderer: Renderer) -> TurnFinished | None:
    """Show events, and return the end of the turn where that is the last of them."""
    for event in events:
        renderer.show(event)
        if isinstance(event, TurnFailed):
            raise event.error
        if isinstance(event, TurnFinished):
            return event
    return None


def _next(arrivals: queue.SimpleQueue[_Arrival], renderer: Renderer) -> _Arrival:
    """Wait for what comes next, and keep the renderer up to date meanwhile."""
    while True:
        due_s = renderer.due_s
        if due_s == 0:
            renderer.refresh()
            continue
        timeouts_s = [wait_s for wait_s in (due_s, WAKE_EVERY_S) if wait_s is not None]
        try:
            return arrivals.get(timeout=min(timeouts_s, default=None))
        except queue.Empty:
            continue


@contextmanager
def _interrupts_into(arrivals: queue.SimpleQueue[_Arrival]) -> Iterator[None]:
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
