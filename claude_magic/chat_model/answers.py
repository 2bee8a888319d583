"""A turn's events in LangChain's words: messages, chunks, usage, metadata."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.messages.ai import InputTokenDetails, OutputTokenDetails, UsageMetadata
from langchain_core.messages.tool import tool_call, tool_call_chunk
from langchain_core.outputs import ChatGenerationChunk

from claude_magic.errors import ConnectionLostError
from claude_magic.session import (
    TextDelta,
    TextWithdrawn,
    ThinkingDelta,
    ThinkingFinished,
    ToolCallDelta,
    ToolCallWithdrawn,
    TurnFinished,
)

if TYPE_CHECKING:
    from claude_magic.session import Event, Usage


def answer_of(finished: TurnFinished) -> AIMessage:
    """Return a whole answer as a message: a text, or blocks where it is more than that."""
    text = _text_of(finished)
    blocks: list[str | dict[Any, Any]] = [
        {"type": "thinking", "thinking": block.text, "signature": block.signature}
        for block in finished.thinking
    ]
    if text:
        blocks.append({"type": "text", "text": text})
    for call in finished.calls:
        arguments = dict(call.arguments)
        blocks.append(
            {"type": "tool_use", "id": call.tool_id, "name": call.name, "input": arguments},
        )
    return AIMessage(
        content=blocks if finished.thinking or finished.calls else text,
        tool_calls=[
            tool_call(name=call.name, args=dict(call.arguments), id=call.tool_id)
            for call in finished.calls
        ],
        usage_metadata=usage_of(finished.usage),
        response_metadata=metadata_of(finished),
    )


def _text_of(finished: TurnFinished) -> str:
    """Return the text, which is the value's JSON where one was asked for."""
    if finished.structured is not None:
        return json.dumps(finished.structured, ensure_ascii=False)
    return finished.text


class ChunkStream:
    """Turns the events of one turn into the chunks of one stream.

    An answer that may hold more than text is streamed in blocks; the chunks of one block bear one
    index, by which LangChain puts them together again.

    Parameters
    ----------
    in_blocks
        Whether text comes in blocks from the beginning on: where tools may be called.
    """

    def __init__(self, *, in_blocks: bool) -> None:
        self._in_blocks = in_blocks
        self._text = ""
        self._indexes: dict[tuple[str, int], int] = {}
        self._thought = 0

    def chunk(self, event: Event) -> ChatGenerationChunk | None:
        """Return what an event adds to the stream, or None.

        Raises
        ------
        ConnectionLostError
            If what was passed on already is withdrawn: a stream of chunks cannot take it back.
        """
        match event:
            case TextDelta():
                return self._say(event)
            case TextWithdrawn() | ToolCallWithdrawn():
                raise ConnectionLostError("the API's stream broke and began anew", self._text)
            case ThinkingDelta():
                return self._think(thinking=event.text)
            case ThinkingFinished():
                chunk = self._think(signature=event.signature)
                self._thought += 1
                return chunk
            case ToolCallDelta():
                return self._call(event)
            case TurnFinished():
                return self._end(event)
            case _:
                return None

    def _index(self, kind: str, number: int) -> tuple[int, bool]:
        """Return a block's index, and whether it begins with this."""
        begins = (kind, number) not in self._indexes
        return self._indexes.setdefault((kind, number), len(self._indexes)), begins

    def _say(self, event: TextDelta) -> ChatGenerationChunk:
        index, begins = self._index("text", event.block)
        # The blocks of an answer are parted as they are in its text.
        text = f"\n\n{event.text}" if begins and self._text else event.text
        self._text += text
        if not self._in_blocks:
            return _chunk(content=text)
        return _chunk(content=[{"type": "text", "text": text, "index": index}])

    def _think(self, **piece: str) -> ChatGenerationChunk:
        self._in_blocks = True
        index, _ = self._index("thinking", self._thought)
        return _chunk(content=[{"type": "thinking", "index": index, **piece}])

    def _call(self, event: ToolCallDelta) -> ChatGenerationChunk:
        index, begins = self._index("call", event.call)
        block: dict[str, Any] = {"type": "input_json_delta", "partial_json": event.arguments_json}
        if begins:
            block = {"type": "tool_use", "id": event.tool_id, "name": event.name, "input": {}}
        piece = tool_call_chunk(
            name=event.name if begins else None,
            args=event.arguments_json,
            id=event.tool_id if begins else None,
            index=index,
        )
        return _chunk(content=[{**block, "index": index}], tool_call_chunks=[piece])

    def _end(self, finished: TurnFinished) -> ChatGenerationChunk:
        content: Any = [] if self._in_blocks else ""
        if finished.structured is not None:
            content = _text_of(finished)
        return _chunk(
            content=content,
            usage_metadata=usage_of(finished.usage),
            response_metadata=metadata_of(finished),
            chunk_position="last",
        )


#: By it LangChain knows how to read the blocks of a message, and of every chunk.
_PROVIDER = {"model_provider": "anthropic"}


def _chunk(response_metadata: dict[str, Any] = _PROVIDER, **fields: Any) -> ChatGenerationChunk:
    message = AIMessageChunk(response_metadata=dict(response_metadata), **fields)
    return ChatGenerationChunk(message=message)


def metadata_of(finished: TurnFinished) -> dict[str, Any]:
    """Return what LangChain keeps of a response beside its text; the cost is this turn's alone."""
    return {
        **_PROVIDER,
        "model_name": finished.model,
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
