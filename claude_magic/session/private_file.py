"""The small files that claude-magic keeps for itself, which nobody else may read."""

from __future__ import annotations

import json
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .foreign_json import MAX_NOTE_BYTES, BrokenJsonError, parse_object, read_bounded
from .transcript import config_folder

if TYPE_CHECKING:
    from collections.abc import Mapping


def private_folder(environment: Mapping[str, str], name: str) -> Path:
    """Return a folder of ours beside Claude Code's own; nothing is created.

    Parameters
    ----------
    environment
        `SessionOptions.environment`, which may say where Claude Code keeps its files.
    name
        What the folder holds.
    """
    return config_folder(environment) / "claude-magic" / name


def create_private_folder(folder: Path) -> None:
    """Create a folder that `private_folder` named, for this user alone.

    Raises
    ------
    OSError
        If that is not possible.
    """
    for step in (folder.parent.parent, folder.parent, folder):
        step.mkdir(mode=0o700, parents=True, exist_ok=True)


def write_private_file(path: Path, fields: Mapping[str, Any]) -> None:
    """Write JSON that only this user can read; a reader sees the old file or the new, never half.

    Raises
    ------
    OSError
        If that is not possible; the old file is still there then.
    """
    create_private_folder(path.parent)
    # mkstemp gives mode 0600.
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.stem, suffix=".tmp")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(fields, file)
        Path(temporary).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(temporary).unlink()
        raise


def read_private_file(path: Path) -> dict[str, Any] | None:
    """Return what `write_private_file` wrote; None where there is no such file or it is damaged."""
    try:
        return parse_object(read_bounded(path, MAX_NOTE_BYTES), MAX_NOTE_BYTES)
    except (OSError, BrokenJsonError):
        return None
