"""LangChain's messages in the words of a session."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    ChatMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)

from claude_magic.errors import UsageError
from claude_magic.session import Told
from claude_magic.well_formed import well_formed, well_formed_json

from .blocks import blocks_of
from .calls import HistoryCalls

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from claude_magic.session import Prompt


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
    prompt: Prompt


def exchange(messages: Sequence[BaseMessage]) -> Exchange:
    """Read a list of messages as a conversation whose last word is to be answered.

    Raises
    ------
    UsageError
        If the last message is not a person's or a tool's, the roles make no conversation, or a
        message holds something that cannot be sent faithfully.
    """
    system: list[str] = []
    said: list[Told] = []
    calls = HistoryCalls()
    for message in messages:
        if isinstance(message, SystemMessage):
            if said:
                raise UsageError("A system message must come before the conversation, not in it.")
            system.append(str(message.text))
        elif isinstance(message, ToolMessage):
            _add_result(said, message, calls)
        else:
            said.append(told(message, calls))
    if not said or said[-1].role != "user":
        raise UsageError(
            "The last message must be a human one, or a tool's: it is what Claude answers.",
        )
    if said[0].role != "user":
        raise UsageError("The first message after the system message must be a human one.")
    *history, prompt = said
    return Exchange("\n\n".join(system) or None, tuple(history), prompt.content)


def told(message: BaseMessage, calls: HistoryCalls | None = None) -> Told:
    """Return what a message says.

    Parameters
    ----------
    message
        A human or AI message.
    calls
        The tool calls of the messages before it; None if there are none.

    Raises
    ------
    UsageError
        If it holds something that cannot be sent faithfully.
    """
    role = _role(message)
    calls = calls or HistoryCalls()
    if isinstance(message, AIMessage):
        content: Prompt = well_formed_json(_answer(message, calls))
        model = message.response_metadata.get("model_name")
        return Told(role, content, model if isinstance(model, str) else None)
    if isinstance(message.content, str):
        return Told(role, well_formed(message.content))
    blocks = blocks_of(message.content)
    for block in blocks:
        if block["type"] == "tool_result":
            block["tool_use_id"] = calls.result_id(str(block.get("tool_use_id") or ""))
    return Told(role, well_formed_json(_plain(blocks)))


def _role(message: BaseMessage) -> Literal["user", "assistant"]:
    if isinstance(message, AIMessage):
        return "assistant"
    if isinstance(message, HumanMessage):
        return "user"
    if isinstance(message, ChatMessage) and message.role in {"user", "assistant"}:
        return "user" if message.role == "user" else "assistant"
    raise UsageError(
        f"A message of type {message.type!r} cannot be sent; Claude knows system, human, AI and "
        "tool messages.",
    )


def _plain(blocks: list[dict[str, Any]]) -> Prompt:
    """Return a text where the blocks are no more than that, so that equal contents are equal."""
    if len(blocks) == 1 and set(blocks[0]) == {"type", "text"}:
        return str(blocks[0]["text"])
    return blocks


def _answer(message: AIMessage, history: HistoryCalls) -> Prompt:
    """Return the model's text, thinking and calls, each call once and where it stands."""
    if message.invalid_tool_calls:
        raise UsageError("The messages hold a tool call that is not valid JSON; leave it out.")
    calls = list(message.tool_calls)
    blocks: list[dict[str, Any]] = []
    content = [message.content] if isinstance(message.content, str) else message.content
    for block in content:
        kind = block.get("type") if isinstance(block, dict) else None
        if kind in {"tool_use", "tool_call", "input_json_delta", "tool_call_chunk"}:
            placed = str(block.get("id") or "") if isinstance(block, dict) else ""
            call = next((each for each in calls if str(each["id"] or "") == placed), None)
            if call is not None:
                calls = [each for each in calls if each is not call]
                blocks.append(history.call(call))
        elif kind == "reasoning":
            blocks += _reasoning(block)  # type: ignore[arg-type]
        else:
            blocks += blocks_of([block])
    blocks += [history.call(call) for call in calls]
    for block in blocks:
        if block["type"] == "text":  # the API takes no such end of an answer
            block["text"] = block["text"].rstrip()
    return _plain([block for block in blocks if block.get("text") != ""])


def _reasoning(block: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return signed thinking; what is not signed the API would not take back."""
    signature = block.get("extras", {}).get("signature")
    if not signature:
        return []
    return [{"type": "thinking", "thinking": block.get("reasoning", ""), "signature": signature}]


def _add_result(said: list[Told], message: ToolMessage, calls: HistoryCalls) -> None:
    """Add a tool's result; all results of one answer belong into one message, before any text."""
    result: dict[str, Any] = {
        "type": "tool_result",
        "tool_use_id": calls.result_id(message.tool_call_id),
        "content": _plain(blocks_of(message.content)) or "",
    }
    if message.status == "error":
        result["is_error"] = True
    result = well_formed_json(result)
    if said and said[-1].role == "user" and not isinstance(said[-1].content, str):
        said[-1] = Told("user", [*said[-1].content, result])
    else:
        said.append(Told("user", [result]))
