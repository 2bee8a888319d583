"""LangChain's messages in the words of a session, and a turn's events in LangChain's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    ChatMessage,
    HumanMessage,
    SystemMessage,
)
from langchain_core.messages.ai import InputTokenDetails, OutputTokenDetails, UsageMetadata
from langchain_core.outputs import ChatGenerationChunk

from claude_magic.errors import ConnectionLostError, UsageError
from claude_magic.session import TextDelta, TextWithdrawn, Told, TurnFinished

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from claude_magic.session import Event, Usage


@dataclass(frozen=True)
class Exchange:
    """What one call to the model asks.

    Attributes
    ----------
    system
        The system prompt among the messages, or None.
    history
        What was said before the prompt.
    prompt
        What is to be answered.
    """

    system: str | None
    history: tuple[Told, ...]
    prompt: str


def exchange(messages: Sequence[BaseMessage]) -> Exchange:
    """Read a list of messages as a conversation whose last word is the prompt.

    Raises
    ------
    UsageError
        If the last message is not a person's, the roles make no conversation, or a message holds
        something that cannot be sent faithfully.
    """
    system: list[str] = []
    said: list[Told] = []
    for message in messages:
        if isinstance(message, SystemMessage):
            if said:
                raise UsageError("A system message must come before the conversation, not in it.")
            system.append(_text(message))
        else:
            said.append(Told(_role(message), _text(message)))
    if not said or said[-1].role != "user":
        raise UsageError("The last message must be a human one: it is what Claude answers.")
    if said[0].role != "user":
        raise UsageError("The first message after the system message must be a human one.")
    *history, prompt = said
    return Exchange("\n\n".join(system) or None, tuple(history), str(prompt.content))


def _role(message: BaseMessage) -> Any:
    if isinstance(message, AIMessage):
        if message.tool_calls or message.invalid_tool_calls:
            raise UsageError("Tool calls cannot be sent yet; leave them out of the messages.")
        return "assistant"
    if isinstance(message, HumanMessage):
        return "user"
    if isinstance(message, ChatMessage) and message.role in {"user", "assistant"}:
        return message.role
    raise UsageError(f"A message of type {message.type!r} cannot be sent yet.")


def _text(message: BaseMessage) -> str:
    if isinstance(message.content, str):
        return message.content
    for block in message.content:
        if not isinstance(block, str) and block.get("type") != "text":
            raise UsageError(
                f"A content block of type {block.get('type')!r} cannot be sent yet; only text.",
            )
    return str(message.text)


def answer_of(finished: TurnFinished) -> AIMessage:
    """Return a whole answer as a message."""
    return AIMessage(
        content=finished.text,
        usage_metadata=usage_of(finished.usage),
        response_metadata=metadata_of(finished),
    )


class ChunkStream:
    """Turns the events of one turn into the chunks of one stream."""

    def __init__(self) -> None:
        self._text = ""
        self._block: int | None = None

    def chunk(self, event: Event) -> ChatGenerationChunk | None:
        """Return what an event adds to the stream, or None.

        Raises
        ------
        ConnectionLostError
            If text that was passed on already is withdrawn: a stream of chunks cannot take it back.
        """
        match event:
            case TextDelta():
                # The blocks of an answer are parted as they are in its text.
                parted = self._block not in {None, event.block}
                self._block = event.block
                text = f"\n\n{event.text}" if parted else event.text
                self._text += text
                return ChatGenerationChunk(message=AIMessageChunk(content=text))
            case TextWithdrawn():
                raise ConnectionLostError("the API's stream broke and began anew", self._text)
            case TurnFinished():
                return ChatGenerationChunk(
                    message=AIMessageChunk(
                        content="",
                        usage_metadata=usage_of(event.usage),
                        response_metadata=metadata_of(event),
                        chunk_position="last",
                    ),
                )
            case _:
                return None


def metadata_of(finished: TurnFinished) -> dict[str, Any]:
    """Return what LangChain keeps of a response beside its text; the cost is this turn's alone."""
    return {
        "model_name": finished.model,
        "model_provider": "anthropic",
        "session_id": finished.session_id,
        "stop_reason": finished.stop_reason,
        "cost_usd": finished.cost_usd,
        "recovered": finished.recovered,
    }


def usage_of(usage: Usage) -> UsageMetadata:
    """Return tokens as LangChain counts them."""
    return UsageMetadata(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        total_tokens=usage.input_tokens + usage.output_tokens,
        input_token_details=InputTokenDetails(
            cache_read=usage.cache_read_tokens,
            cache_creation=usage.cache_creation_tokens,
        ),
        output_token_details=OutputTokenDetails(reasoning=usage.thinking_tokens),
    )
