"""A shell whose outputs a test can look at, and a time that a test sets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from IPython.core.displaypub import CapturingDisplayPublisher
from IPython.core.interactiveshell import InteractiveShell

from claude_magic.session import SessionState, SessionStatus, Usage

if TYPE_CHECKING:
    from collections.abc import Iterator


class Cell:
    """What a cell was sent.

    Attributes
    ----------
    sent
        The messages, oldest first: data, metadata, transient, and whether it updates an output.
    """

    def __init__(self, publisher: CapturingDisplayPublisher) -> None:
        self.sent: list[dict[str, Any]] = publisher.outputs

    @property
    def outputs(self) -> list[dict[str, str]]:
        """The outputs as they stand, each as a bundle."""
        shown: dict[str, dict[str, str]] = {}
        for number, message in enumerate(self.sent):
            output = (message["transient"] or {}).get("display_id", f"output {number}")
            assert message["update"] == (output in shown)
            shown[output] = message["data"]
        return list(shown.values())

    @property
    def markdown(self) -> list[str]:
        """The Markdown of the outputs that show anything."""
        texts = [bundle["text/markdown"] for bundle in self.outputs]
        return [text for text in texts if text]


class Clock:
    """A time that stands still until it is set."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cell() -> Iterator[Cell]:
    shell = InteractiveShell.instance()
    before, shell.display_pub = shell.display_pub, CapturingDisplayPublisher()
    yield Cell(shell.display_pub)
    shell.display_pub = before
    InteractiveShell.clear_instance()


@pytest.fixture
def status() -> SessionStatus:
    return SessionStatus(SessionState.READY, "5f1c0a52", Usage())
