"""Conversations in a SQLite file."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from claude_magic.errors import StoreError
from claude_magic.session.foreign_json import MAX_ENTRY_BYTES, MAX_NOTE_BYTES

from .store import (
    Entry,
    Key,
    Kind,
    Store,
    entries_in,
    line_of,
    summary_in,
    summary_of,
    uuid_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from claude_magic.session.foreign_json import Skipped

    from .address import StoreAddress

#: How long a writer waits for another one, in seconds.
BUSY_S = 5.0

_SCHEMA = """
CREATE TABLE IF NOT EXISTS claude_magic_entries (
  position INTEGER PRIMARY KEY AUTOINCREMENT,
  project TEXT NOT NULL,
  session_id TEXT NOT NULL,
  subpath TEXT NOT NULL,
  uuid TEXT,
  entry TEXT NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS claude_magic_entries_once
  ON claude_magic_entries (project, session_id, subpath, uuid);
CREATE INDEX IF NOT EXISTS claude_magic_entries_in_order
  ON claude_magic_entries (project, session_id, subpath, position);
CREATE TABLE IF NOT EXISTS claude_magic_sessions (
  project TEXT NOT NULL,
  session_id TEXT NOT NULL,
  changed_ms INTEGER NOT NULL,
  summary TEXT NOT NULL,
  PRIMARY KEY (project, session_id)
);
CREATE TABLE IF NOT EXISTS claude_magic_notes (
  project TEXT NOT NULL,
  session_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  note TEXT NOT NULL,
  PRIMARY KEY (project, session_id, kind)
);
"""


_NOTE = "CASE WHEN length(CAST(note AS BLOB)) <= ? THEN note END"


class SqliteStore(Store):
    """A SQLite file, with a write-ahead log, that only this user can read.

    Parameters
    ----------
    address
        Where it is.
    """

    def __init__(self, address: StoreAddress) -> None:
        self._address = address
        self._path = Path(address.path)
        self._opened: sqlite3.Connection | None = None
        self._opened_file: tuple[int, int] | None = None

    def append(self, key: Key, entries: Sequence[Entry]) -> None:
        """Add entries behind those that are there."""
        if not entries:
            return
        with self._transaction() as database:
            database.executemany(
                "INSERT OR IGNORE INTO claude_magic_entries"
                " (project, session_id, subpath, uuid, entry) VALUES (?, ?, ?, ?, ?)",
                [(*key, uuid_of(entry), line_of(entry)) for entry in entries],
            )
            if key.subpath:
                return
            found = database.execute(
                "SELECT summary FROM claude_magic_sessions WHERE project = ? AND session_id = ?",
                key[:2],
            ).fetchone()
            summary = summary_of(found[0] if found else None, key, entries)
            database.execute(
                "INSERT OR REPLACE INTO claude_magic_sessions VALUES (?, ?, ?, ?)",
                (*key[:2], int(time.time() * 1000), summary),
            )

    def load(self, key: Key, skipped: Skipped | None = None) -> list[dict[str, Any]] | None:
        """Return the entries of a transcript."""
        with self._transaction() as database:
            rows = database.execute(
                "SELECT CASE WHEN length(CAST(entry AS BLOB)) <= ? THEN entry END"
                " FROM claude_magic_entries"
                " WHERE project = ? AND session_id = ? AND subpath = ? ORDER BY position",
                (MAX_ENTRY_BYTES, *key),
            ).fetchall()
        return entries_in((line for (line,) in rows), skipped)

    def summaries(self, project: str) -> dict[str, tuple[int, dict[str, Any]]]:
        """Return all conversations in short."""
        with self._transaction() as database:
            rows = database.execute(
                "SELECT session_id, changed_ms,"
                " CASE WHEN length(CAST(summary AS BLOB)) <= ? THEN summary END"
                " FROM claude_magic_sessions WHERE project = ?",
                (MAX_NOTE_BYTES, project),
            ).fetchall()
        return {
            session: (changed if isinstance(changed, int) else 0, summary_in(summary) or {})
            for session, changed, summary in rows
            if isinstance(session, str)
        }

    def subpaths(self, project: str, session_id: str) -> list[str]:
        """Return the transcripts of subagents."""
        with self._transaction() as database:
            rows = database.execute(
                "SELECT DISTINCT subpath FROM claude_magic_entries"
                " WHERE project = ? AND session_id = ? AND subpath != '' ORDER BY subpath",
                (project, session_id),
            ).fetchall()
        return [subpath for (subpath,) in rows if isinstance(subpath, str)]

    def delete(self, key: Key) -> None:
        """Remove a transcript."""
        with self._transaction() as database:
            if key.subpath:
                database.execute(
                    "DELETE FROM claude_magic_entries"
                    " WHERE project = ? AND session_id = ? AND subpath = ?",
                    key,
                )
                return
            for statement in (
                "DELETE FROM claude_magic_entries WHERE project = ? AND session_id = ?",
                "DELETE FROM claude_magic_sessions WHERE project = ? AND session_id = ?",
                "DELETE FROM claude_magic_notes WHERE project = ? AND session_id = ?",
            ):
                database.execute(statement, key[:2])

    def note(self, project: str, session_id: str, kind: Kind) -> str | None:
        """Return a small value."""
        with self._transaction() as database:
            return _note(database, project, session_id, kind)

    def notes(self, project: str, kind: Kind) -> dict[str, str]:
        """Return the small values of all conversations."""
        with self._transaction() as database:
            rows = database.execute(
                f"SELECT session_id, {_NOTE} FROM claude_magic_notes"  # noqa: S608 - ours
                " WHERE project = ? AND kind = ?",
                (MAX_NOTE_BYTES, project, kind),
            ).fetchall()
        return {str(session): note if isinstance(note, str) else "" for session, note in rows}

    def put_note(self, project: str, session_id: str, kind: Kind, text: str) -> None:
        """Put a small value in the place of the one that is there."""
        with self._transaction() as database:
            database.execute(
                "INSERT OR REPLACE INTO claude_magic_notes VALUES (?, ?, ?, ?)",
                (project, session_id, kind, text),
            )

    def swap_note(
        self,
        project: str,
        session_id: str,
        kind: Kind,
        before: str | None,
        after: str | None,
    ) -> bool:
        """Put a small value in the place of another."""
        with self._transaction() as database:
            if _note(database, project, session_id, kind) != before:
                return False
            if after is None:
                database.execute(
                    "DELETE FROM claude_magic_notes"
                    " WHERE project = ? AND session_id = ? AND kind = ?",
                    (project, session_id, kind),
                )
            else:
                database.execute(
                    "INSERT OR REPLACE INTO claude_magic_notes VALUES (?, ?, ?, ?)",
                    (project, session_id, kind, after),
                )
            return True

    def close(self) -> None:
        """Close the file."""
        connection, self._opened = self._opened, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        try:
            database = self._connected()
            database.execute("BEGIN IMMEDIATE")
            try:
                yield database
            except BaseException:
                database.execute("ROLLBACK")
                raise
            database.execute("COMMIT")
        except (sqlite3.Error, OSError) as error:
            self.close()
            raise StoreError(self._address.shown, str(error)) from error

    def _connected(self) -> sqlite3.Connection:
        if self._opened is not None and self._file() != self._opened_file:
            # It was removed or replaced; what is written into the old one, nobody would find.
            self.close()
        if self._opened is None:
            os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600))
            database = sqlite3.connect(
                self._path,
                timeout=BUSY_S,
                isolation_level=None,
                # One thread at a time, and not always the same one.
                check_same_thread=False,
            )
            try:
                database.text_factory = _text
                database.execute("PRAGMA journal_mode = WAL")
                database.executescript(_SCHEMA)
            except BaseException:
                database.close()
                raise
            self._opened, self._opened_file = database, self._file()
        return self._opened

    def _file(self) -> tuple[int, int] | None:
        """Return which file is there; None for none."""
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino


def _note(database: sqlite3.Connection, project: str, session_id: str, kind: Kind) -> str | None:
    found = database.execute(
        "SELECT note FROM claude_magic_notes WHERE project = ? AND session_id = ? AND kind = ?",
        (project, session_id, kind),
    ).fetchone()
    return str(found[0]) if found else None


def _text(written: bytes) -> str | bytes:
    """Return text as the database holds it; bytes where that is not UTF-8."""
    try:
        return written.decode()
    except UnicodeDecodeError:
        return written
