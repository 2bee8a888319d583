"""How Claude Code is started: through the supervisor, from a private folder of this process.

The SDK takes the path of one executable file. The supervisor is a module in a wheel, without an
interpreter's path or an executable bit of its own, so a two-line launcher is written for it.
"""

from __future__ import annotations

import atexit
import os
import shlex
import shutil
import signal
import sys
import tempfile
import threading
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from . import supervisor
from .environment import CREDENTIALS_BY_DESCRIPTOR, inherited_names

if TYPE_CHECKING:
    from collections.abc import Mapping

_LAUNCHER = """\
#!/bin/sh
# An interrupt of the kernel that comes before the supervisor leads its own session must not end it.
trap '' INT
exec {python} -I -S {supervisor} "$@"
"""

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
    pids_file
        Where the supervisor writes the process ids; None where there is no supervisor.
    """

    program: Path
    environment: Mapping[str, str]
    pids_file: Path | None

    @property
    def pids(self) -> tuple[int, int] | None:
        """The process ids of the supervisor and of Claude Code while they run."""
        if self.pids_file is None:
            return None
        with suppress(OSError, ValueError):
            guard, claude = map(int, self.pids_file.read_text().split())
            return guard, claude
        return None

    def kill(self) -> bool:
        """End the Claude Code process at once; its supervisor then ends what it left behind.

        Returns
        -------
        bool
            Whether the process was known; without a supervisor it is not.
        """
        pids = self.pids
        if pids is None:
            return False
        with suppress(ProcessLookupError):
            os.kill(pids[1], signal.SIGKILL)
        return True


def prepare(program: Path, extra: Mapping[str, str], *, platform: str = sys.platform) -> Launch:
    """Prepare the start of one Claude Code process.

    Parameters
    ----------
    program
        The Claude Code binary.
    extra
        `SessionOptions.environment`.
    platform
        As `sys.platform` names it. On Windows there are no process groups to guard against: Claude
        Code is started as it is, and inherits the kernel's variables.

    Raises
    ------
    OSError
        If the launcher cannot be written.
    """
    if platform == "win32":
        return Launch(program, {**_quiet(), **extra}, None)
    launcher = _private_folder() / "claude"
    pids = launcher.with_name(f"{uuid.uuid4()}.pids")
    environment = {
        **_quiet(),
        **extra,
        "CLAUDE_MAGIC_PROGRAM": str(program),
        # The SDK adds variables of its own after this; their names are on the list already.
        "CLAUDE_MAGIC_KEEP": ",".join(inherited_names({**os.environ, **extra}, [*extra, *_OWN])),
        "CLAUDE_MAGIC_DESCRIPTORS": ",".join(
            f"{variable}={name}" for variable, name in CREDENTIALS_BY_DESCRIPTOR.items()
        ),
        "CLAUDE_MAGIC_OWNER": str(os.getpid()),
        "CLAUDE_MAGIC_PIDS": str(pids),
    }
    return Launch(launcher, environment, pids)


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


def _private_folder() -> Path:
    global _folder  # noqa: PLW0603 - one folder per process
    with _lock:
        # Something may have cleared the temporary folder up since.
        if _folder is None or not (_folder / "claude").exists():
            _folder = Path(tempfile.mkdtemp(prefix="claude-magic-"))
            atexit.register(_remove, _folder, os.getpid())
            launcher = _folder / "claude"
            launcher.write_text(
                _LAUNCHER.format(
                    python=shlex.quote(sys.executable),
                    supervisor=shlex.quote(supervisor.__file__),
                ),
            )
            launcher.chmod(0o700)
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
