"""What makes Claude Code send the requests that were asked for."""

from __future__ import annotations

import base64
import json
import logging
import os
from typing import TYPE_CHECKING, Any

from claude_agent_sdk import HookMatcher, SdkMcpTool, ToolAnnotations, create_sdk_mcp_server

from claude_magic.errors import ClaudeMagicError, OptionError
from claude_magic.session.limits import check_argument
from claude_magic.session.options import SCHEDULING_TOOLS
from claude_magic.session.permission import PermissionRequest
from claude_magic.session.served import KERNEL_SERVER, ToolAnswer
from claude_magic.session.tools import CLIENT_SERVER, own_name, wire_name
from claude_magic.well_formed import well_formed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from claude_agent_sdk.types import (
        HookCallback,
        HookContext,
        HookEvent,
        HookInput,
        HookJSONOutput,
        McpServerConfig,
    )

    from claude_magic.session.options import SessionOptions
    from claude_magic.session.served import ServedTool
    from claude_magic.session.tools import ToolDefinition

_logger = logging.getLogger(__name__)

_EXTRA_BODY = "CLAUDE_CODE_EXTRA_BODY"

#: The tool by which Claude Code takes an answer that must meet a schema.
STRUCTURED_OUTPUT = "StructuredOutput"

#: Settings that are sent with every process, ahead of those of the user and of the project.
#:
#: Claude Code that is older or newer than `FORCED` knows may open its messaging socket all the
#: same; a message that arrives there is refused.
SETTINGS = {"crossSessionInbound": "refuse"}

#: How long the answer of the hook may take, in seconds; it takes none, but 60 s would be too short
#: for a machine that sleeps.
_HOOK_TIMEOUT_S = 3600.0


def request_variables(
    options: SessionOptions,
    toolbox: Sequence[ServedTool] = (),
) -> dict[str, str]:
    """Return the variables by which Claude Code is told what goes into its requests.

    Raises
    ------
    OptionError
        If the environment holds fields of requests already that are not JSON.
    """
    variables: dict[str, str] = {}
    if not SCHEDULING_TOOLS.intersection(options.tools):
        # Otherwise Claude Code sends, without a cell, each prompt that is due in the working
        # directory's `.claude/scheduled_tasks.json`, whoever wrote that file.
        variables["CLAUDE_CODE_DISABLE_CRON"] = "1"
    if options.request_fields:
        fields = {**_own_fields(options), **options.request_fields}
        variables[_EXTRA_BODY] = written = json.dumps(fields)
        check_argument("request_fields", f"{_EXTRA_BODY}={written}")
    if options.max_tokens is not None:
        variables["CLAUDE_CODE_MAX_OUTPUT_TOKENS"] = str(options.max_tokens)
    if options.max_retries is not None:
        variables["CLAUDE_CODE_MAX_RETRIES"] = str(options.max_retries)
    if options.client_tools or toolbox or options.output_schema is not None:
        # Otherwise the model must look for a tool before it can call it.
        variables["ENABLE_TOOL_SEARCH"] = "false"
    return variables


def _own_fields(options: SessionOptions) -> dict[str, Any]:
    """Return the fields that somebody else has Claude Code send."""
    written = options.environment.get(_EXTRA_BODY) or os.environ.get(_EXTRA_BODY) or "{}"
    try:
        fields = json.loads(written)
    except ValueError:
        fields = None
    if not isinstance(fields, dict):
        raise OptionError(_EXTRA_BODY, written, "a JSON object")
    return fields


def client_servers(tools: Sequence[ToolDefinition]) -> dict[str, McpServerConfig]:
    """Return the server by which Claude Code learns of the caller's tools; it runs none of them."""
    if not tools:
        return {}
    known = [
        SdkMcpTool(tool.name, tool.description, dict(tool.input_schema), _run_nothing)
        for tool in tools
    ]
    return {CLIENT_SERVER: create_sdk_mcp_server(CLIENT_SERVER, tools=known)}


def kernel_servers(toolbox: Sequence[ServedTool]) -> dict[str, McpServerConfig]:
    """Return the server by which Claude Code runs the tools of this process."""
    if not toolbox:
        return {}
    return {KERNEL_SERVER: create_sdk_mcp_server(KERNEL_SERVER, tools=list(map(_served, toolbox)))}


def _served(tool: ServedTool) -> SdkMcpTool[Any]:
    async def run(arguments: dict[str, Any]) -> dict[str, Any]:
        try:
            answer = await tool.run(arguments)
        except ClaudeMagicError as error:
            answer = ToolAnswer(str(error), is_error=True)
        except Exception as error:
            _logger.exception("A tool of this process raised.")
            answer = ToolAnswer(f"The tool failed: {type(error).__name__}: {error}", is_error=True)
        content: list[dict[str, Any]] = [{"type": "text", "text": well_formed(answer.text)}]
        for picture in answer.pictures:
            data = base64.b64encode(picture.data).decode()
            content.append({"type": "image", "data": data, "mimeType": picture.media_type})
        return {"content": content, "is_error": answer.is_error}

    known = tool.definition
    return SdkMcpTool(
        known.name,
        known.description,
        dict(known.input_schema),
        run,
        # Claude Code runs such tools at once, and others one after another.
        ToolAnnotations(readOnlyHint=tool.looks_only),
    )


async def _run_nothing(_arguments: dict[str, Any]) -> dict[str, Any]:
    text = "This tool is run by the caller, and was not run."
    return {"content": [{"type": "text", "text": text}], "is_error": True}


def tool_hooks(
    tools: Sequence[ToolDefinition],
    consent_for: Callable[[PermissionRequest], bool] | None,
    cwd: Path,
) -> dict[HookEvent, list[HookMatcher]] | None:
    """Return the hooks that see a tool call before it runs.

    One ends a turn with the calls of the caller's tools. The other has Claude Code ask for what
    needs consent, whatever its permission mode and its rules would let run.
    """
    hooks: list[tuple[str | None, HookCallback]] = []
    if tools:
        hooks.append((wire_name(".*"), _defer))
    if consent_for is not None:
        hooks.append((None, _asking_first(consent_for, cwd)))
    if not hooks:
        return None
    return {
        "PreToolUse": [
            HookMatcher(matcher, [hook], timeout=_HOOK_TIMEOUT_S, on_failure="block")
            for matcher, hook in hooks
        ],
    }


def _asking_first(
    consent_for: Callable[[PermissionRequest], bool],
    cwd: Path,
) -> HookCallback:
    async def ask_first(call: HookInput, _id: str | None, _context: HookContext) -> HookJSONOutput:
        name, arguments = str(call.get("tool_name")), call.get("tool_input")
        if own_name(name) is not None or name == STRUCTURED_OUTPUT:
            return {}  # the caller runs it, or not; or it is the answer itself
        if not isinstance(arguments, dict):
            arguments = {}
        try:
            needed = consent_for(PermissionRequest(name, arguments, cwd))
        except Exception:
            _logger.exception("Whether a tool needs consent could not be found out; it is asked.")
            needed = True
        if not needed:
            return {}
        return {
            "hookSpecificOutput": {"hookEventName": "PreToolUse", "permissionDecision": "ask"},
        }

    return ask_first


async def _defer(_call: HookInput, _id: str | None, _context: HookContext) -> HookJSONOutput:
    return {
        "hookSpecificOutput": {
            "hookEventName": "PreToolUse",
            "permissionDecision": "defer",
        },
    }
