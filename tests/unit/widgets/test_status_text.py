from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

from claude_magic.session import SessionState, SessionStatus, Usage
from claude_magic.widgets import status_text

SESSION_ID = "5f1c0a52-7d58-4d4f-8e5e-0f6a2b0c9d11"


def test_a_new_session_says_only_what_is_known() -> None:
    status = SessionStatus(SessionState.NEW, SESSION_ID, Usage())
    assert status_text(status) == (
        "Claude Code  new: Not connected yet; the first prompt connects.\n"
        f"session      {SESSION_ID}\n"
        "may use      no tools"
    )


def test_everything_that_is_known_is_aligned() -> None:
    status = SessionStatus(
        SessionState.LOST,
        SESSION_ID,
        Usage(input_tokens=12345, output_tokens=678, cache_read_tokens=9000),
        reason="its output ended",
        model="claude-opus-5",
        tools=("Read", "Grep"),
        cwd="data",
        turns=3,
        cost_usd=0.01234,
    )
    assert status_text(status) == (
        "Claude Code  lost: Claude Code is not running; the next prompt starts it again.\n"
        "reason       its output ended\n"
        "model        claude-opus-5\n"
        f"session      {SESSION_ID}\n"
        "may use      Read, Grep in data\n"
        "turns        3\n"
        "tokens       12,345 in (9,000 cached), 678 out\n"
        "cost         $0.0123"
    )


def test_scripted_replies_are_named_and_cost_nothing() -> None:
    status = SessionStatus(
        SessionState.READY,
        SESSION_ID,
        Usage(input_tokens=346, output_tokens=20),
        label="scripted replies",
        turns=1,
        cost_usd=0.0018,
    )
    text = status_text(status)
    assert "answers      scripted replies\n" in text
    assert "tokens       346 in, 20 out" in text
    assert "$" not in text


def test_a_store_that_is_behind_says_so() -> None:
    status = SessionStatus(SessionState.READY, SESSION_ID, Usage(), store="redis://db/0")
    assert status_text(status).endswith("\nstore        redis://db/0")
    behind = replace(status, store_behind="the session store is behind since 10:12")
    assert status_text(behind).endswith(
        "\nstore        redis://db/0; the session store is behind since 10:12"
    )


def test_text_of_others_neither_breaks_lines_nor_steers_the_terminal() -> None:
    status = SessionStatus(
        SessionState.LOST,
        SESSION_ID,
        Usage(),
        reason="one\nready: \x1b[2Jtwo\u202e",
    )
    reason = status_text(status).splitlines()[1]
    assert reason == "reason       one ready:  [2Jtwo "


def test_a_console_loads_no_widget_library() -> None:
    program = (
        "import sys, claude_magic\n"
        "from claude_magic.widgets import status_text\n"
        "assert callable(status_text)\n"
        "assert not {'ipywidgets', 'IPython'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)  # noqa: S603 - our own program


def test_what_widens_or_bounds_what_claude_may_do_is_said() -> None:
    status = SessionStatus(
        SessionState.READY,
        SESSION_ID,
        Usage(),
        tools=("Read", "Bash"),
        extra_directories=("/data",),
        allowed_tools=("Bash(ls)",),
        granted=("kernel",),
        effort="high",
        permission_mode="acceptEdits",
        context_tokens=4171,
        window_tokens=1_000_000,
    )
    lines = status_text(status).splitlines()
    assert lines[1] == "effort       high"
    assert lines[3:] == [
        "may use      Read, Bash in the working directory, /data; unasked: Bash(ls), kernel",
        "mode         acceptEdits: edits files unasked",
        "context      4,171 of 1,000,000 tokens",
    ]
