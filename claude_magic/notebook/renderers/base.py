"""What the pump needs of a renderer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from claude_magic.session import Event


class Renderer(Protocol):
    """Shows the events of one turn in its cell. Main thread only."""

    def show(self, event: Event) -> None:
        """Take one event; the last one is a `TurnFinished` or a `TurnFailed`."""

    @property
    def due_s(self) -> float | None:
        """How long until `refresh` is wanted, in seconds; None while nothing waits to be shown."""

    def refresh(self) -> None:
        """Show what has been waiting."""

    def make_way(self, remark: str) -> None:
        """Let what others display stand below all so far, with a remark above it."""
