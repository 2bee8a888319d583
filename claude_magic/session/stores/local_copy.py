"""A conversation's transcripts in Claude Code's own folder, and in a store: one from the other."""

from __future__ import annotations

import logging
import os
import re
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from claude_magic.errors import BrokenEntriesError
from claude_magic.session.foreign_json import (
    MAX_NOTE_BYTES,
    BrokenJsonError,
    Skipped,
    parse_object,
    read_bounded,
)
from claude_magic.session.transcript import check_session_id, entries_of, removed_path

from .store import Entry, Key, Store, line_of, uuid_of

if TYPE_CHECKING:
    from collections.abc import Sequence

_logger = logging.getLogger(__name__)

#: What the SDK calls an entry that Claude Code keeps in a file of its own, beside the transcript.
_METADATA = "agent_metadata"

#: Most transcripts of subagents that are fetched from a store with one conversation.
MAX_AGENTS = 1000

#: A name that means the same file in every system's file system, and is short enough for all.
_PART = re.compile(r"(?=.{1,150}\Z)[A-Za-z0-9_][A-Za-z0-9_@+=,-]*(?:\.[A-Za-z0-9_@+=,-]+)*")

#: So much is added to a store at once, in entries.
_BATCH = 500


class LocalCopy:
    """One conversation in Claude Code's folder. Reads and writes files; one thread at a time.

    Parameters
    ----------
    folder
        Claude Code's configuration folder.
    session_id
        The conversation.

    Raises
    ------
    OptionError
        If the id is not a UUID.
    """

    def __init__(self, folder: Path, session_id: str) -> None:
        self._projects = folder / "projects"
        self._aside = folder / "claude-magic" / "set-aside"
        # What is not part of the conversation, and was removed from its transcript here.
        self._removed = removed_path(folder, session_id)
        self._session_id = check_session_id(session_id)

    @property
    def exists(self) -> bool:
        """Whether there is a transcript here."""
        return self._project is not None

    @property
    def _project(self) -> Path | None:
        """The project's folder that has the transcript."""
        found = next(self._projects.glob(f"*/{self._session_id}.jsonl"), None)
        return found.parent if found is not None else None

    def send(self, store: Store, project: str) -> None:
        """Add to a store what it lacks of the conversation.

        What it lacks is known by its ``uuid``, which all that was said has. The rest, such as
        Claude Code's notes of its own requests, stays here.

        Raises
        ------
        StoreError
            If the store fails.
        OSError
            If the files cannot be read.
        """
        folder = self._project
        if folder is None:
            return
        own = folder / f"{self._session_id}.jsonl"
        self._send(own, store, Key(project, self._session_id), None)
        for path in sorted((folder / self._session_id).glob("subagents/**/*.jsonl")):
            subpath = path.relative_to(folder / self._session_id).with_suffix("").as_posix()
            key = Key(project, self._session_id, subpath)
            self._send(path, store, key, _object(_metadata_path(path)))

    def _send(
        self,
        path: Path,
        store: Store,
        key: Key,
        metadata: dict[str, Any] | None,
    ) -> None:
        stored = store.load(key) or []
        there = {uuid_of(entry) for entry in stored}
        lacking: list[Entry] = []
        if metadata is not None and (told := {**metadata, "type": _METADATA}) not in stored:
            lacking.append(told)
        for entry in entries_of(path):
            if uuid_of(entry) is not None and uuid_of(entry) not in there:
                lacking.append(entry)
            if len(lacking) >= _BATCH:
                store.append(key, lacking)
                lacking = []
        store.append(key, lacking)

    def fetch(
        self,
        store: Store,
        project: str,
        name: str,
        skipped: Skipped | None = None,
    ) -> bool:
        """Write what a store has of the conversation and this machine lacks.

        Where both have said something since they last agreed, what the store has is what goes on,
        and the transcript of this machine is set aside.

        Parameters
        ----------
        store
            The store.
        project
            What the conversation is filed under there.
        name
            The project's folder here, where there is no transcript yet.
        skipped
            Counts what is broken in the store and left out.

        Returns
        -------
        bool
            Whether anything was set aside.

        Raises
        ------
        StoreError
            If the store fails; then the transcript has not changed here.
        BrokenEntriesError
            If nothing of the conversation in the store can be read.
        OSError
            If the files cannot be written.
        """
        skipped = Skipped() if skipped is None else skipped
        key = Key(project, self._session_id)
        entries = store.load(key, skipped)
        if entries is None:
            return False
        if not entries:
            raise BrokenEntriesError(f"The conversation {self._session_id}", str(skipped))
        folder = self._project or self._projects / name
        for number, subpath in enumerate(store.subpaths(project, self._session_id)):
            if number >= MAX_AGENTS:
                skipped.add("too many subagents")
            elif not _is_safe(subpath):
                skipped.add("with a name that is no subagent's")
            else:
                said = store.load(key._replace(subpath=subpath), skipped) or []
                path = folder / self._session_id / f"{subpath}.jsonl"
                try:
                    self._take_agent(path, said)
                except (FileExistsError, NotADirectoryError, IsADirectoryError):
                    # One name may be both a file and a folder on the way to another file.
                    skipped.add("with a name that is taken")
        # Last: by this file the conversation is known to be here.
        return self._take(folder / f"{self._session_id}.jsonl", entries)

    def _take_agent(self, path: Path, said: Sequence[Entry]) -> None:
        self._take(path, [entry for entry in said if entry.get("type") != _METADATA])
        metadata = [entry for entry in said if entry.get("type") == _METADATA]
        if metadata and not _metadata_path(path).exists():
            fields = {name: value for name, value in metadata[-1].items() if name != "type"}
            _write(_metadata_path(path), [fields])

    def _take(self, path: Path, entries: Sequence[Entry]) -> bool:
        here = {uuid_of(entry) for entry in entries_of(path)} if path.exists() else set()
        removed = self._removed if self._removed.exists() else None
        known = here | {uuid_of(entry) for entry in entries_of(removed)} if removed else here
        there = {uuid_of(entry) for entry in entries}
        if not entries or (path.exists() and there <= known):
            return False
        diverged = bool(here - there - {None})
        if diverged:
            aside = self._aside / f"{path.stem}-{time.time_ns()}.jsonl"
            _create_folder(aside.parent)
            path.replace(aside)
            _logger.warning("What only this machine had of a conversation is in %s now.", aside)
        _write(path, entries)
        return diverged


def _object(path: Path) -> dict[str, Any] | None:
    with suppress(OSError, BrokenJsonError):
        return parse_object(read_bounded(path, MAX_NOTE_BYTES), MAX_NOTE_BYTES)
    return None


def _metadata_path(path: Path) -> Path:
    return path.with_suffix(".meta.json")


def _is_safe(subpath: str) -> bool:
    """Tell whether what a store calls a subagent's transcript can be a file in the folder."""
    folder, *names = subpath.split("/")
    return folder == "subagents" and bool(names) and all(map(_PART.fullmatch, names))


def _create_folder(folder: Path) -> None:
    """Create a folder, and those above it that are missing, for this user alone."""
    for each in reversed([folder, *folder.parents]):
        each.mkdir(mode=0o700, exist_ok=True)


def _write(path: Path, entries: Sequence[Entry]) -> None:
    """Write lines that only this user can read; a reader sees the old file or the new."""
    _create_folder(path.parent)
    # mkstemp gives mode 0600; the name is none that Claude Code reads.
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".tmp")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.writelines(line_of(entry) + "\n" for entry in entries)
        Path(temporary).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(temporary).unlink()
        raise
