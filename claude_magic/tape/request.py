"""A request to the Messages API, read as the conversation that a person sees."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from typing_extensions import Self

# Claude Code and claude-magic add these to what a user wrote; the user never sees them.
_OPENED = re.compile(r"<(system-reminder|notebook-context)>")
_INTERRUPTED = re.compile(r"\[Request interrupted by user[^\[\]\n]{0,200}\]")


@dataclass(frozen=True, slots=True)
class VisibleTurn:
    """What one side said, as the other side sees it.

    Attributes
    ----------
    role
        Who said it.
    texts
        What was said: the message's text blocks. A prompt that was never answered, because the API
        failed or the reader stopped it, comes as a block before the prompt after it.
    """

    role: Literal["user", "assistant"]
    texts: tuple[str, ...]

    @property
    def text(self) -> str:
        """What was said, as one text with an empty line between the blocks."""
        return "\n\n".join(self.texts)


class ToolResult(NamedTuple):
    """What a tool gave back.

    Attributes
    ----------
    tool_use_id
        The call that it answers.
    text
        The text of the result, without what Claude Code added, and with a word such as
        ``«image/png»`` in the place of a picture.
    is_error
        Whether the tool failed or was denied.
    """

    tool_use_id: str
    text: str
    is_error: bool


class ToolCall(NamedTuple):
    """A tool that the model has called.

    Attributes
    ----------
    name
        The tool.
    input
        Its arguments.
    result
        What it gave back; None as long as it gave back nothing.
    """

    name: str
    input: Mapping[str, Any]
    result: ToolResult | None


@dataclass(frozen=True)
class MessagesRequest:
    """One request to the Messages API. Immutable; any thread may read it.

    Attributes
    ----------
    body
        The request's JSON.
    headers
        The HTTP headers, names in lower case.
    """

    body: Mapping[str, Any] = field(repr=False, hash=False)
    headers: Mapping[str, str] = field(repr=False, hash=False)

    @classmethod
    def from_http(cls, body: object, headers: Mapping[str, str]) -> Self:
        """Read a request as it came over HTTP.

        Raises
        ------
        ValueError
            If the body is not a Messages API request. The text says what is missing.
        """
        messages = body.get("messages") if isinstance(body, dict) else None
        if not isinstance(body, dict) or not isinstance(messages, list) or not messages:
            raise ValueError("messages: must be a list with at least one message")
        for number, message in enumerate(messages):
            known = isinstance(message, dict) and isinstance(message.get("role"), str)
            if not known or not isinstance(message.get("content"), str | list):
                raise ValueError(
                    f"messages.{number}: must be an object with a role and a content,"
                    " which is a text or a list of blocks",
                )
        return cls(body, {name.lower(): value for name, value in headers.items()})

    @property
    def model(self) -> str:
        """The model that is asked."""
        return str(self.body.get("model", ""))

    @property
    def stream(self) -> bool:
        """Whether the answer shall come as server-sent events."""
        return self.body.get("stream") is True

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The messages as they were sent, what Claude Code added included."""
        return list(self.body["messages"])

    @property
    def system(self) -> str:
        """The system prompt's text."""
        return "\n\n".join(_texts(self.body.get("system") or ""))

    @property
    def tools(self) -> tuple[str, ...]:
        """The names of the tools that the model may use."""
        return tuple(str(tool.get("name", "")) for tool in self.body.get("tools") or ())

    @property
    def session_id(self) -> str | None:
        """The conversation's id as Claude Code knows it, if Claude Code sent the request."""
        return self.headers.get("x-claude-code-session-id")

    @cached_property
    def visible_turns(self) -> tuple[VisibleTurn, ...]:
        """The conversation as a person sees it, oldest turn first.

        Without what Claude Code adds for the model: system messages, reminders, notes about
        interruptions, tool calls and their results.
        """
        turns: list[VisibleTurn] = []
        for message in self.body["messages"]:
            role, texts = message["role"], _visible_texts(message["content"])
            if texts and role in ("user", "assistant"):
                turns.append(VisibleTurn(role, texts))
        return tuple(turns)

    @property
    def prompt(self) -> str:
        """What the person said last; empty if nothing in the request is theirs."""
        for turn in reversed(self.visible_turns):
            if turn.role == "user":
                return turn.text
        return ""

    @property
    def tool_results(self) -> tuple[ToolResult, ...]:
        """The tool results in the last user message."""
        for message in reversed(self.body["messages"]):
            if message["role"] == "user":
                return tuple(_tool_results(message["content"]))
        return ()

    @cached_property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The tools that the model has called since the person last said something, in order."""
        calls: list[tuple[str, str, Mapping[str, Any]]] = []
        results: dict[str, ToolResult] = {}
        for message in self.body["messages"]:
            content = message["content"]
            if message["role"] == "assistant":
                calls.extend(_tool_calls(content))
            elif message["role"] == "user" and _visible_texts(content):
                calls.clear()
            elif message["role"] == "user":
                results.update((result.tool_use_id, result) for result in _tool_results(content))
        return tuple(ToolCall(name, given, results.get(key)) for key, name, given in calls)

    @property
    def prompts(self) -> tuple[tuple[str, ...], ...]:
        """What the person said before each of the model's answers, and last.

        More than one text in a row means that all but the last got no answer, or that one prompt
        was sent in several blocks.
        """
        groups: list[tuple[str, ...]] = []
        said: tuple[str, ...] = ()
        for turn in self.visible_turns:
            if turn.role == "user":
                said += turn.texts
            elif said:
                groups.append(said)
                said = ()
        return (*groups, said) if said else tuple(groups)

    @property
    def tool_result_count(self) -> int:
        """How many tool results came since the person last said something."""
        count = 0
        for message in self.body["messages"]:
            if message["role"] == "user":
                spoke = bool(_visible_texts(message["content"]))
                count = 0 if spoke else count + len(list(_tool_results(message["content"])))
        return count


def _without_added(text: str) -> str:
    """Return a text without what was added to it, in linear time: no search begins anew."""
    kept = []
    done = at = 0
    closings: dict[str, int] = {}
    while opened := _OPENED.search(text, at):
        closing = f"</{opened[1]}>"
        end = closings.get(closing, 0)
        if 0 <= end < opened.end():
            end = closings[closing] = text.find(closing, opened.end())
        if end < 0:  # never closed: it is the user's own text
            at = opened.end()
            continue
        kept.append(text[done : opened.start()])
        done = at = end + len(closing)
    return _INTERRUPTED.sub("", "".join([*kept, text[done:]]))


def _visible_texts(content: str | list[Any]) -> tuple[str, ...]:
    seen = (_without_added(text).strip() for text in _texts(content))
    return tuple(text for text in seen if text)


def _texts(content: str | list[Any]) -> Iterator[str]:
    if isinstance(content, str):
        yield content
        return
    for block in content:
        if isinstance(block, dict) and block.get("type") == "text":
            yield str(block.get("text", ""))


def _told(content: str | list[Any]) -> Iterator[str]:
    """Yield what a tool gave back, with a word in the place of each picture."""
    if isinstance(content, str):
        yield content
        return
    for block in content:
        if isinstance(block, dict) and block.get("type") == "image":
            source = block.get("source")
            kind = source.get("media_type") if isinstance(source, dict) else None
            yield f"«{kind or 'image'}»"
        else:
            yield from _texts([block])


def _tool_calls(content: str | list[Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for block in content if isinstance(content, list) else ():
        if isinstance(block, dict) and block.get("type") == "tool_use":
            given = block.get("input")
            yield (
                str(block.get("id", "")),
                str(block.get("name", "")),
                given if isinstance(given, dict) else {},
            )


def _tool_results(content: str | list[Any]) -> Iterator[ToolResult]:
    if isinstance(content, str):
        return
    for block in content:
        if isinstance(block, dict) and block.get("type") == "tool_result":
            yield ToolResult(
                str(block.get("tool_use_id", "")),
                _without_added("\n\n".join(_told(block.get("content") or ""))).strip("\n"),
                block.get("is_error") is True,
            )
