"""Runs notebooks on their tapes: what `claude-magic tape` does."""

from __future__ import annotations

import io
import sys
import textwrap
from contextlib import redirect_stdout
from typing import TYPE_CHECKING

from .errors import ClaudeMagicError, TapeError
from .tape import Deck, Mode, Tape, Text, Thinking, ToolUse, tape_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from .tape import Reply, TapeTurn

_WIDTH = 96
_SHOWN_CHARACTERS = 70


def record(file: Path, environ: Mapping[str, str], *, save: bool, add: bool = False) -> None:
    """Run a notebook on the API that an environment leads to, and record it.

    Parameters
    ----------
    file
        The notebook, or its tape.
    environ
        The kernel's environment, with the credential.
    save
        Whether to store the outputs in the notebook.
    add
        Whether what is on the tape already stays and is not asked again.

    Raises
    ------
    ClaudeMagicError
        If a cell fails, or something could not be recorded; what was recorded is kept.
    """
    notebook = _notebook(file)
    mode = Mode.AUTO if add else Mode.RECORD
    with _deck(notebook, mode, environ) as deck:
        try:
            _run(notebook, deck, environ, save=save)
        finally:
            sys.stdout.write("\n".join(deck.report()) + "\n")
    if deck.problems:
        raise TapeError(f"{deck.path} is not complete.")


def replay(file: Path, environ: Mapping[str, str], *, save: bool = False) -> None:
    """Run a notebook on its tape, and print its conversation.

    Parameters
    ----------
    file
        The notebook, or its tape.
    environ
        The kernel's environment, without any credential.
    save
        Whether to store the outputs in the notebook.

    Raises
    ------
    ClaudeMagicError
        If a cell fails.
    """
    notebook = _notebook(file)
    with _deck(notebook, Mode.REPLAY, environ) as deck:
        _run(notebook, deck, environ, save=save)
    for turn in deck.unused:
        sys.stdout.write(f"{_unused(deck.path, turn)}\n")


def check(file: Path, environ: Mapping[str, str]) -> None:
    """Replay a notebook, and look whether all of its tape was needed.

    A tape without a notebook is only read. Nothing is printed but a line for each file.

    Raises
    ------
    ClaudeMagicError
        If a cell fails, something was asked that is not on the tape, a turn was not played to its
        end, or a machine's folder or a secret stands on the tape. The text tells all of it.
    """
    notebook = _notebook(file, must_exist=False)
    deck = _deck(notebook, Mode.REPLAY, environ)
    if notebook.exists():
        wrong = _wrong_in(notebook, deck, environ)
        wrong += deck.leaks() if deck.path.exists() else ()
    else:
        deck.path = file
        Tape.load(file)
        wrong = list(deck.leaks())
    if wrong:
        raise TapeError("\n".join(wrong))
    sys.stdout.write(f"{file}: fine\n")


def show(file: Path) -> None:
    """Print the conversations of a tape.

    Raises
    ------
    TapeError
        If there is no such tape.
    """
    tape = Tape.load(tape_of(file) if file.suffix == ".ipynb" else file)
    sys.stdout.write(f"{tape.title} · {tape.label}\n")
    for conversation in tape.conversations:
        sys.stdout.write(f"\n== {conversation.name} ==\n")
        for turn in conversation.turns:
            _say("you", turn.you)
            for reply in turn.replies:
                for speaker, said in _told(reply):
                    _say(speaker, said)


def _notebook(file: Path, *, must_exist: bool = True) -> Path:
    """Return the notebook that a file is, or is the tape of."""
    if not file.exists():
        raise TapeError(f"There is no {file}.")
    if file.suffix == ".ipynb":
        return file
    notebook = file.parent.parent / f"{file.stem}.ipynb"
    if must_exist and not notebook.exists():
        raise TapeError(f"{file} belongs to no notebook: there is no {notebook}.")
    return notebook


def _deck(notebook: Path, mode: Mode, environ: Mapping[str, str]) -> Deck:
    return Deck(
        tape_of(notebook),
        mode,
        folder=notebook.parent,
        remedy=f"Record it: claude-magic tape record {notebook}",
        environ=environ,
        # It may be one that never asks Claude.
        must_exist=False,
    )


def _run(notebook: Path, deck: Deck, environ: Mapping[str, str], *, save: bool) -> None:
    from .demonstration import demonstrate  # noqa: PLC0415 - needs the demo extra

    output = notebook.parent if save else None
    kernel = {**environ, **deck.environment}
    demonstrate(notebook, output, kernel, label=deck.label, page=False)


def _wrong_in(notebook: Path, deck: Deck, environ: Mapping[str, str]) -> list[str]:
    with deck:
        try:
            with redirect_stdout(io.StringIO()):
                _run(notebook, deck, environ, save=False)
        except ClaudeMagicError as error:
            return [str(error)]
        # A cell may have caught the error, or nobody has waited for the answer.
        return [*deck.misses, *(_unused(deck.path, turn) for turn in deck.unused)]


def _unused(path: Path, turn: TapeTurn) -> str:
    words = " ".join(turn.you.split())
    shown = words if len(words) <= _SHOWN_CHARACTERS else f"{words[:_SHOWN_CHARACTERS]}…"
    return f"{path}:{turn.line}: not played to its end: “{shown}”"


def _told(reply: Reply) -> Iterator[tuple[str, str]]:
    from .tape.outcomes import told_call  # noqa: PLC0415

    for step in reply.steps:
        if isinstance(step, Text):
            yield "claude", step.text
        elif isinstance(step, Thinking):
            yield "thinks", step.text
        elif isinstance(step, ToolUse):
            yield "calls", told_call(step.name, step.input)
            if step.outcome is not None:
                yield "failed" if step.outcome.is_error else "gave", step.outcome.text


def _say(speaker: str, said: str) -> None:
    for number, line in enumerate(said.strip().splitlines()):
        for part in textwrap.wrap(line, _WIDTH) or [""]:
            sys.stdout.write(f"{speaker if number == 0 else '':>8}  {part}".rstrip() + "\n")
            speaker = ""
