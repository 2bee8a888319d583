"""The renderer for IPython in a terminal."""

from __future__ import annotations

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
from .terminals import open_terminal
from .thinking import Thinking
from .tools import FAILED, ToolCalls

if TYPE_CHECKING:
    from claude_magic.session import Event, SessionStatus

    from .terminals import Terminal

#: So many lines of what went wrong with a tool are shown, each with so many characters.
_MOST_LINES = 3
_LONGEST_LINE = 200


class ConsoleRenderer:
    """Writes a turn to standard output while it happens; what is complete stays.

    Parameters
    ----------
    status
        The session's, before the turn.
    terminal
        Where it is written; what stands behind standard output if None.
    """

    def __init__(self, status: SessionStatus, terminal: Terminal | None = None) -> None:
        self._status = status
        self._terminal = terminal or open_terminal()
        self._thinking = Thinking()
        self._tools = ToolCalls()
        self._terminal.tell("Waiting for Claude …" if status.state.live else "Starting …")

    def show(self, event: Event) -> None:
        """Take one event."""
        try:
            self._show(event)
        except BaseException:
            self._terminal.settle()  # it must not be left without its cursor
            raise

    def _show(self, event: Event) -> None:
        match event:
            case TextDelta():
                self._terminal.text(event.text, event.block)
            case ThinkingDelta():
                self._thinking.add(event)
                self._terminal.tell(self._thinking.glimpse)
            case ThinkingFinished():
                self._say_thought(self._thinking.finish(event))
            case ToolStarted():
                self._terminal.settle()
                call = self._tools.start(event)
                self._terminal.tell(f"{call.mark} {call.call}")
            case ToolFinished():
                self._finish_tool(event)
            case BackgroundReply():
                self._terminal.aside(words.background(event))
                if event.text:
                    self._terminal.text(event.text, -1)
                    self._terminal.settle()
            case PermissionDenied():
                call_text = words.tool_call(event.name, event.arguments)
                self._terminal.line(words.denied(event, call_text))
            case TurnFinished() | TurnFailed():
                self._end(event)
            case _:
                self._say(event)

    def _say(self, event: Event) -> None:
        """Write a line of ours, where an event calls for one."""
        match event:
            case TurnStarted():
                told = words.recovery(event)
            case TextWithdrawn():
                told = "the connection broke; Claude says this again"
            case PermissionAsked():
                told = words.asked(event)
            case RetryScheduled():
                told = words.retry(event)
            case RoomAwaited():
                told = words.room(event)
            case _:
                return
        if told:
            self._terminal.aside(told)

    def _say_thought(self, thought: tuple[str, str] | None) -> None:
        if thought is not None:
            self._terminal.aside(thought[0])

    def _finish_tool(self, event: ToolFinished) -> None:
        call = self._tools.finish(event)
        lines = [f"{call.mark} {call.call}"]
        if call.mark == FAILED:
            lines += _beginning(call.result)
        self._terminal.line("\n".join(lines))

    def _end(self, event: TurnFinished | TurnFailed) -> None:
        self._terminal.settle()
        for call in self._tools.break_off().values():
            self._terminal.line(f"{call.mark} {call.call}\n  {call.result}")
        self._say_thought(self._thinking.break_off())
        if isinstance(event, TurnFinished):
            self._terminal.aside(words.footer(event, self._status))
        elif self._status.label:
            self._terminal.aside(self._status.label)

    @property
    def due_s(self) -> float | None:
        """How long until something wants to be drawn, in seconds; None while nothing waits."""
        return self._terminal.due_s

    def make_way(self, remark: str) -> None:  # noqa: ARG002 - the question stands by itself
        """Leave the terminal to others."""
        self._terminal.settle()

    def refresh(self) -> None:
        """Draw what has been waiting."""
        self._terminal.refresh()


def _beginning(result: str) -> list[str]:
    """Return the first lines of a result, set apart from the call above them."""
    lines = [line for line in result.splitlines() if line.strip()]
    shown = [f"  {line[:_LONGEST_LINE]}" for line in lines[:_MOST_LINES]]
    return [*shown, "  …"] if len(lines) > _MOST_LINES else shown
