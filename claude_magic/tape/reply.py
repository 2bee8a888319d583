"""What the far end of the Messages API answers, as frozen values."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

    from typing_extensions import Self

    from .request import MessagesRequest

#: What thoughts of a tape are signed with; the API would not take them back.
TAPE_SIGNATURE = "c2NyaXB0ZWQ="

#: The rule of thumb by which tokens are estimated.
_CHARACTERS_PER_TOKEN = 4


class Gate(Protocol):
    """Something that opens once, such as a `threading.Event`."""

    def is_set(self) -> bool:
        """Return whether it is open."""
        ...


@dataclass(frozen=True, slots=True)
class Text:
    """A text block.

    Parameters
    ----------
    text
        The text (Markdown).
    chunks
        The pieces in which it is streamed; words if not given.

    Raises
    ------
    ValueError
        If the chunks do not add up to the text.
    """

    text: str
    chunks: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if self.chunks is not None and "".join(self.chunks) != self.text:
            raise ValueError(f"chunks={self.chunks!r}: must add up to the text {self.text!r}")


@dataclass(frozen=True, slots=True)
class Thinking:
    """A thinking block.

    Parameters
    ----------
    text
        The thoughts.
    signature
        What the API signs them with; the client only sends it back.
    """

    text: str
    signature: str = TAPE_SIGNATURE


@dataclass(frozen=True, slots=True)
class ToolOutcome:
    """What a tool gave back when the tape was recorded.

    Attributes
    ----------
    text
        Its text, with names in the place of what differs from run to run.
    is_error
        Whether it failed or was denied.
    """

    text: str
    is_error: bool = False


@dataclass(frozen=True, slots=True)
class ToolUse:
    """A call of a tool, which ends the reply: the client answers with the tool's result.

    Parameters
    ----------
    name
        The tool, such as ``"Read"``.
    input
        Its arguments.
    id
        The call's id; a new one each time if not given.
    outcome
        What it gave back when it was recorded, for comparison; None if nobody knows.
    """

    name: str
    input: Mapping[str, Any] = field(default_factory=dict, hash=False)
    id: str | None = None
    outcome: ToolOutcome | None = None


@dataclass(frozen=True, slots=True)
class OtherBlock:
    """A block of a kind that means nothing here, such as a search that the API made itself.

    Parameters
    ----------
    content
        The block's JSON, sent as it is.
    """

    content: Mapping[str, Any] = field(hash=False)


@dataclass(frozen=True, slots=True)
class Hold:
    """Wait until a gate opens, the client leaves or the server stops.

    Parameters
    ----------
    gate
        What is waited for; any thread may open it.
    """

    gate: Gate


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait for a time.

    Parameters
    ----------
    seconds
        How long, from 0.
    """

    seconds: float


@dataclass(frozen=True, slots=True)
class Cut:
    """Drop the connection here: the client sees a truncated stream."""


@dataclass(frozen=True, slots=True)
class Stall:
    """Send nothing more, until the client leaves or the server stops."""


Block: TypeAlias = Text | Thinking | ToolUse | OtherBlock
Control: TypeAlias = Hold | Pause | Cut | Stall
Step: TypeAlias = Block | Control


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the API reports them: the three kinds of input exclude each other.

    Attributes
    ----------
    input_tokens
        Read, neither from nor into the prompt cache.
    output_tokens
        Written.
    cache_read_input_tokens
        Read from the prompt cache.
    cache_creation_input_tokens
        Read and written to the prompt cache.
    """

    input_tokens: int
    output_tokens: int
    cache_read_input_tokens: int = 0
    cache_creation_input_tokens: int = 0


#: Why a reply on a tape ends where its reader stopped it; the API knows no such reason.
INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class Reply:
    """One message of the model, as steps in order.

    A control step happens *inside* the block before it, and a text goes on with the text before the
    control step: ``Text("Hel"), Hold(gate), Text("lo")`` is one block that waits in its middle.
    Texts that stand side by side are blocks of their own.

    Parameters
    ----------
    steps
        What is said and done.
    stop_reason
        Why the model stops; if None, ``"tool_use"`` where a tool is called, else ``"end_turn"``.
        One that is `INTERRUPTED` plays as a whole reply.
    usage
        The tokens; estimated from the number of characters if None.
    words_per_second
        How fast the text streams, above 0, or None for as fast as the client reads.

    Raises
    ------
    ValueError
        If `words_per_second` is not above 0.
    """

    steps: tuple[Step, ...]
    stop_reason: str | None = None
    usage: Usage | None = None
    words_per_second: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "steps", tuple(self.steps))
        if self.words_per_second is not None and not self.words_per_second > 0:
            raise ValueError(f"words_per_second={self.words_per_second!r}: must be above 0 or None")

    @classmethod
    def of(cls, *steps: str | Step) -> Self:
        """Make a reply of texts and other steps."""
        return cls(tuple(Text(step) if isinstance(step, str) else step for step in steps))

    def stopped_because(self) -> str:
        """Return the stop reason that the API would give."""
        if self.stop_reason is not None and self.stop_reason != INTERRUPTED:
            return self.stop_reason
        return "tool_use" if any(isinstance(step, ToolUse) for step in self.steps) else "end_turn"

    @property
    def calls(self) -> tuple[ToolUse, ...]:
        """The tools that it calls, in order."""
        return tuple(step for step in self.steps if isinstance(step, ToolUse))

    def usage_for(self, request: MessagesRequest) -> Usage:
        """Return the usage, given or estimated for that request."""
        if self.usage is not None:
            return self.usage
        cached, fresh = input_tokens(request)
        written = 0
        for step in self.steps:
            if isinstance(step, Text | Thinking):
                written += len(step.text)
            elif isinstance(step, ToolUse):
                written += len(step.name) + len(json.dumps(dict(step.input)))
            elif isinstance(step, OtherBlock):
                written += len(json.dumps(dict(step.content)))
        return Usage(fresh, _tokens(written), cache_read_input_tokens=cached)


@dataclass(frozen=True, slots=True)
class Failure:
    """An error of the API.

    Parameters
    ----------
    status
        The HTTP status, from 400 to 599.
    kind
        The API's name for it, such as ``"rate_limit_error"``.
    message
        What went wrong.
    headers
        More HTTP headers, such as ``retry-after``.
    """

    status: int
    kind: str
    message: str
    headers: Mapping[str, str] = field(default_factory=dict, hash=False)

    def body(self) -> dict[str, Any]:
        """Return the error's JSON."""
        return {"type": "error", "error": {"type": self.kind, "message": self.message}}


def input_tokens(request: MessagesRequest) -> tuple[int, int]:
    """Estimate the tokens of a request: those that the API saw before, and those that are new.

    What stands before the model's last message was in the request that this message answered, so
    the prompt cache would have it.
    """
    messages = request.messages
    asked_before = max(
        (number for number, message in enumerate(messages) if message["role"] == "assistant"),
        default=0,
    )
    preamble = [request.body.get("system"), request.body.get("tools")] if asked_before else []
    seen = len(json.dumps(preamble + messages[:asked_before])) if asked_before else 0
    read = len(json.dumps([request.body.get("system"), request.body.get("tools"), *messages]))
    return seen // _CHARACTERS_PER_TOKEN, _tokens(read - seen)


def _tokens(characters: int) -> int:
    return max(1, characters // _CHARACTERS_PER_TOKEN)
