"""The renderer for IPython in a terminal: plain text as it comes."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from claude_magic.session import (
    PermissionDenied,
    RetryScheduled,
    TextDelta,
    TextWithdrawn,
    ToolFinished,
    ToolStarted,
    TurnFailed,
    TurnFinished,
)

from . import words

if TYPE_CHECKING:
    from claude_magic.session import Event


class ConsoleRenderer:
    """Writes a turn to standard output while it happens; what is written stays.

    Parameters
    ----------
    label
        What stands behind the API where it is not Claude.
    """

    def __init__(self, label: str | None) -> None:
        self._label = label
        self._block: int | None = None
        self._tools: dict[str, str] = {}

    def show(self, event: Event) -> None:
        """Take one event."""
        match event:
            case TextDelta():
                if self._block not in {None, event.block}:
                    sys.stdout.write("\n\n")
                self._block = event.block
                sys.stdout.write(event.text)
            case TextWithdrawn():
                self._line("[the connection broke; Claude says this again]")
            case ToolStarted():
                self._tools[event.tool_id] = words.tool_call(event.name, event.arguments)
            case ToolFinished():
                mark = "✗" if event.is_error else "✓"
                self._line(f"{mark} {self._tools.pop(event.tool_id, event.name)}")
            case PermissionDenied():
                call = words.tool_call(event.name, event.arguments)
                self._line(f"Not allowed, because nobody could be asked: {call}")
            case RetryScheduled():
                self._line(f"[{words.retry(event)}]")
            case TurnFinished():
                self._line(f"[{words.footer(event, self._label)}]")
            case TurnFailed():
                self._line(f"[{self._label}]" if self._label else "")
        sys.stdout.flush()

    @property
    def due_s(self) -> float | None:
        """Nothing waits: every piece is written as it comes."""
        return None

    def refresh(self) -> None:
        """Do nothing: every piece is written as it comes."""

    def _line(self, text: str) -> None:
        if self._block is not None:
            sys.stdout.write("\n")
            self._block = None
        if text:
            sys.stdout.write(f"{text}\n")
