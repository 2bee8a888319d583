"""Temporary folders of kernels that were killed."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest
from support.processes import carriers, wait_for_program, wait_until_gone

from claude_magic.session.host import this_host
from claude_magic.session.leftovers import folder_prefix
from claude_magic.tape import Reply, ToolUse

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.kernel import Kernel

#: How long the next start may take to remove what was left, in seconds.
SWEEP_S = 20.0


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def _wait_until_left(folder: Path, expected: set[str]) -> set[str]:
    """Wait until a folder holds only so much; there is no event for it, so look every 20 ms."""
    deadline = time.monotonic() + SWEEP_S
    while (found := _names(folder)) != expected and time.monotonic() < deadline:
        time.sleep(0.02)
    return found


@pytest.mark.promise("Folders of killed kernels are removed at the next start.", against="local")
@pytest.mark.timeout(300)
@pytest.mark.parametrize("first", ["kernel", "supervisor", "Claude Code"])
def test_the_next_start_removes_what_a_killed_kernel_left(
    start_kernel: Callable[..., Kernel],
    api: Any,
    tmp_path: Path,
    first: str,
) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    theirs = tmp_path / "theirs"
    (theirs / "kept").mkdir(parents=True)
    environment = {**api.environment, "TMPDIR": str(temporary)}
    living = start_kernel(environment)
    living.run("%load_ext claude_magic")
    assert living.run("%%claude\nHello").status == "ok"
    kept = _names(temporary)
    assert len(kept) == 1

    config = str(tmp_path / "config")
    killed = start_kernel({**environment, "CLAUDE_CONFIG_DIR": config})
    killed.run("%load_ext claude_magic")
    killed.converse(
        tools=("Bash",), allowed_tools=("Bash",), session_store=f"sqlite:///{tmp_path}/s"
    )
    before = len(api.requests)
    command = {"command": "tail -f /dev/null"}
    api.replies.append(Reply.of(ToolUse("Bash", command)))
    killed.start("%%claude\nRun it.")
    api.server.wait_for_requests(before + 1, 60)
    assert wait_for_program("tail", f"CLAUDE_CONFIG_DIR={config}", within_s=20)
    supervisor, claude = _pids(config)
    pids = {"kernel": killed.pid, "supervisor": supervisor, "Claude Code": claude}
    for name in sorted(pids, key=lambda name: name != first):
        os.kill(pids[name], signal.SIGKILL)
    wait_until_gone(pids.values(), within_s=10)
    (left,) = [name for name in _names(temporary) - kept if name.startswith("claude-magic-")]

    # Where a stale folder might be, somebody has put a link to a folder that is not ours.
    place = this_host().place()
    link = temporary / f"{folder_prefix(f'{place}.{os.getpid()}-1')}abc"
    link.symlink_to(theirs)
    (temporary / left / "link").symlink_to(theirs)

    following = start_kernel(environment)
    following.run("%load_ext claude_magic")
    assert following.run("%%claude\nHello again").status == "ok"
    own = {name for name in _names(temporary) if f".{following.pid}-" in name}
    assert len(own) == 1
    assert _wait_until_left(temporary, kept | own | {link.name}) == kept | own | {link.name}
    assert (theirs / "kept").is_dir()
    assert living.run("%%claude\nAnd I?").status == "ok"
    assert carriers(f"CLAUDE_CONFIG_DIR={config}") == []


def _pids(config: str) -> tuple[int, int]:
    """Return the supervisor and Claude Code that have a configuration folder."""
    from pathlib import Path  # noqa: PLC0415

    for pid in carriers(f"CLAUDE_CONFIG_DIR={config}"):
        if b"supervisor.py" in Path("/proc", str(pid), "cmdline").read_bytes():
            children = Path("/proc", str(pid), "task", str(pid), "children").read_text().split()
            return pid, int(children[0])
    raise AssertionError("there is no supervisor")
