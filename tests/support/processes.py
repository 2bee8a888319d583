"""Looks at processes, by what /proc tells."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


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
