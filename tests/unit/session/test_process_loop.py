"""Processes of the loop thread: their exit codes and output, without asyncio's child watchers."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

if sys.platform == "win32":
    pytest.skip("asyncio starts processes otherwise", allow_module_level=True)

from claude_magic.session.process_loop import SUPERVISOR, ProcessLoop

if TYPE_CHECKING:
    from collections.abc import Iterator

#: How a process ends: a command of sh, and the code that is reported.
ENDS = [
    ("exit 0", 0),
    ("exit 7", 7),
    ("kill -KILL $$", -signal.SIGKILL),
    ("printf x; exit 3", 3),
    ("exec 1>&- 2>&-; exit 5", 5),
]


@pytest.fixture(params=["a descriptor of the process", "a thread"])
def loop(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[ProcessLoop]:
    if request.param == "a thread":
        # As on macOS, on Linux before 5.3 and in containers that do not allow it.
        def refuse(pid: int, flags: int = 0) -> int:
            raise OSError(38, "Function not implemented")

        monkeypatch.setattr(os, "pidfd_open", refuse, raising=False)
    loop = ProcessLoop()
    yield loop
    loop.close()


@pytest.fixture(autouse=True)
def no_watcher(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise NotImplementedError

    monkeypatch.setattr(asyncio.events, "get_child_watcher", refuse, raising=False)


@pytest.mark.parametrize(("command", "code"), ENDS)
def test_a_process_reports_its_exit_code(loop: ProcessLoop, command: str, code: int) -> None:
    async def run() -> tuple[bytes, int | None]:
        process = await asyncio.create_subprocess_exec(
            "sh", "-c", command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        out, _ = await process.communicate()
        return out, process.returncode

    assert loop.run_until_complete(run()) == (b"x" if "printf" in command else b"", code)


def test_a_process_that_something_else_reaped_ends_without_a_log_message(
    loop: ProcessLoop, caplog: pytest.LogCaptureFixture
) -> None:
    async def run() -> int | None:
        process = await asyncio.create_subprocess_exec(
            "cat", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        os.kill(process.pid, signal.SIGKILL)
        with suppress(ChildProcessError):  # the thread was faster
            os.waitpid(process.pid, 0)  # noqa: ASYNC222 - it has ended
        return (await process.communicate(), process.returncode)[1]

    with caplog.at_level(logging.DEBUG):
        loop.run_until_complete(run())
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_a_program_that_does_not_exist_is_reported(loop: ProcessLoop) -> None:
    with pytest.raises(FileNotFoundError):
        loop.run_until_complete(asyncio.create_subprocess_exec("/nonexistent/program"))


def test_the_supervisor_runs_in_a_session_of_its_own_with_this_interpreter(
    loop: ProcessLoop,
) -> None:
    async def run() -> bytes:
        process = await asyncio.create_subprocess_exec(
            SUPERVISOR,
            "-c",
            'ps -o sid= -p "$PPID"; echo "$PPID"',
            stdout=asyncio.subprocess.PIPE,
            env={
                **os.environ,
                "CLAUDE_MAGIC_PROGRAM": "/bin/sh",
                "CLAUDE_MAGIC_KEEP": "PATH",
                "CLAUDE_MAGIC_OWNER": str(os.getpid()),
                "CLAUDE_MAGIC_COOKIE": "nowhere.0-0",
                "CLAUDE_MAGIC_PIDS": os.devnull + "/none",
            },
        )
        out, _ = await process.communicate()
        assert process.returncode == 0
        return out

    session, supervisor = loop.run_until_complete(run()).split()
    assert session == supervisor
