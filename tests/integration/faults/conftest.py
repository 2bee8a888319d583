"""What the fault tests share: how often to try, and the figure that each of them states."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

#: `make faults` sets it: every test then tries as often as its promise says.
FULL = os.environ.get("CLAUDE_MAGIC_FAULTS") == "full"

_figures = pytest.StashKey[list[tuple[str, str]]]()


@pytest.fixture(scope="session")
def times() -> Callable[[int, int], int]:
    """Give a function that chooses between a small count and the one that was promised."""

    def choose(few: int, promised: int) -> int:
        return promised if FULL else few

    return choose


@pytest.fixture
def figure(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Give a function that states the test's figure at the end of the run."""
    stated = request.config.stash.setdefault(_figures, [])

    def state(text: str) -> None:
        stated.append((request.node.name.removeprefix("test_"), text))

    return state


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter,
    config: pytest.Config,
) -> None:
    """Print the figures."""
    stated = config.stash.get(_figures, [])
    if stated:
        terminalreporter.section("figures")
    for test, text in stated:
        terminalreporter.write_line(f"{test}: {text}")
