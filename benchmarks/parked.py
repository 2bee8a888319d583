"""A conversation without a process: what it costs, and how soon it goes on."""

from __future__ import annotations

import gc
import time
from pathlib import Path
from typing import TYPE_CHECKING

from claude_magic import ClaudeSession
from claude_magic.session import TextDelta

from .bare import BareClient, resumed
from .figures import Figure, Goal, Sample

if TYPE_CHECKING:
    from .bench import Bench
    from .figures import Report

TURNS = 100
RESUMES = 10
PARKED = 32

#: So many are made before the first look, so that what is there once for all is not counted.
BEFORE = 8


def measure(bench: Bench, report: Report) -> None:
    """Measure resumes of long conversations in turns, and the memory of parked ones."""
    ours, bare, floor = [], [], []
    turn_count = TURNS if bench.times(TURNS) == TURNS else 10
    with ClaudeSession() as session, BareClient() as client:
        for _ in range(turn_count):
            session.ask("Hello")
            session_id = client.ask("Hello").session_id
        for _ in range(bench.times(RESUMES)):
            session.disconnect()
            ours.append(_first_delta(session))
            bare.append(resumed(session_id, "Hello").first_s)
            floor.append(bench.api.ask("Hello")[0])
    report.figures += [
        Figure(
            f"parked session with {turn_count} turns: prompt to first delta",
            Sample.of(ours),
            "s",
            Goal(plus=0.8),
            Sample.of(bare),
            "`ClaudeSDKClient(resume=…)`",
            Sample.of(floor),
            headline=True,
        ),
        Figure(
            "a parked session's memory",
            Sample.of([_parked_bytes(bench.times(PARKED))]),
            "B",
            Goal(plus=100e3),
        ),
    ]


def _first_delta(session: ClaudeSession) -> float:
    began = time.perf_counter()
    first_s = 0.0
    for event in session.send("Hello"):
        if isinstance(event, TextDelta):
            first_s = first_s or time.perf_counter() - began
    return first_s


def _parked_bytes(count: int) -> float:
    """Return what one session more takes that has said something and has no process."""
    sessions = [_parked() for _ in range(BEFORE)]
    before = _own_bytes()
    sessions += [_parked() for _ in range(count)]
    after = _own_bytes()
    for session in sessions:
        session.close()
    return max(0, after - before) / count


def _parked() -> ClaudeSession:
    session = ClaudeSession()
    session.ask("Hello")
    session.disconnect()
    return session


def _own_bytes() -> int:
    """Return what this process shares with nobody."""
    gc.collect()
    lines = Path("/proc/self/smaps_rollup").read_text(encoding="utf-8").splitlines()
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Private_"))
