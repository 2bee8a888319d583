from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import uuid
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from claude_magic.session import supervisor
from claude_magic.session.environment import FORCED
from claude_magic.session.guard import prepare
from claude_magic.session.host import this_host
from claude_magic.session.leftovers import folder_prefix
from claude_magic.session.process_loop import SUPERVISOR, supervisor_command

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from claude_magic.session.guard import Launch

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the programs are shell scripts")

ID = "5f1c0a52-7d58-4d4f-8e5e-0f6a2b0c9d11"

QUIET = "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC"

PLATFORMS = [sys.platform, "win32"]

#: Stands for Claude Code: tells its arguments, its environment, and its credential.
CLAUDE = """#!/bin/sh
for each; do echo "<$each>"; done
env
read line <&$CLAUDE_CODE_API_KEY_FILE_DESCRIPTOR
echo "by descriptor: $line"
"""


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_SECRET_ACCESS_KEY", "DATABASE_URL", "JUPYTERHUB_API_TOKEN"):
        monkeypatch.setenv(name, "secret")
    monkeypatch.delenv(QUIET)


@pytest.fixture
def two() -> Iterator[list[subprocess.Popen[bytes]]]:
    processes = [subprocess.Popen(["cat"], stdin=subprocess.PIPE) for _ in range(2)]  # noqa: S607
    yield processes
    for process in processes:
        with process:
            process.kill()


def script(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o700)
    return path


def launch_with(marks: Path) -> Launch:
    return replace(prepare(Path("claude"), {}, ID), marks_file=marks)


def kept(launch: Launch) -> set[str]:
    return {*launch.environment["CLAUDE_MAGIC_KEEP"].split(",")}


def test_the_supervisor_starts_claude_code_with_what_it_may_see(tmp_path: Path) -> None:
    program = script(tmp_path / "claude", CLAUDE)
    launch = prepare(program, {"MINE": "yes", "ANTHROPIC_API_KEY": "made-up"}, ID)
    # In a place of its own nothing of anybody else's is swept.
    place = {"CLAUDE_MAGIC_COOKIE": f"{uuid.uuid4().hex}.{os.getpid()}-1"}
    told = subprocess.run(  # noqa: S603 - ours
        [*supervisor_command(), "--flag", "two words"],
        env={**os.environ, **launch.environment, **place},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert told[:2] == ["<--flag>", "<two words>"]
    assert told[-1] == "by descriptor: made-up"
    assert {"MINE=yes", f"{QUIET}=1", f"PATH={os.environ['PATH']}"} <= {*told}
    assert "secret" not in "".join(told)
    assert "ANTHROPIC_API_KEY=made-up" not in told


@pytest.mark.promise(
    "Other users can neither read nor replace the files of a session.", against="local"
)
def test_no_other_user_can_reach_the_scratch_folder_and_the_marks() -> None:
    launch, other = prepare(Path("claude"), {}, ID), prepare(Path("claude"), {}, ID)
    assert launch.marks_file is not None
    assert launch.marks_file != other.marks_file
    folder = launch.scratch.parent
    assert launch.marks_file.parent == folder
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(launch.scratch.stat().st_mode) == 0o700
    assert launch.program == Path(SUPERVISOR)
    assert launch.environment["CLAUDE_MAGIC_PIDS"] == str(launch.marks_file)


def test_the_folder_and_the_cookie_bear_the_mark_of_this_process() -> None:
    launch = prepare(Path("claude"), {"CLAUDE_MAGIC_COOKIE": "another's"}, ID)
    owner = f"{this_host().place()}.{this_host().mark(os.getpid())}"
    assert launch.environment["CLAUDE_MAGIC_COOKIE"] == owner
    assert launch.environment["CLAUDE_MAGIC_OWNER"] == str(os.getpid())
    assert launch.scratch.parent.name.startswith(folder_prefix(owner))


def test_a_folder_that_was_cleared_away_is_created_again() -> None:
    before = prepare(Path("claude"), {}, ID).scratch.parent
    assert prepare(Path("claude"), {}, ID).scratch.parent == before
    shutil.rmtree(before)
    after = prepare(Path("claude"), {}, ID).scratch
    assert after.is_dir()
    assert after.parent != before


def test_no_secret_is_kept_and_every_extra_is() -> None:
    names = kept(prepare(Path("claude"), {"DATABASE_URL": "chosen", "MINE": ""}, ID))
    assert {"DATABASE_URL", "MINE", "PATH", QUIET, "CLAUDE_CODE_ENTRYPOINT"} <= names
    assert not {"AWS_SECRET_ACCESS_KEY", "JUPYTERHUB_API_TOKEN"} & names


def test_on_windows_the_program_itself_is_started_and_secrets_are_emptied() -> None:
    program = Path("C:/claude.exe")
    launch = prepare(program, {"DATABASE_URL": "chosen", "MINE": "x"}, ID, platform="win32")
    assert (launch.program, launch.session_id, launch.marks_file) == (program, ID, None)
    environment = launch.environment
    assert environment["AWS_SECRET_ACCESS_KEY"] == environment["JUPYTERHUB_API_TOKEN"] == ""
    assert (environment["DATABASE_URL"], environment["MINE"]) == ("chosen", "x")
    assert not {"PATH", "HOME"} & {*environment}
    assert not [name for name in environment if name.startswith("CLAUDE_MAGIC_")]


@pytest.mark.parametrize("platform", PLATFORMS)
def test_claude_code_is_quiet_unless_that_was_chosen(
    platform: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def environment(extra: Mapping[str, str]) -> Mapping[str, str]:
        return prepare(Path("claude"), extra, ID, platform=platform).environment

    assert environment({})[QUIET] == "1"
    assert environment({QUIET: ""})[QUIET] == ""
    monkeypatch.setenv(QUIET, "0")
    assert QUIET not in environment({})


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("name", FORCED)
def test_what_is_forced_cannot_be_chosen(
    platform: str,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(name, "chosen in the kernel")
    extra = {name: "chosen for the session"}
    launch = prepare(Path("claude"), extra, ID, platform=platform)
    assert launch.environment[name] == FORCED[name]
    assert platform == "win32" or name in kept(launch)


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize(("kernel", "session"), [("0", "1"), ("1", "0")])
def test_a_session_switches_a_cloud_for_itself(
    platform: str,
    kernel: str,
    session: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CLAUDE_CODE_USE_BEDROCK", kernel)
    extra = {"CLAUDE_CODE_USE_BEDROCK": session}
    launch = prepare(Path("claude"), extra, ID, platform=platform)
    passes = (
        "AWS_SECRET_ACCESS_KEY" not in launch.environment
        if platform == "win32"
        else "AWS_SECRET_ACCESS_KEY" in kept(launch)
    )
    assert passes is (session == "1")


def test_the_processes_are_known_by_their_marks_and_claude_code_is_ended(
    two: list[subprocess.Popen[bytes]],
    tmp_path: Path,
) -> None:
    (guard, claude), marks = two, tmp_path / "marks"
    marks.write_text(f"{this_host().mark(guard.pid)} {this_host().mark(claude.pid)}\n")
    launch = launch_with(marks)
    assert launch.pids == (guard.pid, claude.pid)
    assert launch.kill() is True
    guard.communicate()
    assert (guard.returncode, claude.wait()) == (0, -signal.SIGKILL)


def test_another_process_with_the_id_is_not_ended(
    two: list[subprocess.Popen[bytes]],
    tmp_path: Path,
) -> None:
    (guard, claude), marks = two, tmp_path / "marks"
    marks.write_text(f"{this_host().mark(guard.pid)} {claude.pid}-1\n")
    launch_with(marks).kill()
    claude.communicate()
    assert claude.returncode == 0


@pytest.mark.parametrize(
    "written",
    [None, b"", b"12-34", b"1-2 3-4 5-6", b"\xff\xfe \x80", b"not known"],
)
def test_without_marks_nobody_is_known(tmp_path: Path, written: bytes | None) -> None:
    marks = tmp_path / "marks"
    if written is not None:
        marks.write_bytes(written)
    assert launch_with(marks).pids is None
    assert launch_with(marks).kill() is False


@pytest.mark.parametrize("found", ["4242", ""])
def test_on_windows_the_child_is_ended_by_its_conversation(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    found: str,
) -> None:
    log = tmp_path / "log"
    for name in ("powershell", "taskkill"):
        script(tmp_path / name, f"#!/bin/sh\necho \"{name} $*\" >>'{log}'\necho {found}\n")
    monkeypatch.setenv("PATH", str(tmp_path))
    launch = prepare(Path("claude.exe"), {}, ID, platform="win32")
    assert launch.pids is None
    assert launch.kill() is bool(found)
    asked, *ended = log.read_text().splitlines()
    assert f"ParentProcessId={os.getpid()}'" in asked
    assert f"*{ID}*" in asked
    assert ended == (["taskkill /T /F /PID 4242"] if found else [])


def test_the_supervisor_loads_little() -> None:
    """What it loads, each session's supervisor has in memory."""
    asked = (
        "import sys\n"
        f"__file__ = {supervisor.__file__!r}\n"
        "try: exec(open(__file__).read())\n"
        "except KeyError: pass\n"  # nobody told it what to run
        "print(*{'pathlib', 're', 'subprocess', 'typing'} & set(sys.modules))"
    )
    ran = subprocess.run(  # noqa: S603 - Python
        [sys.executable, "-I", "-S", "-c", asked],
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.split() == []
