"""Conversations in PostgreSQL."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

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

#: How long is waited for a connection, in seconds.
CONNECT_S = 5

#: How long is waited for a statement, and for a server that is gone, in ms.
STATEMENT_MS = 10_000

#: Tables are made by one kernel at a time; any number would do, so this one is ours.
_SCHEMA_LOCK = 0x636C6175

_SCHEMA = """
CREATE TABLE IF NOT EXISTS claude_magic_entries (
  position BIGSERIAL PRIMARY KEY,
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
  changed_at TIMESTAMPTZ NOT NULL,
  summary TEXT,
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


class PostgresStore(Store):
    """Three tables in a PostgreSQL database, made where they are not there yet.

    Entries are kept as text, not as JSONB, which cannot hold every string that JSON can.

    Parameters
    ----------
    address
        Where it is. What the URL does not say comes from where libpq has it: ``PGPASSWORD``,
        ``~/.pgpass`` and the like.
    """

    def __init__(self, address: StoreAddress) -> None:
        self._address = address
        self._opened: psycopg.Connection[tuple[Any, ...]] | None = None

    def append(self, key: Key, entries: Sequence[Entry]) -> None:
        """Add entries behind those that are there."""
        if not entries:
            return
        with self._transaction() as database:
            if not key.subpath:
                # The row is locked until the end: another writer waits, and loses nothing.
                found = database.execute(
                    "INSERT INTO claude_magic_sessions VALUES (%s, %s, clock_timestamp(), NULL)"
                    " ON CONFLICT (project, session_id)"
                    " DO UPDATE SET changed_at = clock_timestamp() RETURNING summary",
                    key[:2],
                ).fetchone()
                database.execute(
                    "UPDATE claude_magic_sessions SET summary = %s"
                    " WHERE project = %s AND session_id = %s",
                    (summary_of(found[0] if found else None, key, entries), *key[:2]),
                )
            database.cursor().executemany(
                "INSERT INTO claude_magic_entries (project, session_id, subpath, uuid, entry)"
                " VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
                [(*key, uuid_of(entry), line_of(entry)) for entry in entries],
            )

    def load(self, key: Key, skipped: Skipped | None = None) -> list[dict[str, Any]] | None:
        """Return the entries of a transcript."""
        with self._connection() as database:
            rows = database.execute(
                "SELECT CASE WHEN octet_length(entry) <= %s THEN entry END"
                " FROM claude_magic_entries"
                " WHERE project = %s AND session_id = %s AND subpath = %s ORDER BY position",
                (MAX_ENTRY_BYTES, *key),
            ).fetchall()
        return entries_in((line for (line,) in rows), skipped)

    def summaries(self, project: str) -> dict[str, tuple[int, dict[str, Any]]]:
        """Return all conversations in short."""
        with self._connection() as database:
            rows = database.execute(
                # A moment may be infinite, and then it has no number.
                "SELECT session_id, CASE WHEN isfinite(changed_at)"
                " THEN (extract(epoch FROM changed_at) * 1000)::bigint ELSE 0 END,"
                " CASE WHEN octet_length(summary) <= %s THEN summary END"
                " FROM claude_magic_sessions WHERE project = %s",
                (MAX_NOTE_BYTES, project),
            ).fetchall()
        return {session: (changed, summary_in(summary) or {}) for session, changed, summary in rows}

    def subpaths(self, project: str, session_id: str) -> list[str]:
        """Return the transcripts of subagents."""
        with self._connection() as database:
            rows = database.execute(
                "SELECT DISTINCT subpath FROM claude_magic_entries"
                " WHERE project = %s AND session_id = %s AND subpath != '' ORDER BY subpath",
                (project, session_id),
            ).fetchall()
        return [subpath for (subpath,) in rows]

    def delete(self, key: Key) -> None:
        """Remove a transcript."""
        with self._transaction() as database:
            if key.subpath:
                database.execute(
                    "DELETE FROM claude_magic_entries"
                    " WHERE project = %s AND session_id = %s AND subpath = %s",
                    key,
                )
                return
            database.execute(
                "DELETE FROM claude_magic_entries WHERE project = %s AND session_id = %s",
                key[:2],
            )
            database.execute(
                "DELETE FROM claude_magic_sessions WHERE project = %s AND session_id = %s",
                key[:2],
            )
            database.execute(
                "DELETE FROM claude_magic_notes WHERE project = %s AND session_id = %s",
                key[:2],
            )

    def note(self, project: str, session_id: str, kind: Kind) -> str | None:
        """Return a small value."""
        with self._connection() as database:
            found = database.execute(
                "SELECT note FROM claude_magic_notes"
                " WHERE project = %s AND session_id = %s AND kind = %s",
                (project, session_id, kind),
            ).fetchone()
        return str(found[0]) if found else None

    def notes(self, project: str, kind: Kind) -> dict[str, str]:
        """Return the small values of all conversations."""
        with self._connection() as database:
            rows = database.execute(
                "SELECT session_id, CASE WHEN octet_length(note) <= %s THEN note ELSE '' END"
                " FROM claude_magic_notes WHERE project = %s AND kind = %s",
                (MAX_NOTE_BYTES, project, kind),
            ).fetchall()
        return dict(rows)

    def put_note(self, project: str, session_id: str, kind: Kind, text: str) -> None:
        """Put a small value in the place of the one that is there."""
        with self._connection() as database:
            database.execute(
                "INSERT INTO claude_magic_notes VALUES (%s, %s, %s, %s)"
                " ON CONFLICT (project, session_id, kind) DO UPDATE SET note = EXCLUDED.note",
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
        which = (project, session_id, kind)
        with self._connection() as database:
            if before is None:
                if after is None:
                    return self.note(*which) is None
                done = database.execute(
                    "INSERT INTO claude_magic_notes VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING",
                    (*which, after),
                )
            elif after is None:
                done = database.execute(
                    "DELETE FROM claude_magic_notes"
                    " WHERE project = %s AND session_id = %s AND kind = %s AND note = %s",
                    (*which, before),
                )
            else:
                done = database.execute(
                    "UPDATE claude_magic_notes SET note = %s"
                    " WHERE project = %s AND session_id = %s AND kind = %s AND note = %s",
                    (after, *which, before),
                )
            return done.rowcount == 1

    def close(self) -> None:
        """Close the connection."""
        connection, self._opened = self._opened, None
        if connection is not None:
            with suppress(psycopg.Error):
                connection.close()

    @contextmanager
    def _transaction(self) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
        with self._connection() as database, database.transaction():
            yield database

    @contextmanager
    def _connection(self) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
        """Give the connection, on which every statement is a transaction."""
        try:
            yield self._connected()
        except psycopg.Error as error:
            self.close()
            told = " ".join(str(error).split()) or type(error).__name__
            raise StoreError(self._address.shown, self._address.without_password(told)) from None

    def _connected(self) -> psycopg.Connection[tuple[Any, ...]]:
        if self._opened is None:
            given = conninfo_to_dict(self._address.url)
            ours = {
                "connect_timeout": CONNECT_S,
                "tcp_user_timeout": STATEMENT_MS,
                "keepalives_idle": CONNECT_S,
                "application_name": "claude-magic",
            }
            missing = {name: value for name, value in ours.items() if name not in given}
            database = psycopg.connect(
                self._address.url,
                autocommit=True,
                # What is prepared on one connection is not there on the next of a pooler's.
                prepare_threshold=None,
                **missing,  # type: ignore[arg-type]
            )
            try:
                database.execute(f"SET statement_timeout = {STATEMENT_MS:d}")
                with database.transaction():
                    database.execute("SELECT pg_advisory_xact_lock(%s)", (_SCHEMA_LOCK,))
                    there = database.execute("SELECT to_regclass('claude_magic_notes')").fetchone()
                    # Whoever may only write need not be allowed to make tables.
                    if there is None or there[0] is None:
                        database.execute(_SCHEMA)
            except BaseException:
                database.close()
                raise
            self._opened = database
        return self._opened
