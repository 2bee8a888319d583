from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import uuid
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from claude_magic.session.host import LinuxHost, MacHost, WindowsHost, this_host

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Start = Callable[..., subprocess.Popen[str]]

linux = pytest.mark.skipif(sys.platform != "linux", reason="this is no Linux")
root = pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="only root may")

PYTHON = (sys.executable, "-I", "-S", "-c")

#: Says that it runs, and ends with its input.
WAITS = (*PYTHON, "import sys; print(flush=True); sys.stdin.read()")

#: The same, with a child that has a child, each in a session of its own; tells their ids.
TREE = """
import os, sys
print(flush=True)
for _ in range(2):
    if os.fork():
        break
    os.setsid()
    print(os.getpid(), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def start() -> Iterator[Start]:
    processes: list[subprocess.Popen[str]] = []

    def start(*command: str, **options: Any) -> subprocess.Popen[str]:
        process = subprocess.Popen(  # noqa: S603 - ours
            command or WAITS,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            **options,
        )
        processes.append(process)
        said(process)
        return process

    yield start
    for process in processes:
        # Whoever is below it reads the end of its input, and goes.
        with process:
            process.kill()


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.fixture
def blocked() -> Iterator[signal.Signals]:
    handler = signal.signal(signal.SIGUSR1, lambda *_: None)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    yield signal.SIGUSR1
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR1})
    signal.signal(signal.SIGUSR1, handler)


@pytest.mark.parametrize(
    ("platform", "kind"),
    [("linux", LinuxHost), ("darwin", MacHost), ("freebsd14", MacHost)],
)
def test_a_platform_has_its_host(platform: str, kind: type) -> None:
    assert type(this_host(platform)) is kind


def test_a_place_fits_into_a_cookie_and_is_the_same_for_all_here() -> None:
    place = this_host().place()
    assert re.fullmatch(r"[0-9A-Za-z-]+", place)
    code = "from claude_magic.session.host import this_host; print(this_host().place(), end='')"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == place  # noqa: S603


@pytest.mark.skipif(not hasattr(os, "waitid"), reason="macOS has it from Python 3.13 on")
def test_a_process_lives_until_it_ends(start: Start) -> None:
    host, process = this_host(), start()
    mark = host.mark(process.pid)
    assert re.fullmatch(rf"{process.pid}-[0-9A-Za-z]+", mark)
    assert mark == f"{process.pid}-{host.started(process.pid)}"
    assert (host.lives(mark), host.ended(mark)) == (True, False)
    assert not host.is_ending(process.pid)
    process.kill()
    # It has ended though nobody has collected it.
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert (host.lives(mark), host.ended(mark)) == (False, True)
    assert host.is_ending(process.pid)
    process.wait()
    assert (host.lives(mark), host.ended(mark)) == (False, True)
    assert host.is_ending(process.pid)
    with pytest.raises(ProcessLookupError, match=str(process.pid)):
        host.mark(process.pid)


def test_another_process_with_its_id_is_not_taken_for_it() -> None:
    host, mark = this_host(), f"{os.getpid()}-1"
    assert (host.lives(mark), host.ended(mark)) == (False, True)


@pytest.mark.parametrize("text", ["", "-", "12", "12-", "-12", "x-1", "1.5-1", "12-3/4", "²-1"])
def test_what_is_no_mark_neither_lives_nor_has_ended(text: str) -> None:
    assert (this_host().lives(text), this_host().ended(text)) == (False, False)


def test_a_process_is_ended_only_if_it_is_the_one_that_is_meant(start: Start) -> None:
    host, spared, meant = this_host(), start(), start()
    mark = host.mark(meant.pid)
    host.kill(spared.pid, lambda: False)
    host.kill(meant.pid, lambda: host.lives(mark))
    assert meant.wait() == -signal.SIGKILL
    host.kill(meant.pid, lambda: host.lives(mark))  # nobody has the id any more
    spared.communicate()
    assert spared.returncode == 0


def test_descendants_are_found_across_sessions(start: Start) -> None:
    host, process, other = this_host(), start(*PYTHON, TREE, start_new_session=True), start()
    child, grandchild = int(said(process)), int(said(process))
    assert sorted(host.descendants(process.pid)) == sorted([child, grandchild])
    assert host.descendants(child) == [grandchild]
    assert host.descendants(other.pid) == []


def test_a_process_occupies_its_own_memory_and_that_of_those_below_it(start: Start) -> None:
    host, process = this_host(), start(*PYTHON, TREE, start_new_session=True)
    child, grandchild = int(said(process)), int(said(process))
    least, more, most = map(host.resident_bytes, (grandchild, child, process.pid))
    assert 0 < least < more < most


def test_on_a_mac_memory_is_told_by_ps() -> None:
    def run(command: list[str]) -> str:
        told = {"rss": "  700  2048\n  701     4\n", "lstart": ""}
        return next(text for column, text in told.items() if column in command[-1])

    assert MacHost(run).resident_bytes(700) == 2048 * 1024


def test_carriers_have_the_very_variable(start: Start) -> None:
    host, name = this_host(), f"V{uuid.uuid4().hex}"
    process, empty = start(env={name: "a=b"}), start(env={name: ""})
    other = start(env={f"{name}_2": "x", f"X{name}": "x", "X": f"{name}=x"})
    assert host.carriers(name) == {process.pid: "a=b", empty.pid: ""}
    assert host.carried(name, process.pid) == "a=b"
    assert host.carried(name, other.pid) is None


@linux
def test_a_value_may_hold_anything(start: Start) -> None:
    name, value = f"V{uuid.uuid4().hex}", os.fsdecode(b"two words\n\xff")
    process = start(env={name: value})
    assert LinuxHost().carriers(name) == {process.pid: value}


@linux
def test_a_programs_name_may_hold_anything(start: Start, tmp_path: Path) -> None:
    program = tmp_path / "a) Z 0 (b"
    program.symlink_to(sys.executable)
    process, host = start(executable=program), LinuxHost()
    assert f"({program.name})" in Path(f"/proc/{process.pid}/stat").read_text()
    assert host.lives(host.mark(process.pid))
    assert process.pid in host.descendants(os.getpid())


@linux
@root
def test_another_users_process_carries_nothing(start: Start) -> None:
    name = f"V{uuid.uuid4().hex}"
    process = start("/bin/sh", "-c", "echo; read line", user=65534, env={name: "x"})
    assert f"{name}=x" in Path(f"/proc/{process.pid}/environ").read_text()
    assert LinuxHost().carriers(name) == {}


@linux
def test_linux_waits_for_a_signal_no_longer_than_told(blocked: signal.Signals) -> None:
    host = LinuxHost()
    assert host.next_signal({blocked}, 0.0) is None
    for timeout_s in (0.0, None):
        signal.pthread_kill(threading.get_ident(), blocked)
        assert host.next_signal({blocked}, timeout_s) == blocked


@dataclass
class Listed:
    """A process as `ps` lists it on a Mac."""

    pid: int
    parent: int = 1
    group: int = 1
    command: str = "/bin/zsh -l"
    environment: str = "HOME=/Users/ada SHELL=/bin/zsh"
    started: str = "Mon Nov 23 14:11:42 2026"
    state: str = "Ss"
    uid: int = os.getuid() if hasattr(os, "getuid") else 0


class Mac:
    """Stands for `ps` and `sysctl`."""

    def __init__(self, *processes: Listed) -> None:
        self.processes = processes
        self.host = MacHost(self.run)

    def run(self, command: list[str]) -> str:
        if command == ["sysctl", "-n", "kern.bootsessionuuid"]:
            return "6B2C1F0E-4C0A-4D6C-9E57-0F1A2B3C4D5E\n"
        program, *options, columns = command
        assert program == "ps"
        assert {*"ax"} <= {*options[0]}  # everybody's, also without a terminal
        return "".join(self._line(each, options[0], columns) for each in self.processes)

    def _line(self, each: Listed, options: str, columns: str) -> str:
        # `strvis` has made one line of the command by then.
        environment = f" {each.environment}" if "E" in options else ""
        shown = {
            "pid": f"{each.pid:5}",
            "ppid": f"{each.parent:5}",
            "pgid": f"{each.group:5}",
            "uid": f"{each.uid:5}",
            "stat": f"{each.state:4}",
            "lstart": f"{each.started:28}",
            "comm": each.command.partition(" ")[0],
            "command": f"{each.command}{environment}",
        }
        return " ".join(shown[column] for column in columns.removesuffix("=").split("=,")) + "\n"


def test_a_macs_place_is_its_boot() -> None:
    assert Mac().host.place() == "6B2C1F0E-4C0A-4D6C-9E57-0F1A2B3C4D5E"


def test_a_mac_tells_one_process_from_the_next_with_its_id() -> None:
    mac = Mac(Listed(700), Listed(701, started="Thu Dec  3 09:05:00 2026"))
    mark = mac.host.mark(700)
    assert (mark, mac.host.started(701)) == ("700-MonNov231411422026", "ThuDec30905002026")
    assert (mac.host.lives(mark), mac.host.ended(mark)) == (True, False)
    for after in ([], [Listed(700, started="Mon Nov 23 14:11:43 2026")], [Listed(700, state="Z")]):
        mac.processes = tuple(after)
        assert (mac.host.lives(mark), mac.host.ended(mark)) == (False, True)


def test_on_a_mac_arguments_and_other_users_count_for_nothing() -> None:
    mac = Mac(
        Listed(700, command="env COOKIE=said sleep 9", environment="A=1 COOKIE=a=b XCOOKIE=x"),
        Listed(701, command="grep COOKIE=said", environment="XCOOKIE=x COOKIE_2=x"),
        Listed(702, environment="COOKIE=other", uid=Listed.uid + 1),
        Listed(703, environment=""),
    )
    assert mac.host.carriers("COOKIE") == {700: "a=b"}
    assert mac.host.carried("COOKIE", 700) == "a=b"
    assert mac.host.carried("COOKIE", 701) is None


def test_on_a_mac_a_value_is_told_whole() -> None:
    mac = Mac(Listed(700, environment="A=1 CLAUDE_CONFIG_DIR=/Users/ada/my tmp/x B=2"))
    assert mac.host.carriers("CLAUDE_CONFIG_DIR") == {700: "/Users/ada/my tmp/x"}


def test_on_a_mac_a_command_may_be_empty() -> None:
    mac = Mac(Listed(700, command=""), Listed(701, environment="COOKIE=x"))
    assert mac.host.carriers("COOKIE") == {701: "x"}


def test_on_a_mac_the_ps_that_tells_is_no_descendant() -> None:
    us = os.getpid()
    mac = Mac(
        Listed(us, group=us),
        Listed(700, us, us, "/opt/claude"),
        Listed(701, us, us, "/bin/ps -axo pid="),
        Listed(702, 700, 702, "/bin/ps aux"),
        Listed(703, us, us, "/bin/zsh", state="Z"),
        Listed(704),
    )
    assert sorted(mac.host.descendants(us)) == [700, 702]


def test_a_mac_knows_orphans_by_their_process_group() -> None:
    claude, shell, make = Listed(700, 600, 600), Listed(710, 700, 710), Listed(711, 710, 710)
    mac = Mac(Listed(600, group=600), claude, shell, make)
    assert sorted(mac.host.descendants(600)) == [700, 710, 711]
    # The shell died, and what `make` had started lost its parent before anybody looked.
    orphan, below = Listed(712, 1, 710), Listed(713, 712, 713)
    mac.processes = (Listed(600, group=600), replace(make, parent=1), orphan, below)
    assert sorted(mac.host.descendants(600)) == [711, 712, 713]
    # All of them died, and others have got their ids and their group since.
    later = "Mon Nov 23 15:00:00 2026"
    mac.processes = (
        Listed(600, group=600),
        Listed(710, 1, 710, started=later),
        Listed(711, 1, 710, started=later),
    )
    assert mac.host.descendants(600) == []


def test_a_mac_looks_around_while_it_waits_for_a_signal(
    blocked: signal.Signals,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("claude_magic.session.host.POLL_S", 0.0)
    us = os.getpid()
    mac = Mac(Listed(700, us, us), Listed(710, 700, 710))
    assert mac.host.next_signal({blocked}, None) is None
    mac.processes = (Listed(710, 1, 710),)
    signal.pthread_kill(threading.get_ident(), blocked)
    assert mac.host.next_signal({blocked}, 5.0) == blocked
    assert mac.host.next_signal({blocked}, 5.0) is None
    assert mac.host.descendants(us) == [710]


def test_a_mac_that_does_not_tell_still_gets_its_signals(blocked: signal.Signals) -> None:
    def run(command: list[str]) -> str:
        raise OSError(command[0])

    signal.pthread_kill(threading.get_ident(), blocked)
    assert MacHost(run).next_signal({blocked}, 0.0) == blocked


class Windows:
    """Stands for PowerShell and `taskkill`; who is in `gone` can be ended no more."""

    def __init__(self, *children: int, gone: tuple[int, ...] = ()) -> None:
        self.children = children
        self.gone = gone
        self.script = ""
        self.ended: list[int] = []

    def run(self, command: list[str]) -> str:
        if command[0] == "powershell":
            self.script = command[-1]
            return "".join(f"{pid}\r\n" for pid in self.children)
        *start, pid = command
        assert start == ["taskkill", "/T", "/F", "/PID"]
        if int(pid) in self.gone:
            raise OSError(f"taskkill: {pid}")
        self.ended.append(int(pid))
        return f"SUCCESS: The process with PID {pid} has been terminated.\r\n"


@pytest.mark.parametrize("children", [(), (4242,), (4242, 4243)])
def test_windows_ends_every_child_that_is_meant(children: tuple[int, ...]) -> None:
    windows = Windows(*children)
    assert WindowsHost(windows.run).end_child("5f1c-0a52") is bool(children)
    assert windows.ended == [*children]
    assert f"ParentProcessId={os.getpid()}'" in windows.script
    assert "$_.CommandLine -like '*5f1c-0a52*'" in windows.script
    assert "$_.ProcessId -ne $PID" in windows.script


def test_where_windows_does_not_tell_there_is_no_child() -> None:
    def run(command: list[str]) -> str:
        raise FileNotFoundError(command[0])

    assert WindowsHost(run).end_child("5f1c") is False


def test_a_child_that_went_by_itself_does_not_save_the_next() -> None:
    windows = Windows(4242, 4243, gone=(4242,))
    assert WindowsHost(windows.run).end_child("5f1c") is True
    assert windows.ended == [4243]


@pytest.mark.skipif(os.name != "posix", reason="the command is a shell script")
def test_a_command_is_asked_in_one_language_and_must_succeed(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sysctl = tmp_path / "sysctl"
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FileNotFoundError):
        MacHost().place()
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    sysctl.write_text('#!/bin/sh\necho "$LC_ALL $TZ $*"\n')
    sysctl.chmod(0o700)
    assert MacHost().place() == "C UTC0 -n kern.bootsessionuuid"
    sysctl.write_text("#!/bin/sh\necho half\nexit 3\n")
    with pytest.raises(OSError, match=r"sysctl: .* exit status 3"):
        MacHost().place()
