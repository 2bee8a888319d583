"""What a replay costs: a turn on a tape beside one on a bare server, and a notebook of 30 cells.

Run it with nothing else on the machine: ``python benchmarks/tapes.py``.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

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

TURNS = 60
CELLS = 30

#: What is promised: so much more per turn at most, and a notebook within so long, in seconds.
ADDED_S = 0.010
NOTEBOOK_S = 15.0


def tape(turns: int) -> Tape:
    """Return a tape of one long conversation."""
    said = tuple(
        TapeTurn(f"Question {number}?\n\n{'word ' * 50}", (Reply.of(f"Answer {number}."),))
        for number in range(turns)
    )
    return Tape("Long", (Conversation("long", said),))


def per_turn(folder: Path) -> tuple[float, float]:
    """Return the median of a turn on a bare server and on a tape, in seconds; taken in turns."""
    path = folder / "long.yaml"
    path.write_text(tape_text(tape(TURNS)), encoding="utf-8")
    config = {"CLAUDE_CONFIG_DIR": str(folder / "config"), "NO_PROXY": "127.0.0.1"}
    with (
        MessagesServer(lambda _: Reply.of("Answer.")) as server,
        Deck(path, Mode.REPLAY) as deck,
    ):
        own = {"ANTHROPIC_BASE_URL": server.url, "ANTHROPIC_API_KEY": server.token, **config}
        with (
            ClaudeSession(SessionOptions(environment=own)) as bare,
            ClaudeSession(SessionOptions(environment=deck.environment)) as taped,
        ):
            took: dict[ClaudeSession, list[float]] = {bare: [], taped: []}
            for turn in tape(TURNS).conversations[0].turns:
                for session in (bare, taped):
                    began = time.perf_counter()
                    session.ask(turn.you)
                    took[session].append(time.perf_counter() - began)
            # The first turn of a session connects.
            return statistics.median(took[bare][1:]), statistics.median(took[taped][1:])


def notebook(folder: Path) -> float:
    """Return how long a notebook of many cells takes on its tape, in seconds, with its kernel."""
    path = folder / "long.ipynb"
    long = tape(CELLS)
    sources = [f"%%claude\n{turn.you}" for turn in long.conversations[0].turns]
    cells = [nbformat.v4.new_code_cell(cell) for cell in ("%load_ext claude_magic", *sources)]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    tape_of(path).parent.mkdir()
    tape_of(path).write_text(tape_text(long), encoding="utf-8")
    began = time.perf_counter()
    check(path, os.environ)
    return time.perf_counter() - began


def main() -> int:
    """Print what a replay costs, and whether that is what is promised."""
    with TemporaryDirectory() as folder:
        bare_s, taped_s = per_turn(Path(folder))
        notebook_s = notebook(Path(folder))
    added_s = taped_s - bare_s
    sys.stdout.write(
        f"a turn: {bare_s * 1000:.1f} ms on a bare server, {taped_s * 1000:.1f} ms on a tape:"
        f" {added_s * 1000:+.1f} ms (at most {ADDED_S * 1000:.0f})\n"
        f"a notebook of {CELLS} cells: {notebook_s:.1f} s (at most {NOTEBOOK_S:.0f})\n",
    )
    return 0 if added_s <= ADDED_S and notebook_s <= NOTEBOOK_S else 1


if __name__ == "__main__":
    sys.exit(main())
