from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from claude_magic.session.host import this_host
from claude_magic.session.leftovers import folder_prefix, sweep
from claude_magic.tape import Demo, demo_tape

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Start = Callable[..., subprocess.Popen[str]]

pytestmark = pytest.mark.skipif(os.name != "posix", reason="there is no supervisor on Windows")

#: Nobody else is there, so that nothing of anybody else's is swept.
PLACE = f"test-{uuid.uuid4().hex}"

#: Has ended: the process with this id started at another time.
DEAD = f"{os.getpid()}-1"


@pytest.fixture
def living() -> str:
    return this_host().mark(os.getpid())


@pytest.fixture
def start() -> Iterator[Start]:
    processes: list[subprocess.Popen[str]] = []

    def start(**environment: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", "import sys; print(flush=True); sys.stdin.read()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
            start_new_session=True,
        )
        processes.append(process)
        assert process.stdout is not None
        process.stdout.readline()
        return process

    yield start
    for process in processes:
        with process:
            process.kill()


def stays(process: subprocess.Popen[str]) -> bool:
    """Tell whether a process ends only now, with its input."""
    process.communicate()
    assert process.returncode in {0, -signal.SIGKILL}
    return process.returncode == 0


def folder(parent: Path, name: str) -> Path:
    path = parent / name
    (path / "projects").mkdir(parents=True)
    (path / "projects" / "file").write_text("")
    return path


@pytest.mark.parametrize("kernel", ["living", "dead"])
def test_a_command_goes_with_its_supervisor(
    start: Start,
    living: str,
    tmp_path: Path,
    kernel: str,
) -> None:
    owner = living if kernel == "living" else DEAD
    supervisor = start()
    mark = this_host().mark(supervisor.pid)
    commands = [start(CLAUDE_MAGIC_COOKIE=f"{PLACE}.{owner}.{mark}") for _ in range(2)]
    sweep(this_host(), PLACE, tmp_path)
    assert [command.poll() for command in commands] == [None, None]
    supervisor.kill()
    supervisor.wait()
    sweep(this_host(), PLACE, tmp_path)
    assert [stays(command) for command in commands] == [False, False]


@pytest.mark.parametrize(
    "cookie",
    [
        "{place}.{dead}.{living}",
        "other-{place}.{dead}.{dead}",
        "{place}-other.{dead}.{dead}",
        ".{dead}.{dead}",
        "{place}.{dead}",
        "{place}.{dead}.{dead}.{dead}",
        "{place}.{dead}.",
        "{place}.{dead}.1",
        "{place}.{dead}.x-1",
        "{place}.{dead}." + "9" * 5000 + "-1",
        "",
        None,
    ],
    ids=lambda cookie: str(cookie)[:40],
)
def test_other_commands_stay(
    start: Start,
    living: str,
    tmp_path: Path,
    cookie: str | None,
) -> None:
    environment = {"CLAUDE_MAGIC_COOKY": f"{PLACE}.{DEAD}.{DEAD}"}
    if cookie is not None:
        value = cookie.format(place=PLACE, living=living, dead=DEAD)
        environment["CLAUDE_MAGIC_COOKIE"] = value
    command = start(**environment)
    sweep(this_host(), PLACE, tmp_path)
    assert stays(command)


@pytest.mark.promise("Folders of killed kernels are removed at the next start.", against="local")
def test_a_folder_goes_with_its_owner(start: Start, tmp_path: Path) -> None:
    owner = start()
    mark = this_host().mark(owner.pid)
    made = Path(tempfile.mkdtemp(prefix=folder_prefix(f"{PLACE}.{mark}"), dir=tmp_path))
    demo = folder(tmp_path, f"claude-magic-demo-{PLACE}.{mark}.abc")
    sweep(this_host(), PLACE, tmp_path)
    assert {*tmp_path.iterdir()} == {made, demo}
    owner.kill()
    owner.wait()
    sweep(this_host(), PLACE, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("prefix", ["claude-magic-", "claude-magic-demo-"])
@pytest.mark.parametrize(
    "name",
    [
        "{place}.{living}.abc",
        "other-{place}.{dead}.abc",
        "{place}-other.{dead}.abc",
        "abc",
        "{place}.{dead}",
        "{place}.{dead}.abc.old",
        "{place}.12.abc",
        "{place}.x-1.abc",
    ],
)
def test_other_folders_stay(living: str, tmp_path: Path, prefix: str, name: str) -> None:
    path = folder(tmp_path, prefix + name.format(place=PLACE, living=living, dead=DEAD))
    strange = folder(tmp_path, f"my-{prefix}{PLACE}.{DEAD}.abc")
    sweep(this_host(), PLACE, tmp_path)
    assert {*tmp_path.iterdir()} == {path, strange}
    assert (path / "projects" / "file").exists()


@pytest.mark.promise("Folders of killed kernels are removed at the next start.", against="local")
def test_what_is_no_folder_stays_and_no_link_is_followed(tmp_path: Path) -> None:
    theirs = folder(tmp_path, "theirs")
    stale = folder(tmp_path, f"{folder_prefix(f'{PLACE}.{DEAD}')}a")
    (stale / "link").symlink_to(theirs)
    link, file = stale.with_suffix(".b"), stale.with_suffix(".c")
    link.symlink_to(theirs)
    file.write_text("")
    sweep(this_host(), PLACE, tmp_path)
    assert {*tmp_path.iterdir()} == {theirs, link, file}
    assert (theirs / "projects" / "file").exists()


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="only root may")
def test_another_users_folder_stays(tmp_path: Path) -> None:
    path = folder(tmp_path, f"{folder_prefix(f'{PLACE}.{DEAD}')}a")
    os.chown(path, 65534, 65534)
    sweep(this_host(), PLACE, tmp_path)
    assert path.exists()


@pytest.mark.parametrize("variable", ["CLAUDE_CONFIG_DIR", "CLAUDE_MAGIC_PIDS"])
@pytest.mark.parametrize("below", ["", "some.pids"])
def test_a_folder_that_a_process_needs_stays_as_long_as_it(
    start: Start,
    tmp_path: Path,
    variable: str,
    below: str,
) -> None:
    name = f"{folder_prefix(f'{PLACE}.{DEAD}')}a"
    needed, _similar = folder(tmp_path, f"{name}b"), folder(tmp_path, name)
    process = start(**{variable: str(needed / below)})
    sweep(this_host(), PLACE, tmp_path)
    assert list(tmp_path.iterdir()) == [needed]
    process.kill()
    process.wait()
    sweep(this_host(), PLACE, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_folder_of_a_demo_bears_the_mark_by_which_it_is_swept(living: str) -> None:
    with Demo(demo_tape()) as demo:
        name = Path(demo.environment["CLAUDE_CONFIG_DIR"]).name
    assert name.startswith(f"claude-magic-demo-{this_host().place()}.{living}.")
