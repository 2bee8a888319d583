"""The copy of one session's conversation that a store has."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from claude_magic.errors import (
    BrokenEntriesError,
    OptionError,
    SessionHeldError,
    StartError,
    StoreError,
)
from claude_magic.session.foreign_json import (
    MAX_NOTE_BYTES,
    BrokenJsonError,
    Skipped,
    parse_object,
)
from claude_magic.session.records import Records, record_of
from claude_magic.session.transcript import check_session_id, config_folder

from .local_copy import LocalCopy
from .store_lease import LAPSE_S, holder_told, json_of
from .write_behind import LEAVE_S, write_behind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from concurrent.futures import Future
    from pathlib import Path

    from claude_magic.session.lease import Holder
    from claude_magic.session.records import Record
    from claude_magic.session.sdk import Mirror

    from .store import Store

_logger = logging.getLogger(__name__)

#: Who waits for a lease looks so often whether it was renewed, in seconds.
LOOK_S = 1.0


class StoreCopy:
    """The copy of one session's conversation that a store has. Loop thread only, but for `behind`.

    Lifecycle: `hold` a conversation, `fetch` it where it goes on, `mirror` it while a process runs,
    `let_go` of it, and again.

    Parameters
    ----------
    url
        The store's.
    environment
        `SessionOptions.environment`, which may say where Claude Code keeps its files.
    listener
        Called on any thread whenever what `behind` says may have changed; returns at once and does
        not raise.

    Raises
    ------
    OptionError
        If it is no URL of a store, or what that store needs is not installed.
    """

    def __init__(
        self,
        url: str,
        environment: Mapping[str, str],
        listener: Callable[[], object],
    ) -> None:
        self._store = write_behind(url)
        self._environment = environment
        self._listener = listener
        self._session_id: str | None = None
        self._held = False
        self._waits_for = ""

    @property
    def shown(self) -> str:
        """The store as it may be shown. Any thread."""
        return self._store.shown

    @property
    def behind(self) -> str:
        """What of it the store lacks, and since when; empty if nothing. Any thread."""
        if self._waits_for:
            return f"waiting whether this conversation is still open in {self._waits_for}"
        return self._store.behind(self._session_id) if self._session_id is not None else ""

    async def hold(self, session_id: str, holder: Holder, *, new: bool) -> None:
        """Keep kernels of other machines from going on with a conversation.

        Where another one has it, this waits until that has renewed its right to it, for some
        seconds, or has not for so long that it must be gone. Where the store fails, the
        conversation goes on, and is held when the store is back.

        Parameters
        ----------
        session_id
            The conversation.
        holder
            Who goes on with it.
        new
            Whether nobody else can know of it, so that it need not be waited for.

        Raises
        ------
        SessionHeldError
            If it is open elsewhere.
        """
        if self._session_id not in {None, session_id}:
            await self.let_go()
        if not self._store.follow(session_id, config_folder(self._environment), self._listener):
            raise SessionHeldError(session_id, str(holder))
        self._session_id, self._held = session_id, True
        if new:
            self._store.claim(session_id, holder, None)
            return
        try:
            other = await self._claim(session_id, holder)
        except StoreError:
            return
        except BaseException:
            await self.let_go()
            raise
        if other is not None:
            await self.let_go()
            raise SessionHeldError(session_id, holder_told(other))

    async def _claim(self, session_id: str, holder: Holder) -> str | None:
        """Take the lease, or return what another holder has written who renews it."""
        seen: str | None = None
        lapses_s = 0.0
        try:
            while True:
                lapsed = seen if seen is not None and time.monotonic() > lapses_s else None
                there = await asyncio.wrap_future(self._store.claim(session_id, holder, lapsed))
                if there is None or (seen is not None and there != seen):
                    return there
                if seen is None:
                    seen, lapses_s = there, time.monotonic() + LAPSE_S
                    self._waits_for = holder_told(there)
                    self._listener()
                await asyncio.sleep(LOOK_S)
        finally:
            self._waits_for = ""
            self._listener()

    async def fetch(self, session_id: str, cwd: Path, *, branches: bool) -> None:
        """Bring here what the store has of a conversation and this machine lacks.

        Parameters
        ----------
        session_id
            The conversation.
        cwd
            The directory in which it goes on, if it was not on this machine before.
        branches
            Whether it is only branched. Then it is left as it is where it is here already: it may
            be open.

        Raises
        ------
        StartError
            If the store fails, and there is nothing of the conversation here.
        """
        from claude_magic.session.sdk import project_folder  # noqa: PLC0415 - loads the SDK

        copy = LocalCopy(config_folder(self._environment), session_id)
        known = await asyncio.to_thread(lambda: copy.exists)
        if known and branches:
            return
        folder, project = project_folder(cwd), self._store.project
        records = Records(self._environment)

        skipped = Skipped()

        def bring(store: Store) -> None:
            copy.fetch(store, project, folder, skipped)
            stored = record_of(json_of(store.note(project, session_id, "record") or ""), session_id)
            ours = records.get(session_id)
            if stored is not None and copy.exists and (not known or _is_newer(stored, ours)):
                # Claude Code finds a conversation by the directory; another machine's is not here.
                here = ours.cwd if known and ours is not None else str(cwd)
                records.save(replace(stored, cwd=here))

        try:
            await asyncio.wrap_future(self._store.ask(bring))
            if skipped:
                # Once, in the cell that goes on with it: nothing comes of that but the entries.
                _logger.warning("The conversation %s in %s: %s.", session_id, self.shown, skipped)
        except (StoreError, BrokenEntriesError, OSError) as error:
            if not known:
                raise StartError(
                    f"the conversation {session_id} is not on this machine, and cannot be fetched: "
                    f"{error}",
                ) from error

    def mirror(self, session_id: str) -> Mirror:
        """Return what takes the additions of a process that starts now."""
        from claude_magic.session.sdk import Mirror  # noqa: PLC0415 - loads the SDK

        # A process that died may have written what it had no time to say.
        self._store.catch_up(session_id)
        return Mirror(lambda subpath, entries: self._store.append(session_id, subpath, entries))

    def note(self, record: Record) -> None:
        """Keep what others are to know of the conversation."""
        ended = not record.under_way
        self._store.note(record.session_id, json.dumps(asdict(record)), at_once=ended)

    async def let_go(self) -> None:
        """Let others go on with the conversation, when the store has it; twice is harmless.

        Waits for that for `LEAVE_S` at most; what the store lacks then it gets later, as long as
        this process lives.
        """
        session_id, held = self._session_id, self._held
        self._held = False
        if session_id is not None and held:
            left = asyncio.wrap_future(self._store.leave(session_id))
            await asyncio.wait([left], timeout=LEAVE_S)
            if not left.done() or not left.result():
                # Whoever closes it looks at it no more.
                _logger.warning(
                    "The conversation %s is not whole in %s: %s.",
                    session_id,
                    self.shown,
                    self.behind or "it was slow",
                )


def _is_newer(stored: Record, ours: Record | None) -> bool:
    return ours is None or stored.used_s > ours.used_s


@dataclass(frozen=True, slots=True)
class StoredRecords:
    """The records of the conversations that a store has.

    Attributes
    ----------
    records
        Those that can be read.
    skipped
        How many are broken, and why; empty if none.
    shown
        The store as it may be shown.
    """

    records: tuple[Record, ...]
    skipped: str
    shown: str


def stored_records(url: str) -> Future[StoredRecords]:
    """Return the records of all conversations that a store has. Any thread.

    Raises
    ------
    OptionError
        If it is no URL of a store, or what that store needs is not installed.
    """
    behind = write_behind(url)

    def look(store: Store) -> StoredRecords:
        there = store.sessions(behind.project)
        skipped = Skipped()
        notes = store.notes(behind.project, "record")
        found = (_record_in(session_id, text, skipped) for session_id, text in notes.items())
        records = tuple(each for each in found if each is not None and each.session_id in there)
        return StoredRecords(records, str(skipped) if skipped else "", behind.shown)

    return behind.ask(look)


def _record_in(session_id: str, text: str, skipped: Skipped) -> Record | None:
    """Return the record that a store has of a conversation; None, and counted, if it is broken."""
    if not _is_id(session_id):
        skipped.add("with an id that is no UUID")
        return None
    try:
        record = record_of(parse_object(text, MAX_NOTE_BYTES), session_id)
    except BrokenJsonError as error:
        skipped.add(error if text else "too large")
        return None
    if record is None:
        skipped.add("not a record")
    return record


def stored_ids(url: str) -> Future[set[str]]:
    """Return the ids of all conversations that a store has. Any thread.

    Raises
    ------
    OptionError
        If it is no URL of a store, or what that store needs is not installed.
    """
    behind = write_behind(url)
    return behind.ask(lambda store: {*filter(_is_id, store.sessions(behind.project))})


def _is_id(session_id: str) -> bool:
    try:
        return bool(check_session_id(session_id))
    except OptionError:
        return False
