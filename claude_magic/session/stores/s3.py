"""Conversations in a bucket of S3, or of another service that speaks like it."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

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
CONNECT_S, ANSWER_S = 5, 5

#: Longest object with entries that is read, in bytes; what is added at once is one object.
MAX_OBJECT_BYTES = 4 * MAX_ENTRY_BYTES

#: So many objects are read at once.
READERS = 8

#: What a service answers whose object is another one than was thought.
_CHANGED = {"PreconditionFailed", "ConditionalRequestConflict", "412", "409"}
_ABSENT = {"NoSuchKey", "404"}

#: The name of a conversation's own transcript among those of its subagents.
_OWN = "main"


class S3Store(Store):
    """Objects of one bucket, below the URL's prefix.

    Every `append` makes one object, because an object cannot grow; their names are numbered, so
    that they are read in order on a machine whose clock is wrong, too.

    Parameters
    ----------
    address
        Where it is. The credentials come from where AWS's own tools have them.
    """

    def __init__(self, address: StoreAddress) -> None:
        self._address = address
        self._bucket = urlsplit(address.url).netloc
        self._prefix = address.path.strip("/")
        # boto3 makes its classes when they are asked for; there is no type.
        self._opened: Any = None
        self._lengths: dict[Key, int] = {}

    def append(self, key: Key, entries: Sequence[Entry]) -> None:
        """Add entries behind those that are there."""
        if not entries:
            return
        folder = self._folder(key)
        with self._service() as service:
            number = self._lengths.get(key)
            if number is None:
                names = self._names(service, folder)
                number = int(max(names).removeprefix(folder).partition("-")[0]) if names else 0
            # Of two that write at once none overwrites the other's.
            name = f"{folder}{number + 1:09d}-{uuid.uuid4().hex[:8]}.jsonl"
            self._put(service, name, "".join(line_of(entry) + "\n" for entry in entries))
            self._lengths[key] = number + 1
            if not key.subpath:
                # Last, because it says when the conversation was written.
                summary = self._name("summaries", key.project, f"{key.session_id}.json")
                before = self._get(service, summary)
                self._put(service, summary, summary_of(before, key, entries))

    def load(self, key: Key, skipped: Skipped | None = None) -> list[dict[str, Any]] | None:
        """Return the entries of a transcript."""

        def read(name: str) -> list[bytes | None]:
            found = self._found(service, name, MAX_OBJECT_BYTES)
            if found is None:
                return []
            if len(found[0]) > MAX_OBJECT_BYTES:
                return [None]
            return [line for line in found[0].split(b"\n") if line]

        with self._service() as service:
            names = sorted(self._names(service, self._folder(key)))
            with ThreadPoolExecutor(READERS) as readers:
                parts = list(readers.map(read, names))
        loaded = entries_in((line for part in parts for line in part), skipped)
        if loaded is None:
            return None
        entries: list[dict[str, Any]] = []
        seen: set[str] = set()
        for entry in loaded:
            known = uuid_of(entry)
            if known is None or known not in seen:
                entries.append(entry)
            if known is not None:
                seen.add(known)
        return entries

    def sessions(self, project: str) -> dict[str, int]:
        """Return all conversations."""
        folder = self._name("summaries", project, "")
        with self._service() as service:
            return {
                unquote(name.removeprefix(folder)).removesuffix(".json"): changed_ms
                for name, changed_ms in self._names(service, folder).items()
            }

    def summaries(self, project: str) -> dict[str, tuple[int, dict[str, Any]]]:
        """Return all conversations in short."""
        changed_ms = self.sessions(project)
        texts = self._texts("summaries", project)
        return {
            session_id: (changed_ms[session_id], summary_in(text) or {})
            for session_id, text in texts.items()
            if session_id in changed_ms
        }

    def subpaths(self, project: str, session_id: str) -> list[str]:
        """Return the transcripts of subagents."""
        folder = self._name("entries", project, session_id, "")
        with self._service() as service:
            names = self._names(service, folder)
        found = {unquote(name.removeprefix(folder).partition("/")[0]) for name in names}
        return sorted(subpath.removeprefix("/") for subpath in found if subpath != _OWN)

    def delete(self, key: Key) -> None:
        """Remove a transcript."""
        with self._service() as service:
            if key.subpath:
                gone = list(self._names(service, self._folder(key)))
            else:
                gone = [
                    *self._names(service, self._name("entries", *key[:2], "")),
                    *(
                        self._name(kind, key.project, f"{key.session_id}.json")
                        for kind in ("summaries", "record", "lease")
                    ),
                ]
            for name in gone:
                service.delete_object(Bucket=self._bucket, Key=name)
            for known in [each for each in self._lengths if each[:2] == key[:2]]:
                del self._lengths[known]

    def note(self, project: str, session_id: str, kind: Kind) -> str | None:
        """Return a small value."""
        with self._service() as service:
            return self._get(service, self._name(kind, project, f"{session_id}.json"))

    def notes(self, project: str, kind: Kind) -> dict[str, str]:
        """Return the small values of all conversations."""
        return self._texts(kind, project)

    def put_note(self, project: str, session_id: str, kind: Kind, text: str) -> None:
        """Put a small value in the place of the one that is there."""
        with self._service() as service:
            self._put(service, self._name(kind, project, f"{session_id}.json"), text)

    def swap_note(
        self,
        project: str,
        session_id: str,
        kind: Kind,
        before: str | None,
        after: str | None,
    ) -> bool:
        """Put a small value in the place of another."""
        name = self._name(kind, project, f"{session_id}.json")
        with self._service() as service:
            found = self._found(service, name, MAX_NOTE_BYTES)
            there, tag = (_text(found[0]), found[1]) if found is not None else (None, None)
            if there != before:
                return False
            try:
                if after is not None:
                    condition = {"IfNoneMatch": "*"} if tag is None else {"IfMatch": tag}
                    self._put(service, name, after, **condition)
                elif there is not None:
                    # Not every service can remove an object on a condition; whoever swaps it away
                    # is who put it there.
                    service.delete_object(Bucket=self._bucket, Key=name)
            except ClientError as error:
                if _code(error) in _CHANGED | _ABSENT:
                    return False
                raise
            return True

    def close(self) -> None:
        """Close the connections."""
        service, self._opened = self._opened, None
        self._lengths.clear()
        if service is not None:
            service.close()

    def _texts(self, kind: str, project: str) -> dict[str, str]:
        folder = self._name(kind, project, "")
        with self._service() as service:
            names = list(self._names(service, folder))
            with ThreadPoolExecutor(READERS) as readers:
                texts = list(readers.map(lambda name: self._get(service, name), names))
        return {
            unquote(name.removeprefix(folder)).removesuffix(".json"): text
            for name, text in zip(names, texts, strict=True)
            if text is not None
        }

    def _folder(self, key: Key) -> str:
        # A slash before the name of a subagent's transcript keeps it apart from `_OWN`.
        return self._name("entries", *key[:2], f"/{key.subpath}" if key.subpath else _OWN, "")

    def _name(self, *parts: str) -> str:
        return "/".join([self._prefix, *(quote(part, safe="") for part in parts)]).lstrip("/")

    def _names(self, service: Any, folder: str) -> dict[str, int]:
        """Return the objects below a name, and when each was written, in ms since the epoch."""
        pages = service.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket,
            Prefix=folder,
        )
        return {
            each["Key"]: int(each["LastModified"].timestamp() * 1000)
            for page in pages
            for each in page.get("Contents", ())
        }

    def _get(self, service: Any, name: str) -> str | None:
        """Return a small object; empty if it is too large or not UTF-8."""
        found = self._found(service, name, MAX_NOTE_BYTES)
        return None if found is None else _text(found[0])

    def _found(self, service: Any, name: str, max_bytes: int) -> tuple[bytes, str] | None:
        """Return the first bytes of an object, one more than asked for, and its version's tag."""
        try:
            answer = service.get_object(Bucket=self._bucket, Key=name)
        except ClientError as error:
            if _code(error) in _ABSENT:
                return None
            raise
        with answer["Body"] as body:
            return body.read(max_bytes + 1), answer["ETag"]

    def _put(self, service: Any, name: str, text: str, **condition: str) -> None:
        service.put_object(Bucket=self._bucket, Key=name, Body=text.encode(), **condition)

    @contextmanager
    def _service(self) -> Iterator[Any]:
        try:
            if self._opened is None:
                # A session of its own: boto3's common one is not for several threads.
                self._opened = boto3.session.Session().client(
                    "s3",
                    endpoint_url=self._address.parameters.get("endpoint_url"),
                    region_name=self._address.parameters.get("region"),
                    config=Config(
                        connect_timeout=CONNECT_S,
                        read_timeout=ANSWER_S,
                        retries={"total_max_attempts": 2},
                        max_pool_connections=READERS,
                    ),
                )
            yield self._opened
        except (BotoCoreError, ClientError, OSError, ValueError) as error:
            self.close()
            raise StoreError(self._address.shown, str(error)) from error


def _text(written: bytes) -> str:
    """Return a small object as text; empty if it is too large or not UTF-8."""
    if len(written) > MAX_NOTE_BYTES:
        return ""
    try:
        return written.decode()
    except UnicodeDecodeError:
        return ""


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
