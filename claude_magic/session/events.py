"""What happens in a turn, as frozen values in the order in which it happened."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

    from claude_magic.errors import ClaudeMagicError


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the API counts them.

    Attributes
    ----------
    input_tokens
        All tokens read, those from the cache included.
    output_tokens
        Tokens written, thinking included.
    cache_read_tokens
        The part of `input_tokens` that was read from the prompt cache.
    cache_creation_tokens
        The part of `input_tokens` that was written to the prompt cache.
    thinking_tokens
        The part of `output_tokens` that was thinking.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_creation_tokens: int = 0
    thinking_tokens: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cache_read_tokens + other.cache_read_tokens,
            self.cache_creation_tokens + other.cache_creation_tokens,
            self.thinking_tokens + other.thinking_tokens,
        )


@dataclass(frozen=True, slots=True)
class RoomAwaited:
    """There are as many Claude Code processes as there may be, and all of them are at work.

    Attributes
    ----------
    max_live
        How many there may be.
    """

    max_live: int


@dataclass(frozen=True, slots=True)
class TurnStarted:
    """Claude Code took the prompt.

    Attributes
    ----------
    model
        The model that will answer.
    recovered
        Whether the process had gone away since the last turn and was resumed for this one.
    dropped_turn
        Whether the turn that was under way when it went away was left out of the conversation.
    """

    model: str
    recovered: bool = False
    dropped_turn: bool = False


@dataclass(frozen=True, slots=True)
class TextDelta:
    """A piece of the answer.

    Attributes
    ----------
    text
        The piece, as the model wrote it (Markdown).
    block
        The number of the text block within the turn, from 0; a new block starts a new paragraph.
    """

    text: str
    block: int


@dataclass(frozen=True, slots=True)
class TextWithdrawn:
    """The stream broke and the API was asked again: forget what this block said so far."""

    block: int


@dataclass(frozen=True, slots=True)
class ThinkingDelta:
    """A piece of the model's thinking."""

    text: str


@dataclass(frozen=True, slots=True)
class ThinkingFinished:
    """A block of the model's thinking is complete.

    Attributes
    ----------
    text
        The whole block; empty where the API keeps it to itself.
    signature
        By which the API knows the block again.
    """

    text: str
    signature: str


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """A piece of a call of one of the caller's tools.

    Attributes
    ----------
    call
        The number of the call within the turn, from 0.
    tool_id
        By which the result is matched with the call.
    name
        The tool.
    arguments_json
        A piece of its arguments; empty in the first delta of a call.
    """

    call: int
    tool_id: str
    name: str
    arguments_json: str


@dataclass(frozen=True, slots=True)
class ToolCalled:
    """Claude asked for one of the caller's tools; the turn ends with it.

    Attributes
    ----------
    call
        The number of the call within the turn, from 0.
    tool_id
        By which the result is matched with the call.
    name
        The tool.
    arguments
        What it is to be called with.
    """

    call: int
    tool_id: str
    name: str
    arguments: Mapping[str, Any] = field(hash=False)


@dataclass(frozen=True, slots=True)
class ToolCallWithdrawn:
    """The stream broke and the API was asked again: forget this call."""

    call: int


@dataclass(frozen=True, slots=True)
class ToolStarted:
    """Claude asked for a tool.

    Attributes
    ----------
    tool_id
        Matches the call with its `ToolFinished`.
    name
        The tool, such as ``"Read"``.
    arguments
        What it is called with.
    """

    tool_id: str
    name: str
    arguments: Mapping[str, Any] = field(hash=False)


@dataclass(frozen=True, slots=True)
class ToolFinished:
    """A tool ended.

    Attributes
    ----------
    tool_id
        The call that it belongs to.
    name
        The tool.
    is_error
        Whether it failed or was denied.
    text
        The text of its result, bounded; an image in it is ``[image]``.
    left_out
        How much of the result was left out at its end, in characters.
    """

    tool_id: str
    name: str
    is_error: bool
    text: str
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class PermissionAsked:
    """A tool needs consent, and whoever decides for the session does not answer at once.

    Attributes
    ----------
    name
        The tool.
    arguments
        What it would be called with.
    """

    name: str
    arguments: Mapping[str, Any] = field(hash=False)


@dataclass(frozen=True, slots=True)
class PermissionDenied:
    """A tool that needs consent was not run.

    Attributes
    ----------
    name
        The tool.
    arguments
        What it would have been called with.
    reason
        What Claude is told of it.
    asked
        Whether somebody was asked, rather than nobody being there.
    """

    name: str
    arguments: Mapping[str, Any] = field(hash=False)
    reason: str = ""
    asked: bool = False


@dataclass(frozen=True, slots=True)
class BackgroundReply:
    """What Claude said between prompts, when work that it had put in the background ended.

    It answers no prompt. Where none was being answered at the time, the next turn has it as its
    first event.

    Attributes
    ----------
    text
        What it said, in Markdown; empty if it only took note.
    cause
        What ended, as Claude Code says it; empty if it does not.
    """

    text: str
    cause: str = ""


@dataclass(frozen=True, slots=True)
class RetryScheduled:
    """The API failed in a way that may pass; Claude Code will ask again.

    Attributes
    ----------
    attempt, max_attempts
        Which retry this is, from 1, and how many there may be.
    delay_s
        How long it waits first, in seconds.
    status
        The HTTP status, or None where no answer came.
    """

    attempt: int
    max_attempts: int
    delay_s: float
    status: int | None = None


@dataclass(frozen=True, slots=True)
class TurnFinished:
    """The answer is complete.

    Attributes
    ----------
    text
        The whole answer: its text blocks, with an empty line between them.
    usage
        Tokens of this turn.
    cost_usd
        What Claude Code says that this turn cost, in US dollars.
    elapsed_s
        From sending the prompt to the last event, in seconds.
    model
        The model that answered.
    session_id
        The conversation.
    stop_reason
        Why the model stopped, such as ``"end_turn"``.
    recovered
        Whether the process had to be resumed for this turn.
    dropped_turn
        Whether a turn that was cut off before was left out of the conversation by that.
    calls
        The calls of the caller's tools that it ended with.
    thinking
        The model's thinking before the end of the answer, block by block.
    structured
        The value that meets the schema, where one was asked for.
    store_behind
        What of the conversation its store lacks, and since when; empty if nothing.
    unwritten
        Why the transcript does not hold this turn, told with the first such turn; else empty.
    lost
        Earlier turns that are not in the conversation any more, because the transcript does not
        hold them, by their titles; the title is empty where it is not known.
    """

    text: str
    usage: Usage
    cost_usd: float
    elapsed_s: float
    model: str
    session_id: str
    stop_reason: str | None = None
    recovered: bool = False
    dropped_turn: bool = False
    calls: tuple[ToolCalled, ...] = ()
    thinking: tuple[ThinkingFinished, ...] = ()
    structured: Any = field(default=None, hash=False)
    store_behind: str = ""
    unwritten: str = ""
    lost: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TurnFailed:
    """The turn ended without a complete answer.

    Attributes
    ----------
    error
        Why; iterating over the turn raises it.
    """

    error: ClaudeMagicError


Event: TypeAlias = (
    RoomAwaited
    | TurnStarted
    | TextDelta
    | TextWithdrawn
    | ThinkingDelta
    | ThinkingFinished
    | ToolCallDelta
    | ToolCalled
    | ToolCallWithdrawn
    | ToolStarted
    | ToolFinished
    | PermissionAsked
    | PermissionDenied
    | BackgroundReply
    | RetryScheduled
    | TurnFinished
    | TurnFailed
)
