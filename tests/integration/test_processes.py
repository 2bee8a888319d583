"""What Claude Code leaves on the disk when its kernel dies, and what it gets to see."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from support.processes import alive, wait_until_gone

from claude_magic import ClaudeSession

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.kernel import Kernel


def _start(start_kernel: Callable[..., Kernel], api: Any, **environment: str) -> Kernel:
    kernel = start_kernel({**api.environment, **environment})
    kernel.run("%load_ext claude_magic")
    kernel.run("%%claude\nHello")
    return kernel


def test_a_killed_kernel_leaves_no_folder(
    start_kernel: Callable[..., Kernel],
    api: Any,
    tmp_path: Path,
) -> None:
    folder = tmp_path / "tmp"
    folder.mkdir()
    kernel = _start(start_kernel, api, TMPDIR=str(folder))
    pids = kernel.pids()
    assert all(map(alive, pids))
    assert list(folder.glob("claude-magic-*"))
    os.kill(kernel.pid, signal.SIGKILL)
    assert wait_until_gone(pids, within_s=5) == []
    assert not list(folder.glob("claude-magic-*"))


def test_claude_code_inherits_no_secret_of_the_kernel(
    start_kernel: Callable[..., Kernel],
    api: Any,
) -> None:
    kernel = _start(
        start_kernel,
        api,
        AWS_SECRET_ACCESS_KEY="planted-aws",
        JUPYTERHUB_API_TOKEN="planted-hub",
        DATABASE_URL="planted-database",
    )
    _, claude = kernel.pids()
    environment = Path("/proc", str(claude), "environ").read_bytes()
    assert b"planted" not in environment
    assert api.server.token.encode() not in environment
    assert b"ANTHROPIC_BASE_URL" in environment
    command = Path("/proc", str(claude), "cmdline").read_bytes()
    assert api.server.token.encode() not in command


def test_no_list_of_processes_shows_a_system_prompt(connected: Any) -> None:
    """Every user of a machine sees the arguments of all processes."""
    # Longer than an argument can be.
    first, second = ("Speak like a wombat. " * 10_000, "Speak like a quokka. " * 10_000)
    with ClaudeSession(system_prompt=first) as session:
        session.ask("Hello.")
        shown = [_arguments(session)]
        session.disconnect()
        session.ask("Again.")
        shown.append(_arguments(session))
        known = session.session_id
    with ClaudeSession(system_prompt=second, resume=known) as session:
        assert session.ask("And again.").text == "You said: Hello. / Again. / And again."
        shown.append(_arguments(session))
    assert not [each for each in shown if "wombat" in each or "quokka" in each]
    # What holds is the prompt that the session was given, not the one that it began with.
    systems = [request.system for request in connected.requests]
    assert [first in each for each in systems] == [True, True, False]
    assert [second in each for each in systems] == [False, False, True]


def _arguments(session: ClaudeSession) -> str:
    assert session.pids is not None
    return "".join(Path("/proc", str(pid), "cmdline").read_text() for pid in session.pids)
