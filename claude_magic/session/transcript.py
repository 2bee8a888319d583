"""What Claude Code keeps of a conversation on disk, as far as recovery needs to know it."""

from __future__ import annotations

import json
import os
import tempfile
import uuid
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from claude_magic.errors import OptionError

from .folders import home_folder
from .foreign_json import MAX_ENTRY_BYTES, BrokenJsonError, lines_of, parse_object

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence


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


def variables_for_transcripts_in(folder: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables with which Claude Code keeps its files in a folder, but for the login.

    Parameters
    ----------
    folder
        The folder.
    environment
        `SessionOptions.environment`, which goes before the process's own.
    """
    there = {**os.environ, **environment}
    # Empty means the home directory's, as without CLAUDE_CONFIG_DIR.
    login = there.get("CLAUDE_SECURESTORAGE_CONFIG_DIR", there.get("CLAUDE_CONFIG_DIR", ""))
    return {"CLAUDE_CONFIG_DIR": str(folder), "CLAUDE_SECURESTORAGE_CONFIG_DIR": login}


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

    @property
    def path(self) -> Path | None:
        """The file; None if there is none. Claude Code reads the first one that it finds."""
        return next(iter(sorted(self._folder.glob(f"projects/*/{self.session_id}.jsonl"))), None)

    def entries(self) -> Iterator[dict[str, Any]]:
        """Yield what was written, oldest first; nothing if there is no transcript."""
        for path in self._folder.glob(f"projects/*/{self.session_id}.jsonl"):
            yield from entries_of(path)

    def reduce(self, entries: Iterable[dict[str, Any]], removed: Sequence[dict[str, Any]]) -> None:
        """Replace the transcript by some of its entries; no process may be writing it.

        What is removed goes to a file of its own under ``claude-magic/removed``, by which a store
        is told apart that still has it.

        Raises
        ------
        OSError
            If the files cannot be written; then nothing has changed.
        """
        path = self.path
        if path is None:
            return
        if removed:
            aside = removed_path(self._folder, self.session_id)
            aside.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.writelines(_line_of(entry) for entry in removed)
        write_entries(path, entries)

    def copy(self, session_id: str, entries: Iterable[dict[str, Any]]) -> None:
        """Write entries of this transcript as the transcript of another conversation.

        Raises
        ------
        OSError
            If the file cannot be written.
        OptionError
            If the id is not a UUID.
        """
        path = self.path
        if path is not None:
            write_entries(
                path.with_name(f"{check_session_id(session_id)}.jsonl"),
                (
                    {**entry, "sessionId": session_id} if "sessionId" in entry else entry
                    for entry in entries
                    # A branch counts its own cost from the beginning.
                    if entry.get("type") != "cost-state"
                ),
            )


def removed_path(folder: Path, session_id: str) -> Path:
    """Return the file that keeps the entries removed from a transcript.

    Parameters
    ----------
    folder
        Claude Code's configuration folder.
    session_id
        The conversation's id.
    """
    return folder / "claude-magic" / "removed" / f"{check_session_id(session_id)}.jsonl"


def write_entries(path: Path, entries: Iterable[dict[str, Any]]) -> None:
    """Write a transcript that only this user can read; a reader sees the old file or the new.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    # mkstemp gives mode 0600; the name is none that Claude Code reads.
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".tmp")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.writelines(_line_of(entry) for entry in entries)
        Path(temporary).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(temporary).unlink()
        raise


def entries_of(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the entries in a file of Claude Code's, oldest first; broken lines are left out.

    Raises
    ------
    OSError
        If it is not a regular file, or cannot be read.
    """
    for line in lines_of(path, MAX_ENTRY_BYTES):
        # A killed process may leave half a line.
        with suppress(BrokenJsonError):
            if line is not None:
                yield entry_of(line)


def entry_of(written: object) -> dict[str, Any]:
    """Return the entry of a transcript that a line holds. Any thread.

    Raises
    ------
    BrokenJsonError
        If it is not a JSON object, exceeds a limit, or holds a value of the wrong type by which
        entries are linked with each other.
    """
    entry = parse_object(written, MAX_ENTRY_BYTES)
    for name in _LINKS:
        if not isinstance(entry.get(name), (str, type(None))):
            raise BrokenJsonError(f"with a wrong type of {name}")
    message = entry.get("message")
    if entry.get("type") in _MESSAGES and not isinstance(message, (dict, type(None))):
        raise BrokenJsonError("with a wrong type of message")
    return entry


#: The fields by which entries are told apart and put in order.
_LINKS = ("type", "uuid", "parentUuid")

_MESSAGES = {"user", "assistant"}


def _line_of(entry: Mapping[str, Any]) -> str:
    # As Claude Code writes it, because it looks for some entries by their text.
    line = json.dumps(entry, ensure_ascii=False, separators=(",", ":")) + "\n"
    return line if line.isascii() else line.encode("utf-8", "backslashreplace").decode("utf-8")
