"""The renderer for nbclient, nbval and papermill: each output once, in its final form.

They compare an output's first version with the stored last one, and nobody watches it grow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from IPython.display import display

from claude_magic.session import (
    BackgroundReply,
    PermissionDenied,
    TextDelta,
    TextWithdrawn,
    ToolFinished,
    ToolStarted,
    TurnFailed,
    TurnFinished,
    TurnStarted,
)

from . import words
from .tools import ToolCalls

if TYPE_CHECKING:
    from claude_magic.session import Event, SessionStatus


class FinalRenderer:
    """Shows a turn's outputs when they are complete, and nothing that differs from run to run.

    Thinking and times do. Whether the session had to be recovered does, too, and is told all the
    same: whoever relies on the outputs must be able to see it.

    Parameters
    ----------
    status
        The session's, before the turn.
    """

    def __init__(self, status: SessionStatus) -> None:
        self._label = status.label
        self._texts: dict[int, str] = {}
        self._tools = ToolCalls()
        # The calls that are not shown yet, in their order, with what became of each.
        self._calls: dict[str, dict[str, str] | None] = {}
        self._recovery = ""

    def show(self, event: Event) -> None:
        """Take one event."""
        match event:
            case TurnStarted():
                self._recovery = words.recovery(event) or self._recovery
            case BackgroundReply():
                _publish(words.quote_bundle(words.background(event), event.text))
            case TextDelta():
                self._texts[event.block] = self._texts.get(event.block, "") + event.text
            case TextWithdrawn():
                self._texts.pop(event.block, None)
            case ToolStarted():
                self.refresh()
                self._tools.start(event)
                self._calls[event.tool_id] = None
            case ToolFinished():
                self._calls[event.tool_id] = self._tools.finish(event).bundle
                self._publish_calls()
            case PermissionDenied():
                call = words.code_span(words.tool_call(event.name, event.arguments))
                _publish(words.text_bundle(words.denied(event, call)))
            case TurnFinished() | TurnFailed():
                self._end()

    def _end(self) -> None:
        self.refresh()
        for tool_id, broken in self._tools.break_off().items():
            self._calls[tool_id] = broken.bundle
        self._publish_calls()
        told = " · ".join(part for part in (self._label, self._recovery) if part)
        if told:
            _publish(words.aside_bundle(told))

    @property
    def due_s(self) -> float | None:
        """Nothing ever waits to be shown in between."""
        return None

    def make_way(self, remark: str) -> None:
        """Nothing is displayed by others where nobody is there."""

    def refresh(self) -> None:
        """Show the text blocks that are complete."""
        for block in sorted(self._texts):
            if self._texts[block]:
                _publish(words.text_bundle(self._texts[block]))
        self._texts.clear()

    def _publish_calls(self) -> None:
        """Show the calls that have ended, but none before one that was started earlier."""
        for tool_id, bundle in list(self._calls.items()):
            if bundle is None:
                return
            _publish(bundle)
            del self._calls[tool_id]


def _publish(bundle: dict[str, str]) -> None:
    display(bundle, raw=True)
