"""What a session store has to do; one class for each kind of database does it."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from claude_magic.session.foreign_json import (
    MAX_NOTE_BYTES,
    BrokenJsonError,
    Skipped,
    parse_object,
)
from claude_magic.session.transcript import entry_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

#: An entry of a transcript: one line of Claude Code's file, as JSON; nothing of it is looked at but
#: its ``uuid``.
Entry: TypeAlias = "Mapping[str, Any]"

#: The small values beside a transcript, of which only the last one is kept.
Kind: TypeAlias = Literal["record", "lease"]


class Key(NamedTuple):
    """Which transcript.

    Attributes
    ----------
    project
        What the conversation is filed under.
    session_id
        The conversation.
    subpath
        Which of its subagents' transcripts, such as ``"subagents/agent-1"``; empty for its own.
    """

    project: str
    session_id: str
    subpath: str = ""


class Store(ABC):
    """Transcripts and small notes of conversations in one database.

    Nothing is connected before the first call. A call that fails leaves the store as it was and may
    be repeated; the next one connects anew. One thread at a time may call; every method but `close`
    waits for the database, for some seconds at most, and raises `StoreError`.
    """

    @abstractmethod
    def append(self, key: Key, entries: Sequence[Entry]) -> None:
        """Add entries behind those that are there, all or none of them.

        An entry whose ``uuid`` the transcript holds already is left out.
        """

    @abstractmethod
    def load(self, key: Key, skipped: Skipped | None = None) -> list[dict[str, Any]] | None:
        """Return the entries of a transcript in order; None if there is none.

        Other programs write to the store, too: entries that are broken are left out.

        Parameters
        ----------
        key
            Which transcript.
        skipped
            Counts the entries that are left out.
        """

    def sessions(self, project: str) -> dict[str, int]:
        """Return all conversations, and when each was written last, in ms since the epoch."""
        return {session: changed for session, (changed, _) in self.summaries(project).items()}

    @abstractmethod
    def summaries(self, project: str) -> dict[str, tuple[int, dict[str, Any]]]:
        """Return as `sessions` does, with the SDK's summary of each; empty if that is broken."""

    @abstractmethod
    def subpaths(self, project: str, session_id: str) -> list[str]:
        """Return which transcripts of subagents a conversation has."""

    @abstractmethod
    def delete(self, key: Key) -> None:
        """Remove a transcript; that of a conversation with all that belongs to it."""

    @abstractmethod
    def note(self, project: str, session_id: str, kind: Kind) -> str | None:
        """Return a small value; None if there is none."""

    @abstractmethod
    def notes(self, project: str, kind: Kind) -> dict[str, str]:
        """Return the small values of all conversations that have one; empty if one is too large."""

    @abstractmethod
    def put_note(self, project: str, session_id: str, kind: Kind, text: str) -> None:
        """Put a small value in the place of the one that is there."""

    @abstractmethod
    def swap_note(
        self,
        project: str,
        session_id: str,
        kind: Kind,
        before: str | None,
        after: str | None,
    ) -> bool:
        """Put a small value in the place of another in one step, and tell whether that was there.

        Parameters
        ----------
        project, session_id, kind
            Which value.
        before
            What must be there; None for nothing.
        after
            What is there then; None for nothing.
        """

    @abstractmethod
    def close(self) -> None:
        """Close the connection; twice is harmless, and the next call opens another one."""


def line_of(entry: Entry) -> str:
    """Return an entry as one line."""
    return json.dumps(entry, separators=(",", ":"))


def uuid_of(entry: Entry) -> str | None:
    """Return by what an entry is known again; None for the few that have nothing of the kind."""
    uuid = entry.get("uuid")
    return uuid if isinstance(uuid, str) and uuid else None


def summary_of(before: str | None, key: Key, entries: Sequence[Entry]) -> str:
    """Return what the SDK says in short of a conversation that has got some more entries.

    Parameters
    ----------
    before
        What this returned last; None at first.
    key
        The conversation.
    entries
        What was added.
    """
    from claude_magic.session.sdk import fold_summary  # noqa: PLC0415 - loads the SDK

    try:
        return json.dumps(fold_summary(summary_in(before), key.session_id, entries))
    except (TypeError, ValueError, AttributeError, KeyError, RecursionError):
        # Another program may have written a summary with fields of other types.
        return json.dumps(fold_summary(None, key.session_id, entries))


def summary_in(written: object) -> dict[str, Any] | None:
    """Return a summary that the store holds; None if there is none, or it is broken."""
    try:
        return parse_object(written, MAX_NOTE_BYTES)
    except BrokenJsonError:
        return None


def entries_in(
    lines: Iterable[object],
    skipped: Skipped | None = None,
) -> list[dict[str, Any]] | None:
    """Return the entries in what a database holds; None if it holds nothing.

    Parameters
    ----------
    lines
        The values, in order; None for each that is too large to be read.
    skipped
        Counts the entries that are broken and left out.
    """
    skipped = Skipped() if skipped is None else skipped
    found = [_entry_in(line, skipped) for line in lines]
    return [entry for entry in found if entry is not None] if found else None


def _entry_in(line: object, skipped: Skipped) -> dict[str, Any] | None:
    try:
        return entry_of(line)
    except BrokenJsonError as error:
        skipped.add("too large" if line is None else error)
        return None
