"""A kernel whose conversation rests: what it takes, and whether it wakes up."""

from __future__ import annotations

import time
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING

from .bench import ask, run
from .figures import Figure, Goal, Sample

if TYPE_CHECKING:
    from support.kernel import Kernel

    from .bench import Bench
    from .figures import Report

KERNELS = 3

#: How long it is watched, in seconds, and how long before that it is left alone.
WATCHED_S = 5.0
SETTLED_S = 2.0

_THREADS = """
import threading
print(*(f"{thread.native_id}:{thread.name}" for thread in threading.enumerate()), sep="\\n")
"""
_COLLECT = "import gc; _ = gc.collect()"


def measure(bench: Bench, report: Report) -> None:
    """Watch kernels with one session beside kernels that have only imported what it needs."""
    wakes, ours, bare, guards = [], [], [], []
    for _ in range(bench.times(KERNELS)):
        with ExitStack() as stack:
            plain = stack.enter_context(closing(bench.kernel()))
            kernel = stack.enter_context(closing(bench.kernel()))
            run(plain, "import claude_agent_sdk, ipywidgets")
            run(kernel, "%load_ext claude_magic")
            ask(kernel, "%%claude\nHello")
            supervisor, _claude = kernel.pids()
            for one in (plain, kernel):
                run(one, _COLLECT)
            known = set(_threads(plain).values())
            own = [tid for tid, name in _threads(kernel).items() if name not in known]
            time.sleep(SETTLED_S)
            tasks = [Path("/proc", str(kernel.pid), "task", str(tid)) for tid in own]
            tasks += Path("/proc", str(supervisor), "task").iterdir()
            before = sum(map(_switches, tasks))
            time.sleep(WATCHED_S)
            wakes.append((sum(map(_switches, tasks)) - before) / WATCHED_S)
            ours.append(_private_bytes(kernel.pid))
            bare.append(_private_bytes(plain.pid))
            guards.append(_private_bytes(supervisor))
    report.figures += [
        Figure(
            "idle kernel, one session: wake-ups of our own",
            Sample.of(wakes),
            "/s",
            Goal(plus=0),
        ),
        Figure(
            "its memory",
            Sample.of(ours),
            "B",
            Goal(1, 12e6),
            Sample.of(bare),
            "kernel that has imported claude_agent_sdk and ipywidgets",
        ),
        Figure("the supervisor's memory", Sample.of(guards), "B", Goal(plus=12e6)),
    ]


def _threads(kernel: Kernel) -> dict[int, str]:
    lines = run(kernel, _THREADS).stdout.splitlines()
    return {int(tid): name for tid, _, name in (line.partition(":") for line in lines)}


def _switches(task: Path) -> int:
    """Return how often a thread was given a processor."""
    lines = (task / "status").read_text(encoding="utf-8").splitlines()
    return sum(int(line.split()[1]) for line in lines if "ctxt_switches" in line)


def _private_bytes(pid: int) -> int:
    """Return what a process shares with no other."""
    lines = Path("/proc", str(pid), "smaps_rollup").read_text(encoding="utf-8").splitlines()
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Private_"))
