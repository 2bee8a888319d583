"""What is left of sessions whose supervisor was killed: their commands and their folders.

A supervisor ends whatever Claude Code leaves behind. If it is killed itself, the system ends Claude
Code with it, but commands live on, each in a session of its own. Every one of them inherited a
cookie, which names the kernel and the supervisor that it belongs to; so the next supervisor that
starts knows whose are left. Folders bear the mark of their owner in their name.

Processes without a cookie and folders without a mark are never touched, nor those of another user,
of another machine that shares the file system, or of a container.
"""

from __future__ import annotations

import os
from contextlib import suppress

TYPE_CHECKING = False  # as in host.py
if TYPE_CHECKING:
    from collections.abc import Iterator
    from os import PathLike

    from .host import Host

#: The variable that carries the cookie: ``PLACE.KERNEL.SUPERVISOR``, the latter two as marks. That
#: of a supervisor itself ends after the kernel's.
COOKIE = "CLAUDE_MAGIC_COOKIE"

#: Our temporary folders are called ``claude-magic-PLACE.KERNEL.RANDOM``, or with one of these.
_PREFIXES = ("claude-magic-demo-", "claude-magic-")

#: The variables by which a living process may still need such a folder.
_NEEDS = ("CLAUDE_MAGIC_PIDS", "CLAUDE_CONFIG_DIR")

#: A command may start another while it is ended; after so many times it is left to the next start.
_ROUNDS = 5


def folder_prefix(owner: str, *, demo: bool = False) -> str:
    """Return what the name of a temporary folder begins with.

    Parameters
    ----------
    owner
        ``PLACE.KERNEL``, as in the cookie.
    demo
        Whether it is the folder of a demo.
    """
    return f"{_PREFIXES[0] if demo else _PREFIXES[-1]}{owner}."


def sweep(host: Host, place: str, folder: str | PathLike[str]) -> None:
    """End processes and remove folders whose owners are gone; takes a few milliseconds.

    Any number of processes may do so at the same time.

    Parameters
    ----------
    host
        What tells of processes.
    place
        Marks are understood if they are from here.
    folder
        The folder that holds the temporary folders.

    Raises
    ------
    OSError
        If the system does not tell of its processes.
    """
    _end_processes(host, place)
    _remove_folders(host, place, folder)


def _end_processes(host: Host, place: str) -> None:
    def is_left(cookie: str | None) -> bool:
        parts = (cookie or "").split(".")
        return len(parts) == len(("place", "kernel", "supervisor")) and (
            parts[0] == place and host.ended(parts[2])
        )

    for _ in range(_ROUNDS):
        left = [pid for pid, cookie in host.carriers(COOKIE).items() if is_left(cookie)]
        for pid in left:
            # The id may be another process's by now.
            host.kill(pid, lambda pid=pid: is_left(host.carried(COOKIE, pid)))  # type: ignore[misc]
        if not left:
            return


def _remove_folders(host: Host, place: str, folder: str | PathLike[str]) -> None:
    stale = [path for path, mark in _marked(place, folder) if host.ended(mark)]
    if not stale:
        return
    import shutil  # noqa: PLC0415 - seldom needed

    needed = [
        os.path.join(os.path.normpath(value), "")
        for name in _NEEDS
        for value in host.carriers(name).values()
    ]
    for path in stale:
        # The kernel may be gone while Claude Code still writes its transcript.
        if not any(each.startswith(os.path.join(path, "")) for each in needed):
            shutil.rmtree(path, ignore_errors=True)


def _marked(place: str, folder: str | PathLike[str]) -> Iterator[tuple[str, str]]:
    """Yield the folders of this user that bear a mark from here, and the mark."""
    for entry in os.scandir(folder):
        prefix = next((each for each in _PREFIXES if entry.name.startswith(each)), "")
        parts = entry.name.removeprefix(prefix).split(".")
        if prefix and len(parts) == len(("place", "kernel", "random")) and parts[0] == place:
            with suppress(OSError):
                own = entry.stat(follow_symlinks=False).st_uid == os.getuid()
                if own and entry.is_dir(follow_symlinks=False):
                    yield os.path.normpath(entry.path), parts[1]
