"""What a replay costs: a turn on a tape beside one on a bare server, and a whole notebook."""

from __future__ import annotations

import os
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import nbformat

from claude_magic import ClaudeSession, SessionOptions
from claude_magic.rehearsal import check
from claude_magic.tape import (
    Conversation,
    Deck,
    MessagesServer,
    Mode,
    Reply,
    Tape,
    TapeTurn,
    tape_of,
)
from claude_magic.tape.tape_text import tape_text

from .figures import Figure, Goal, Sample

if TYPE_CHECKING:
    from .bench import Bench
    from .figures import Report

TURNS = 60
CELLS = 30
NOTEBOOKS = 3


def measure(bench: Bench, report: Report) -> None:
    """Measure turns on a tape in turns with those on a server that knows one answer."""
    with TemporaryDirectory() as folder:
        report.figures.append(_turns(Path(folder), bench.times(TURNS)))
    took_s = []
    for _ in range(bench.times(NOTEBOOKS)):
        with TemporaryDirectory() as folder:
            took_s.append(_notebook(Path(folder)))
    report.figures.append(
        Figure(
            f"notebook of {CELLS} cells on its tape, with its kernel",
            Sample.of(took_s),
            "s",
            Goal(plus=15),
        ),
    )


def _tape(turns: int) -> Tape:
    """Return a tape of one long conversation."""
    said = tuple(
        TapeTurn(f"Question {number}?\n\n{'word ' * 50}", (Reply.of(f"Answer {number}."),))
        for number in range(turns)
    )
    return Tape("Long", (Conversation("long", said),))


def _turns(folder: Path, count: int) -> Figure:
    path = folder / "long.yaml"
    # The first turn of a session connects.
    long = _tape(count + 1)
    path.write_text(tape_text(long), encoding="utf-8")
    with (
        MessagesServer(lambda _: Reply.of("Answer.")) as server,
        Deck(path, Mode.REPLAY) as deck,
    ):
        own = {"ANTHROPIC_BASE_URL": server.url, "ANTHROPIC_API_KEY": server.token}
        with (
            ClaudeSession(SessionOptions(environment=own)) as bare,
            ClaudeSession(SessionOptions(environment=deck.environment)) as taped,
        ):
            took: dict[ClaudeSession, list[float]] = {bare: [], taped: []}
            for turn in long.conversations[0].turns:
                for session in (bare, taped):
                    began = time.perf_counter()
                    session.ask(turn.you)
                    took[session].append(time.perf_counter() - began)
    return Figure(
        "a turn on a tape",
        Sample.of(took[taped][1:]),
        "s",
        Goal(1, 0.010),
        Sample.of(took[bare][1:]),
        "on a server that knows one answer",
    )


def _notebook(folder: Path) -> float:
    path = folder / "long.ipynb"
    long = _tape(CELLS)
    sources = [f"%%claude\n{turn.you}" for turn in long.conversations[0].turns]
    cells = [nbformat.v4.new_code_cell(cell) for cell in ("%load_ext claude_magic", *sources)]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    tape_of(path).parent.mkdir()
    tape_of(path).write_text(tape_text(long), encoding="utf-8")
    began = time.perf_counter()
    check(path, os.environ)
    return time.perf_counter() - began
