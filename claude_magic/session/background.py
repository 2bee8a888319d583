"""What Claude does between prompts, when work that it had put in the background ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .events import BackgroundReply, TextDelta, TextWithdrawn

if TYPE_CHECKING:
    from .events import Event


class Background:
    """Follows one process's background tasks and the turns that they start. Loop thread only.

    Claude Code makes a whole turn of a task's end, with a result of its own, which answers nobody.

    Attributes
    ----------
    running
        How many tasks are under way; they end with the process.
    """

    def __init__(self) -> None:
        self.running = 0
        self._causes: list[str] = []
        self._blocks: dict[int, str] = {}

    @property
    def busy(self) -> bool:
        """Whether a task is under way, or Claude has yet to say what it makes of one's end."""
        return bool(self.running or self._causes or self._blocks)

    def ended(self, summary: str) -> None:
        """Take note that a task ended."""
        self._causes.append(summary)

    def hear(self, event: Event) -> None:
        """Take an event that belongs to no prompt of ours."""
        match event:
            case TextDelta():
                self._blocks[event.block] = self._blocks.get(event.block, "") + event.text
            case TextWithdrawn():
                self._blocks.pop(event.block, None)

    def conclude(self) -> BackgroundReply:
        """Return what was said since the last turn ended, and forget it."""
        text = "\n\n".join(self._blocks[block] for block in sorted(self._blocks))
        reply = BackgroundReply(text, "; ".join(self._causes))
        self._causes.clear()
        self._blocks.clear()
        return reply
