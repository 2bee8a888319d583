"""User ids that nobody has, for tests of what one user of a machine sees of another."""

from __future__ import annotations

import os
import shlex
import shutil
import stat
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]

#: What users must be able to read to run claude-magic.
_NEEDED = (Path(sys.base_prefix).resolve(), Path(sys.prefix).resolve(), REPOSITORY.resolve())

#: Nobody has these on a machine that numbers its users as usual; they are written down nowhere.
UIDS = (21_001, 21_002)


def reaching(command: list[str], staging: Path) -> list[str]:
    """Return a command that runs another where every user reaches what claude-magic is made of.

    A Python in root's home can be run by root alone. So the command sees, in a mount namespace of
    its own, an empty folder in the place of each that is closed, with nothing but the needed below.
    As it is where nothing is closed.

    Parameters
    ----------
    command
        What is run, as root.
    staging
        An empty folder, where mounts are prepared.
    """
    closed = {outermost for path in _NEEDED if (outermost := _closed_above(path)) is not None}
    if not closed:
        return command
    steps = ["set -e", "umask 022", f"mount -t tmpfs -o mode=700 none {_quoted(staging)}"]
    kept = [path for path in _NEEDED if _closed_above(path) is not None]
    for number, path in enumerate(kept):
        steps += [f"mkdir {_quoted(staging / str(number))}"]
        steps += [f"mount --bind {_quoted(path)} {_quoted(staging / str(number))}"]
    steps += [f"mount -t tmpfs -o mode=755 none {_quoted(path)}" for path in sorted(closed)]
    for number, path in enumerate(kept):
        steps += [f"mkdir -p {_quoted(path)}"]
        steps += [f"mount --bind {_quoted(staging / str(number))} {_quoted(path)}"]
    script = "; ".join([*steps, 'exec "$@"'])
    return ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh", *command]


def why_not(staging: Path) -> str | None:
    """Return why no process can be run as users of `UIDS` here; None if it can."""
    if not hasattr(os, "getuid") or os.getuid() != 0:
        return "only root can run processes of two users"
    if shutil.which("setpriv") is None:
        return "setpriv (util-linux) is not installed"
    as_user = ["setpriv", f"--reuid={UIDS[0]}", f"--regid={UIDS[0]}", "--clear-groups"]
    command = reaching([*as_user, sys.executable, "-c", "import claude_magic"], staging)
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - ours
    return f"no other user can run this Python: {done.stderr}" if done.returncode else None


def _closed_above(path: Path) -> Path | None:
    """Return the outermost folder on the way to a path that other users may not enter."""
    for folder in reversed(path.parents):
        if not folder.stat().st_mode & stat.S_IXOTH:
            return folder
    return None


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))
