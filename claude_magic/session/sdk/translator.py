"""Turns what the SDK says into observations, each word once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from claude_agent_sdk import (
    AssistantMessage,
    ResultMessage,
    StreamEvent,
    SystemMessage,
    TextBlock,
    ThinkingBlock,
    ToolResultBlock,
    ToolUseBlock,
    UserMessage,
)

from claude_magic.session.events import (
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
    Usage,
)
from claude_magic.session.observations import (
    Answering,
    Began,
    Result,
    TaskEnded,
    TasksChanged,
    TokensSpent,
)
from claude_magic.session.tools import own_name
from claude_magic.well_formed import well_formed

from .failures import error_of
from .request import STRUCTURED_OUTPUT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from claude_agent_sdk import Message

    from claude_magic.session.observations import Observation


_DEFERRED = "tool_deferred"

#: A turn keeps its events, so no result of a tool may weigh more, in characters.
MOST_RESULT = 10_000


@dataclass(slots=True)
class _Block:
    """A text block of the message under way.

    Attributes
    ----------
    number
        Its number within the turn.
    shown
        What was passed on of it, without `pieces`.
    heard
        What the present attempt at the message said of it, without `pieces`.
    pieces
        What came since the two are one. To put them together each time would take the longer the
        more there are.
    """

    number: int
    shown: str = ""
    heard: str = ""
    pieces: list[str] = field(default_factory=list)

    def hear(self, text: str) -> Iterator[Observation]:
        """Take what the present attempt says next."""
        if self.heard is not self.shown:
            self.heard += text
            yield from self._show(complete=False)
        elif text:
            self.pieces.append(text)
            yield TextDelta(text, self.number)

    def hear_whole(self, text: str) -> Iterator[Observation]:
        """Take all that the present attempt says."""
        self._join()
        self.heard = text
        yield from self._show(complete=True)

    def begin_again(self) -> None:
        """Wait for another attempt."""
        self._join()
        self.heard = ""

    def _join(self) -> None:
        if self.pieces:
            self.heard = self.shown = self.shown + "".join(self.pieces)
            self.pieces.clear()

    def _show(self, *, complete: bool) -> Iterator[Observation]:
        """Pass on what was heard and is not shown yet; withdraw what was not said again."""
        if self.heard.startswith(self.shown):
            rest = self.heard[len(self.shown) :]
        elif not complete and self.shown.startswith(self.heard):
            return  # this attempt is still catching up with the one before
        else:
            yield TextWithdrawn(self.number)
            rest = self.heard
        if rest:
            yield TextDelta(rest, self.number)
        self.shown = self.heard


@dataclass(slots=True)
class Translator:
    """Turns the SDK's messages into observations, each word once.

    The SDK says every block twice: as deltas while it streams and whole when it is complete. When
    a stream breaks, Claude Code asks the API again, perhaps without streaming. Blocks that were
    complete by then stand; one that was not is said anew, word for word or not, or not at all. A
    stream that broke ends with a message_stop like any other, but has no stop reason before it.
    So a block is kept until it is confirmed whole, and only what is new of it is passed on.
    """

    _message_id: str | None = None
    _blocks: dict[int, _Block] = field(default_factory=dict)
    _broken_off: list[_Block] = field(default_factory=list)
    _next_number: int = 0
    _index: int = -1
    _tools: dict[str, str] = field(default_factory=dict)
    _open_calls: dict[int, tuple[int, str, str]] = field(default_factory=dict)
    _calls: int = 0
    _context_tokens: int = 0
    _failure: AssistantMessage | None = None
    _last_message_id: str | None = None

    def translate(self, message: Message) -> Iterator[Observation]:
        """Yield what a message says."""
        if isinstance(message, SystemMessage):
            yield from self._system(message)
            prompts = message.data.get("user_message_uuids")
        else:
            prompts = getattr(message, "user_message_uuids", None)
        if prompts and not isinstance(message, ResultMessage):
            yield Answering(frozenset(prompts))
        if getattr(message, "parent_tool_use_id", None) is not None:
            return  # a subagent's own conversation
        match message:
            case StreamEvent():
                yield from self._stream(message.event)
            case AssistantMessage():
                yield from self._assistant(message)
            case UserMessage():
                yield from self._tool_results(message)
            case ResultMessage():
                yield from self._withdraw_rest()
                yield self._result(message)

    def _system(self, message: SystemMessage) -> Iterator[Observation]:
        data = message.data
        match message.subtype:
            case "init":
                yield Began(str(data.get("model", "")))
            case "api_retry":
                status = data.get("error_status")
                yield RetryScheduled(
                    attempt=int(data.get("attempt", 1)),
                    max_attempts=int(data.get("max_retries", 0)),
                    delay_s=float(data.get("retry_delay_ms", 0)) / 1000,
                    status=int(status) if status is not None else None,
                )
            case "background_tasks_changed":
                yield TasksChanged(len(data.get("tasks", ())))
            case "task_notification":
                yield TaskEnded(str(data.get("summary", "")))

    def _stream(self, event: dict[str, Any]) -> Iterator[Observation]:
        match event.get("type"):
            case "message_start":
                self._context_tokens = _usage_of(event["message"].get("usage") or {}).input_tokens
                yield from self._begin(event["message"].get("id"))
            case "content_block_start":
                self._index = int(event["index"])
                yield from self._start_block(event["content_block"])
            case "content_block_delta":
                yield from self._delta(int(event["index"]), event["delta"])
            case "message_delta":
                stop_reason = event["delta"].get("stop_reason")
                if stop_reason:
                    yield from self._withdraw_rest()
                if stop_reason == "max_tokens":
                    yield TokensSpent()

    def _start_block(self, block: dict[str, Any]) -> Iterator[Observation]:
        if block.get("type") == "text":
            self._blocks[self._index] = self._open()
        elif block.get("type") == "tool_use":
            name = own_name(str(block["name"]))
            if name is not None:
                self._open_calls[self._index] = (self._calls, str(block["id"]), name)
                yield ToolCallDelta(self._calls, str(block["id"]), name, "")
                self._calls += 1

    def _delta(self, index: int, delta: dict[str, Any]) -> Iterator[Observation]:
        match delta.get("type"):
            case "text_delta":
                yield from self._blocks[index].hear(well_formed(delta["text"]))
            case "thinking_delta" if delta["thinking"]:
                yield ThinkingDelta(well_formed(delta["thinking"]))
            case "input_json_delta" if index in self._open_calls:
                yield ToolCallDelta(*self._open_calls[index], delta["partial_json"])

    def _begin(self, message_id: str | None) -> Iterator[Observation]:
        """Start a message; it may say again, in their order, the blocks that were broken off."""
        for number, _, _ in self._open_calls.values():
            yield ToolCallWithdrawn(number)
        self._open_calls.clear()
        self._message_id = message_id
        self._index = -1
        for block in self._blocks.values():
            block.begin_again()
        self._broken_off[:0] = self._blocks.values()
        self._blocks.clear()

    def _open(self) -> _Block:
        if self._broken_off:
            return self._broken_off.pop(0)
        self._next_number += 1
        return _Block(self._next_number - 1)

    def _withdraw_rest(self) -> Iterator[Observation]:
        for block in self._broken_off:
            if block.shown:
                yield TextWithdrawn(block.number)
        self._broken_off.clear()

    def _assistant(self, message: AssistantMessage) -> Iterator[Observation]:
        if message.error is not None:
            self._failure = message  # its text is an error's, not the model's
            return
        self._last_message_id = message.uuid
        if message.message_id != self._message_id:
            yield from self._begin(message.message_id)  # it was not streamed
            self._context_tokens = _usage_of(message.usage or {}).input_tokens
        for content in message.content:
            match content:
                case TextBlock():
                    block = self._blocks.pop(self._index, None)
                    if block is None:
                        block = self._open()
                    yield from block.hear_whole(well_formed(content.text))
                case ToolUseBlock():
                    yield from self._tool_use(content)
                case ThinkingBlock():
                    yield ThinkingFinished(well_formed(content.thinking), content.signature)

    def _tool_use(self, block: ToolUseBlock) -> Iterator[Observation]:
        name = own_name(block.name)
        if name is not None:
            number, _, _ = self._open_calls.pop(self._index, (self._calls, "", ""))
            self._calls = max(self._calls, number + 1)
            yield ToolCalled(number, block.id, name, block.input)
        elif block.name != STRUCTURED_OUTPUT:
            self._tools[block.id] = block.name
            yield ToolStarted(block.id, block.name, block.input)

    def _tool_results(self, message: UserMessage) -> Iterator[Observation]:
        if isinstance(message.content, str):
            return
        for block in message.content:
            if isinstance(block, ToolResultBlock) and block.tool_use_id in self._tools:
                text = well_formed(_text_of(block.content))
                yield ToolFinished(
                    block.tool_use_id,
                    self._tools.pop(block.tool_use_id),
                    is_error=bool(block.is_error),
                    text=text[:MOST_RESULT],
                    left_out=max(0, len(text) - MOST_RESULT),
                )

    def _result(self, message: ResultMessage) -> Result:
        prompts = set(message.user_message_uuids or ())
        if message.user_message_uuid is not None:
            prompts.add(message.user_message_uuid)
        error = error_of(message, self._failure)
        self._failure = None
        self._message_id = None
        self._blocks.clear()
        self._tools.clear()
        self._open_calls.clear()
        self._next_number = self._calls = 0
        context_tokens, self._context_tokens = self._context_tokens, 0
        last_message_id, self._last_message_id = self._last_message_id, None
        return Result(
            prompts=frozenset(prompts),
            error=error,
            usage=_usage_of(message.usage or {}),
            total_cost_usd=message.total_cost_usd or 0.0,
            # Claude Code's word for a call that the caller is to run is not the API's.
            stop_reason="tool_use" if message.stop_reason == _DEFERRED else message.stop_reason,
            unasked=message.origin is not None and message.origin["kind"] == "task-notification",
            structured=message.structured_output,
            context_tokens=context_tokens,
            windows_tokens={
                model: int(used["contextWindow"])
                for model, used in (message.model_usage or {}).items()
                if used.get("contextWindow")
            },
            last_message_id=last_message_id,
        )


def _text_of(content: str | list[dict[str, Any]] | None) -> str:
    if content is None or isinstance(content, str):
        return content or ""
    return "\n".join(str(part.get("text", f"[{part.get('type')}]")) for part in content)


def _usage_of(usage: Mapping[str, Any]) -> Usage:
    read = int(usage.get("cache_read_input_tokens") or 0)
    created = int(usage.get("cache_creation_input_tokens") or 0)
    details = usage.get("output_tokens_details") or {}
    return Usage(
        input_tokens=int(usage.get("input_tokens") or 0) + read + created,
        output_tokens=int(usage.get("output_tokens") or 0),
        cache_read_tokens=read,
        cache_creation_tokens=created,
        thinking_tokens=int(details.get("thinking_tokens") or 0),
    )
