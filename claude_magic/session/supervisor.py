"""The small program that stands between a kernel and its Claude Code process.

The SDK starts Claude Code as a plain child of the kernel. Then a kernel interrupt, which goes to
the whole process group, ends it; the death of the kernel leaves it and its commands running; and
every command inherits every secret of the kernel. This program is given to the SDK in place of
Claude Code, starts it and guards it:

- it leads a session of its own, so that an interrupt of the kernel reaches neither of them;
- when the kernel dies, however it dies, it ends Claude Code and all that Claude Code started;
- when Claude Code ends, it ends the commands that were left behind;
- it hands on only the variables that it was told to, and the credential by file descriptor;
- it marks all that Claude Code starts, and ends what an earlier one that was killed left behind.

Standard input and output belong to Claude Code alone; this program touches neither.

It runs as a file under ``python -I -S``, so it imports nothing but the standard library and two
modules beside it, as little of it as will do, and starts in about 15 ms. Told through the
environment:

``CLAUDE_MAGIC_PROGRAM``
    The Claude Code binary.
``CLAUDE_MAGIC_KEEP``
    Names of the variables that pass, separated by commas.
``CLAUDE_MAGIC_DESCRIPTORS``
    ``VARIABLE=NAME`` pairs, separated by commas: the variable's value goes through a pipe, and
    `NAME` tells the descriptor's number.
``CLAUDE_MAGIC_OWNER``
    The process id of the kernel.
``CLAUDE_MAGIC_COOKIE``
    The kernel's part of the cookie; see `leftovers`.
``CLAUDE_MAGIC_PIDS``
    Where to write the marks of both processes, supervisor first, as one line of text; removed at
    the end.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from types import ModuleType

if __name__ == "__main__":
    # A file that is run belongs to no package, so that it could not import what lies beside it.
    # The package that it lies in imports far more than it needs.
    __package__ = "session"
    sys.modules[__package__] = ModuleType(__package__)
    sys.modules[__package__].__path__ = [os.path.dirname(__file__)]

from .host import this_host
from .leftovers import COOKIE, sweep

TYPE_CHECKING = False  # as in host.py
if TYPE_CHECKING:
    from .host import Host

#: How long Claude Code may take to write its transcript after SIGTERM, in seconds.
GRACE_S = 1.5


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


def _watch(host: Host, claude: int, owner: int) -> int:
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
        number = host.next_signal(
            signals,
            None if ending_at is None else max(0.0, ending_at - time.monotonic()),
        )
        orphaned = os.getppid() != owner
        if ending_at is None and (orphaned or number in {signal.SIGTERM, signal.SIGHUP}):
            # A stopped process must run to see its SIGTERM.
            _signal(claude, signal.SIGTERM)
            _signal(claude, signal.SIGCONT)
            ending_at = time.monotonic() + GRACE_S


def _end_the_rest(host: Host) -> None:
    """End whatever Claude Code left behind: each command leads a session of its own."""
    while True:
        left = host.descendants(os.getpid())
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
    host = this_host()
    if os.getsid(0) != os.getpid():
        os.setsid()
    host.follow_parent(signal.SIGTERM)
    host.adopt_orphans()
    blocked = {signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGCHLD}
    signal.pthread_sigmask(signal.SIG_BLOCK, blocked)
    if os.getppid() != owner:
        return 1  # the kernel died before its death could be noticed
    child_environ, descriptors = _child_environment(environ)
    guard = os.getpid()
    cookie = environ[COOKIE]
    with contextlib.suppress(OSError):
        child_environ[COOKIE] = f"{cookie}.{host.mark(guard)}"
    claude = os.fork()
    if claude == 0:
        # If this guard is killed there is nobody left to ask Claude Code to end.
        host.follow_parent(signal.SIGKILL)
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
    pids = environ["CLAUDE_MAGIC_PIDS"]
    folder = os.path.dirname(pids)
    with contextlib.suppress(OSError), open(pids, "w") as marks:
        marks.write(f"{host.mark(guard)} {host.mark(claude)}\n")
    with contextlib.suppress(OSError):
        sweep(host, cookie.partition(".")[0], os.path.dirname(folder))
    status = _watch(host, claude, owner)
    _end_the_rest(host)
    with contextlib.suppress(OSError):
        os.unlink(pids)
    # A kernel that holds gigabytes is ending for longer than Claude Code takes to end.
    if os.getppid() != owner or host.is_ending(owner):
        # Nobody is left to clear the kernel's folder away; another session's guard may be last.
        import shutil  # noqa: PLC0415 - seldom needed

        shutil.rmtree(os.path.splitext(pids)[0], ignore_errors=True)
        with contextlib.suppress(OSError):
            os.rmdir(folder)
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
