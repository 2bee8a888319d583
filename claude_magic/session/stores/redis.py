"""Conversations in Redis."""

from __future__ import annotations

import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

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

#: How long is waited for a connection, and for an answer, in seconds.
CONNECT_S, ANSWER_S = 5.0, 5.0

# Adds entries that are not there yet: the list, the uuids in it, and then uuid and line in turn.
_APPEND = """
for i = 1, #ARGV, 2 do
  if ARGV[i] == '' or redis.call('SADD', KEYS[2], ARGV[i]) == 1 then
    redis.call('RPUSH', KEYS[1], ARGV[i + 1])
  end
end
"""

# Returns the values of a list; an empty one for each that is longer than the limit.
_LOAD = """
local found = redis.call('LRANGE', KEYS[1], 0, -1)
for i = 1, #found do
  if #found[i] > tonumber(ARGV[1]) then found[i] = '' end
end
return found
"""

# Returns the names and values of a hash, with the same exception.
_NOTES = """
local found = redis.call('HGETALL', KEYS[1])
for i = 2, #found, 2 do
  if #found[i] > tonumber(ARGV[1]) then found[i] = '' end
end
return found
"""

# Puts one value of a hash in the place of another; an empty one stands for none.
_SWAP = """
local there = redis.call('HGET', KEYS[1], ARGV[1]) or ''
if there ~= ARGV[2] then return 0 end
if ARGV[3] == '' then
  redis.call('HDEL', KEYS[1], ARGV[1])
else
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
end
return 1
"""


class RedisStore(Store):
    """Keys of one Redis server that begin with ``claude-magic:``; nothing of them expires.

    Parameters
    ----------
    address
        Where it is.
    """

    def __init__(self, address: StoreAddress) -> None:
        self._address = address
        # The types of redis-py say that everything may be awaited.
        self._opened: Any = None

    def append(self, key: Key, entries: Sequence[Entry]) -> None:
        """Add entries behind those that are there."""
        if not entries:
            return
        keys = [_name("entries", *key), _name("uuids", *key)]
        values = [value for each in entries for value in (uuid_of(each) or "", line_of(each))]
        session = _name("session", *key[:2])

        def add(steps: Any) -> None:
            changed: dict[str, str | int] = {}
            if not key.subpath:
                summary = summary_of(steps.hget(session, "summary"), key, entries)
                changed = {"summary": summary, "changed_ms": int(time.time() * 1000)}
            steps.multi()
            steps.eval(_APPEND, len(keys), *keys, *values)
            if key.subpath:
                steps.sadd(_name("subpaths", *key[:2]), key.subpath)
            else:
                steps.hset(session, mapping=changed)
                steps.sadd(_name("sessions", key.project), key.session_id)

        with self._server() as server:
            # Again, where somebody else adds to the conversation between the steps.
            server.transaction(add, session)

    def load(self, key: Key, skipped: Skipped | None = None) -> list[dict[str, Any]] | None:
        """Return the entries of a transcript."""
        with self._server() as server:
            lines = server.eval(_LOAD, 1, _name("entries", *key), MAX_ENTRY_BYTES)
        return entries_in((line or None for line in lines), skipped)

    def summaries(self, project: str) -> dict[str, tuple[int, dict[str, Any]]]:
        """Return all conversations in short."""
        with self._server() as server:
            known = sorted(server.smembers(_name("sessions", project)))
            with server.pipeline(transaction=False) as steps:
                for session_id in known:
                    steps.hmget(_name("session", project, session_id), "changed_ms", "summary")
                found = steps.execute(raise_on_error=False)
        return {
            session_id: (_whole(each[0]), summary_in(each[1]) or {})
            for session_id, each in zip(known, found, strict=True)
            # An error is what a key of another type is answered with.
            if isinstance(each, list) and each[1] is not None
        }

    def subpaths(self, project: str, session_id: str) -> list[str]:
        """Return the transcripts of subagents."""
        with self._server() as server:
            return sorted(server.smembers(_name("subpaths", project, session_id)))

    def delete(self, key: Key) -> None:
        """Remove a transcript."""
        with self._server() as server:
            subpaths = _name("subpaths", *key[:2])
            gone = [key.subpath] if key.subpath else ["", *server.smembers(subpaths)]
            with server.pipeline() as steps:
                for subpath in gone:
                    which = key._replace(subpath=subpath)
                    steps.delete(_name("entries", *which), _name("uuids", *which))
                    steps.srem(subpaths, subpath)
                if not key.subpath:
                    steps.delete(_name("session", *key[:2]))
                    steps.srem(_name("sessions", key.project), key.session_id)
                    for kind in ("record", "lease"):
                        steps.hdel(_name(kind, key.project), key.session_id)
                steps.execute()

    def note(self, project: str, session_id: str, kind: Kind) -> str | None:
        """Return a small value."""
        with self._server() as server:
            found = server.hget(_name(kind, project), session_id)
        return str(found) if found is not None else None

    def notes(self, project: str, kind: Kind) -> dict[str, str]:
        """Return the small values of all conversations."""
        with self._server() as server:
            found = server.eval(_NOTES, 1, _name(kind, project), MAX_NOTE_BYTES)
        return dict(zip(found[::2], found[1::2], strict=True))

    def put_note(self, project: str, session_id: str, kind: Kind, text: str) -> None:
        """Put a small value in the place of the one that is there."""
        with self._server() as server:
            server.hset(_name(kind, project), session_id, text)

    def swap_note(
        self,
        project: str,
        session_id: str,
        kind: Kind,
        before: str | None,
        after: str | None,
    ) -> bool:
        """Put a small value in the place of another."""
        with self._server() as server:
            values = (session_id, before or "", after or "")
            return bool(server.eval(_SWAP, 1, _name(kind, project), *values))

    def close(self) -> None:
        """Close the connection."""
        server, self._opened = self._opened, None
        if server is not None:
            with suppress(redis.RedisError, OSError):
                server.close()

    @contextmanager
    def _server(self) -> Iterator[Any]:
        try:
            if self._opened is None:
                self._opened = redis.Redis.from_url(
                    self._address.url,
                    decode_responses=True,
                    # Text that is not UTF-8 must not hide the rest.
                    encoding_errors="surrogateescape",
                    socket_connect_timeout=CONNECT_S,
                    socket_timeout=ANSWER_S,
                    # A connection that was idle may be dead; all else is tried again by others.
                    retry=Retry(NoBackoff(), 1),
                )
            yield self._opened
        except (redis.RedisError, OSError, ValueError) as error:
            # A ValueError is what a URL is refused with that only Redis knows to be wrong.
            self.close()
            told = str(error) or type(error).__name__
            raise StoreError(self._address.shown, self._address.without_password(told)) from None


def _whole(text: object) -> int:
    """Return a moment as a number; 0 if it is none."""
    return int(text) if isinstance(text, str) and text.isascii() and text[:20].isdigit() else 0


def _name(*parts: str) -> str:
    return ":".join(["claude-magic", *(quote(part, safe="") for part in parts)])
