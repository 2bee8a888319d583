"""The small program that stands between a kernel and its Claude Code process.

The SDK starts Claude Code as a plain child of the kernel. Then a kernel interrupt, which goes to
the whole process group, ends it; the death of the kernel leaves it and its commands running; and
every command inherits every secret of the kernel. This program is given to the SDK in place of
Claude Code, starts it and guards it:

- it leads a session of its own, so that an interrupt of the kernel reaches neither of them;
- when the kernel dies, however it dies, it ends Claude Code and all that Claude Code started;
- when Claude Code ends, it ends the commands that were left behind;
- it hands on only the variables that it was told to, and the credential by file descriptor.

Standard input and output belong to Claude Code alone; this program touches neither.

It runs as a file under ``python -I -S``, so it imports nothing but the standard library and
starts in about 15 ms. Told through the environment:

``CLAUDE_MAGIC_PROGRAM``
    The Claude Code binary.
``CLAUDE_MAGIC_KEEP``
    Names of the variables that pass, separated by commas.
``CLAUDE_MAGIC_DESCRIPTORS``
    ``VARIABLE=NAME`` pairs, separated by commas: the variable's value goes through a pipe, and
    `NAME` tells the descriptor's number.
``CLAUDE_MAGIC_OWNER``
    The process id of the kernel.
``CLAUDE_MAGIC_PIDS``
    Where to write the two process ids, supervisor first, as one line of text; removed at the end.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import time
from pathlib import Path

#: How long Claude Code may take to write its transcript after SIGTERM, in seconds.
GRACE_S = 1.5

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_LINUX = sys.platform == "linux"
#: macOS has no parent-death signal; there the parent is looked at this often, in seconds.
_POLL_S = 1.0


def _prctl(option: int, value: int) -> None:
    if _LINUX:
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def _child_environment(environ: dict[str, str]) -> tuple[dict[str, str], list[int]]:
    """Select what Claude Code may see; put the credentials into pipes and return those too."""
    descriptors = []
    kept = {
        name: environ[name] for name in environ["CLAUDE_MAGIC_KEEP"].split(",") if name in environ
    }
    for pair in environ.get("CLAUDE_MAGIC_DESCRIPTORS", "").split(","):
        variable, _, name = pair.partition("=")
        secret = kept.pop(variable, "")
        if secret:
            reading, writing = os.pipe()
            os.set_inheritable(reading, True)  # noqa: FBT003 - the function takes no keyword
            # A pipe holds 64 KiB before a write blocks; a credential is far smaller.
            os.write(writing, secret.encode())
            os.close(writing)
            kept[name] = str(reading)
            descriptors.append(reading)
    return kept, descriptors


def _descendants() -> list[int]:
    """Return the process ids below this one, by the parents that /proc names."""
    if not _LINUX:
        return []
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError, ValueError):
                # The command name stands in parentheses and may hold anything.
                stat = (folder / "stat").read_text(errors="replace")
                parent = int(stat.rpartition(")")[2].split()[1])
                children.setdefault(parent, []).append(int(folder.name))
    found: list[int] = []
    rest = [os.getpid()]
    while rest:
        below = children.get(rest.pop(), [])
        found += below
        rest += below
    return found


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def _reap(watched: int, status: int | None) -> int | None:
    """Collect ended children; return the watched one's status once it is known."""
    while True:
        try:
            pid, ended = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return status
        if pid == 0:
            return status
        if pid == watched:
            status = ended


def _next_signal(signals: set[signal.Signals], timeout_s: float | None) -> int | None:
    """Wait for one of the (blocked) signals; None if the time is over first."""
    if _LINUX:
        if timeout_s is None:
            return signal.sigwait(signals)
        received = signal.sigtimedwait(signals, timeout_s)
        return received.si_signo if received else None
    time.sleep(_POLL_S if timeout_s is None else min(_POLL_S, timeout_s))
    pending = signals & signal.sigpending()
    return signal.sigwait(pending) if pending else None


def _watch(claude: int, owner: int) -> int:
    """Wait until Claude Code ends or must end; return its wait status."""
    signals = {signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGCHLD}
    status: int | None = None
    ending_at: float | None = None
    while True:
        status = _reap(claude, status)
        if status is not None:
            return status
        if ending_at is not None and time.monotonic() >= ending_at:
            _signal(claude, signal.SIGKILL)
            ending_at = time.monotonic() + GRACE_S
        number = _next_signal(
            signals,
            None if ending_at is None else max(0.0, ending_at - time.monotonic()),
        )
        orphaned = os.getppid() != owner
        if ending_at is None and (orphaned or number in {signal.SIGTERM, signal.SIGHUP}):
            # A stopped process must run to see its SIGTERM.
            _signal(claude, signal.SIGTERM)
            _signal(claude, signal.SIGCONT)
            ending_at = time.monotonic() + GRACE_S


def _end_the_rest() -> None:
    """End whatever Claude Code left behind: each command leads a session of its own."""
    while True:
        left = _descendants()
        for pid in left:
            _signal(pid, signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            if not left:
                return


def main(arguments: list[str]) -> int:
    """Run Claude Code with `arguments` under guard and return its exit code."""
    environ = dict(os.environ)
    owner = int(environ["CLAUDE_MAGIC_OWNER"])
    program = environ["CLAUDE_MAGIC_PROGRAM"]
    os.setsid()
    _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    blocked = {signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGCHLD}
    signal.pthread_sigmask(signal.SIG_BLOCK, blocked)
    if os.getppid() != owner:
        return 1  # the kernel died before its death could be noticed
    child_environ, descriptors = _child_environment(environ)
    guard = os.getpid()
    claude = os.fork()
    if claude == 0:
        # If this guard is killed there is nobody left to ask Claude Code to end.
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != guard:
            os._exit(1)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, blocked)
        try:
            os.execve(program, [program, *arguments], child_environ)  # noqa: S606
        except OSError as error:
            os.write(2, f"{program}: {error.strerror}\n".encode())
        os._exit(127)
    # The SDK sees the end of Claude Code as the end of its output: let go of both pipes.
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 0)
    os.dup2(nowhere, 1)
    for descriptor in descriptors:
        os.close(descriptor)
    pids = Path(environ["CLAUDE_MAGIC_PIDS"])
    with contextlib.suppress(OSError):
        pids.write_text(f"{guard} {claude}\n")
    status = _watch(claude, owner)
    _end_the_rest()
    with contextlib.suppress(OSError):
        pids.unlink()
    if os.getppid() != owner:
        # Nobody is left to clear the kernel's folder away; another session's guard may be last.
        with contextlib.suppress(OSError):
            (pids.parent / "claude").unlink()
        with contextlib.suppress(OSError):
            pids.parent.rmdir()
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
