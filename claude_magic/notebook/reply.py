"""An answer as a value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .renderers import gate

if TYPE_CHECKING:
    from claude_magic.session import TurnFinished, Usage


@dataclass(frozen=True)
class Reply:
    """What ``-o name`` keeps of a turn; `str` gives its text, and a notebook shows it as Markdown.

    Attributes
    ----------
    text
        The whole answer, in Markdown.
    model
        The model that answered.
    session_id
        The conversation that it belongs to.
    usage
        Tokens of the turn.
    cost_usd
        What Claude Code says that the turn cost, in US dollars.
    elapsed_s
        How long it took, in seconds.
    """

    text: str
    model: str
    session_id: str
    usage: Usage
    cost_usd: float
    elapsed_s: float

    @classmethod
    def of(cls, finished: TurnFinished) -> Reply:
        """Make the reply of a finished turn."""
        return cls(
            finished.text,
            finished.model,
            finished.session_id,
            finished.usage,
            finished.cost_usd,
            finished.elapsed_s,
        )

    def __str__(self) -> str:
        return self.text

    def _repr_markdown_(self) -> str:
        return gate.markdown(self.text)
