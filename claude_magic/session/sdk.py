"""The only place that knows claude-agent-sdk: starts its client, translates what it says.

Importing this module imports the SDK, which takes more than a second; only the loop thread does
so, off the loop. Everything here runs on the loop.
"""

from __future__ import annotations

import logging
import shutil
import signal
import uuid
from collections import deque
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import claude_agent_sdk
from claude_agent_sdk import (
    AssistantMessage,
    ClaudeAgentOptions,
    ClaudeSDKClient,
    ClaudeSDKError,
    PermissionResultAllow,
    PermissionResultDeny,
    ProcessError,
    ResultMessage,
    StreamEvent,
    SystemMessage,
    TextBlock,
    ThinkingBlock,
    ToolResultBlock,
    ToolUseBlock,
    UserMessage,
)

from claude_magic.errors import (
    ApiError,
    AuthenticationError,
    ClaudeMagicError,
    ConnectionLostError,
    ContextTooLongError,
    NotLoggedInError,
    OverloadedError,
    RateLimitError,
    StartError,
    TapeMissError,
    TurnError,
    TurnInterruptedError,
    TurnLimitError,
)

from .events import (
    RetryScheduled,
    TextDelta,
    TextWithdrawn,
    ThinkingDelta,
    ToolFinished,
    ToolStarted,
    Usage,
)
from .guard import prepare
from .permission import Allow, PermissionRequest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping, Sequence

    from claude_agent_sdk import Message, PermissionResult, ToolPermissionContext

    from .options import SessionOptions
    from .permission import PermissionCallback
    from .place import Place
    from .turn import Prompt

#: A line of Claude Code's output may be this long. The SDK's own limit of 1 MiB ends the session at
#: the first large image or reply.
MAX_LINE_BYTES = 256 * 2**20

_STDERR_LINES = 20

# The SDK reports a lost process to its logger as well as to us; without a handler of its own,
# logging would print that into whichever cell runs.
logging.getLogger("claude_agent_sdk").addHandler(logging.NullHandler())


@dataclass(frozen=True, slots=True)
class Began:
    """Claude Code set out on a turn."""

    model: str


@dataclass(frozen=True, slots=True)
class Answering:
    """What follows belongs to the turn of these prompts (empty: of none of ours)."""

    prompts: frozenset[str]


@dataclass(frozen=True, slots=True)
class Result:
    """A turn ended.

    Attributes
    ----------
    prompts
        The prompts that it took in; empty where Claude Code started the turn by itself.
    error
        Why it has no complete answer, or None.
    usage
        Tokens of this turn.
    total_cost_usd
        Cost of the whole conversation so far, in US dollars.
    stop_reason
        Why the model stopped.
    unasked
        Whether Claude Code made the turn by itself, of the end of a background task.
    """

    prompts: frozenset[str]
    error: ClaudeMagicError | None
    usage: Usage
    total_cost_usd: float
    stop_reason: str | None
    unasked: bool


@dataclass(frozen=True, slots=True)
class TasksChanged:
    """So many tasks are under way in the background now."""

    running: int


@dataclass(frozen=True, slots=True)
class TaskEnded:
    """A background task ended; a turn of Claude Code's own making may follow."""

    summary: str


Observation: TypeAlias = (
    Began
    | Answering
    | Result
    | TasksChanged
    | TaskEnded
    | TextDelta
    | TextWithdrawn
    | ThinkingDelta
    | ToolStarted
    | ToolFinished
    | RetryScheduled
)


class Client:
    """One Claude Code process and the SDK client that talks with it.

    Lifecycle: `connect` once, then any number of `send`, with one reader of `observe` for the
    client's whole life (the SDK's control channel stops when nobody reads), then `disconnect`.
    Loop thread only.

    Parameters
    ----------
    options
        What the session was asked for.
    place
        The conversation, and where in it to go on.
    decide
        Is asked whether a tool may run that does not run unasked; must not raise.
    """

    def __init__(
        self,
        options: SessionOptions,
        place: Place,
        decide: PermissionCallback,
    ) -> None:
        self._stderr: deque[str] = deque(maxlen=_STDERR_LINES)
        self._decide = decide
        # A branch needs an id of its own; a conversation that goes on has one.
        goes_on = place.resumes is not None and not place.branches
        self._launch = prepare(claude_program(), options.environment, place.session_id)
        self._client = ClaudeSDKClient(
            ClaudeAgentOptions(
                session_id=None if goes_on else place.session_id,
                resume=place.resumes,
                resume_session_at=place.at,
                fork_session=place.branches,
                max_budget_usd=options.budget_usd,
                model=options.model,
                effort=options.effort,
                system_prompt=options.system_prompt,
                cwd=options.cwd,
                add_dirs=list(options.extra_directories),
                tools=list(options.tools),
                permission_mode=options.permission_mode,
                can_use_tool=self._may_run,
                # Nothing in the project or the home directory is read or run as configuration.
                setting_sources=[],
                strict_mcp_config=True,
                # The prompt is data: no @file is expanded and no slash command is dispatched.
                verbatim_prompts=True,
                include_partial_messages=True,
                max_buffer_size=MAX_LINE_BYTES,
                stderr=self._stderr.append,
                extra_args=_extra_arguments(options),
                cli_path=self._launch.program,
                env=dict(self._launch.environment),
            ),
        )

    @property
    def pids(self) -> tuple[int, int] | None:
        """The process ids of the supervisor and of Claude Code, where there is a supervisor."""
        return self._launch.pids

    @property
    def stderr(self) -> str:
        """The last lines that the process wrote to its standard error."""
        return "\n".join(self._stderr)

    async def connect(self) -> None:
        """Start the process and shake hands with it; sends nothing to the API.

        Raises
        ------
        StartError
            If it does not come up.
        """
        try:
            await self._client.connect()
        except (ClaudeSDKError, OSError) as error:
            raise StartError(str(error), self.stderr) from error
        except Exception as error:
            # The SDK raises a bare Exception when the handshake times out or is refused.
            if type(error) is not Exception:
                raise
            raise StartError(str(error), self.stderr) from error

    async def send(
        self,
        prompt_id: str,
        prompt: Prompt,
        answers_before: Sequence[Prompt] = (),
        *,
        wanted: bool = True,
    ) -> None:
        """Send one prompt under an id of ours, by which its result is known.

        Parameters
        ----------
        prompt_id
            A new uuid.
        prompt
            Text or content blocks.
        answers_before
            What the assistant said before this prompt, where that is told and not remembered.
        wanted
            Whether an answer is wanted; without one the prompt becomes part of the conversation
            and its result comes at once and is empty.

        Raises
        ------
        ConnectionLostError
            If the process is gone.
        """

        async def messages() -> AsyncIterator[dict[str, Any]]:
            for answer in answers_before:
                yield {
                    "type": "assistant",
                    "uuid": str(uuid.uuid4()),
                    "message": _told_answer(answer),
                    "parent_tool_use_id": None,
                }
            yield {
                "type": "user",
                "uuid": prompt_id,
                "message": {"role": "user", "content": _content(prompt)},
                "parent_tool_use_id": None,
                **({} if wanted else {"shouldQuery": False}),
            }

        try:
            await self._client.query(messages())
        except ClaudeSDKError as error:
            raise ConnectionLostError(str(error)) from error

    async def observe(self) -> AsyncIterator[Observation]:
        """Yield what happens until the process ends.

        Raises
        ------
        ConnectionLostError
            If the process ended with an error; one that just stops ends the iteration.
        """
        translator = _Translator()
        try:
            async for message in self._client.receive_messages():
                for observation in translator.translate(message):
                    yield observation
        except ProcessError as error:
            raise ConnectionLostError(_exit(error.exit_code)) from error
        except ClaudeSDKError as error:
            raise ConnectionLostError(str(error)) from error

    async def interrupt(self) -> None:
        """Ask the running turn to stop; harmless where none runs.

        Raises
        ------
        ConnectionLostError
            If the process is gone or does not answer.
        """
        with _control_request():
            await self._client.interrupt()

    async def ping(self) -> None:
        """Wait for a sign of life, which takes a millisecond whatever the API does.

        Raises
        ------
        ConnectionLostError
            If the process is gone or does not answer.
        """
        with _control_request():
            await self._client.get_mcp_status()

    async def disconnect(self) -> None:
        """Close the process; takes five seconds if a turn is under way, so end that first."""
        await self._client.disconnect()

    def kill(self) -> bool:
        """End the process at once; False where its process id is not known."""
        return self._launch.kill()

    async def _may_run(
        self,
        name: str,
        arguments: dict[str, Any],
        _context: ToolPermissionContext,
    ) -> PermissionResult:
        answer = await self._decide(PermissionRequest(name, arguments))
        if isinstance(answer, Allow):
            changed = answer.arguments
            return PermissionResultAllow(updated_input=None if changed is None else dict(changed))
        return PermissionResultDeny(message=answer.reason, interrupt=answer.stop)


def _extra_arguments(options: SessionOptions) -> dict[str, str | None]:
    """Return the arguments for Claude Code that the SDK has no option for."""
    arguments: dict[str, str | None] = {}
    if options.allowed_tools:
        # The SDK's own option warns, into whichever cell runs, that a tool which is allowed
        # beforehand is not asked for; that is what it is there for.
        arguments["allowedTools"] = ",".join(options.allowed_tools)
    if not options.keep_transcript:
        arguments["no-session-persistence"] = None
    return arguments


@contextmanager
def _control_request() -> Iterator[None]:
    try:
        yield
    except ClaudeSDKError as error:
        raise ConnectionLostError(str(error)) from error
    except Exception as error:
        # The SDK raises a bare Exception when a control request is refused or times out.
        if type(error) is not Exception:
            raise
        raise ConnectionLostError(str(error)) from error


def claude_program() -> Path:
    """Return the Claude Code binary: the one in the SDK's wheel, else the one on the PATH.

    Raises
    ------
    StartError
        If there is none.
    """
    bundled = Path(claude_agent_sdk.__file__).parent / "_bundled"
    for name in ("claude", "claude.exe"):
        if (bundled / name).is_file():
            return bundled / name
    found = shutil.which("claude")
    if found is None:
        raise StartError(
            "there is no Claude Code binary. The wheel of claude-agent-sdk for this platform has "
            "none, and `claude` is not on the PATH. Install Claude Code, then try again.",
        )
    return Path(found)


@dataclass(slots=True)
class _Block:
    """A text block of the message under way.

    Attributes
    ----------
    number
        Its number within the turn.
    shown
        What was passed on of it.
    heard
        What the present attempt at the message said of it.
    """

    number: int
    shown: str = ""
    heard: str = ""

    def show(self, *, complete: bool) -> Iterator[Observation]:
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
class _Translator:
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
    _failure: AssistantMessage | None = None

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
                self._begin(event["message"].get("id"))
            case "content_block_start":
                self._index = int(event["index"])
                if event["content_block"].get("type") == "text":
                    self._blocks[self._index] = self._open()
            case "content_block_delta":
                delta = event["delta"]
                if delta.get("type") == "text_delta":
                    block = self._blocks[int(event["index"])]
                    block.heard += delta["text"]
                    yield from block.show(complete=False)
                elif delta.get("type") == "thinking_delta" and delta["thinking"]:
                    yield ThinkingDelta(delta["thinking"])
            case "message_delta":
                if event["delta"].get("stop_reason"):
                    yield from self._withdraw_rest()

    def _begin(self, message_id: str | None) -> None:
        """Start a message; it may say again, in their order, the blocks that were broken off."""
        self._message_id = message_id
        self._index = -1
        for block in self._blocks.values():
            block.heard = ""
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
        if message.message_id != self._message_id:
            self._begin(message.message_id)  # it was not streamed
        for content in message.content:
            match content:
                case TextBlock():
                    block = self._blocks.pop(self._index, None)
                    if block is None:
                        block = self._open()
                    block.heard = content.text
                    yield from block.show(complete=True)
                case ToolUseBlock():
                    self._tools[content.id] = content.name
                    yield ToolStarted(content.id, content.name, content.input)
                case ThinkingBlock():
                    pass  # was streamed

    def _tool_results(self, message: UserMessage) -> Iterator[Observation]:
        if isinstance(message.content, str):
            return
        for block in message.content:
            if isinstance(block, ToolResultBlock):
                yield ToolFinished(
                    block.tool_use_id,
                    self._tools.pop(block.tool_use_id, "tool"),
                    is_error=bool(block.is_error),
                    text=_text_of(block.content),
                )

    def _result(self, message: ResultMessage) -> Result:
        prompts = set(message.user_message_uuids or ())
        if message.user_message_uuid is not None:
            prompts.add(message.user_message_uuid)
        error = _error_of(message, self._failure)
        self._failure = None
        self._message_id = None
        self._blocks.clear()
        self._tools.clear()
        self._next_number = 0
        return Result(
            prompts=frozenset(prompts),
            error=error,
            usage=_usage_of(message.usage or {}),
            total_cost_usd=message.total_cost_usd or 0.0,
            stop_reason=message.stop_reason,
            unasked=message.origin is not None and message.origin["kind"] == "task-notification",
        )


def _content(prompt: Prompt) -> str | list[Mapping[str, Any]]:
    return prompt if isinstance(prompt, str) else list(prompt)


def _told_answer(answer: Prompt) -> dict[str, Any]:
    """Return an assistant message as the API would have sent it."""
    return {
        "id": f"msg_{uuid.uuid4().hex}",
        "type": "message",
        "role": "assistant",
        "model": "claude",
        "content": [{"type": "text", "text": answer}] if isinstance(answer, str) else list(answer),
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 0, "output_tokens": 0},
    }


def _exit(code: int | None) -> str:
    if code is not None and code > _SIGNALLED:
        with suppress(ValueError):
            return f"ended by {signal.Signals(code - _SIGNALLED).name}"
    return f"exit code {code}"


#: A shell's way, and our supervisor's, to say that a signal ended a process.
_SIGNALLED = 128


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


def _error_of(
    message: ResultMessage,
    failure: AssistantMessage | None,
) -> ClaudeMagicError | None:
    """Map a result to our error tree, by its fields."""
    if message.terminal_reason in {"aborted_streaming", "aborted_tools"}:
        return TurnInterruptedError()
    if not message.is_error:
        return None
    text = "; ".join(message.errors or ()) or message.result or message.subtype
    status = message.api_error_status
    kind = failure.error if failure is not None else None
    error: ClaudeMagicError
    if message.subtype in {"error_max_turns", "error_max_budget_usd"}:
        error = TurnLimitError(f"{text.rstrip('. ')}. Raise the limit, or ask for less.")
    elif message.terminal_reason == "prompt_too_long":
        error = ContextTooLongError(text, status or 400)
    elif kind == "authentication_failed" and status is None:
        error = NotLoggedInError()
    elif status is not None or message.terminal_reason == "api_error":
        # Claude Code may put words of its own before what the API said.
        said = text.rpartition(f"API Error: {status} " if status is not None else "API Error: ")[2]
        error = _API_ERRORS.get(status, ApiError)(said, status)
    else:
        error = TurnError(text)
    return error


_API_ERRORS: dict[int | None, type[ApiError]] = {
    401: AuthenticationError,
    403: AuthenticationError,
    413: ContextTooLongError,
    429: RateLimitError,
    529: OverloadedError,
    # What our own server answers a miss with; no API does.
    418: TapeMissError,
}
