"""The tool calls of a turn."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import words
from .folds import bounded, fold

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from claude_magic.session import ToolFinished, ToolStarted

#: So much is shown of what a tool is called with, and of what it gives back, in characters.
MOST_INPUT = 2_000
MOST_RESULT = 4_000

RUNNING, DONE, FAILED = "⋯", "✓", "✗"


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call as it stands.

    Attributes
    ----------
    mark
        Whether it runs, is done or has failed.
    call
        The call in one line.
    arguments
        What it is called with, bounded.
    result
        What it gave back, bounded; empty while there is nothing.
    """

    mark: str
    call: str
    arguments: str = ""
    result: str = ""

    @property
    def bundle(self) -> dict[str, str]:
        """The call as an output: one line that unfolds."""
        return fold(self.mark, self.call, self.arguments, self.result)


class ToolCalls:
    """Remembers what tools were called with until they end."""

    def __init__(self) -> None:
        self._running: dict[str, ToolCall] = {}

    def start(self, event: ToolStarted) -> ToolCall:
        """Take note of a call."""
        call = words.tool_call(event.name, event.arguments)
        started = ToolCall(RUNNING, call, bounded(_lines(event.arguments), MOST_INPUT))
        self._running[event.tool_id] = started
        return started

    def finish(self, event: ToolFinished) -> ToolCall:
        """Return a call that has ended."""
        started = self._running.pop(event.tool_id, ToolCall(RUNNING, event.name))
        return ToolCall(
            FAILED if event.is_error else DONE,
            started.call,
            started.arguments,
            bounded(event.text, MOST_RESULT, event.left_out),
        )

    def break_off(self) -> dict[str, ToolCall]:
        """Return the calls that will not end any more, by their ids."""
        broken = {
            tool_id: ToolCall(FAILED, call.call, call.arguments, "The turn ended without a result.")
            for tool_id, call in self._running.items()
        }
        self._running.clear()
        return broken


def _lines(arguments: Mapping[str, Any]) -> str:
    """Write arguments for a reader: one on a line, texts of several lines below their names."""
    return "\n".join(f"{name}: {_value(value)}" for name, value in arguments.items())


def _value(value: object) -> str:
    if not isinstance(value, str):
        return json.dumps(value, default=str, ensure_ascii=False)
    return "\n" + "\n".join(f"  {line}" for line in value.split("\n")) if "\n" in value else value
