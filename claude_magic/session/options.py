"""What a session is started with."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

from claude_magic.errors import OptionError
from claude_magic.well_formed import well_formed

from .limits import check_argument, check_unicode, check_variable, check_well_formed_json
from .tools import ToolDefinition
from .transcript import variables_for_transcripts_in

if TYPE_CHECKING:
    from collections.abc import Mapping

    from typing_extensions import Self

Effort: TypeAlias = Literal["low", "medium", "high", "xhigh", "max"]
PermissionMode: TypeAlias = Literal["default", "acceptEdits", "plan", "dontAsk"]

#: The tools that Claude Code has of its own. It ignores other names without a word, so that a
#: misspelt one would be missed only when Claude does not use it.
TOOLS = (
    "Agent",
    "Bash",
    "CronCreate",
    "CronDelete",
    "CronList",
    "Edit",
    "EnterWorktree",
    "ExitWorktree",
    "Glob",
    "Grep",
    "ListAgents",
    "Monitor",
    "NotebookEdit",
    "Read",
    "ReportFindings",
    "ScheduleWakeup",
    "SendMessage",
    "Skill",
    "Task",
    "TaskCreate",
    "TaskGet",
    "TaskList",
    "TaskStop",
    "TaskUpdate",
    "ToolSearch",
    "WebFetch",
    "WebSearch",
    "Workflow",
    "Write",
)

#: Tools by which Claude schedules prompts; without any of them Claude Code runs no schedule at all.
SCHEDULING_TOOLS = frozenset({"CronCreate", "CronDelete", "CronList", "ScheduleWakeup"})

_THINKING = ("adaptive", "enabled", "disabled")

#: Tools that only look, and only inside the working directory unless a person consents.
READING_TOOLS = ("Read", "Glob", "Grep")


@dataclass(frozen=True)
class SessionOptions:
    """What a session is started with; frozen, so that it holds for the session's whole life.

    The defaults touch nothing: no tools, no settings file of the project or the home directory,
    no MCP server.

    Parameters
    ----------
    model
        A model's name or alias, or None for Claude Code's own choice.
    effort
        How hard the model thinks: ``"low"``, ``"medium"``, ``"high"``, ``"xhigh"``, ``"max"``, or
        None for the model's default.
    system_prompt
        Stands before the conversation; None leaves only the line that Claude Code always sends.
    cwd
        The directory that Claude Code works in; None for the process's own at the time of
        connecting.
    extra_directories
        Directories that Claude may work in besides `cwd`.
    tools
        The tools that exist for the model. Those that only read run unasked inside `cwd`.
    allowed_tools
        The tools, or rules such as ``"Bash(git status)"``, that run without anyone being asked.
    permission_mode
        Claude Code's permission mode.
    client_tools
        Tools that the caller runs: when Claude calls one the turn ends, and the next prompt holds
        the result.
    output_schema
        A JSON schema that every answer must meet; its value is the turn's `structured`. None for
        answers in text.
    thinking
        ``{"type": "enabled", "budget_tokens": n}``, ``{"type": "adaptive"}`` or ``{"type":
        "disabled"}``, as the Messages API takes it; None for the model's default.
    max_tokens
        How long an answer may be, in tokens from 1; None for what the model can.
    request_fields
        Fields of the Messages API's request that go with every one, such as ``temperature``.
    max_retries
        How often Claude Code asks again where the API fails in a way that may pass, from 0; None
        for its own default, which is 10.
    environment
        Variables for Claude Code on top of what it inherits, which is a short list and no secret
        but the API credential.
    deadline_s
        How long a turn may take before it is stopped, in seconds above 0; None for as long as it
        takes.
    budget_usd
        What the conversation may cost before it answers no more, in US dollars above 0, as Claude
        Code counts it; None for no limit. The turn that goes beyond it is stopped at the next tool.
    keep_transcript
        Whether Claude Code keeps the conversation on disk. Without it nothing is left behind, and
        a process that goes away takes the conversation with it.
    transcript_folder
        The folder for transcripts and records, instead of Claude Code's configuration folder, for
        example where the home directory is read-only or has a quota. The login is still found where
        it was. None for the configuration folder.
    session_store
        The URL of a store that keeps a copy of the conversation, so that another machine can go on
        with it: ``sqlite:///FILE``, ``redis://``, ``postgresql://`` or ``s3://``. None for this
        machine alone, as is a conversation without a transcript.
    label
        What stands behind the API where it is not Claude, such as ``"scripted replies"``; shown
        wherever the session shows.
    name
        What the session is called among others.
    notebook
        The notebook that the conversation belongs to, by which it is found again later.

    Raises
    ------
    OptionError
        If a value is impossible. The text names those that are possible.
    """

    model: str | None = None
    effort: Effort | None = None
    system_prompt: str | None = None
    cwd: Path | None = None
    extra_directories: tuple[Path, ...] = ()
    tools: tuple[str, ...] = ()
    allowed_tools: tuple[str, ...] = ()
    permission_mode: PermissionMode = "default"
    client_tools: tuple[ToolDefinition, ...] = ()
    output_schema: Mapping[str, Any] | None = field(default=None, hash=False)
    thinking: Mapping[str, Any] | None = field(default=None, hash=False)
    max_tokens: int | None = None
    request_fields: Mapping[str, Any] = field(default_factory=dict, hash=False)
    max_retries: int | None = None
    environment: Mapping[str, str] = field(default_factory=dict, hash=False, repr=False)
    deadline_s: float | None = None
    budget_usd: float | None = None
    keep_transcript: bool = True
    transcript_folder: Path | None = None
    # It may hold a password.
    session_store: str | None = field(default=None, repr=False)
    label: str | None = None
    name: str | None = None
    notebook: str | None = None

    def __post_init__(self) -> None:
        for name in ("model", "label", "name", "notebook"):
            _check_text(name, getattr(self, name))
        if self.system_prompt is not None:
            _check_text("system_prompt", self.system_prompt, names=False)
            object.__setattr__(self, "system_prompt", well_formed(self.system_prompt))
        _check_choice("effort", self.effort, Effort, optional=True)
        _check_choice("permission_mode", self.permission_mode, PermissionMode)
        # The kernel may change its directory; what Claude may look at must not move with it.
        if self.cwd is not None:
            object.__setattr__(self, "cwd", _directory("cwd", self.cwd))
        object.__setattr__(
            self,
            "extra_directories",
            _directories("extra_directories", self.extra_directories),
        )
        object.__setattr__(self, "tools", _tools("tools", self.tools))
        object.__setattr__(
            self,
            "allowed_tools",
            _tools("allowed_tools", self.allowed_tools, rules=True),
        )
        for name in ("deadline_s", "budget_usd"):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, (int, float)) or not value > 0):
                raise OptionError(name, value, "a number above 0, or None")
        object.__setattr__(self, "session_store", _store(self.session_store))
        object.__setattr__(self, "client_tools", _definitions(self.client_tools))
        for name in ("output_schema", "thinking", "request_fields"):
            _check_json(name, getattr(self, name))
        _check_thinking(self.thinking)
        _check_count("max_tokens", self.max_tokens, 1)
        _check_count("max_retries", self.max_retries, 0)
        object.__setattr__(self, "environment", self._variables())

    def _variables(self) -> dict[str, str]:
        for variable, text in self.environment.items():
            if not isinstance(variable, str) or not isinstance(text, str):
                raise OptionError("environment", {variable: text}, "names and values that are text")
            check_variable(variable, text)
        if self.transcript_folder is None:
            return dict(self.environment)
        folder = _directory("transcript_folder", self.transcript_folder)
        object.__setattr__(self, "transcript_folder", folder)
        return {**self.environment, **variables_for_transcripts_in(folder, self.environment)}

    def but(self, **changes: Any) -> Self:
        """Return these options with some changed, checked again.

        Raises
        ------
        OptionError
            If a value is impossible.
        """
        return replace(self, **changes)


def _check_text(option: str, value: object, *, names: bool = True) -> None:
    """Check that a value is a text or None; one that names something must be one exactly."""
    if value is None:
        return
    if not isinstance(value, str) or not value.strip():
        raise OptionError(option, value, "a non-empty text or None")
    if names:
        check_argument(option, value)


def _check_choice(option: str, value: object, choices: Any, *, optional: bool = False) -> None:
    allowed = get_args(choices)
    if value in allowed or (optional and value is None):
        return
    expected = "one of " + ", ".join(repr(choice) for choice in allowed)
    raise OptionError(option, value, expected + (" or None" if optional else ""))


def _check_json(option: str, value: object) -> None:
    try:
        text = json.dumps(value)
    except (TypeError, ValueError) as error:
        raise OptionError(option, value, f"JSON: {error}") from None
    check_well_formed_json(option, value)
    check_argument(option, text)


def _check_thinking(thinking: Mapping[str, Any] | None) -> None:
    if thinking is not None and thinking.get("type") not in _THINKING:
        raise OptionError("thinking", thinking, f"of a type among {', '.join(_THINKING)}")


def _check_count(option: str, value: object, least: int) -> None:
    if value is None:
        return
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise OptionError(option, value, f"a whole number from {least}, or None")


def _definitions(value: object) -> tuple[ToolDefinition, ...]:
    tools = tuple(value) if isinstance(value, (list, tuple)) else (value,)
    for tool in tools:
        if not isinstance(tool, ToolDefinition):
            raise OptionError("client_tools", tool, "made of ToolDefinition")
    names = [tool.name for tool in tools]
    if len(set(names)) < len(names):
        raise OptionError("client_tools", names, "made of tools with different names")
    return tools


def _directory(option: str, value: str | Path) -> Path:
    try:
        path = Path(value).expanduser()
        exists = bool(str(value).strip()) and path.is_dir()
    except (OSError, RuntimeError, ValueError):  # no home directory; a NUL; a name too long
        exists = False
    if not exists:
        raise OptionError(option, str(value), "a directory that exists")
    resolved = path.resolve()
    check_unicode(option, str(resolved))
    return resolved


def _directories(option: str, value: object) -> tuple[Path, ...]:
    if isinstance(value, (str, Path)) or not hasattr(value, "__iter__"):
        raise OptionError(option, value, "a list of directories")
    return tuple(_directory(option, path) for path in value)


def _store(url: str | None) -> str | None:
    """Return the URL of a store that means the same wherever the kernel goes."""
    if url is None:
        return None
    from .stores import StoreAddress  # noqa: PLC0415 - only where there is a store

    return StoreAddress.of(url).whole


def _tools(option: str, value: object, *, rules: bool = False) -> tuple[str, ...]:
    if isinstance(value, str) or not hasattr(value, "__iter__"):
        raise OptionError(option, value, "a list of names, such as ['Read', 'Grep']")
    names = tuple(value)
    for name in names:
        # A rule says behind the tool's name what it may be called with.
        tool = name.partition("(")[0] if rules and isinstance(name, str) else name
        if tool not in TOOLS and not (isinstance(tool, str) and tool.startswith("mcp__")):
            known = ", ".join(TOOLS)
            raise OptionError(option, name, f"made of names of tools, which are {known}")
    check_argument(option, ",".join(names))
    return names
