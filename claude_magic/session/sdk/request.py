"""What makes Claude Code send the requests that were asked for."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from claude_agent_sdk import HookMatcher, SdkMcpTool, create_sdk_mcp_server

from claude_magic.errors import OptionError
from claude_magic.session.tools import CLIENT_SERVER, wire_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from claude_agent_sdk.types import (
        HookContext,
        HookEvent,
        HookInput,
        HookJSONOutput,
        McpServerConfig,
    )

    from claude_magic.session.options import SessionOptions
    from claude_magic.session.tools import ToolDefinition

_EXTRA_BODY = "CLAUDE_CODE_EXTRA_BODY"

#: How long the answer of the hook may take, in seconds; it takes none, but 60 s would be too short
#: for a machine that sleeps.
_HOOK_TIMEOUT_S = 3600.0


def request_variables(options: SessionOptions) -> dict[str, str]:
    """Return the variables by which Claude Code is told what goes into its requests.

    Raises
    ------
    OptionError
        If the environment holds fields of requests already that are not JSON.
    """
    variables: dict[str, str] = {}
    if options.request_fields:
        variables[_EXTRA_BODY] = json.dumps({**_own_fields(options), **options.request_fields})
    if options.max_tokens is not None:
        variables["CLAUDE_CODE_MAX_OUTPUT_TOKENS"] = str(options.max_tokens)
    if options.max_retries is not None:
        variables["CLAUDE_CODE_MAX_RETRIES"] = str(options.max_retries)
    if options.client_tools or options.output_schema is not None:
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


async def _run_nothing(_arguments: dict[str, Any]) -> dict[str, Any]:
    text = "This tool is run by the caller, and was not run."
    return {"content": [{"type": "text", "text": text}], "is_error": True}


def client_hooks(tools: Sequence[ToolDefinition]) -> dict[HookEvent, list[HookMatcher]] | None:
    """Return the hook that ends a turn with the calls of the caller's tools."""
    if not tools:
        return None
    matcher = HookMatcher(
        matcher=wire_name(".*"),
        hooks=[_defer],
        timeout=_HOOK_TIMEOUT_S,
        on_failure="block",
    )
    return {"PreToolUse": [matcher]}


async def _defer(_call: HookInput, _id: str | None, _context: HookContext) -> HookJSONOutput:
    return {
        "hookSpecificOutput": {
            "hookEventName": "PreToolUse",
            "permissionDecision": "defer",
        },
    }
