"""Reads a reply of the API back into what a tape holds."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from .reply import OtherBlock, Reply, Text, Thinking, ToolUse, Usage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .reply import Block


_LINE_END = re.compile(r"\r\n|\r|\n")


def read_stream(stream: bytes) -> Reply | None:
    """Return the reply that server-sent events make up; None if it is not complete.

    Raises
    ------
    ValueError
        If it is no stream of the Messages API.
    """
    message: dict[str, Any] = {}
    content: dict[int, dict[str, Any]] = {}
    complete = False
    try:
        for event in _events(stream):
            kind = event["type"]
            if kind == "message_start":
                message = event["message"]
            elif kind == "content_block_start":
                content[event["index"]] = dict(event["content_block"])
            elif kind == "content_block_delta":
                _grow(content[event["index"]], event["delta"])
            elif kind == "message_delta":
                message = {**message, **event["delta"], "usage": _later(message, event)}
            elif kind == "message_stop":
                complete = True
            elif kind == "error":
                return None
    except (KeyError, TypeError) as error:
        raise ValueError(f"no stream of the Messages API: {error!r}") from error
    blocks = [_closed(content[index]) for index in sorted(content)]
    return read_message({**message, "content": blocks}) if complete else None


def read_message(message: dict[str, Any]) -> Reply:
    """Return the reply that a whole message is.

    Raises
    ------
    ValueError
        If it is no message of the Messages API.
    """
    try:
        steps = tuple(step for block in message["content"] for step in _block(block))
        usage = message["usage"]
        return Reply(
            steps,
            message.get("stop_reason"),
            Usage(
                int(usage.get("input_tokens") or 0),
                int(usage.get("output_tokens") or 0),
                int(usage.get("cache_read_input_tokens") or 0),
                int(usage.get("cache_creation_input_tokens") or 0),
            ),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"no message of the Messages API: {error!r}") from error


def _events(stream: bytes) -> Iterator[dict[str, Any]]:
    # Not `str.splitlines`: a text may hold U+2028 and others that end no line of a stream.
    for line in _LINE_END.split(stream.decode(errors="replace")):
        if line.startswith("data:"):
            yield json.loads(line.removeprefix("data:"))


def _later(message: dict[str, Any], event: dict[str, Any]) -> dict[str, Any]:
    """Return the usage so far: what comes later is the sum, and tells what it knows anew."""
    told = {name: count for name, count in event.get("usage", {}).items() if count is not None}
    return {**message.get("usage", {}), **told}


_GROWING = {"text_delta": "text", "thinking_delta": "thinking", "signature_delta": "signature"}


def _grow(block: dict[str, Any], delta: dict[str, Any]) -> None:
    if delta["type"] == "input_json_delta":
        block["json"] = block.get("json", "") + delta["partial_json"]
    elif delta["type"] in _GROWING:
        name = _GROWING[delta["type"]]
        block[name] = block.get(name, "") + delta[name]


def _closed(block: dict[str, Any]) -> dict[str, Any]:
    given = block.pop("json", "")
    return {**block, "input": json.loads(given)} if given else block


def _block(block: dict[str, Any]) -> Iterator[Block]:
    kind = block["type"]
    if kind == "text":
        # The API itself takes no empty ones back.
        if block["text"].strip():
            yield Text(block["text"])
    elif kind == "thinking":
        # The signature is of use to the API alone, and is long.
        if block["thinking"].strip():
            yield Thinking(block["thinking"])
    elif kind == "tool_use":
        yield ToolUse(block["name"], block["input"])
    else:
        yield OtherBlock(block)
