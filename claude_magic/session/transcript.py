"""What Claude Code keeps of a conversation on disk, as far as recovery needs to know it."""

from __future__ import annotations

import json
import os
import uuid
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from claude_magic.errors import OptionError

from .folders import home_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def config_folder(environment: Mapping[str, str]) -> Path:
    """Return the folder in which Claude Code keeps its files; it may not exist yet.

    Parameters
    ----------
    environment
        `SessionOptions.environment`, which goes before the process's own.

    Raises
    ------
    StartError
        If there is no home directory to keep them in.
    """
    configured = environment.get("CLAUDE_CONFIG_DIR") or os.environ.get("CLAUDE_CONFIG_DIR")
    return Path(configured) if configured else home_folder() / ".claude"


def check_session_id(session_id: str) -> str:
    """Return a session id that may become a file's name.

    Raises
    ------
    OptionError
        If it is not a UUID as Claude Code writes it; a path would be none.
    """
    with suppress(ValueError):
        if str(uuid.UUID(session_id)) == session_id:
            return session_id
    raise OptionError("session_id", session_id, f"a UUID such as '{uuid.UUID(int=0)}'")


def transcribed(environment: Mapping[str, str]) -> set[str]:
    """Return the ids of all conversations that have a transcript.

    By the files' names alone: a millisecond for a hundred of them, however long they are.
    """
    # The folders are named after working directories, in a way that is not documented.
    return {path.stem for path in config_folder(environment).glob("projects/*/*.jsonl")}


class Transcript:
    """One conversation's transcript; read anew at every question, because Claude Code writes it.

    Reading takes milliseconds for each megabyte: call it off the event loop.

    Parameters
    ----------
    session_id
        The conversation's id.
    environment
        `SessionOptions.environment`, which may say where Claude Code keeps its files.

    Raises
    ------
    OptionError
        If the id is not a UUID.
    """

    def __init__(self, session_id: str, environment: Mapping[str, str]) -> None:
        self.session_id = check_session_id(session_id)
        self._folder = config_folder(environment)

    def entries(self) -> Iterator[dict[str, Any]]:
        """Yield what was written, oldest first; nothing if there is no transcript."""
        for path in self._folder.glob(f"projects/*/{self.session_id}.jsonl"):
            yield from entries_of(path)


def entries_of(path: Path) -> Iterator[dict[str, Any]]:
    """Yield what stands in a file of Claude Code's, oldest first; what is no entry is left out."""
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            # A killed process may leave half a line.
            with suppress(ValueError):
                entry = json.loads(line)
                if isinstance(entry, dict):
                    yield entry
