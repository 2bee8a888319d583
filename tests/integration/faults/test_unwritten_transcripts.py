"""A transcript that cannot be written: the reader is told, and nothing is lost on purpose."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from claude_magic import ClaudeSession
from claude_magic.errors import StartError, UsageError
from claude_magic.session import SessionOptions, SessionRegistry, SessionState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from support.kernel import Kernel

    from claude_magic.session import TurnFinished


def _file_for_projects(config: Path) -> None:
    """Have no transcript written: their folder is a file, which stops root as well."""
    (config / "projects").write_text("")


def _dangling(config: Path) -> None:
    """Have no transcript written: their folder is a link to a disk that is not there."""
    (config / "projects").symlink_to(config / "gone" / "projects")


def _immutable(config: Path) -> None:
    """Have no transcript written: their folder is a link into a system of files of the kernel's."""
    (config / "projects").symlink_to("/proc/self")


#: Ways in which no transcript can be written, for root as well as for others.
UNWRITABLE: dict[str, Callable[[Path], None]] = {
    "file": _file_for_projects,
    "dangling": _dangling,
    "proc": _immutable,
}


@pytest.fixture(params=UNWRITABLE)
def config(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    folder = tmp_path / "config"
    folder.mkdir()
    UNWRITABLE[request.param](folder)
    return folder


def _kill(session: ClaudeSession) -> None:
    assert session.pids is not None
    os.kill(session.pids[1], signal.SIGKILL)


@pytest.mark.failure(
    "A transcript cannot be written (full or read-only disk)",
    then="The cell and the status say so, and nothing is given up on purpose",
)
def test_it_is_told_once_and_the_status_says_so(connected: Any, config: Path) -> None:
    with ClaudeSession(environment={"CLAUDE_CONFIG_DIR": str(config)}) as session:
        first, second = session.ask("a"), session.ask("b")
        assert "not in the transcript" in first.unwritten
        assert str(config) in first.unwritten
        assert not second.unwritten
        assert "The last 2 turns" in session.status.unwritten


@pytest.mark.failure(
    "Claude Code dies while turns are not in the transcript",
    then="The next process gets what this kernel remembers; other turns are listed",
)
@pytest.mark.parametrize("lose", ["kill", "disconnect"])
def test_the_next_process_is_told_what_this_one_remembers(
    connected: Any, config: Path, lose: str
) -> None:
    with ClaudeSession(environment={"CLAUDE_CONFIG_DIR": str(config)}) as session:
        session.ask("a")
        session.ask("b")
        for number in range(2):
            _kill(session) if lose == "kill" else session.disconnect()
            said = " / ".join(["a", "b", *map(str, range(number + 1))])
            finished = session.ask(str(number))
            assert finished.text == f"You said: {said}"
            assert not finished.lost
        answers = [t.text for t in connected.requests[-1].visible_turns if t.role == "assistant"]
        assert answers == ["You said: a", "You said: a / b", "You said: a / b / 0"]


@pytest.mark.failure(
    "A transcript cannot be written (full or read-only disk)",
    then="The cell and the status say so, and nothing is given up on purpose",
)
def test_nothing_is_lost_on_purpose(connected: Any, config: Path) -> None:
    with ClaudeSession(environment={"CLAUDE_CONFIG_DIR": str(config)}) as session:
        session.ask("a")
        with pytest.raises(UsageError, match=r"not in the transcript.*nothing was sent"):
            session.send("b", options=session.options.but(model="haiku")).result()
        with pytest.raises(UsageError, match="cannot be branched"):
            session.fork()
        assert session.ask("c").text == "You said: a / c"


@pytest.mark.failure(
    "A transcript cannot be written (full or read-only disk)",
    then="The cell and the status say so, and nothing is given up on purpose",
)
def test_it_is_not_parked_for_another(connected: Any, config: Path) -> None:
    options = SessionOptions(environment={"CLAUDE_CONFIG_DIR": str(config)})
    sessions = SessionRegistry(options, max_live=1)
    try:
        first, second = sessions.main.session, sessions.get("other").session
        first.ask("a")
        second.ask("b")
        assert first.state is SessionState.READY
        assert first.ask("c").text == "You said: a / c"
    finally:
        sessions.close()


def test_a_disk_that_has_room_again_gets_all_of_it(connected: Any, tmp_path: Path) -> None:
    environment = {"CLAUDE_CONFIG_DIR": str(tmp_path)}
    with ClaudeSession(environment=environment) as session:
        session.ask("a")
        (tmp_path / "projects").rename(tmp_path / "away")
        _file_for_projects(tmp_path)
        _kill(session)
        with pytest.raises(StartError, match="“a”"):
            session.ask("b")
        (tmp_path / "projects").unlink()
        (tmp_path / "away").rename(tmp_path / "projects")
        assert session.ask("b").text == "You said: a / b"


def test_what_was_not_written_is_written_when_it_is_told_again(
    connected: Any, tmp_path: Path
) -> None:
    config = tmp_path / "config"
    config.mkdir()
    _file_for_projects(config)
    with ClaudeSession(environment={"CLAUDE_CONFIG_DIR": str(config)}) as session:
        session.ask("a")
        session.ask("b")
        (config / "projects").unlink()
        _kill(session)
        assert session.ask("c").text == "You said: a / b / c"
        assert not session.status.unwritten
        session.disconnect()
        assert session.ask("d").text == "You said: a / b / c / d"
        session_id = session.status.session_id
    with ClaudeSession(environment={"CLAUDE_CONFIG_DIR": str(config)}, resume=session_id) as later:
        assert later.ask("e").text == "You said: a / b / c / d / e"


@pytest.mark.failure(
    "Claude Code dies while turns are not in the transcript",
    then="The next process gets what this kernel remembers; other turns are listed",
)
def test_turns_that_nobody_remembers_are_named(connected: Any, tmp_path: Path) -> None:
    with ClaudeSession(environment={"CLAUDE_CONFIG_DIR": str(tmp_path)}) as session:
        session.ask("a")
        session.ask("the word is pear")
        session.disconnect()
        (transcript,) = (tmp_path / "projects").glob("*/*.jsonl")
        lines = transcript.read_text().splitlines(keepends=True)
        cut = next(i for i, line in enumerate(lines) if "pear" in line)
        transcript.write_text("".join(lines[:cut]))
        finished = session.ask("b")
        assert finished.lost == ("the word is pear",)
        assert finished.text == "You said: a / b"
        assert not session.ask("c").lost


@pytest.mark.failure(
    "A conversation is forked that is not in the transcript",
    then="The fork fails with the reason",
)
def test_a_branch_of_a_lost_conversation_fails(connected: Any, tmp_path: Path) -> None:
    with ClaudeSession(environment={"CLAUDE_CONFIG_DIR": str(tmp_path)}) as session:
        session.ask("a")
        session.disconnect()
        shutil.rmtree(tmp_path / "projects")
        branch = session.fork()
        with pytest.raises(StartError, match="no conversation"):
            branch.ask("b")
        branch.close()


def test_a_setting_keeps_transcripts_elsewhere(
    connected: Any, config: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    options = SessionOptions(
        environment={"CLAUDE_CONFIG_DIR": str(config)}, transcript_folder=elsewhere
    )
    with ClaudeSession(options) as session:
        assert not session.ask("a").unwritten
        _kill(session)
        assert session.ask("b").text == "You said: a / b"
        assert list((elsewhere / "projects").glob(f"*/{session.status.session_id}.jsonl"))
        assert session.options.environment["CLAUDE_SECURESTORAGE_CONFIG_DIR"] == str(config)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=900k", "none", str(folder)]
    mounted = os.geteuid() == 0 and subprocess.run(mount, check=False, capture_output=True)  # noqa: S603 - ours
    if not mounted or mounted.returncode:
        pytest.skip("only root can mount a small disk")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)  # noqa: S603, S607 - ours


def test_a_disk_that_fills_up(connected: Any, small_disk: Path) -> None:
    with ClaudeSession(environment={"CLAUDE_CONFIG_DIR": str(small_disk)}) as session:
        assert not session.ask("a").unwritten
        with (small_disk / "filler").open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(b"x" * 512)
        told: list[TurnFinished] = [session.ask("b"), session.ask("c")]
        assert "No space left on device" in told[0].unwritten
        assert not told[1].unwritten
        _kill(session)
        assert session.ask("d").text == "You said: a / b / c / d"
        (small_disk / "filler").unlink()
        _kill(session)
        assert session.ask("e").text == "You said: a / b / c / d / e"
        assert not session.status.unwritten


@pytest.mark.failure(
    "A transcript cannot be written (full or read-only disk)",
    then="The cell and the status say so, and nothing is given up on purpose",
)
def test_a_cell_says_it_and_a_disconnect_warns(
    kernel: Kernel, kernel_api: Any, config: Path
) -> None:
    kernel.converse(environment={"CLAUDE_CONFIG_DIR": str(config)})
    told, once = kernel.run("%%claude\na"), kernel.run("%%claude\nb")
    assert "not saved" in told.footer
    assert "transcript_folder" in told.footer
    assert "not saved" not in once.footer
    for magic in ("%claude_status", "%claude_disconnect"):
        assert "2 turns are not in the transcript" in str(kernel.run(magic).messages)
