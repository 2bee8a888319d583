"""Start of Claude Code: through the supervisor, with a private temporary folder.

The SDK takes the path of one program. The supervisor is a module without an executable bit, so its
path only names it and `ProcessLoop` runs it with this interpreter. No file has to be executable in
the temporary folder, which may be mounted ``noexec``.
"""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
import threading
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from . import supervisor
from .environment import CREDENTIALS_BY_DESCRIPTOR, FORCED, blanked, inherited_names
from .folders import home_folder, make_temporary_folder, temporary_folder_named
from .host import WindowsHost, this_host
from .leftovers import COOKIE, folder_prefix
from .limits import check_variable

if TYPE_CHECKING:
    from collections.abc import Mapping

_lock = threading.Lock()
_folder: Path | None = None


@dataclass(frozen=True, slots=True)
class Launch:
    """How one Claude Code process is started.

    Attributes
    ----------
    program
        What the SDK runs.
    environment
        Variables on top of the kernel's own, for the supervisor and for Claude Code.
    session_id
        The conversation's id, which stands in Claude Code's command line.
    marks_file
        Where the supervisor writes the marks of both processes; None where there is none.
    scratch
        A private folder for files that this one process needs or leaves.
    """

    program: Path
    environment: Mapping[str, str]
    session_id: str
    marks_file: Path | None
    scratch: Path

    def clear(self) -> None:
        """Remove what the process needed or left; twice is harmless."""
        shutil.rmtree(self.scratch, ignore_errors=True)

    @property
    def pids(self) -> tuple[int, int] | None:
        """The process ids of the supervisor and of Claude Code while they run."""
        marks = self._marks
        return (_pid(marks[0]), _pid(marks[1])) if marks is not None else None

    @property
    def _marks(self) -> tuple[str, str] | None:
        if self.marks_file is not None:
            with suppress(OSError, ValueError):
                guard, claude = self.marks_file.read_text().split()
                # Something else may have written there.
                if _pid(guard) and _pid(claude):
                    return guard, claude
        return None

    def kill(self) -> bool:
        """End the Claude Code process at once; its supervisor then ends what it left behind.

        Without a supervisor this ends Claude Code with all below it and takes about a second.

        Returns
        -------
        bool
            Whether the process was known.
        """
        if self.marks_file is None:
            return WindowsHost().end_child(self.session_id)
        marks, host = self._marks, this_host()
        if marks is None:
            return False
        # A supervisor that was killed leaves its file; the id in there may be another's by now.
        host.kill(_pid(marks[1]), lambda: host.lives(marks[1]))
        return True


def _pid(mark: str) -> int:
    return int(mark.partition("-")[0])


def prepare(
    program: Path,
    extra: Mapping[str, str],
    session_id: str,
    *,
    platform: str = sys.platform,
) -> Launch:
    """Prepare the start of one Claude Code process.

    Parameters
    ----------
    program
        The Claude Code binary.
    extra
        `SessionOptions.environment`.
    session_id
        The conversation's id.
    platform
        As `sys.platform` names it. On Windows there is no supervisor: Claude Code is started as it
        is. It inherits the names of all the kernel's variables there, and the values of those on
        the list.

    Raises
    ------
    OptionError
        If a variable that Claude Code inherits is longer than the system takes.
    StartError
        If there is no temporary folder that can be written, or no home directory.
    OSError
        If it is full.
    """
    home_folder({**os.environ, **extra})
    owner = own_mark()
    folder = _private_folder(owner)
    extra = {**_temporary_variable(folder), **extra}
    for name in _kept(extra):
        check_variable(name, extra.get(name, os.environ.get(name, "")))
    # mkdtemp gives mode 0700.
    scratch = Path(tempfile.mkdtemp(dir=folder, prefix=""))
    # Claude Code leaves images and the output of commands there.
    extra = {**_scratch_variable(scratch), **extra, **FORCED}
    if platform == "win32":
        environment = {**blanked({**os.environ, **extra}, extra), **_quiet(), **extra}
        return Launch(program, environment, session_id, None, scratch)
    marks = scratch.with_suffix(".pids")
    environment = {
        **_quiet(),
        **extra,
        "CLAUDE_MAGIC_PROGRAM": str(program),
        # The SDK adds variables of its own after this; their names are on the list already.
        "CLAUDE_MAGIC_KEEP": ",".join(_kept(extra)),
        "CLAUDE_MAGIC_DESCRIPTORS": ",".join(
            f"{variable}={name}" for variable, name in CREDENTIALS_BY_DESCRIPTOR.items()
        ),
        "CLAUDE_MAGIC_OWNER": str(os.getpid()),
        COOKIE: owner,
        "CLAUDE_MAGIC_PIDS": str(marks),
    }
    return Launch(Path(supervisor.__file__), environment, session_id, marks, scratch)


def _kept(extra: Mapping[str, str]) -> list[str]:
    """Return the names of the variables that Claude Code gets, of ours and of the kernel's."""
    return inherited_names({**os.environ, **extra}, [*extra, *_OWN])


def own_mark() -> str:
    """Return where this process runs, and its mark there, by which what it leaves is known."""
    host = this_host()
    try:
        return f"{host.place()}.{host.mark(os.getpid())}"
    except OSError:
        # Of a place that nobody else is in, nobody takes anything for left behind.
        return f"{uuid.uuid4()}.{os.getpid()}-0"


def _scratch_variable(scratch: Path) -> dict[str, str]:
    """Return what has Claude Code put its temporary files there, unless that was chosen."""
    name = "CLAUDE_CODE_TMPDIR"
    return {} if name in os.environ else {name: str(scratch)}


def _temporary_variable(folder: Path) -> dict[str, str]:
    """Return what has Claude Code use our temporary folder's place if the named one is unusable."""
    used = str(folder.parent)
    name, wanted = temporary_folder_named(os.environ)
    if wanted is None or os.path.realpath(wanted) == os.path.realpath(used):
        return {}
    return dict.fromkeys({name, "TMPDIR"}, used)


def _quiet() -> dict[str, str]:
    """Return what keeps Claude Code from talking to anybody but the API, unless that was chosen."""
    name = "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC"
    return {} if name in os.environ else {name: "1"}


_OWN = (
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC",
    "CLAUDE_CODE_ENTRYPOINT",
    "CLAUDE_AGENT_SDK_VERSION",
    "CLAUDE_CODE_SDK_READS_SESSION_STATE",
    "PWD",
)


def _private_folder(owner: str) -> Path:
    global _folder  # noqa: PLW0603 - one folder per process
    with _lock:
        # Something may have cleared the temporary folder up since.
        if _folder is None or not _folder.is_dir():
            _folder = make_temporary_folder(folder_prefix(owner))
            atexit.register(_remove, _folder, os.getpid())
        return _folder


def _remove(folder: Path, owner: int) -> None:
    # A forked child inherits this call together with the folder of its parent.
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)


def _forget_after_fork() -> None:
    global _lock, _folder  # noqa: PLW0603
    _lock = threading.Lock()
    _folder = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)
