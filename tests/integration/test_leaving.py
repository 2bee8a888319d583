"""Leaving IPython: in every way, and whatever is under way."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from support.console import CTRL_D, Console
from support.processes import carriers, wait_until_gone

from claude_magic.tape import Hold, Reply, Text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: What Python and asyncio print of errors that nobody handles.
NOISE = re.compile(
    r"Traceback|Exception ignored|never retrieved|was destroyed but|ResourceWarning|"
    r"RuntimeError|Fatal Python",
)

#: How a person leaves IPython; others can be added.
WAYS = {
    "exit": ("exit",),
    "quit()": ("quit()",),
    "Ctrl-D": (CTRL_D, "y"),
    "SystemExit": ("raise SystemExit", "exit"),
}

#: What was typed before; others can be added.
BEFORE = {
    "nothing": (),
    "loading only": ("%load_ext claude_magic",),
    "a turn": ("%load_ext claude_magic", "%claude Hello"),
    "two conversations": (
        "%load_ext claude_magic",
        "%claude Hello",
        "%claude -s other Hello",
    ),
    "a disconnected conversation": (
        "%load_ext claude_magic",
        "%claude Hello",
        "%claude_disconnect",
    ),
    "a reset conversation": ("%load_ext claude_magic", "%claude Hello", "%claude_reset"),
    "an unloaded extension": (
        "%load_ext claude_magic",
        "%claude Hello",
        "%unload_ext claude_magic",
    ),
    "a panel": ("%load_ext claude_magic", "%claude_panel", "%claude Hello"),
    "a demo": (
        "%load_ext claude_magic",
        "%claude_connect --demo",
        # Not as a magic: IPython reads a program before it is loaded, and takes this for a `?`.
        "get_ipython().run_line_magic('claude', 'What is my name?')",
    ),
    "a session of one's own": (
        "%load_ext claude_magic",
        "import claude_magic; mine = claude_magic.ClaudeSession(); mine.ask('Hello').text",
    ),
    "a chat model": (
        "from claude_magic import ClaudeCodeChatModel",
        "model = ClaudeCodeChatModel(); model.invoke('Hello').text",
    ),
    "a session store": (
        "%load_ext claude_magic",
        "%config ClaudeMagics.session_store = 'sqlite:///store.db'",
        "%claude Hello",
    ),
}


@pytest.fixture
def mark() -> str:
    return str(uuid.uuid4())


@pytest.fixture
def environment(sterile: dict[str, str], api: Any, mark: str, tmp_path: Path) -> dict[str, str]:
    folder = tmp_path / "tmp"
    folder.mkdir()
    # The configuration folder is handed on to all that is started.
    config = str(tmp_path / mark)
    return {**sterile, **api.environment, "CLAUDE_CONFIG_DIR": config, "TMPDIR": str(folder)}


@pytest.fixture
def console(environment: dict[str, str], tmp_path: Path) -> Iterator[Console]:
    console = Console(environment, tmp_path)
    yield console
    console.close()


def _assert_gone(environment: dict[str, str], tmp_path: Path) -> None:
    """Wait until no process is left; there must be no temporary folder either."""
    left = carriers(f"CLAUDE_CONFIG_DIR={environment['CLAUDE_CONFIG_DIR']}")
    assert wait_until_gone(left, within_s=5) == []
    assert not list((tmp_path / "tmp").glob("claude*"))


@pytest.mark.failure(
    "IPython ends in any way",
    then="No traceback; every session is closed within a second",
)
@pytest.mark.parametrize("before", BEFORE)
def test_exit_shows_no_error_whatever_was_done(
    console: Console,
    environment: dict[str, str],
    tmp_path: Path,
    before: str,
) -> None:
    for line in BEFORE[before]:
        shown = console.run(line)
        assert not NOISE.search(shown), shown
    code, shown = console.leave("exit")
    assert (code, NOISE.findall(shown)) == (0, []), shown
    _assert_gone(environment, tmp_path)


@pytest.mark.failure(
    "IPython ends in any way",
    then="No traceback; every session is closed within a second",
)
@pytest.mark.parametrize("way", WAYS)
def test_every_way_out_shows_no_error(
    console: Console,
    environment: dict[str, str],
    tmp_path: Path,
    way: str,
) -> None:
    console.run("%load_ext claude_magic")
    assert "You said: Hello" in console.run("%claude Hello")
    code, shown = console.leave(*WAYS[way])
    assert (code, NOISE.findall(shown)) == (0, []), shown
    _assert_gone(environment, tmp_path)


def test_exit_while_an_answer_is_under_way_elsewhere_shows_no_error(
    console: Console,
    environment: dict[str, str],
    api: Any,
    tmp_path: Path,
) -> None:
    api.replies.append(Reply.of(Text("Once "), Hold(threading.Event())))
    console.run("%load_ext claude_magic")
    console.run("import claude_magic; turn = claude_magic.current_session().send('Tell me.')")
    api.server.wait_for_requests(1)
    code, shown = console.leave("exit")
    assert (code, NOISE.findall(shown)) == (0, []), shown
    _assert_gone(environment, tmp_path)


def test_exit_behind_a_stopped_answer_shows_no_error(
    console: Console,
    environment: dict[str, str],
    api: Any,
    tmp_path: Path,
) -> None:
    api.replies.append(Reply.of(Text("Once upon a time "), Hold(threading.Event())))
    console.run("%load_ext claude_magic")
    console.type("%claude Tell me.")
    console.wait_for("Once upon a time")
    console.press_ctrl_c()
    console.read_until_prompt()
    code, shown = console.leave("exit")
    assert (code, NOISE.findall(shown)) == (0, []), shown
    _assert_gone(environment, tmp_path)


@pytest.mark.failure(
    "IPython ends in any way",
    then="No traceback; every session is closed within a second",
)
@pytest.mark.parametrize("how", ["-c", "script", "ipy script", "piped", "python"])
@pytest.mark.parametrize("lines", ["a turn", "a demo", "a disconnected conversation"])
def test_a_program_that_ends_shows_no_error(
    environment: dict[str, str],
    tmp_path: Path,
    how: str,
    lines: str,
) -> None:
    program = "\n".join(BEFORE[lines]) + "\n"
    ipython, typed = [sys.executable, "-m", "IPython", "--simple-prompt"], ""
    if how == "-c":
        command = [*ipython, "-c", program]
    elif how == "piped":
        command, typed = [*ipython, "--no-confirm-exit"], program
    elif how == "ipy script":
        (tmp_path / "script.ipy").write_text(program)
        command = [*ipython, "script.ipy"]
    else:
        called = "\n".join(f"shell.run_cell({line!r})" for line in BEFORE[lines])
        start = "from IPython.core.interactiveshell import InteractiveShell\n"
        (tmp_path / "script.py").write_text(f"{start}shell = InteractiveShell()\n{called}\n")
        command = [*(ipython if how == "script" else [sys.executable]), "script.py"]
    ran = subprocess.run(  # noqa: S603 - ours
        command,
        env={**environment, "TERM": "dumb"},
        cwd=tmp_path,
        input=typed,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    shown = ran.stdout + ran.stderr
    assert (ran.returncode, NOISE.findall(shown)) == (0, []), shown
    assert "claude-" in shown, "there was no answer"
    _assert_gone(environment, tmp_path)
