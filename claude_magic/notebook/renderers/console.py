"""The renderer for IPython in a terminal: plain text as it comes."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from claude_magic.session import (
    BackgroundReply,
    PermissionAsked,
    PermissionDenied,
    RetryScheduled,
    RoomAwaited,
    TextDelta,
    TextWithdrawn,
    ToolFinished,
    ToolStarted,
    TurnFailed,
    TurnFinished,
    TurnStarted,
)

from . import words
from .tools import ToolLines

if TYPE_CHECKING:
    from claude_magic.session import Event, SessionStatus


class ConsoleRenderer:
    """Writes a turn to standard output while it happens; what is written stays.

    Parameters
    ----------
    status
        The session's, before the turn.
    """

    def __init__(self, status: SessionStatus) -> None:
        self._status = status
        self._block: int | None = None
        self._tools = ToolLines()

    def show(self, event: Event) -> None:
        """Take one event."""
        match event:
            case TextDelta():
                if self._block not in {None, event.block}:
                    sys.stdout.write("\n\n")
                self._block = event.block
                sys.stdout.write(event.text)
            case ToolStarted():
                self._tools.start(event)
            case BackgroundReply():
                self._line(f"[{words.background(event)}]")
                self._line(event.text)
            case ToolFinished():
                self._line(" ".join(self._tools.finish(event)))
            case PermissionDenied():
                call = words.tool_call(event.name, event.arguments)
                self._line(words.denied(event, call))
            case _:
                self._aside(event)
        sys.stdout.flush()

    def _aside(self, event: Event) -> None:
        """Write a line of ours, where an event calls for one."""
        match event:
            case TurnStarted():
                aside = words.recovery(event)
            case TextWithdrawn():
                aside = "the connection broke; Claude says this again"
            case PermissionAsked():
                aside = words.asked(event)
            case RetryScheduled():
                aside = words.retry(event)
            case RoomAwaited():
                aside = words.room(event)
            case TurnFinished():
                aside = words.footer(event, self._status)
            case TurnFailed():
                aside = self._status.label or ""
                self._line("")
            case _:
                return
        if aside:
            self._line(f"[{aside}]")

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
