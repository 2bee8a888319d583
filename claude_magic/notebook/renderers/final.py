"""The renderer for nbclient, nbval and papermill: each output once, in its final form.

They compare an output's first version with the stored last one, and nobody watches it grow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from IPython.display import display

from claude_magic.session import (
    PermissionDenied,
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


class FinalRenderer:
    """Shows a turn's outputs when they are complete, and nothing that differs from run to run.

    Parameters
    ----------
    label
        What stands behind the API where it is not Claude.
    """

    def __init__(self, label: str | None) -> None:
        self._label = label
        self._texts: dict[int, str] = {}
        self._tools: dict[str, str] = {}

    def show(self, event: Event) -> None:
        """Take one event."""
        match event:
            case TextDelta():
                self._texts[event.block] = self._texts.get(event.block, "") + event.text
            case TextWithdrawn():
                self._texts.pop(event.block, None)
            case ToolStarted():
                self.refresh()
                self._tools[event.tool_id] = words.tool_call(event.name, event.arguments)
            case ToolFinished():
                line = words.code_span(self._tools.pop(event.tool_id, event.name))
                _publish(words.text_bundle(f"{'✗' if event.is_error else '✓'} {line}"))
            case PermissionDenied():
                line = words.code_span(words.tool_call(event.name, event.arguments))
                told = f"Not allowed, because nobody could be asked: {line}"
                _publish(words.text_bundle(told))
            case TurnFinished() | TurnFailed():
                self.refresh()
                if self._label:
                    _publish(words.aside_bundle(self._label))

    @property
    def due_s(self) -> float | None:
        """Nothing ever waits to be shown in between."""
        return None

    def refresh(self) -> None:
        """Show the text blocks that are complete."""
        for block in sorted(self._texts):
            if self._texts[block]:
                _publish(words.text_bundle(self._texts[block]))
        self._texts.clear()


def _publish(bundle: dict[str, str]) -> None:
    display(bundle, raw=True)
