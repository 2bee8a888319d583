"""The lines of a turn's tool calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import words

if TYPE_CHECKING:
    from claude_magic.session import ToolFinished, ToolStarted


class ToolLines:
    """Remembers what tools were called with until they end."""

    def __init__(self) -> None:
        self._calls: dict[str, str] = {}

    def start(self, event: ToolStarted) -> None:
        """Take note of a call."""
        self._calls[event.tool_id] = words.tool_call(event.name, event.arguments)

    def finish(self, event: ToolFinished) -> tuple[str, str]:
        """Return a mark that says how a call ended, and the call."""
        return "✗" if event.is_error else "✓", self._calls.pop(event.tool_id, event.name)
