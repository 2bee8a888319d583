"""Sessions come and go; nothing of them stays."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
import uuid
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import pytest
from support.processes import carriers, wait_until_gone

from claude_magic import ClaudeSession
from claude_magic.session import guard

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@dataclass(frozen=True)
class Held:
    """What this process holds, and what lies in the temporary folders of it and its sessions."""

    descriptors: int
    threads: int
    children: int
    files: int

    @classmethod
    def now(cls, mark: str, *folders: Path) -> Held:
        return cls(
            descriptors=len(os.listdir("/proc/self/fd")),  # noqa: PTH208 - itself included, always
            threads=threading.active_count(),
            children=len(carriers(mark)),
            files=sum(len(list(folder.rglob("*"))) for folder in folders),
        )


@pytest.mark.timeout(900)
def test_twenty_sessions_twenty_times(
    connected: Any,
    times: Callable[[int, int], int],
    figure: Callable[[str], None],
    tmp_path: Path,
) -> None:
    rounds, many = times(3, 20), times(6, 20)
    mark = str(uuid.uuid4())
    held = []
    environment = {"LEAKS": mark, "TMPDIR": str(tmp_path)}
    for _ in range(rounds):
        sessions = [ClaudeSession(environment=environment) for _ in range(many)]
        turns = [session.send(f"I am {number}.") for number, session in enumerate(sessions)]
        texts = [turn.result().text for turn in turns]
        assert texts == [f"You said: I am {number}." for number in range(many)]
        # In every way that a session can end.
        for number, session in enumerate(sessions):
            if number % 3 == 0:
                session.disconnect()
            if number % 3 < 2:
                session.start_closing()
        for session in sessions:
            session.close()
        del sessions, turns, session
        connected.begin()
        assert guard._folder is not None  # noqa: SLF001 - nobody else is to know of it
        held.append(Held.now(f"LEAKS={mark}", tmp_path, guard._folder))  # noqa: SLF001
    # The first round makes what this process keeps: its loop thread and its folder.
    assert held[1:] == [held[1]] * (rounds - 1), held
    assert held[-1].children == 0
    names = ", ".join(f"{count} {name}" for name, count in asdict(held[-1]).items())
    figure(f"{rounds} times {many} sessions: after each round {names}")


ENDINGS = {
    "falls off its end": "",
    "raises": "raise RuntimeError('made up')",
    "exits": "raise SystemExit(3)",
    "exits at once": "os._exit(3)",
    "is long about its end": "held = b'x' * 1_000_000_000; os._exit(3)",
    "is in the middle of a turn": "next(iter(session.send('Go on.')))",
    "has a child": "if os.fork() == 0: raise SystemExit",
    "forgets it": "del session; import gc; gc.collect()",
    "ends another thread's session": textwrap.dedent(
        """
        import threading
        thread = threading.Thread(target=lambda: ClaudeSession(environment=mark).ask('Hello'))
        thread.start(); thread.join()
        """,
    ),
}
EXIT_CODES = {"raises": 1, "exits": 3, "exits at once": 3, "is long about its end": 3}


@pytest.mark.parametrize("how", ENDINGS)
def test_a_program_that_ends_without_closing_leaves_nothing(
    connected: Any,
    how: str,
    tmp_path: Path,
) -> None:
    mark = str(uuid.uuid4())
    program = textwrap.dedent(
        f"""
        import os
        from claude_magic import ClaudeSession
        mark = {{"ENDS": {mark!r}}}
        session = ClaudeSession(environment=mark)
        session.ask("Hello")
        """,
    )
    folder = tmp_path / "tmp"
    folder.mkdir()
    ended = subprocess.run(  # noqa: S603 - ours
        [sys.executable, "-c", program + ENDINGS[how]],
        env={**os.environ, "TMPDIR": str(folder)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == EXIT_CODES.get(how, 0)
    expected = ["RuntimeError: made up"] if how == "raises" else []
    assert ended.stderr.splitlines()[-1:] == expected, ended.stderr
    assert wait_until_gone(carriers(f"ENDS={mark}"), within_s=5) == []
    assert not list(folder.glob("claude-magic-*"))
