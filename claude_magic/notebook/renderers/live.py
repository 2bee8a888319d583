"""The renderer for JupyterLab and its kin: Markdown that grows while the model writes."""

from __future__ import annotations

import time
from collections import defaultdict
from typing import TYPE_CHECKING

from claude_magic.session import (
    BackgroundReply,
    PermissionAsked,
    PermissionDenied,
    RetryScheduled,
    RoomAwaited,
    TextDelta,
    TextWithdrawn,
    ThinkingDelta,
    ThinkingFinished,
    ToolFinished,
    ToolStarted,
    TurnFailed,
    TurnFinished,
    TurnStarted,
)

from . import words
from .folds import aside_fold
from .outputs import Outputs, write_together
from .segments import Segments
from .thinking import Thinking
from .tools import ToolCalls

if TYPE_CHECKING:
    from collections.abc import Callable

    from claude_magic.session import Event, SessionStatus

    from .outputs import Part

#: What grows is shown at most this often, in seconds, because all of its output is sent again …
INTERVAL_S = 0.1

#: … and less often where that is longer than this, in characters.
SWIFT = 4_500

_WAITING = "Waiting for Claude …"


class _Block:
    """A block of text, in as many outputs as it has segments."""

    def __init__(self) -> None:
        self.segments = Segments()
        self._parts: list[Part] = []
        self._closed = 0

    def withdraw(self) -> None:
        """Forget the text; what is said instead is shown in the same outputs."""
        self.segments.withdraw()
        self._closed = 0

    def show(self, outputs: Outputs, *, complete: bool) -> int:
        """Show what is new and return the length of what will be sent again with more text."""
        pieces = self.segments.pieces
        closed = len(pieces) if complete else len(self.segments.closed)
        while len(self._parts) < len(pieces):
            self._parts.append(outputs.next())
        written = []
        for number in range(self._closed, len(pieces)):
            bundle = words.text_bundle if number < closed else words.growing_bundle
            written.append((self._parts[number], bundle(pieces[number])))
        written += [(part, words.text_bundle("")) for part in self._parts[len(pieces) :]]
        write_together(written)
        self._closed = len(self.segments.closed)
        return self._parts[-1].size if self._parts else 0


class LiveRenderer:
    """Shows a turn as it happens: text as Markdown, a line per tool that unfolds, and progress.

    Parameters
    ----------
    status
        The session's, before the turn.
    clock
        What tells the time, in seconds.
    """

    def __init__(self, status: SessionStatus, clock: Callable[[], float] = time.monotonic) -> None:
        self._status = status
        self._clock = clock
        self._outputs = Outputs()
        self._blocks: defaultdict[int, _Block] = defaultdict(_Block)
        self._growing: set[int] = set()
        self._waiting: set[int] = set()
        self._thinking = Thinking(clock)
        self._glimpsed = False
        self._tools = ToolCalls()
        self._tool_parts: dict[str, Part] = {}
        self._recovery = ""
        self._refreshed_s = clock() - INTERVAL_S
        self._interval_s = INTERVAL_S
        self._outputs.tell(_WAITING if status.state.live else "Starting Claude Code …")

    def show(self, event: Event) -> None:
        """Take one event."""
        match event:
            case TextDelta():
                self._blocks[event.block].segments.feed(event.text)
                self._waiting.add(event.block)
            case TextWithdrawn():
                self._blocks[event.block].withdraw()
                self._waiting.add(event.block)
            case ThinkingDelta() | ThinkingFinished():
                self._think(event)
            case ToolStarted() | ToolFinished() | PermissionDenied():
                self._tool(event)
            case BackgroundReply():
                heading = words.background(event)
                self._outputs.next().write(words.quote_bundle(heading, event.text))
                self._outputs.tell(_WAITING)
            case TurnFinished() | TurnFailed():
                self._end(event)
            case _:
                self._progress_of(event)

    def _progress_of(self, event: Event) -> None:
        match event:
            case TurnStarted():
                self._recovery = words.recovery(event) or self._recovery
                self._outputs.tell(_WAITING)
            case PermissionAsked():
                self._outputs.tell(words.asked(event) + " …")
            case RetryScheduled():
                self._outputs.tell(words.retry(event) + " …")
            case RoomAwaited():
                self._outputs.tell(words.room(event) + " …")

    def _think(self, event: ThinkingDelta | ThinkingFinished) -> None:
        if isinstance(event, ThinkingDelta):
            self._thinking.add(event)
            self._glimpsed = True
            return
        thought = self._thinking.finish(event)
        if thought is not None:
            self._settle()
            self._outputs.next().write(aside_fold(*thought))
            self._outputs.tell(_WAITING)

    def _tool(self, event: ToolStarted | ToolFinished | PermissionDenied) -> None:
        if isinstance(event, ToolFinished):
            part = self._tool_parts.pop(event.tool_id, None)
            if part is not None:
                part.write(self._tools.finish(event).bundle)
                self._outputs.tell(_WAITING)
            return
        self._settle()
        part = self._outputs.next()
        if isinstance(event, ToolStarted):
            part.write(self._tools.start(event).bundle)
            self._tool_parts[event.tool_id] = part
        else:
            line = words.code_span(words.tool_call(event.name, event.arguments))
            part.write(words.text_bundle(words.denied(event, line)))

    def _end(self, event: TurnFinished | TurnFailed) -> None:
        if isinstance(event, TurnFinished):
            self._settle()
        else:
            self.refresh()  # what is cut off is not complete, and not worth being sent again
        for tool_id, call in self._tools.break_off().items():
            self._tool_parts[tool_id].write(call.bundle)
        thought = self._thinking.break_off()
        if thought is not None:
            self._outputs.next().write(aside_fold(*thought))
        if isinstance(event, TurnFinished):
            self._outputs.tell(words.footer(event, self._status))
        else:
            outcome = self._status.label or ("Not complete." if self._blocks else "No answer.")
            told = (outcome, self._recovery)
            self._outputs.tell(" · ".join(part for part in told if part))

    @property
    def due_s(self) -> float | None:
        """How long until something wants to be shown, in seconds; None while nothing waits."""
        if not self._waiting and not self._glimpsed:
            return None
        return max(0.0, self._refreshed_s + self._interval_s - self._clock())

    def make_way(self, remark: str) -> None:
        """Let what others display stand below all so far, with a remark above it."""
        self.refresh()
        self._outputs.make_way(remark)

    def refresh(self) -> None:
        """Show the text that has come since the last time."""
        self._show_text(self._waiting, complete=False)
        if self._glimpsed:
            self._glimpsed = False
            if self._thinking.under_way:
                self._outputs.tell(self._thinking.glimpse)
        self._refreshed_s = self._clock()

    def _settle(self) -> None:
        """Show the text so far as it stays: something else comes after it."""
        self._show_text(self._growing | self._waiting, complete=True)
        self._growing.clear()

    def _show_text(self, blocks: set[int], *, complete: bool) -> None:
        longest = 0
        for number in sorted(blocks):
            longest = max(longest, self._blocks[number].show(self._outputs, complete=complete))
        self._growing |= self._waiting
        self._waiting.clear()
        self._interval_s = INTERVAL_S * max(1, longest / SWIFT)
