"""One Claude Code process and the SDK client that talks with it."""

from __future__ import annotations

import asyncio
import logging
import math
import shutil
import signal
import time
import uuid
from collections import deque
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import claude_agent_sdk
from claude_agent_sdk import (
    ClaudeAgentOptions,
    ClaudeSDKClient,
    ClaudeSDKError,
    PermissionResultAllow,
    PermissionResultDeny,
    ProcessError,
)

from claude_magic.errors import ConnectionLostError, StartError
from claude_magic.session.folders import working_folder
from claude_magic.session.guard import prepare
from claude_magic.session.limits import check_argument
from claude_magic.session.permission import Allow, PermissionRequest
from claude_magic.well_formed import well_formed

from .request import client_servers, kernel_servers, request_variables, tool_hooks
from .translator import Translator

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping, Sequence

    from claude_agent_sdk import (
        PermissionResult,
        SessionStore,
        ThinkingConfig,
        ToolPermissionContext,
    )

    from claude_magic.session.observations import Observation
    from claude_magic.session.options import SessionOptions
    from claude_magic.session.permission import PermissionCallback
    from claude_magic.session.place import Place
    from claude_magic.session.served import Caller, ServedTool
    from claude_magic.session.turn import Prompt, Told

    from .store import Mirror

#: A line of Claude Code's output may be this long. The SDK's own limit of 1 MiB ends the session at
#: the first large image or reply.
MAX_LINE_BYTES = 256 * 2**20

_STDERR_LINES = 20

#: Claude Code that takes longer to forget a conversation than so long is not waited for, in
#: seconds.
FORGET_TIMEOUT_S = 2.0

_logger = logging.getLogger(__name__)

# The SDK reports a lost process to its logger as well as to us; without a handler of its own,
# logging would print that into whichever cell runs.
logging.getLogger("claude_agent_sdk").addHandler(logging.NullHandler())


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
    caller
        What whoever made the session does for it.
    mirror
        Takes all that Claude Code writes of the conversation; None where nobody wants it.
    """

    def __init__(
        self,
        options: SessionOptions,
        place: Place,
        decide: PermissionCallback,
        caller: Caller,
        mirror: Mirror | None = None,
    ) -> None:
        #: When the process gave a sign of life last, by `time.monotonic()`.
        self.heard_s = -math.inf
        self._stderr: deque[str] = deque(maxlen=_STDERR_LINES)
        self._decide = decide
        self._cwd = options.cwd or working_folder()
        # A branch needs an id of its own; a conversation that goes on has one.
        goes_on = place.resumes is not None and not place.branches
        self._launch = prepare(
            claude_program(),
            {**options.environment, **request_variables(options, caller.toolbox)},
            place.session_id,
        )
        self._client = ClaudeSDKClient(
            ClaudeAgentOptions(
                session_id=None if goes_on else place.session_id,
                resume=place.resumes,
                resume_session_at=place.at,
                fork_session=place.branches,
                max_budget_usd=options.budget_usd,
                model=options.model,
                effort=options.effort,
                # Sent with each start: a conversation that goes on would keep the one that it
                # began with.
                system_prompt={"type": "preset", "preset": "claude_code", "snapshot": False},
                cwd=self._cwd,
                add_dirs=list(options.extra_directories),
                tools=list(options.tools),
                permission_mode=options.permission_mode,
                can_use_tool=self._may_run,
                mcp_servers={
                    **client_servers(options.client_tools),
                    **kernel_servers(caller.toolbox),
                },
                hooks=tool_hooks(options.client_tools, caller.consent_for, self._cwd),
                thinking=cast("ThinkingConfig | None", options.thinking),
                output_format=(
                    {"type": "json_schema", "schema": dict(options.output_schema)}
                    if options.output_schema is not None
                    else None
                ),
                # Nothing in the project or the home directory is read or run as configuration.
                setting_sources=[],
                strict_mcp_config=True,
                # The prompt is data: no @file is expanded and no slash command is dispatched.
                verbatim_prompts=True,
                include_partial_messages=True,
                # All else that a store can do is not asked of one while it is written to.
                session_store=cast("SessionStore | None", mirror),
                # As it is written: who is killed in the middle of a turn has handed on the rest.
                session_store_flush="eager",
                max_buffer_size=MAX_LINE_BYTES,
                stderr=self._stderr.append,
                extra_args={
                    **self._system_prompt(options),
                    **_extra_arguments(options, caller.toolbox),
                },
                cli_path=self._launch.program,
                env=dict(self._launch.environment),
            ),
        )

    def _system_prompt(self, options: SessionOptions) -> dict[str, str | None]:
        """Return what tells Claude Code its system prompt in the place of its own."""
        # As an argument every user of the machine would see it in the list of processes, and it
        # could not be longer than 128 KiB.
        path = self._launch.scratch / "system-prompt"
        # As bytes: a text file's line ends would be those of the platform.
        path.write_bytes((options.system_prompt or "").encode())
        return {"system-prompt-file": str(path)}

    @property
    def pids(self) -> tuple[int, int] | None:
        """The process ids of the supervisor and of Claude Code, where there is a supervisor."""
        return self._launch.pids

    @property
    def stderr(self) -> str:
        """The last lines that the process wrote to its standard error."""
        return "\n".join(self._stderr)

    async def models(self) -> tuple[str, ...]:
        """Return the models that Claude Code offers, by name, as it said at its start."""
        told = await self._client.get_server_info() or {}
        return tuple(str(model["value"]) for model in told.get("models", ()) if "value" in model)

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
        answers_before: Sequence[Told] = (),
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
        translator = Translator()
        try:
            async for message in self._client.receive_messages():
                self.heard_s = time.monotonic()
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
        self.heard_s = time.monotonic()

    async def forget(self, first_id: str, last_id: str) -> bool:
        """Have Claude Code forget a prompt and all that was said since; takes some milliseconds.

        Parameters
        ----------
        first_id
            The prompt, as it was sent. No turn may be under way.
        last_id
            The last prompt that was sent, so that Claude Code sees that no other is on its way.

        Returns
        -------
        bool
            Whether Claude Code says that it is forgotten, and that nothing was said before. False
            where this Claude Code, or this SDK, does not know how.
        """
        # The SDK has no method for this request, and Claude Code no promise that it stays; so the
        # answer counts, and whoever calls has another way.
        ask = getattr(getattr(self._client, "_query", None), "_send_control_request", None)
        if ask is None:
            return False
        request = {
            "subtype": "rewind_conversation",
            "target_message_uuid": first_id,
            "last_seen_user_message_uuid": last_id,
        }
        try:
            told = await asyncio.wait_for(ask(request), FORGET_TIMEOUT_S)
            return told["rewound"] is True and told["precedingAssistantUuid"] is None
        except asyncio.TimeoutError:
            self.kill()  # it would take as long to be closed
        except Exception as error:  # noqa: BLE001 - also a bare one, where it is refused
            _logger.info("Claude Code did not forget a conversation: %r", error)
        return False

    async def disconnect(self) -> None:
        """Close the process; takes five seconds if a turn is under way, so end that first."""
        try:
            await self._client.disconnect()
        finally:
            self._launch.clear()

    def kill(self) -> bool:
        """End the process at once; False where its process id is not known."""
        return self._launch.kill()

    async def _may_run(
        self,
        name: str,
        arguments: dict[str, Any],
        _context: ToolPermissionContext,
    ) -> PermissionResult:
        answer = await self._decide(PermissionRequest(name, arguments, self._cwd))
        if isinstance(answer, Allow):
            changed = answer.arguments
            return PermissionResultAllow(updated_input=None if changed is None else dict(changed))
        return PermissionResultDeny(message=well_formed(answer.reason), interrupt=answer.stop)


def _extra_arguments(
    options: SessionOptions,
    toolbox: Sequence[ServedTool],
) -> dict[str, str | None]:
    """Return the arguments for Claude Code that the SDK has no option for."""
    arguments: dict[str, str | None] = {}
    allowed = [*options.allowed_tools, *(tool.wire_name for tool in toolbox if tool.looks_only)]
    if allowed:
        # The SDK's own option warns, into whichever cell runs, that a tool which is allowed
        # beforehand is not asked for; that is what it is there for.
        arguments["allowedTools"] = joined = ",".join(allowed)
        check_argument("allowed_tools", joined)
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


def _content(prompt: Prompt) -> str | list[Mapping[str, Any]]:
    return prompt if isinstance(prompt, str) else list(prompt)


def _told_answer(answer: Told) -> dict[str, Any]:
    """Return an assistant message as the API would have sent it."""
    content = answer.content
    return {
        "id": f"msg_{uuid.uuid4().hex}",
        "type": "message",
        "role": "assistant",
        "model": answer.model or "claude",
        "content": [{"type": "text", "text": content}] if isinstance(content, str) else [*content],
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
