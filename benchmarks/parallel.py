"""Many sessions at once: how long until all have answered, and what they take.

Each attempt is a process of its own, so that nothing of the one before is left:
``python -m benchmarks.parallel KIND COUNT`` prints the seconds and the bytes.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import subprocess
import sys
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from claude_agent_sdk import ClaudeSDKClient
from support.processes import carriers

import claude_magic.session.sdk
from claude_magic import ClaudeSession
from claude_magic.session.loop import MAX_STARTS
from claude_magic.session.pool import Pool

from .bare import options, turn
from .figures import Curve, Figure, Goal, Sample

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from .bench import Bench
    from .figures import Report

SESSIONS = 20
ATTEMPTS = 3

#: Where the chart has its points; the last one is measured anyway.
POINTS = (1, 4, 8, 14, 20)

#: How many of a kernel's conversations have a process at a time.
MAX_LIVE = 4


def measure(bench: Bench, report: Report) -> None:
    """Measure many sessions of ours in turns with many bare clients."""
    sessions = SESSIONS if bench.times(SESSIONS) == SESSIONS else 4
    ours, bare, paced = [], [], []
    for number in range(bench.times(ATTEMPTS)):
        ours.append(_attempt(bench, "ours", sessions, f"ours-{number}"))
        bare.append(_attempt(bench, "bare", sessions, f"bare-{number}"))
        paced.append(_attempt(bench, "paced", sessions, f"paced-{number}"))
    floor = Sample.of(
        sum(bench.api.ask("Hello")[1] for _ in range(sessions))
        for _ in range(bench.times(ATTEMPTS))
    )
    report.figures += [
        Figure(
            f"{sessions} sessions in parallel: connected and answered",
            Sample.of(took_s for took_s, _ in ours),
            "s",
            Goal(1.15),
            Sample.of(took_s for took_s, _ in bare),
            f"{sessions} bare clients",
            floor,
            headline=True,
        ),
        Figure(
            "the same beside clients that start as ours do",
            Sample.of(took_s for took_s, _ in ours),
            "s",
            Goal(1.15),
            Sample.of(took_s for took_s, _ in paced),
            f"{sessions} bare clients, {MAX_STARTS} starting at a time",
        ),
        Figure(
            "their memory, all processes",
            Sample.of(size for _, size in ours),
            "B",
            Goal(1.05),
            Sample.of(size for _, size in paced),
            f"{sessions} bare clients, {MAX_STARTS} starting at a time",
        ),
        Figure(
            "the same beside clients that start all at once",
            Sample.of(size for _, size in ours),
            "B",
            Goal(1.05),
            Sample.of(size for _, size in bare),
            f"{sessions} bare clients",
        ),
    ]
    points = [point for point in POINTS if point <= sessions]
    for kind, label in (
        ("paced", "bare clients"),
        ("ours", "sessions, each with a process"),
        ("kernel", f"sessions of a kernel, {MAX_LIVE} with a process"),
    ):
        known = {"ours": ours, "paced": paced}.get(kind)
        sizes = [
            Sample.of(size for _, size in known).median
            if known and point == sessions
            else _attempt(bench, kind, point, f"{kind}-of-{point}")[1]
            for point in points
        ]
        report.memory.append(Curve(label, tuple(map(float, points)), tuple(sizes)))


def _attempt(bench: Bench, kind: str, count: int, name: str) -> tuple[float, float]:
    # What carries this directory in its environment belongs to the attempt.
    configuration = bench.folder / name
    configuration.mkdir()
    run = subprocess.run(  # noqa: S603 - this module
        [sys.executable, "-m", __name__, kind, str(count)],
        env={**os.environ, "CLAUDE_CONFIG_DIR": str(configuration)},
        capture_output=True,
        text=True,
        check=True,
    )
    took_s, size = json.loads(run.stdout)
    return float(took_s), float(size)


def _bytes() -> int:
    """Return what this process and all of its kind take, each shared page counted once."""
    gc.collect()
    taken = 0
    mark = f"CLAUDE_CONFIG_DIR={os.environ['CLAUDE_CONFIG_DIR']}"
    for pid in [os.getpid(), *carriers(mark)]:
        for line in Path("/proc", str(pid), "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                taken += int(line.split()[1]) * 1024
    return taken


async def _ours(count: int, pool: Pool | None = None) -> tuple[float, int]:
    async with AsyncExitStack() as stack:

        async def once() -> None:
            session = await stack.enter_async_context(ClaudeSession(pool=pool))
            await session.send("Hello").aresult()

        began = time.perf_counter()
        await asyncio.gather(*(once() for _ in range(count)))
        return time.perf_counter() - began, _bytes()


async def _bare(count: int, starts: int) -> tuple[float, int]:
    """Have bare clients answer, of which so many may be starting at a time."""
    async with AsyncExitStack() as stack:
        room = asyncio.Semaphore(starts)

        async def once() -> ClaudeSDKClient:
            client = ClaudeSDKClient(options())
            async with room:
                await client.connect()
            await turn(client, "Hello")
            return client

        began = time.perf_counter()
        clients = await asyncio.gather(*(once() for _ in range(count)))
        took_s = time.perf_counter() - began
        for client in clients:
            stack.push_async_callback(client.disconnect)
        return took_s, _bytes()


KINDS: dict[str, Callable[[int], Coroutine[Any, Any, tuple[float, int]]]] = {
    "ours": _ours,
    "kernel": lambda count: _ours(count, Pool(MAX_LIVE)),
    "bare": lambda count: _bare(count, count),
    "paced": lambda count: _bare(count, MAX_STARTS),
}


if __name__ == "__main__":
    assert claude_magic.session.sdk  # imported before the clock starts, on both sides
    sys.stdout.write(json.dumps(asyncio.run(KINDS[sys.argv[1]](int(sys.argv[2])))))
