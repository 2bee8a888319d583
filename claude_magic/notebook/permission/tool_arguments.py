"""Arguments of the known tools, as far as a rule or the default may cover a call with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from claude_magic.session import PermissionRequest

#: Arguments of each tool that a rule covers. An argument that is not here needs a person.
_KNOWN = {
    "Read": frozenset({"file_path", "offset", "limit", "pages", "allow_large"}),
    "Glob": frozenset({"pattern", "path"}),
    "Grep": frozenset(
        {
            *("pattern", "path", "glob", "type", "output_mode", "multiline", "head_limit"),
            *("offset", "context", "-A", "-B", "-C", "-n", "-i", "-o"),
        },
    ),
    "Edit": frozenset({"file_path", "old_string", "new_string", "replace_all"}),
    "Write": frozenset({"file_path", "content"}),
    "NotebookEdit": frozenset(
        {"notebook_path", "cell_id", "new_source", "cell_type", "edit_mode"},
    ),
    "Bash": frozenset({"command", "description", "timeout", "run_in_background"}),
    "WebFetch": frozenset({"url", "prompt", "offset"}),
    "WebSearch": frozenset({"query", "allowed_domains", "blocked_domains"}),
    "Agent": frozenset({"description", "prompt", "subagent_type", "model", "effort"}),
    "Task": frozenset({"description", "prompt", "subagent_type", "model", "effort"}),
    "mcp__kernel__run_python": frozenset({"code"}),
}
#: Arguments that have no effect when they are false.
_OFF = frozenset({"run_in_background", "dangerouslyDisableSandbox"})


def are_known(request: PermissionRequest) -> bool:
    """Return whether a rule for all of a kind may cover a call, by its arguments. Any thread."""
    known = _KNOWN.get(request.name)
    return known is None or all(
        name in known or (name in _OFF and value is False)
        for name, value in request.arguments.items()
    )


def are_plain(request: PermissionRequest) -> bool:
    """Return whether a rule for one target may cover a call, by its arguments. Any thread.

    It covers a command in the foreground, with the sandbox unchanged.
    """
    return are_known(request) and all(
        name not in _OFF or value is False for name, value in request.arguments.items()
    )
