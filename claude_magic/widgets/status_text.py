"""A session's status as plain text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from claude_magic.session import MAIN

if TYPE_CHECKING:
    from claude_magic.session import PermissionMode, SessionStatus

#: What each of Claude Code's permission modes comes to here.
MODES: dict[PermissionMode, str] = {
    "default": "asks before it writes or runs",
    "acceptEdits": "edits files unasked",
    "plan": "plans and changes nothing",
    "dontAsk": "does nothing that it would ask for",
}


def status_text(status: SessionStatus) -> str:
    """Say a status in a few aligned lines, leaving out what is not known or did not happen.

    Parameters
    ----------
    status
        The snapshot to show.

    Returns
    -------
    str
        Lines without a newline at the end. No text of the model or the API can break a line or
        steer a terminal.
    """
    usage = status.usage
    mode = status.permission_mode
    rows = [
        ("Claude Code", f"{status.state.value}: {status.state.sentence}"),
        ("reason", status.reason),
        ("answers", status.label or ""),
        ("model", status.model or ""),
        ("effort", status.effort or ""),
        ("name", status.name if status.name not in {None, MAIN} else ""),
        ("session", status.session_id),
        ("may use", permissions(status)),
        ("mode", f"{mode}: {MODES[mode]}" if mode != "default" else ""),
        ("turns", f"{status.turns:,}" if status.turns else ""),
    ]
    if usage.input_tokens or usage.output_tokens:
        cached = f" ({usage.cache_read_tokens:,} cached)" if usage.cache_read_tokens else ""
        rows.append(("tokens", f"{usage.input_tokens:,} in{cached}, {usage.output_tokens:,} out"))
    if status.context_tokens:
        window = f" of {status.window_tokens:,}" if status.window_tokens else ""
        rows.append(("context", f"{status.context_tokens:,}{window} tokens"))
    if status.paid_usd > 0:
        rows.append(("cost", f"${status.paid_usd:,.4f}"))
    rows.append(("transcript", status.unwritten))
    rows.append(("store", "; ".join(filter(None, (status.store, status.store_behind)))))
    return aligned(rows)


def aligned(rows: list[tuple[str, str]]) -> str:
    """Return names and what is said of them in two columns, without what says nothing."""
    return "\n".join(f"{name:<13}{one_line(text)}" for name, text in rows if text)


def permissions(status: SessionStatus) -> str:
    """Say which tools Claude has, and where, and what a person has allowed."""
    tools, unasked = tools_text(status), (*status.allowed_tools, *status.granted)
    return f"{tools}; unasked: {', '.join(unasked)}" if unasked else tools


def tools_text(status: SessionStatus) -> str:
    """Say which tools Claude has, and where."""
    where = (status.cwd or "the working directory", *status.extra_directories)
    return f"{', '.join(status.tools)} in {', '.join(where)}" if status.tools else "no tools"


def one_line(text: str) -> str:
    """Return a text without what does not print: line ends, escapes, bidirectional overrides."""
    return "".join(character if character.isprintable() else " " for character in text)
