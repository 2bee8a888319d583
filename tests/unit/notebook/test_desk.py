from __future__ import annotations

import asyncio
import queue
import signal
import threading
from typing import TYPE_CHECKING, Any

import pytest

from claude_magic.errors import NobodyWaitsError, SessionError
from claude_magic.notebook.desk import Desk, Job

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future

SOON_S = 10.0


class Elsewhere:
    """A thread with an event loop, as the sessions have one."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()

    def ask(self, desk: Desk, work: Callable[[], Any]) -> Future[Any]:
        return asyncio.run_coroutine_threadsafe(desk.perform(work), self.loop)

    async def _finish(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        if others:
            await asyncio.wait(others)

    def end(self) -> None:
        asyncio.run_coroutine_threadsafe(self._finish(), self.loop).result(SOON_S)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(SOON_S)
        self.loop.close()


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere]:
    elsewhere = Elsewhere()
    yield elsewhere
    elsewhere.end()


def test_work_is_done_on_the_thread_that_takes_it_up(elsewhere: Elsewhere) -> None:
    desk, jobs = Desk(), queue.SimpleQueue[Job[Any]]()
    with desk.attended(jobs.put):
        result = elsewhere.ask(desk, threading.get_ident)
        assert jobs.get(timeout=SOON_S).perform() is False
        assert result.result(SOON_S) == threading.get_ident()


def test_work_that_raises_raises_where_it_is_waited_for(elsewhere: Elsewhere) -> None:
    desk, jobs = Desk(), queue.SimpleQueue[Job[Any]]()
    with desk.attended(jobs.put):
        result = elsewhere.ask(desk, lambda: 1 / 0)
        assert jobs.get(timeout=SOON_S).perform() is False
        with pytest.raises(ZeroDivisionError):
            result.result(SOON_S)


def test_an_interrupt_of_the_work_is_told_to_both(elsewhere: Elsewhere) -> None:
    def work() -> None:
        raise KeyboardInterrupt

    desk, jobs = Desk(), queue.SimpleQueue[Job[Any]]()
    with desk.attended(jobs.put):
        result = elsewhere.ask(desk, work)
        assert jobs.get(timeout=SOON_S).perform() is True
        with pytest.raises(SessionError, match="interrupted"):
            result.result(SOON_S)


def test_without_a_cell_that_waits_nothing_is_done(elsewhere: Elsewhere) -> None:
    desk = Desk()
    with pytest.raises(NobodyWaitsError):
        elsewhere.ask(desk, list).result(SOON_S)


def test_work_that_a_cell_leaves_undone_is_told_to_who_waits(elsewhere: Elsewhere) -> None:
    desk, jobs = Desk(), queue.SimpleQueue[Job[Any]]()
    with desk.attended(jobs.put):
        result = elsewhere.ask(desk, list)
        job = jobs.get(timeout=SOON_S)
    with pytest.raises(NobodyWaitsError):
        result.result(SOON_S)
    assert job.perform() is False


def test_the_innermost_cell_takes_the_work(elsewhere: Elsewhere) -> None:
    desk, outer, inner = Desk(), queue.SimpleQueue[Job[Any]](), queue.SimpleQueue[Job[Any]]()
    with desk.attended(outer.put):
        with desk.attended(inner.put):
            elsewhere.ask(desk, list)
            inner.get(timeout=SOON_S).perform()
        elsewhere.ask(desk, list)
        outer.get(timeout=SOON_S).perform()


def test_work_taken_back_before_it_begins_is_not_done(elsewhere: Elsewhere) -> None:
    done: list[int] = []
    taken_back = threading.Event()
    desk, jobs = Desk(), queue.SimpleQueue[Job[Any]]()
    with desk.attended(jobs.put):
        result = elsewhere.ask(desk, lambda: done.append(1))
        job = jobs.get(timeout=SOON_S)
        job.outcome.add_done_callback(lambda _: taken_back.set())
        result.cancel()
        assert taken_back.wait(SOON_S)
        assert job.perform() is False
    assert done == []


def test_work_taken_back_while_it_runs_is_interrupted(elsewhere: Elsewhere) -> None:
    def work() -> None:
        result.cancel()
        threading.Event().wait(SOON_S)
        raise AssertionError

    desk, jobs = Desk(), queue.SimpleQueue[Job[Any]]()
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with desk.attended(jobs.put):
            result = elsewhere.ask(desk, work)
            job = jobs.get(timeout=SOON_S)
            # Whoever took it back knows; the turn may go on.
            assert job.perform() is False
            assert isinstance(job.outcome.exception(), SessionError)
    finally:
        signal.signal(signal.SIGINT, before)
