"""What the operating system knows of processes: the one place that tells the platforms apart.

Linux tells everything through /proc. macOS has no /proc, no parent-death signal and no subreaper:
there `ps` is asked, the parent is looked at from time to time, and what left the family is known by
its process group. Windows has none of it: there only a tree of processes can be ended.

The supervisor imports this without the rest of the package, so it imports nothing but the standard
library, and of that only what loads fast and is small: `pathlib` alone takes a megabyte of each
session's supervisor.
"""

# ruff: noqa: D102 - Host describes what each of its platforms does
from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from abc import ABC, abstractmethod
from contextlib import suppress

TYPE_CHECKING = False  # importing typing takes a tenth of the supervisor's start
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import TypeAlias

    #: Runs a command and returns what it printed; raises OSError if it fails.
    Run: TypeAlias = Callable[[list[str]], str]

#: Where nothing wakes the supervisor it looks this often, in seconds.
POLL_S = 1.0

_COMMAND_TIMEOUT_S = 10.0


class Host(ABC):
    """What a POSIX system tells of its processes and does to them.

    A process is named by a mark, ``PID-START``: its id and when it started, so that another
    process that has got its id since is not taken for it.
    """

    @abstractmethod
    def place(self) -> str:
        """Return where ids of this process are valid: this machine, since it was switched on.

        Letters, digits and dashes.

        Raises
        ------
        OSError
            If the system does not tell.
        """

    @abstractmethod
    def started(self, pid: int) -> str | None:
        """Return when a process started, in letters and digits; None if it has ended."""

    @abstractmethod
    def carriers(self, variable: str) -> dict[int, str]:
        """Return the living processes of this user that have an environment variable.

        As it was when their program began: process id → the variable's value.
        """

    @abstractmethod
    def descendants(self, pid: int) -> list[int]:
        """Return the ids of the processes that come from a process."""

    def resident_bytes(self, pid: int) -> int:
        """Return how much memory a process and those that come from it occupy, in bytes.

        Takes some milliseconds. What several of them share counts for each.
        """
        return sum(self._resident([pid, *self.descendants(pid)]))

    @abstractmethod
    def _resident(self, pids: list[int]) -> Iterable[int]:
        """Return how many bytes each of these processes occupies that still runs."""

    def carried(self, variable: str, pid: int) -> str | None:
        """Return the value of a process's environment variable; None if it has none."""
        return self.carriers(variable).get(pid)

    def mark(self, pid: int) -> str:
        """Return the mark of a living process.

        Raises
        ------
        OSError
            If there is no such process.
        """
        started = self.started(pid)
        if started is None:
            raise ProcessLookupError(f"no process {pid}")
        return f"{pid}-{started}"

    def lives(self, mark: str) -> bool:
        """Tell whether the process of a mark runs."""
        pid, started = _parts(mark)
        return pid is not None and self.started(pid) == started

    def ended(self, mark: str) -> bool:
        """Tell whether the process of a mark has ended; what is no mark never lived."""
        pid, started = _parts(mark)
        return pid is not None and started.isalnum() and not self.lives(mark)

    def is_ending(self, pid: int) -> bool:
        """Tell whether a process will run no more, though it may still be giving back its memory.

        Until that is done its children are still its own.
        """
        return self.started(pid) is None

    def kill(self, pid: int, is_meant: Callable[[], bool]) -> None:
        """End a process at once; `is_meant` is asked right before whether it is still that one."""
        if is_meant():
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)

    def follow_parent(self, number: signal.Signals) -> None:  # noqa: B027 - not everywhere
        """Have this process get a signal when its parent dies, where the system can."""

    def adopt_orphans(self) -> None:  # noqa: B027 - not everywhere
        """Become the parent of descendants whose own parent dies, where the system can."""

    def next_signal(self, signals: set[signal.Signals], timeout_s: float | None) -> int | None:
        """Wait for one of the (blocked) signals.

        Parameters
        ----------
        signals
            What is waited for.
        timeout_s
            How long, in seconds; None for as long as the system can wait without looking around.

        Returns
        -------
        int or None
            The signal; None if the time was over first.
        """
        time.sleep(POLL_S if timeout_s is None else min(POLL_S, timeout_s))
        pending = signals & signal.sigpending()
        return signal.sigwait(pending) if pending else None


class LinuxHost(Host):
    """Linux, which tells by /proc and kills by a descriptor of the process."""

    _PR_SET_PDEATHSIG = 1
    _PR_SET_CHILD_SUBREAPER = 36
    _PF_EXITING = 0x4

    def place(self) -> str:
        # A container has the machine's boot id and process ids of its own.
        with open("/proc/sys/kernel/random/boot_id") as boot_id:
            boot = boot_id.read()
        namespace = os.stat("/proc/self/ns/pid").st_ino
        return f"{boot[:8]}-{namespace}"

    def started(self, pid: int) -> str | None:
        stat = _stat(pid)
        return None if stat is None or stat[0] in {"Z", "X"} else stat[19]

    def is_ending(self, pid: int) -> bool:
        stat = _stat(pid)
        return stat is None or bool(int(stat[6]) & self._PF_EXITING)

    def carriers(self, variable: str) -> dict[int, str]:
        found = {}
        for pid in _pids():
            value = self.carried(variable, pid)
            if value is not None:
                found[pid] = value
        return found

    def carried(self, variable: str, pid: int) -> str | None:
        start = f"{variable}=".encode()
        with suppress(OSError):
            folder = f"/proc/{pid}"
            if os.stat(folder).st_uid != os.getuid():
                return None
            with open(f"{folder}/environ", "rb") as environ:
                for entry in environ.read().split(b"\0"):
                    if entry.startswith(start):
                        return os.fsdecode(entry[len(start) :])
        return None

    def descendants(self, pid: int) -> list[int]:
        return _below({pid}, ((each, int(stat[1])) for each in _pids() if (stat := _stat(each))))

    def _resident(self, pids: list[int]) -> Iterable[int]:
        page_bytes = os.sysconf("SC_PAGE_SIZE")
        for pid in pids:
            with suppress(OSError), open(f"/proc/{pid}/statm") as pages:
                yield int(pages.read().split()[1]) * page_bytes

    def kill(self, pid: int, is_meant: Callable[[], bool]) -> None:
        try:
            # Some Pythons were built without it, and Linux has it since 5.3.
            descriptor = os.pidfd_open(pid)
        except (AttributeError, OSError):
            super().kill(pid, is_meant)
            return
        try:
            # From here on the signal reaches the process that was just looked at, or none.
            if is_meant():
                with suppress(ProcessLookupError, PermissionError):
                    signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        finally:
            os.close(descriptor)

    def follow_parent(self, number: signal.Signals) -> None:
        self._prctl(self._PR_SET_PDEATHSIG, number)

    def adopt_orphans(self) -> None:
        self._prctl(self._PR_SET_CHILD_SUBREAPER, 1)

    def _prctl(self, option: int, value: int) -> None:
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)

    def next_signal(self, signals: set[signal.Signals], timeout_s: float | None) -> int | None:
        if timeout_s is None:
            return signal.sigwait(signals)
        received = signal.sigtimedwait(signals, timeout_s)
        return received.si_signo if received else None


class MacHost(Host):
    """macOS, which tells by `ps`; also what is left of POSIX.

    A command whose parent died is no descendant any more. So those that were seen are remembered:
    as long as one of a process group lives, the group is the one that was seen.

    Parameters
    ----------
    run
        Runs `ps` and `sysctl`.
    """

    def __init__(self, run: Run | None = None) -> None:
        self._run = run or _run
        self._seen: dict[int, str] = {}

    def place(self) -> str:
        return self._run(["sysctl", "-n", "kern.bootsessionuuid"]).strip()

    def started(self, pid: int) -> str | None:
        rows = {row.pid: row.started for row in self._rows()}
        return rows.get(pid)

    def carriers(self, variable: str) -> dict[int, str]:
        import re  # noqa: PLC0415 - takes half as long to load as all the rest

        # `ps -E` puts the environment behind the arguments, in which anything may stand.
        arguments = self._lines("-axww")
        found = {}
        for pid, line in self._lines("-axEww").items():
            told = arguments.get(pid)
            if told is not None and line.startswith(told):
                # A value may hold spaces; it ends where the next variable begins.
                entry = rf" {re.escape(variable)}=(.*?)(?: [A-Za-z_]\w*=|$)"
                if match := re.search(entry, line[len(told) :], re.DOTALL):
                    found[pid] = match[1]
        return found

    def _lines(self, options: str) -> dict[int, str]:
        """Return the command lines of this user's processes."""
        lines = {}
        for line in self._run(["ps", options, "-o", "uid=,pid=,command="]).splitlines():
            uid, pid, *command = line.split(None, 2)
            if int(uid) == os.getuid():
                lines[int(pid)] = command[0].rstrip() if command else ""
        return lines

    def descendants(self, pid: int) -> list[int]:
        rows = self._rows()
        family = [
            (row.pid, row.parent)
            for row in rows
            # The very `ps` that tells is a child of this process.
            if not (row.parent == os.getpid() and row.name == "ps")
        ]
        known = {row.pid for row in rows if self._seen.get(row.pid) == row.started}
        known.update(_below({pid}, family))
        groups = {row.group for row in rows if row.pid in known}
        known.update(row.pid for row in rows if row.group in groups and row.pid != pid)
        known.update(_below(known, family))
        known &= {each for each, _ in family}
        self._seen = {row.pid: row.started for row in rows if row.pid in known}
        return list(known)

    def _resident(self, pids: list[int]) -> Iterable[int]:
        listed = self._run(["ps", "-axo", "pid=,rss="]).split()
        kilobytes = dict(zip(listed[::2], listed[1::2], strict=True))
        return (int(kilobytes.get(str(pid), 0)) * 1024 for pid in pids)

    def next_signal(self, signals: set[signal.Signals], timeout_s: float | None) -> int | None:
        with suppress(OSError):
            self.descendants(os.getpid())  # to know them when their parents are gone
        return super().next_signal(signals, timeout_s)

    def _rows(self) -> list[_Row]:
        columns = "pid=,ppid=,pgid=,stat=,lstart=,comm="
        lines = self._run(["ps", "-axo", columns]).splitlines()
        return [row for row in map(_Row, lines) if not row.state.startswith("Z")]


class WindowsHost:
    """Windows, where Claude Code is a plain child of the kernel.

    Parameters
    ----------
    run
        Runs PowerShell and `taskkill`.
    """

    def __init__(self, run: Run | None = None) -> None:
        self._run = run or _run

    def end_child(self, argument: str) -> bool:
        """End a child of this process and all below it; takes about a second.

        Parameters
        ----------
        argument
            What stands in the child's command line and in no other's: letters, digits and dashes.

        Returns
        -------
        bool
            Whether there was such a child.
        """
        script = (
            f"(Get-CimInstance Win32_Process -Filter 'ParentProcessId={os.getpid()}' | "
            # PowerShell is such a child itself.
            f"Where-Object {{ $_.ProcessId -ne $PID -and $_.CommandLine -like '*{argument}*' }})"
            ".ProcessId"
        )
        pids: list[str] = []
        with suppress(OSError):
            options = ["-NoProfile", "-NonInteractive", "-Command", script]
            pids = self._run(["powershell", *options]).split()
        for pid in pids:
            with suppress(OSError):  # it may have ended by itself
                self._run(["taskkill", "/T", "/F", "/PID", pid])
        return bool(pids)


def this_host(platform: str = sys.platform) -> Host:
    """Return the POSIX system of a platform, as `sys.platform` names it."""
    return LinuxHost() if platform == "linux" else MacHost()


class _Row:
    """A line of `ps`; a plain class, since importing dataclasses takes as long as all the rest."""

    def __init__(self, line: str) -> None:
        pid, parent, group, self.state, *moment, name = line.split(None, 9)
        self.pid, self.parent, self.group = int(pid), int(parent), int(group)
        #: ``Mon Nov 23 14:11:42 2026`` without what a file name should not hold.
        self.started = "".join(moment).replace(":", "")
        self.name = name.rstrip().rpartition("/")[2]


def _parts(mark: str) -> tuple[int | None, str]:
    """Return a mark's process id, None if it is no mark, and the start."""
    pid, _, started = mark.partition("-")
    return (int(pid) if pid.isdecimal() and len(pid) <= _PID_DIGITS else None), started


#: No system has longer process ids; Python refuses to read numbers of thousands of digits.
_PID_DIGITS = 20


def _pids() -> Iterator[int]:
    return (int(name) for name in os.listdir("/proc") if name.isdigit())


def _stat(pid: int) -> list[str] | None:
    """Return the fields of /proc/PID/stat from the third on, which is the state."""
    try:
        with open(f"/proc/{pid}/stat", errors="replace") as stat:
            # The command name stands in parentheses and may hold anything.
            return stat.read().rpartition(")")[2].split()
    except OSError:
        return None


def _below(roots: Iterable[int], family: Iterable[tuple[int, int]]) -> list[int]:
    """Return who is below the roots, by pairs of a process and its parent."""
    children: dict[int, list[int]] = {}
    for pid, parent in family:
        children.setdefault(parent, []).append(pid)
    found: list[int] = []
    rest = list(roots)
    while rest:
        below = children.pop(rest.pop(), [])
        found += below
        rest += below
    return found


def _run(command: list[str]) -> str:
    import subprocess  # noqa: PLC0415 - not needed on Linux

    try:
        return subprocess.run(  # noqa: S603 - commands of this module
            command,
            capture_output=True,
            check=True,
            encoding="utf-8",
            errors="replace",
            stdin=subprocess.DEVNULL,
            timeout=_COMMAND_TIMEOUT_S,
            # Moments are compared, so they must not depend on who asks.
            env={**os.environ, "LC_ALL": "C", "TZ": "UTC0"},
        ).stdout
    except subprocess.SubprocessError as error:
        raise OSError(f"{command[0]}: {error}") from error
