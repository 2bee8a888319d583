"""Notebooks and tests that talk to a tape: ``pytest --nbval --claude-tape=replay``."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import pytest

from .errors import TapeError
from .variables import Replaced

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from .tape import Deck

_MODES = ("replay", "record", "auto")
_NOTEBOOK = ".ipynb"
_SHOWN_CHARACTERS = 70


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--claude-tape`` and the setting ``claude_tape``."""
    told = "have %%claude cells of notebooks talk to the tape in tapes/NAME.yaml beside them"
    group = parser.getgroup("claude-magic")
    group.addoption("--claude-tape", choices=_MODES, help=told)
    parser.addini("claude_tape", f"{told}: {', '.join(_MODES)}; --claude-tape goes before it")


def pytest_configure(config: pytest.Config) -> None:
    """Take notebooks to their tapes, where that is asked for."""
    config.stash[_DECKS] = decks = _Decks(_mode(config))
    config.pluginmanager.register(decks, "claude-tape-decks")


@pytest.fixture
def claude_tape(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Deck]:
    """Have all sessions of a test talk to its tape: ``tapes/FILE/TEST.yaml`` beside it.

    TEST is ``CLASS.NAME`` where it is a method. The tape is played, unless ``--claude-tape`` says
    otherwise.
    """
    classes = [node.name for node in request.node.listchain() if isinstance(node, pytest.Class)]
    name = re.sub(r"[^\w.-]+", "-", ".".join([*classes, request.node.name])).strip("-")
    path = request.path.parent / "tapes" / request.path.stem / f"{name}.yaml"
    decks = request.config.stash[_DECKS]
    deck = decks.open(path, request.path.parent, request.node.nodeid)
    for variable, value in deck.environment.items():
        monkeypatch.setenv(variable, value)
    yield deck
    deck.stop()


class _Decks:
    """The decks of a run. Main thread only."""

    def __init__(self, mode: str | None) -> None:
        self._mode = mode
        self._decks: list[Deck] = []
        self._deck: Deck | None = None
        self._variables = Replaced()

    def open(self, path: Path, folder: Path, target: str) -> Deck:
        """Start a deck; the test fails where that is not possible."""
        from .tape import Deck, Mode  # noqa: PLC0415 - whoever has no tape must not wait for it

        mode = Mode(self._mode or "replay")
        is_notebook = target.endswith(_NOTEBOOK)
        recorder = "claude-magic tape record" if is_notebook else "pytest --claude-tape=record"
        remedy = f"Record it: {recorder} {target}"
        # A notebook may be one that never asks Claude.
        deck = Deck(path, mode, folder=folder, remedy=remedy, must_exist=not is_notebook)
        try:
            deck.start()
        except TapeError as error:
            pytest.fail(str(error), pytrace=False)
        self._decks.append(deck)
        return deck

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Before a notebook's kernel starts, put its tape in."""
        if self._mode is None or item.path.suffix != _NOTEBOOK or self._deck is not None:
            return
        from .tape import tape_of  # noqa: PLC0415

        target = os.path.relpath(item.path)
        self._deck = self.open(tape_of(item.path), item.path.parent, target)
        self._variables.put(self._deck.environment)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(
        self,
        item: pytest.Item,
        nextitem: pytest.Item | None,
    ) -> Generator[None, object, object]:
        """After a notebook's kernel has ended, take its tape out."""
        try:
            return (yield)
        finally:
            if self._deck is not None and (nextitem is None or nextitem.path != item.path):
                self._deck.stop()
                self._deck = None
                self._variables.put_back()

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Tell what was recorded, and which turns nobody asked for."""
        lines = [line for deck in self._decks for line in _told(deck)]
        if lines:
            terminalreporter.section("claude-magic tapes")
            for line in lines:
                terminalreporter.line(line)


def _told(deck: Deck) -> Iterator[str]:
    name = os.path.relpath(deck.path)
    told = deck.report()
    if deck.recorded_count:
        yield f"{name}: {deck.recorded_count} answers recorded"
    for line in told[1:]:
        yield f"{name}: {line}"
    for turn in deck.unused:
        shown = " ".join(turn.you.split())
        cut = shown if len(shown) <= _SHOWN_CHARACTERS else shown[:_SHOWN_CHARACTERS] + "…"
        yield f"{name}:{turn.line}: not played to its end: “{cut}”"


def _mode(config: pytest.Config) -> str | None:
    mode = config.getoption("--claude-tape") or config.getini("claude_tape") or None
    if mode is not None and mode not in _MODES:
        raise pytest.UsageError(f"claude_tape={mode!r}: must be one of {', '.join(_MODES)}")
    return mode


_DECKS = pytest.StashKey[_Decks]()
