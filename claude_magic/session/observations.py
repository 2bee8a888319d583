"""What is observed of a Claude Code process: the events of turns, and what lies around them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from .events import (
    RetryScheduled,
    TextDelta,
    TextWithdrawn,
    ThinkingDelta,
    ThinkingFinished,
    ToolCallDelta,
    ToolCalled,
    ToolCallWithdrawn,
    ToolFinished,
    ToolStarted,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from claude_magic.errors import ClaudeMagicError

    from .events import Usage


@dataclass(frozen=True, slots=True)
class Began:
    """Claude Code set out on a turn."""

    model: str


@dataclass(frozen=True, slots=True)
class Answering:
    """What follows belongs to the turn of these prompts (empty: of none of ours)."""

    prompts: frozenset[str]


@dataclass(frozen=True, slots=True)
class Result:
    """A turn ended.

    Attributes
    ----------
    prompts
        The prompts that it took in; empty where Claude Code started the turn by itself.
    error
        Why it has no complete answer, or None.
    usage
        Tokens of this turn.
    total_cost_usd
        Cost of the whole conversation so far, in US dollars.
    stop_reason
        Why the model stopped.
    unasked
        Whether Claude Code made the turn by itself, of the end of a background task.
    structured
        The value that meets the schema, where one was asked for.
    context_tokens
        Tokens of the last prompt of this turn; 0 where the API was not asked.
    windows_tokens
        How many tokens each model can read that was asked, by its name.
    last_message_id
        The id of the last message of the answer, as the transcript has it; None if there is none.
    """

    prompts: frozenset[str]
    error: ClaudeMagicError | None
    usage: Usage
    total_cost_usd: float
    stop_reason: str | None
    unasked: bool
    structured: Any
    context_tokens: int
    windows_tokens: Mapping[str, int]
    last_message_id: str | None = None


@dataclass(frozen=True, slots=True)
class TokensSpent:
    """The answer is as long as it may be; Claude Code would have the model go on with it."""


@dataclass(frozen=True, slots=True)
class TasksChanged:
    """So many tasks are under way in the background now."""

    running: int


@dataclass(frozen=True, slots=True)
class TaskEnded:
    """A background task ended; a turn of Claude Code's own making may follow."""

    summary: str


Observation: TypeAlias = (
    Began
    | Answering
    | Result
    | TasksChanged
    | TaskEnded
    | TokensSpent
    | TextDelta
    | TextWithdrawn
    | ThinkingDelta
    | ThinkingFinished
    | ToolCallDelta
    | ToolCalled
    | ToolCallWithdrawn
    | ToolStarted
    | ToolFinished
    | RetryScheduled
)
