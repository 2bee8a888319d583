"""The renderer for JupyterLab and its kin: Markdown that grows while the model writes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from IPython.display import display

from claude_magic.session import (
    BackgroundReply,
    PermissionAsked,
    PermissionDenied,
    RetryScheduled,
    RoomAwaited,
    TextDelta,
    TextWithdrawn,
    ThinkingDelta,
    ToolFinished,
    ToolStarted,
    TurnFailed,
    TurnFinished,
    TurnStarted,
)

from . import words
from .tools import ToolLines

if TYPE_CHECKING:
    from IPython.display import DisplayHandle

    from claude_magic.session import Event, SessionStatus

#: Text is shown at most this often, in seconds: each update repeats the whole block.
INTERVAL_S = 0.1


class _Output:
    """One output of the cell that can be rewritten in place."""

    def __init__(self) -> None:
        self._handle: DisplayHandle | None = None
        self._shown: dict[str, str] = {}

    def write(self, bundle: dict[str, str]) -> None:
        if bundle == self._shown:
            return
        if self._handle is None:
            self._handle = display(bundle, raw=True, display_id=True)
        else:
            self._handle.update(bundle, raw=True)
        self._shown = bundle


class LiveRenderer:
    """Shows a turn as it happens: the text as Markdown, a line per tool, a line of progress.

    The progress line is always the last output: whatever comes next is written over it, and at the
    end of the turn it becomes the footer.

    Parameters
    ----------
    status
        The session's, before the turn.
    """

    def __init__(self, status: SessionStatus) -> None:
        self._status = status
        self._blocks: dict[int, _Output] = {}
        self._texts: dict[int, str] = {}
        self._tools = ToolLines()
        self._tool_outputs: dict[str, _Output] = {}
        self._recovery = ""
        self._waiting: set[int] = set()
        self._refreshed_s = 0.0
        self._progress: _Output | None = None
        self._tell("Waiting for Claude …" if status.state.live else "Starting Claude Code …")

    def show(self, event: Event) -> None:
        """Take one event."""
        match event:
            case TextDelta():
                self._text(event.block, self._texts.get(event.block, "") + event.text)
            case TextWithdrawn():
                self._text(event.block, "")
            case ToolStarted() | ToolFinished() | PermissionDenied():
                self._tool(event)
            case BackgroundReply():
                heading = words.background(event)
                self._next_output().write(words.quote_bundle(heading, event.text))
                self._tell("Waiting for Claude …")
            case TurnFinished() | TurnFailed():
                self.refresh()
                self._tell(self._last_line(event))
            case _:
                self._progress_of(event)

    def _progress_of(self, event: Event) -> None:
        match event:
            case TurnStarted():
                self._recovery = words.recovery(event) or self._recovery
                self._tell("Waiting for Claude …")
            case ThinkingDelta():
                self._tell("Thinking …")
            case PermissionAsked():
                self._tell(words.asked(event) + " …")
            case RetryScheduled():
                self._tell(words.retry(event) + " …")
            case RoomAwaited():
                self._tell(words.room(event) + " …")

    def _last_line(self, event: TurnFinished | TurnFailed) -> str:
        if isinstance(event, TurnFinished):
            return words.footer(event, self._status)
        outcome = "Not complete." if self._texts else "No answer."
        return " · ".join(part for part in (self._status.label or outcome, self._recovery) if part)

    def _tool(self, event: ToolStarted | ToolFinished | PermissionDenied) -> None:
        if isinstance(event, ToolFinished):
            output = self._tool_outputs.pop(event.tool_id, None)
            if output is not None:
                mark, call = self._tools.finish(event)
                output.write(words.text_bundle(f"{mark} {words.code_span(call)}"))
                self._tell("Waiting for Claude …")
            return
        self.refresh()
        line = words.code_span(words.tool_call(event.name, event.arguments))
        output = self._next_output()
        if isinstance(event, ToolStarted):
            output.write(words.text_bundle(f"⋯ {line}"))
            self._tools.start(event)
            self._tool_outputs[event.tool_id] = output
        else:
            output.write(words.text_bundle(words.denied(event, line)))

    @property
    def due_s(self) -> float | None:
        """How long until text wants to be shown, in seconds; None while none waits."""
        if not self._waiting:
            return None
        return max(0.0, self._refreshed_s + INTERVAL_S - time.monotonic())

    def refresh(self) -> None:
        """Show the text that has come since the last time."""
        for block in sorted(self._waiting):
            if block not in self._blocks:
                self._blocks[block] = self._next_output()
            self._blocks[block].write(words.text_bundle(self._texts[block]))
        self._waiting.clear()
        self._refreshed_s = time.monotonic()

    def _text(self, block: int, text: str) -> None:
        self._texts[block] = text
        self._waiting.add(block)

    def _next_output(self) -> _Output:
        """Return the output for what comes next: the progress line's, where there is one."""
        output, self._progress = self._progress or _Output(), None
        return output

    def _tell(self, progress: str) -> None:
        if self._progress is None:
            self._progress = _Output()
        self._progress.write(words.aside_bundle(progress))
