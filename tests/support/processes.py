"""Looks at processes, by what /proc tells."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def alive(pid: int) -> bool:
    """Tell whether a process runs; one that is dead and not yet collected does not."""
    try:
        stat = Path("/proc", str(pid), "stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in {"Z", "X"}


def carriers(variable: str) -> list[int]:
    """Return the processes whose environment holds ``NAME=value``."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            try:
                environ = (folder / "environ").read_bytes()
            except OSError:
                continue
            if variable.encode() in environ.split(b"\0") and alive(int(folder.name)):
                found.append(int(folder.name))
    return found


def wait_for_program(name: str, variable: str, within_s: float) -> list[int]:
    """Wait until a program runs whose environment holds ``NAME=value``; return its processes.

    There is no event for what a process that is not a child becomes, so this looks every 20 ms.
    """
    deadline = time.monotonic() + within_s
    while True:
        found = [pid for pid in carriers(variable) if _program(pid) == name]
        if found or time.monotonic() > deadline:
            return found
        time.sleep(0.02)


def _program(pid: int) -> str:
    try:
        return Path("/proc", str(pid), "comm").read_text().strip()
    except OSError:
        return ""


def claude_codes(variable: str) -> list[int]:
    """Return the Claude Code processes that hold ``NAME=value``.

    Not their supervisors, and not the helpers that Claude Code starts from its own binary.
    """
    found = []
    for pid in carriers(variable):
        try:
            program = Path("/proc", str(pid), "exe").readlink()
        except OSError:
            continue
        if program.name == "claude":
            found.append(pid)
    return [pid for pid in found if _parent(pid) not in found]


def _parent(pid: int) -> int | None:
    try:
        stat = Path("/proc", str(pid), "stat").read_text()
    except OSError:
        return None
    return int(stat.rpartition(")")[2].split()[1])


def wait_until_gone(pids: Iterable[int], within_s: float) -> list[int]:
    """Wait until processes are gone; return those that are not.

    There is no event for the end of a process that is not a child, so this looks every 20 ms.
    """
    deadline = time.monotonic() + within_s
    left = [pid for pid in pids if alive(pid)]
    while left and time.monotonic() < deadline:
        time.sleep(0.02)
        left = [pid for pid in left if alive(pid)]
    return left


#: The state of a TCP socket that listens, as /proc/net/tcp has it.
_TCP_LISTEN = "0A"


def listeners(pids: Iterable[int]) -> list[str]:
    """Return the sockets of processes by which another process can reach them.

    TCP and UNIX sockets that listen, and UDP and raw sockets with a local port.
    """
    inodes = {inode: pid for pid in pids for inode in _sockets(pid)}
    found = [
        f"{inodes[fields[6]]}: unix {' '.join(fields[7:])}"
        for fields in _table("unix", 6)
        # __SO_ACCEPTCON: it listens.
        if fields[6] in inodes and int(fields[3], 16) & 0x10000
    ]
    for kind in ("tcp", "tcp6", "udp", "udp6", "raw", "raw6"):
        found.extend(
            f"{inodes[fields[9]]}: {kind} {fields[1]}"
            for fields in _table(kind, 9)
            if fields[9] in inodes and (not kind.startswith("tcp") or fields[3] == _TCP_LISTEN)
        )
    return found


def _sockets(pid: int) -> list[str]:
    """Return the inodes of a process's sockets."""
    found = []
    with suppress(OSError):
        for descriptor in Path("/proc", str(pid), "fd").iterdir():
            with suppress(OSError):
                kind, _, inode = str(descriptor.readlink()).partition(":")
                if kind == "socket":
                    found.append(inode.strip("[]"))
    return found


def _table(name: str, columns: int) -> Iterator[list[str]]:
    """Yield the lines of a table in /proc/net, as their columns."""
    with suppress(OSError):
        for line in Path("/proc/net", name).read_text().splitlines()[1:]:
            fields = line.split()
            if len(fields) > columns:
                yield fields
