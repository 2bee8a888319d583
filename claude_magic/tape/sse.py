"""A reply in the two shapes of the Messages API: server-sent events, and one JSON message."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from .reply import OtherBlock, Pause, Text, Thinking, ToolUse

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .reply import Block, Control, Reply, Step, Usage
    from .request import MessagesRequest

# A word with the white space after it; white space at the very start is a chunk of its own.
_WORD = re.compile(r"\S+\s*|\s+")
_JSON_PIECE = re.compile(r".{1,32}", re.DOTALL)


def event_stream(reply: Reply, request: MessagesRequest) -> Iterator[bytes | Control]:
    """Yield the reply's events, each ready to send, with the control steps in their places."""
    usage = reply.usage_for(request)
    message = _message(request, content=[], stop_reason=None, usage=usage)
    message["usage"]["output_tokens"] = 1
    yield _event("message_start", message=message)
    pause = Pause(1 / reply.words_per_second) if reply.words_per_second else None
    index = -1
    for step, goes_on in _continuations(reply.steps):
        if not isinstance(step, Text | Thinking | ToolUse | OtherBlock):
            yield step
            continue
        if not goes_on:
            if index >= 0:
                yield _event("content_block_stop", index=index)
            index += 1
            yield _event("content_block_start", index=index, content_block=_opening(step))
        for number, delta in enumerate(_deltas(step)):
            if pause is not None and isinstance(step, Text) and (number or goes_on):
                yield pause
            yield _event("content_block_delta", index=index, delta=delta)
    if index >= 0:
        yield _event("content_block_stop", index=index)
    yield _event(
        "message_delta",
        delta={"stop_reason": reply.stopped_because(), "stop_sequence": None},
        usage={"output_tokens": usage.output_tokens},
    )
    yield _event("message_stop")


def whole_message(reply: Reply, request: MessagesRequest) -> dict[str, Any]:
    """Return the reply as the one JSON message that a request without ``stream`` gets."""
    content: list[dict[str, Any]] = []
    for step, goes_on in _continuations(reply.steps):
        if isinstance(step, Text):
            if goes_on:
                content[-1]["text"] += step.text
            else:
                content.append({"type": "text", "text": step.text})
        elif isinstance(step, Thinking):
            content.append(
                {"type": "thinking", "thinking": step.text, "signature": step.signature},
            )
        elif isinstance(step, ToolUse):
            content.append({**_opening(step), "input": dict(step.input)})
        elif isinstance(step, OtherBlock):
            content.append(dict(step.content))
    return _message(
        request,
        content=content,
        stop_reason=reply.stopped_because(),
        usage=reply.usage_for(request),
    )


def _continuations(steps: Sequence[Step]) -> Iterator[tuple[Step, bool]]:
    """Yield each step, and whether it goes on with the text block that is open before it."""
    block: Step | None = None
    before: Step | None = None
    for step in steps:
        yield step, isinstance(step, Text) and isinstance(block, Text) and before is not block
        if isinstance(step, Text | Thinking | ToolUse | OtherBlock):
            block = step
        before = step


def _message(
    request: MessagesRequest,
    *,
    content: list[dict[str, Any]],
    stop_reason: str | None,
    usage: Usage,
) -> dict[str, Any]:
    return {
        # Unique, because Claude Code merges assistant messages of one id when it resumes.
        "id": _new_id("msg"),
        "type": "message",
        "role": "assistant",
        "model": request.model,
        "content": content,
        "stop_reason": stop_reason,
        "stop_sequence": None,
        "usage": {
            "input_tokens": usage.input_tokens,
            "cache_creation_input_tokens": usage.cache_creation_input_tokens,
            "cache_read_input_tokens": usage.cache_read_input_tokens,
            "output_tokens": usage.output_tokens,
        },
    }


def _opening(block: Block) -> dict[str, Any]:
    if isinstance(block, Text):
        return {"type": "text", "text": ""}
    if isinstance(block, Thinking):
        return {"type": "thinking", "thinking": "", "signature": ""}
    if isinstance(block, OtherBlock):
        # The API streams what a block is called with, and nothing else of these kinds.
        return {**block.content, **({"input": {}} if "input" in block.content else {})}
    tool_id = block.id or _new_id("toolu")
    return {"type": "tool_use", "id": tool_id, "name": block.name, "input": {}}


def _deltas(block: Block) -> Iterator[dict[str, str]]:
    if isinstance(block, Text):
        chunks = _WORD.findall(block.text) if block.chunks is None else block.chunks
        for chunk in chunks:
            yield {"type": "text_delta", "text": chunk}
    elif isinstance(block, Thinking):
        for chunk in _WORD.findall(block.text):
            yield {"type": "thinking_delta", "thinking": chunk}
        yield {"type": "signature_delta", "signature": block.signature}
    else:
        called_with = block.content.get("input") if isinstance(block, OtherBlock) else block.input
        if called_with is not None:
            for piece in _JSON_PIECE.findall(json.dumps(dict(called_with))):
                yield {"type": "input_json_delta", "partial_json": piece}


def _event(kind: str, **fields: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode()


def _new_id(prefix: str) -> str:
    return f"{prefix}_{uuid4().hex}"
