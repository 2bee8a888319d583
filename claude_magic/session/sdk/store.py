"""Session stores as claude-agent-sdk has them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

from claude_agent_sdk import SessionStore, fold_session_summary, project_key_for_directory

from claude_magic.session.stores.store import Key

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from claude_agent_sdk import (
        SessionKey,
        SessionListSubkeysKey,
        SessionStoreEntry,
        SessionStoreListEntry,
        SessionSummaryEntry,
    )

    from claude_magic.session.stores.store import Entry, Store


class SdkStore(SessionStore):
    """One of our stores, for the SDK and its tools. Any event loop, one at a time.

    Every method raises `StoreError` if the database does not do what it should.

    Parameters
    ----------
    store
        The store; it is used on threads of the event loop's.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        # A store is for one thread at a time.
        self._one_at_a_time = asyncio.Lock()

    async def append(self, key: SessionKey, entries: list[SessionStoreEntry]) -> None:
        """Add entries to a transcript."""
        async with self._one_at_a_time:
            await asyncio.to_thread(self._store.append, key_of(key), cast("list[Entry]", entries))

    async def load(self, key: SessionKey) -> list[SessionStoreEntry] | None:
        """Return a transcript; None if there is none."""
        async with self._one_at_a_time:
            found = await asyncio.to_thread(self._store.load, key_of(key))
        return cast("list[SessionStoreEntry] | None", found)

    async def list_sessions(self, project_key: str) -> list[SessionStoreListEntry]:
        """Return all conversations."""
        async with self._one_at_a_time:
            found = await asyncio.to_thread(self._store.sessions, project_key)
        return [{"session_id": session_id, "mtime": mtime} for session_id, mtime in found.items()]

    async def list_session_summaries(self, project_key: str) -> list[SessionSummaryEntry]:
        """Return all conversations in short."""
        async with self._one_at_a_time:
            found = await asyncio.to_thread(self._store.summaries, project_key)
        return [
            {"session_id": session_id, "mtime": mtime, "data": data}
            for session_id, (mtime, data) in found.items()
        ]

    async def delete(self, key: SessionKey) -> None:
        """Remove a transcript; that of a conversation with all that belongs to it."""
        async with self._one_at_a_time:
            await asyncio.to_thread(self._store.delete, key_of(key))

    async def list_subkeys(self, key: SessionListSubkeysKey) -> list[str]:
        """Return the transcripts of a conversation's subagents."""
        async with self._one_at_a_time:
            return await asyncio.to_thread(
                self._store.subpaths, key["project_key"], key["session_id"]
            )

    def close(self) -> None:
        """Close the connection; the next call opens another one."""
        self._store.close()


class Mirror:
    """What Claude Code writes, handed on at once: no turn waits for a store.

    Parameters
    ----------
    take
        Takes entries of the transcript with a subpath; returns at once and does not raise.
    """

    def __init__(self, take: Callable[[str, Sequence[Entry]], object]) -> None:
        self._take = take

    async def append(self, key: SessionKey, entries: list[SessionStoreEntry]) -> None:
        """Hand entries on."""
        self._take(key.get("subpath", ""), cast("list[Entry]", entries))

    async def load(self, key: SessionKey) -> list[SessionStoreEntry] | None:  # noqa: ARG002
        """Return None: what is resumed lies in Claude Code's own folder by then.

        The SDK would put it into a temporary one, in which nobody finds it after a crash.
        """
        return None


def key_of(key: SessionKey) -> Key:
    """Return the SDK's key as ours."""
    return Key(key["project_key"], key["session_id"], key.get("subpath", ""))


def fold_summary(
    before: dict[str, Any] | None,
    session_id: str,
    entries: Sequence[Entry],
) -> dict[str, Any]:
    """Return what the SDK says in short of a conversation with some more entries.

    Parameters
    ----------
    before
        What this returned last; None at first.
    session_id
        The conversation.
    entries
        What was added.
    """
    summary: SessionSummaryEntry | None = None
    if before is not None:
        summary = {"session_id": session_id, "mtime": 0, "data": before}
    key: SessionKey = {"project_key": "", "session_id": session_id}
    return fold_session_summary(summary, key, cast("list[SessionStoreEntry]", entries))["data"]


def project_folder(cwd: Path) -> str:
    """Return the name of the folder in which Claude Code looks for a directory's transcripts."""
    return project_key_for_directory(cwd)
