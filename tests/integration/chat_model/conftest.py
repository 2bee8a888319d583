"""A model at the far end that does what the tests of LangChain want of a model."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from claude_magic.tape import Reply, Text, ToolUse, Usage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from claude_magic.tape import MessagesRequest

#: What the model's answers take, in tokens.
USAGE = Usage(10, 7, cache_read_input_tokens=500, cache_creation_input_tokens=30)

#: The smallest PNG, as a block.
IMAGE = {
    "type": "image",
    "source": {
        "type": "base64",
        "media_type": "image/png",
        "data": (
            "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9aw"
            "AAAABJRU5ErkJggg=="
        ),
    },
}

_PREFIX = "mcp__client__"


def _value(schema: Mapping[str, Any], name: str, prompt: str) -> Any:
    """Make a value that meets a schema, with the numbers of the prompt where it has any."""
    if "anyOf" in schema:
        return _value(schema["anyOf"][0], name, prompt)
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type")
    if kind == "array":
        return [_value(schema.get("items", {}), name, prompt)]
    if kind == "object":
        properties = schema.get("properties", {})
        return {key: _value(each, key, prompt) for key, each in properties.items()}
    if kind in {"integer", "number"}:
        return int(next(iter(re.findall(r"\d+", prompt)), "3"))
    return prompt if name == "customer_name" else f"a {name}"


def _arguments(request: MessagesRequest, name: str) -> dict[str, Any]:
    (tool,) = [tool for tool in request.body["tools"] if tool["name"] == name]
    quoted = re.findall(r"'([^']*[^\x00-\x7f][^']*)'", request.prompt)
    value = _value(tool["input_schema"], name, quoted[0] if quoted else request.prompt)
    assert isinstance(value, dict)
    return value


def cooperate(request: MessagesRequest) -> Reply:
    """Call a tool where one is there to be called, else say something."""
    choice = request.body.get("tool_choice") or {}
    ours = [name for name in request.tools if name.startswith(_PREFIX)]
    if "StructuredOutput" in request.tools and not request.tool_result_count:
        return _structured(request)
    if choice.get("type") == "tool":
        return Reply.of(ToolUse(choice["name"], _arguments(request, choice["name"])))
    if ours and not request.tool_results and choice.get("type") != "none":
        return Reply.of(ToolUse(ours[0], _arguments(request, ours[0])))
    stop = request.body.get("stop_sequences") or []
    said = "one two three four five six seven"
    for sequence in stop:
        said = said.partition(sequence)[0]
    return Reply((Text(said),), usage=USAGE)


def _structured(request: MessagesRequest) -> Reply:
    value = _arguments(request, "StructuredOutput")
    if not value:  # any object: the prompt describes it
        value = {"setup": "Why?", "punchline": "Because."}
    return Reply.of(ToolUse("StructuredOutput", value))


@pytest.fixture
def cooperative(connected: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(connected, "otherwise", cooperate)
    return connected
