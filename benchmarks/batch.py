"""A batch of single-turn calls, beside as many calls of `query()` one after another."""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING

from support.processes import claude_codes

from claude_magic import ClaudeCodeChatModel

from .bare import single, singles
from .figures import Figure, Goal, Sample

if TYPE_CHECKING:
    from .bench import Bench
    from .figures import Report

BATCHES = 3
CALLS = 40
AT_ONCE = 4

#: Where a process is started for each call, two cores are busy with either side; so much more of
#: them may ours take.
WHOLE_MACHINE = 1.15

#: How often the processes are counted, in seconds.
LOOK_EVERY_S = 0.1


def measure(bench: Bench, report: Report) -> None:
    """Measure batches in turns with calls in a row; count the processes in one of its own."""
    ours, reusing, bare, crowd, floor = [], [], [], [], []
    for _ in range(bench.times(BATCHES)):
        ours.append(_batch())
        reusing.append(_batch(reuse_processes=True))
        bare.append(sum(single() for _ in range(CALLS)))
        crowd.append(singles(CALLS, AT_ONCE))
        floor.append(sum(bench.api.ask("Hello")[1] for _ in range(CALLS)))
    report.figures += [
        Figure(
            f"`batch` of {CALLS}, `max_concurrency` {AT_ONCE}, `reuse_processes`",
            Sample.of(reusing),
            "s",
            Goal(0.45),
            Sample.of(bare),
            f"{CALLS} × `query()` in a row",
            Sample.of(floor),
            headline=True,
        ),
        Figure(
            "the same with a process for each call",
            Sample.of(ours),
            "s",
            Goal(0.45),
            Sample.of(bare),
            f"{CALLS} × `query()` in a row",
            headline=True,
        ),
        Figure(
            f"the latter beside `query()` {AT_ONCE} at a time",
            Sample.of(ours),
            "s",
            Goal(WHOLE_MACHINE),
            Sample.of(crowd),
            f"{CALLS} × `query()`, {AT_ONCE} at a time",
        ),
        Figure(
            "its processes at most", Sample.of([_most_processes(reuse=False)]), "", Goal(plus=5)
        ),
        Figure(
            "processes at most, `reuse_processes`",
            Sample.of([_most_processes(reuse=True)]),
            "",
            Goal(plus=5),
        ),
    ]


def _batch(*, reuse_processes: bool = False) -> float:
    model = ClaudeCodeChatModel(reuse_processes=reuse_processes)
    began = time.perf_counter()
    answers = model.batch(["Hello"] * CALLS, config={"max_concurrency": AT_ONCE})
    took_s = time.perf_counter() - began
    assert [answer.text for answer in answers] == ["Hi."] * CALLS
    model._spares.close()  # noqa: SLF001 - whose process would be counted
    return took_s


def _most_processes(*, reuse: bool) -> int:
    """Return how many Claude Code processes a batch has at a time, at most."""
    mark = f"CLAUDE_CONFIG_DIR={os.environ['CLAUDE_CONFIG_DIR']}"
    over, counts = threading.Event(), [0]

    def count() -> None:
        while not over.wait(LOOK_EVERY_S):
            counts.append(len(claude_codes(mark)))

    counter = threading.Thread(target=count)
    counter.start()
    _batch(reuse_processes=reuse)
    over.set()
    counter.join()
    return max(counts)
