"""The wait for the result of one prompt."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from claude_magic.errors import (
    AuthenticationError,
    RateLimitError,
    TurnError,
    TurnInterruptedError,
    TurnTimeoutError,
)

if TYPE_CHECKING:
    from claude_magic.errors import ClaudeMagicError

    from .observations import Result
    from .turn import Turn


@dataclass(eq=False)
class Asking:
    """The wait for the result of one prompt that Claude Code was sent. Loop thread only.

    Attributes
    ----------
    turn
        The turn that it belongs to.
    wanted
        Whether it is the turn's own prompt, which is to be answered; else it is only told.
    recovered, dropped_turn
        What the turn is told of the way here.
    prompt_id
        The id under which it was sent.
    outcome
        The result, or why there is none.
    began
        Set when Claude Code has set out on it; before that an interrupt finds nothing to stop.
    answering
        Whether what is being said belongs to this prompt.
    deadline_s
        The deadline that it was stopped at, in seconds.
    limited
        Whether it was stopped at the length that an answer may have.
    refused
        The HTTP status that the credential was refused with.
    waited_s
        How long Claude Code waited before it asked the API the last time, in seconds.
    cost_usd
        What it cost, in US dollars.
    """

    turn: Turn
    wanted: bool = False
    recovered: bool = False
    dropped_turn: bool = False
    prompt_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    outcome: asyncio.Future[Result] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future(),
    )
    began: asyncio.Event = field(default_factory=asyncio.Event)
    answering: bool = False
    deadline_s: float | None = None
    limited: bool = False
    refused: int | None = None
    waited_s: float | None = None
    cost_usd: float = 0.0

    def __post_init__(self) -> None:
        """Take the exception where the wait ends before the prompt was sent."""
        # Otherwise asyncio logs it, and the logger prints into whichever cell runs.
        self.outcome.add_done_callback(lambda done: done.cancelled() or done.exception())

    def failure(self, error: ClaudeMagicError | None) -> ClaudeMagicError | None:
        """Say why there is no complete answer: an interrupt may have been of our own making."""
        if isinstance(error, TurnInterruptedError):
            if self.refused is not None:
                error = AuthenticationError("the credential was not accepted", self.refused)
            elif self.deadline_s is not None:
                error = TurnTimeoutError(self.deadline_s)
            else:
                error = TurnInterruptedError(self.turn.text)
        if isinstance(error, RateLimitError):
            error.retry_after_s = self.waited_s
        if isinstance(error, TurnError):
            error.partial_text = self.turn.text
        return error
