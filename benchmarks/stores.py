"""What a session store costs: a turn with one beside a turn without, and how soon it has a turn."""

from __future__ import annotations

import shutil
import socket
import time
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING

from support.stores import KINDS, running

from claude_magic import ClaudeSession, SessionOptions
from claude_magic.session.stores import PROJECT, Key, open_store

from .figures import Figure, Goal, Sample

if TYPE_CHECKING:
    from .bench import Bench
    from .figures import Report

TURNS = 60
LAGS = 20

#: Without it there is no server of the kind.
_PROGRAMS = {"redis": "redis-server", "postgresql": "psql"}


def measure(bench: Bench, report: Report) -> None:
    """Measure each kind of store whose server is installed, and one that answers nothing."""
    for kind in KINDS:
        program = _PROGRAMS.get(kind)
        if program is not None and shutil.which(program) is None:
            continue
        folder = bench.folder / f"store-{kind}"
        folder.mkdir()
        with running(kind, folder) as (_, url):
            report.figures.append(_turns(kind, url, bench.times(TURNS)))
            report.figures.append(_lags(kind, url, bench.times(LAGS)))
    with ExitStack() as stack:
        deaf = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        url = f"redis://127.0.0.1:{deaf.getsockname()[1]}/0"
        report.figures.append(_turns("redis that answers nothing", url, bench.times(TURNS)))


def _turns(kind: str, url: str, count: int) -> Figure:
    with (
        ClaudeSession(SessionOptions(cwd=Path.cwd())) as bare,
        ClaudeSession(SessionOptions(cwd=Path.cwd(), session_store=url)) as stored,
    ):
        took: dict[ClaudeSession, list[float]] = {bare: [], stored: []}
        # The first turn of a session connects.
        for number in range(count + 1):
            for session in (bare, stored) if number % 2 else (stored, bare):
                began = time.perf_counter()
                session.ask(f"Question {number}? {'word ' * 50}")
                took[session].append(time.perf_counter() - began)
    return Figure(
        f"a turn with a session store: {kind}",
        Sample.of(took[stored][1:]),
        "s",
        Goal(1.1),
        Sample.of(took[bare][1:]),
        "without",
    )


def _lags(kind: str, url: str, count: int) -> Figure:
    found = []
    with (
        ClaudeSession(SessionOptions(cwd=Path.cwd(), session_store=url)) as session,
        closing(open_store(url)) as store,
    ):
        key = Key(PROJECT, session.session_id)
        for number in range(1, count + 1):
            session.ask(f"Question {number}?")
            began = time.perf_counter()
            while sum(entry["type"] == "assistant" for entry in store.load(key) or ()) < number:
                time.sleep(0.001)
            found.append(time.perf_counter() - began)
    return Figure(
        f"from the end of a turn until its store has it: {kind}",
        Sample.of(found),
        "s",
        Goal(plus=0.5),
    )
