"""Folders of the machine that a session needs: temporary, working and home."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from claude_magic.errors import StartError

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Variables that name the folder for temporary files, as `tempfile` asks for them.
_VARIABLES = ("TMPDIR", "TEMP", "TMP")
_USUAL = ("/tmp", "/var/tmp", "/usr/tmp")  # noqa: S108 - a folder of our own is created below


def temporary_folders(environ: Mapping[str, str]) -> list[str]:
    """Return the folders in which temporary files may be, the first choice first.

    Folders whose names are not UTF-8 are left out: Claude Code could not open what is in them.
    `tempfile` also takes the working directory; a notebook's folder is not for temporary files.
    """
    usual = _USUAL if os.name == "posix" else (tempfile.gettempdir(),)
    named = [environ[name] for name in _VARIABLES if environ.get(name)]
    return list(dict.fromkeys(folder for folder in (*named, *usual) if _is_utf8(folder)))


def temporary_folder_named(environ: Mapping[str, str]) -> tuple[str, str | None]:
    """Return the variable that names the folder for temporary files, and the folder if it does."""
    for name in _VARIABLES:
        if environ.get(name):
            return name, environ[name]
    return _VARIABLES[0], None


def make_temporary_folder(prefix: str, environ: Mapping[str, str] = os.environ) -> Path:
    """Create a temporary folder for this user alone, in the first place where that is possible.

    Raises
    ------
    StartError
        If it is possible nowhere.
    """
    refused = []
    for folder in temporary_folders(environ):
        try:
            return Path(tempfile.mkdtemp(prefix=prefix, dir=os.path.abspath(folder)))  # noqa: PTH100 - the folder may not exist
        except OSError as error:  # noqa: PERF203 - most often the first one will do
            refused.append(f"{folder} ({error.strerror})")
    raise StartError(
        f"there is no folder for temporary files: {', '.join(refused)}. Create one that you can "
        "write, such as `mkdir -p ~/tmp`, and set TMPDIR to it before the kernel starts.",
    )


def working_folder() -> Path:
    """Return the working directory of this process.

    Raises
    ------
    StartError
        If it no longer exists, or its name is not UTF-8.
    """
    change = "Change to another, such as `%cd ~` in a notebook, and ask again."
    try:
        folder = Path.cwd()
    except OSError as error:
        raise StartError(
            f"the working directory of this process is gone ({error.strerror}). {change}"
        ) from None
    if not _is_utf8(str(folder)):
        raise StartError(
            f"the name of the working directory, {str(folder)!r}, is not valid UTF-8. {change}"
        )
    return folder


def home_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the home directory of this user.

    Parameters
    ----------
    environ
        The environment that may name it.

    Raises
    ------
    StartError
        If HOME is not set and the user has no passwd entry.
    """
    named = environ.get("HOME" if os.name == "posix" else "USERPROFILE")
    if named:
        return Path(named)
    try:
        return Path("~").expanduser() if environ is os.environ else _passwd_home()
    except (ImportError, KeyError, RuntimeError):
        who = f"user {os.getuid()}" if hasattr(os, "getuid") else "this user"
        raise StartError(
            f"there is no home directory: HOME is not set and {who} has no passwd entry. Set HOME "
            "to a folder that you can write before the kernel starts, such as "
            "`export HOME=/var/tmp/$(id -u); mkdir -p $HOME`.",
        ) from None


def _passwd_home() -> Path:
    import pwd  # noqa: PLC0415 - Windows has none

    return Path(pwd.getpwuid(os.getuid()).pw_dir)


def _is_utf8(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True
