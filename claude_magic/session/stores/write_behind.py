"""What lies between conversations and a session store: a thread that writes, and a bounded queue.

Claude Code writes its transcript on this machine, as always; that is what a conversation lives on.
The store gets a copy, a moment later. Where it is away, conversations go on, and the copy is caught
up with when it is back: from the queue, or from the transcript where that held more than the queue.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from textwrap import shorten
from typing import TYPE_CHECKING, TypeVar

from claude_magic.errors import StoreError
from claude_magic.session.moment import moment

from . import open_store
from .address import StoreAddress
from .local_copy import LocalCopy
from .store import Key, line_of
from .store_lease import RENEW_S, StoreLease, holder_told

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from claude_magic.session.lease import Holder

    from .store import Entry, Store

_logger = logging.getLogger(__name__)

T = TypeVar("T")

#: So much waits for a store at most, as JSON, over all conversations.
MAX_QUEUED_BYTES = 16 * 2**20

#: What is added is gathered for so long before it is written, in seconds: a turn adds several times
#: within moments, and every journey to the store takes time that the turn could use.
GATHER_S = 0.1

#: Where a store fails, it is tried again after so many seconds, then after twice as many and so on.
FIRST_RETRY_S, LAST_RETRY_S = 0.5, 15.0

#: Who closes a conversation waits for the store so long, in seconds.
LEAVE_S = 2.0

#: What waits for longer than this is behind, in seconds, whether or not the store has failed.
SLOW_S = 10.0

#: A connection that no conversation needs is closed after so long, in seconds.
IDLE_S = 60.0

#: A database may have much to say of why it fails; so much is told, in characters.
MAX_REASON = 200

_KILO = 1000


@dataclass
class _Batch:
    """Entries on their way to one transcript."""

    key: Key
    entries: list[Entry]
    size: int
    since_s: float = field(default_factory=time.time)
    due_at_s: float = field(default_factory=lambda: time.monotonic() + GATHER_S)


@dataclass
class _Followed:
    """A conversation that is open in this process.

    Attributes
    ----------
    folder
        Claude Code's configuration folder.
    listener
        Called on the thread of the store whenever what `behind` says may have changed.
    lease
        The right to go on with it, once somebody has asked for it.
    record
        What is to be noted of it; None for nothing new.
    record_at_s
        When that is noted, by `time.monotonic()`.
    incomplete_since_s
        Since when the store lacks more than the queue holds, by `time.time()`; None if it does not.
    taken_over
        Who else goes on with it; empty for nobody.
    renew_at_s
        When the lease is renewed, by `time.monotonic()`.
    left
        Told, once it is closed here, whether the store has all of it; None while it is open.
    """

    folder: Path
    listener: Callable[[], object]
    lease: StoreLease | None = None
    record: str | None = None
    record_at_s: float = 0.0
    incomplete_since_s: float | None = None
    taken_over: str = ""
    renew_at_s: float = 0.0
    left: Future[bool] | None = None

    @property
    def lacks(self) -> bool:
        """Whether the store lacks something of it that is not in the queue."""
        return self.incomplete_since_s is not None or self.record is not None


class WriteBehind:
    """One store, as the conversations of this process see it.

    `append`, `note` and `behind` return at once, from any thread, and never raise. Whatever needs
    an answer of the store is a future. What a conversation adds arrives in the order in which it
    was added.

    Parameters
    ----------
    url
        The store's.
    max_bytes
        How much waits for the store at most, in bytes of JSON.

    Raises
    ------
    OptionError
        If it is no URL of a store.
    """

    def __init__(self, url: str, *, max_bytes: int = MAX_QUEUED_BYTES) -> None:
        address = StoreAddress.of(url)
        #: The store as it may be shown.
        self.shown = address.shown
        #: What conversations are filed under.
        self.project = address.project
        self._url = url
        self._opened: Store | None = None
        self._max_bytes = max_bytes
        # Everything below is the condition's.
        self._changed = threading.Condition()
        self._jobs: deque[tuple[Callable[[], object], Future[object]]] = deque()
        self._queue: deque[_Batch] = deque()
        self._writing: _Batch | None = None
        self._sending: str | None = None
        self._queued_bytes = 0
        self._followed: dict[str, _Followed] = {}
        self._failed_since_s: float | None = None
        self._failure = ""
        self._delay_s = 0.0
        self._retry_at_s = 0.0
        self._thread: threading.Thread | None = None

    # -- what a conversation does --------------------------------------------------------------

    def follow(self, session_id: str, folder: Path, listener: Callable[[], object]) -> bool:
        """Take a conversation's additions from now on, until `leave`.

        Parameters
        ----------
        session_id
            The conversation.
        folder
            Claude Code's configuration folder.
        listener
            Called on the thread of the store whenever what `behind` says may have changed; returns
            at once and does not raise.

        Returns
        -------
        bool
            Whether it is. False where it is open in this process already, from another folder.
        """
        with self._changed:
            known = self._followed.get(session_id)
            if known is None:
                known = self._followed[session_id] = _Followed(folder, listener)
            elif known.folder != folder:
                return False
            known.listener = listener
            known.left = None
            return True

    def catch_up(self, session_id: str) -> None:
        """Send what the store lacks of a conversation that is followed, from its transcript."""
        with self._changed:
            known = self._followed.get(session_id)
            if known is not None:
                self._mark_incomplete(session_id, known)
                self._wake()

    def append(self, session_id: str, subpath: str, entries: Sequence[Entry]) -> None:
        """Add entries of a conversation that is followed."""
        if not entries:
            return
        size = sum(len(line_of(entry)) for entry in entries)
        with self._changed:
            known = self._followed.get(session_id)
            # What the transcript holds is sent from there.
            if known is None or known.taken_over or known.incomplete_since_s is not None:
                return
            if self._queued_bytes + size > self._max_bytes:
                self._mark_incomplete(session_id, known)
            else:
                key = Key(self.project, session_id, subpath)
                self._queue.append(_Batch(key, list(entries), size))
                self._queued_bytes += size
            self._wake()

    def note(self, session_id: str, record: str, *, at_once: bool) -> None:
        """Put a record of a conversation in the place of the one that the store has.

        Parameters
        ----------
        session_id
            A conversation that is followed.
        record
            The record.
        at_once
            Whether a turn has ended, so that nothing more is gathered.
        """
        with self._changed:
            known = self._followed.get(session_id)
            if known is None or known.taken_over:
                return
            due_at_s = time.monotonic() + (0.0 if at_once else GATHER_S)
            if known.record is None or at_once:
                known.record_at_s = due_at_s
            known.record = record
            for batch in self._queue:
                batch.due_at_s = min(batch.due_at_s, due_at_s)
            self._wake()

    def behind(self, session_id: str) -> str:
        """Say what of a conversation the store lacks, and since when; empty if nothing."""
        with self._changed:
            known = self._followed.get(session_id)
            if known is None:
                return ""
            if known.taken_over:
                return (
                    f"this conversation goes on in {known.taken_over}; what is said here is kept "
                    "on this machine only"
                )
            batches = [each for each in self._batches if each.key.session_id == session_id]
            failed = self._failed_since_s
            waiting = [each.since_s for each in batches]
            if known.incomplete_since_s is not None:
                waiting.append(known.incomplete_since_s)
            patience_s = SLOW_S if known.left is None else LEAVE_S
            slow = bool(waiting) and min(waiting) < time.time() - patience_s
            if failed is None and not slow:
                return ""
            since = min([*waiting, *([failed] if failed is not None else [])])
            count = sum(len(each.entries) for each in batches)
            size = sum(each.size for each in batches)
            if known.incomplete_since_s is not None:
                what = ", all that was said since only on this machine"
            elif count:
                some = "1 entry" if count == 1 else f"{count} entries"
                what = f", {some} ({size / _KILO:,.1f} kB) only on this machine"
            else:
                what = ""
            why = f": {self._failure.rstrip('. ')}" if self._failure else ""
            return f"the session store is behind since {moment(since)}{what}{why}"

    def leave(self, session_id: str) -> Future[bool]:
        """Follow a conversation no more, and let others go on with it.

        What is not written yet is written all the same, as long as this process lives, and others
        may go on when it is.

        Returns
        -------
        Future
            Whether the store has all of it. False comes as soon as the store fails, and where it
            takes longer nothing comes, so whoever waits should do so for `LEAVE_S`.
        """
        left: Future[bool] = Future()
        with self._changed:
            known = self._followed.get(session_id)
            if known is None:
                left.set_result(True)
            else:
                known.left = left
                # Where it fails, it is tried once more before anybody is told.
                self._retry_at_s = 0.0
                self._wake()
        return left

    def claim(self, session_id: str, holder: Holder, lapsed: str | None) -> Future[str | None]:
        """Take the lease of a conversation that is followed, and renew it until `leave`.

        Parameters
        ----------
        session_id
            The conversation.
        holder
            Who goes on with it.
        lapsed
            As of `StoreLease.take`.

        Returns
        -------
        Future
            As of `StoreLease.take`. Where the store fails the lease is wanted all the same, and
            taken when the store is back.
        """

        def take(store: Store) -> str | None:
            known = self._followed.get(session_id)
            if known is None:
                return None
            lease = known.lease or StoreLease(self.project, session_id, holder)
            other: str | None = None
            try:
                other = lease.take(store, lapsed)
            finally:
                with self._changed:
                    known.lease = lease if other is None else None
                    known.taken_over = ""
                    known.renew_at_s = time.monotonic() + RENEW_S
            return other

        return self.ask(take)

    def ask(self, question: Callable[[Store], T]) -> Future[T]:
        """Have something done with the store, before what waits in the queue.

        Parameters
        ----------
        question
            Called on the thread of the store.

        Returns
        -------
        Future
            What it returns or raises: a `StoreError` where the store fails, which is not tried
            again.
        """
        told: Future[T] = Future()

        def answer() -> T:
            return question(self._store)

        with self._changed:
            self._jobs.append((answer, told))  # type: ignore[arg-type]
            self._wake()
        return told

    # -- the queue; the condition is held ------------------------------------------------------

    @property
    def _batches(self) -> list[_Batch]:
        return [*([self._writing] if self._writing is not None else []), *self._queue]

    def _lacks(self, session_id: str, known: _Followed) -> bool:
        """Tell whether the store lacks anything that it is to have."""
        if known.taken_over:
            return False
        waits = any(each.key.session_id == session_id for each in self._batches)
        return waits or known.lacks or self._sending == session_id

    def _mark_incomplete(self, session_id: str, known: _Followed) -> None:
        """Send a conversation from its transcript, and nothing of it from the queue."""
        kept = [each for each in self._queue if each.key.session_id != session_id]
        self._queue = deque(kept)
        self._queued_bytes = sum(each.size for each in self._batches)
        if known.incomplete_since_s is None:
            known.incomplete_since_s = time.time()

    def _wake(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(
                target=self._serve,
                name="claude-magic-store",
                daemon=True,
            )
            self._thread.start()
        self._changed.notify_all()

    # -- the thread of the store ---------------------------------------------------------------

    def _serve(self) -> None:
        while True:
            with self._changed:
                while (work := self._next()) is None:
                    woken = self._changed.wait(self._idle_s())
                    if not (woken or self._followed or self._jobs):
                        # Nobody needs it: not the connection either.
                        if self._opened is not None:
                            self._opened.close()
                        self._thread = None
                        return
            try:
                work()
            except Exception as error:
                # Without this thread nothing would be written any more, and nobody told.
                _logger.exception("The session store failed in a way that is not its own.")
                self._fail(_reason(error))
            self._tell()

    @property
    def _store(self) -> Store:
        """The store; its client is loaded here, because that takes up to a second."""
        if self._opened is None:
            try:
                self._opened = open_store(self._url)
            except ImportError as error:
                raise StoreError(self.shown, f"its client cannot be loaded: {error}") from error
        return self._opened

    def _next(self) -> Callable[[], object] | None:
        """Return what is to be done now; the condition is held."""
        if self._jobs:
            job, told = self._jobs.popleft()
            return partial(_settle, job, told, self._fail)
        now_s = time.monotonic()
        return next(self._due(now_s), None) if now_s >= self._retry_at_s else None

    def _due(self, now_s: float) -> Iterator[Callable[[], object]]:
        """Yield what is to be done, the most urgent first; the condition is held."""
        followed = list(self._followed.items())
        held = [(each, known) for each, known in followed if not known.taken_over]
        yield from (
            partial(self._renew, each)
            for each, known in held
            if known.lease is not None and now_s >= known.renew_at_s
        )
        yield from (
            partial(self._send, each)
            for each, known in held
            if known.incomplete_since_s is not None
        )
        leaving = any(known.left is not None for _, known in followed)
        if self._queue and (leaving or now_s >= self._queue[0].due_at_s):
            yield self._write
        # What it says of a conversation comes after what was said in it.
        yield from (
            partial(self._put_record, each)
            for each, known in held
            if known.record is not None and (leaving or now_s >= known.record_at_s)
        )
        yield from (
            partial(self._release, each)
            for each, known in followed
            if known.left is not None and not self._lacks(each, known)
        )
        if self._failed_since_s is not None:
            yield self._probe

    def _idle_s(self) -> float | None:
        """Return how long there is nothing to do, in seconds; the condition is held."""
        if not self._followed:
            return IDLE_S
        now_s = time.monotonic()
        if now_s < self._retry_at_s:
            return self._retry_at_s - now_s
        due_s = [self._queue[0].due_at_s] if self._queue else []
        for known in self._followed.values():
            if known.lease is not None:
                due_s.append(known.renew_at_s)
            if known.record is not None and not known.taken_over:
                due_s.append(known.record_at_s)
        return max(0.0, min(due_s) - now_s) if due_s else None

    def _write(self) -> None:
        with self._changed:
            if not self._queue:
                return
            first = self._queue.popleft()
            # One journey for all that goes to the same transcript.
            same = [each for each in self._queue if each.key == first.key]
            self._queue = deque(each for each in self._queue if each.key != first.key)
            batch = _Batch(
                first.key,
                [entry for each in (first, *same) for entry in each.entries],
                sum(each.size for each in (first, *same)),
                first.since_s,
                first.due_at_s,
            )
            self._writing = batch
        try:
            self._store.append(batch.key, batch.entries)
        except Exception as error:  # noqa: BLE001 - the entries must not be lost with it
            with self._changed:
                self._writing = None
                known = self._followed.get(batch.key.session_id)
                # It may have overflowed meanwhile; then all of it comes from the transcript.
                if known is None or known.incomplete_since_s is None:
                    self._queue.appendleft(batch)
                else:
                    self._queued_bytes -= batch.size
            self._fail(_reason(error))
        else:
            with self._changed:
                self._writing = None
                self._queued_bytes -= batch.size
            self._succeed()

    def _send(self, session_id: str) -> None:
        with self._changed:
            known = self._followed.get(session_id)
            if known is None:
                return
            since_s, known.incomplete_since_s = known.incomplete_since_s, None
            self._sending = session_id
        try:
            # What is added from now on is in the queue, and perhaps in the transcript as well.
            LocalCopy(known.folder, session_id).send(self._store, self.project)
        except Exception as error:  # noqa: BLE001 - it is still to be sent
            with self._changed:
                self._mark_incomplete(session_id, known)
                known.incomplete_since_s = since_s
            self._fail(_reason(error))
        else:
            self._succeed()
        finally:
            with self._changed:
                self._sending = None

    def _put_record(self, session_id: str) -> None:
        with self._changed:
            known = self._followed.get(session_id)
            record = known.record if known is not None else None
        if known is None or record is None:
            return
        try:
            self._store.put_note(self.project, session_id, "record", record)
        except Exception as error:  # noqa: BLE001 - it is still to be put
            self._fail(_reason(error))
            return
        with self._changed:
            if known.record == record:
                known.record = None
        self._succeed()

    def _renew(self, session_id: str) -> None:
        with self._changed:
            known = self._followed.get(session_id)
            lease = known.lease if known is not None else None
        if known is None or lease is None:
            return
        try:
            other = lease.take(self._store)
        except StoreError as error:
            self._fail(_reason(error))
            return
        with self._changed:
            known.renew_at_s = time.monotonic() + RENEW_S
            if other is not None:
                known.lease = None
                known.taken_over = holder_told(other)
                self._mark_incomplete(session_id, known)
                _logger.info("The conversation %s goes on in %s.", session_id, known.taken_over)
        self._succeed()

    def _release(self, session_id: str) -> None:
        with self._changed:
            known = self._followed.get(session_id)
            if known is None or known.left is None or self._lacks(session_id, known):
                return
            left = known.left
            del self._followed[session_id]
        try:
            if known.lease is not None:
                known.lease.release(self._store)
        except StoreError as error:
            # It lapses.
            self._fail(_reason(error))
        if not left.done():
            left.set_result(not known.taken_over)

    def _probe(self) -> None:
        """Ask whether the store is back, where nothing else is to be asked."""
        try:
            self._store.note(self.project, "", "lease")
        except StoreError as error:
            self._fail(_reason(error))
        else:
            self._succeed()

    def _fail(self, reason: str) -> None:
        with self._changed:
            if self._failed_since_s is None:
                self._failed_since_s = time.time()
                _logger.info("The session store %s fails: %s", self.shown, reason)
            self._failure = reason
            self._delay_s = min(LAST_RETRY_S, max(FIRST_RETRY_S, 2 * self._delay_s))
            self._retry_at_s = time.monotonic() + self._delay_s
            left = [each.left for each in self._followed.values() if each.left is not None]
        for told in left:
            if not told.done():
                told.set_result(False)

    def _succeed(self) -> None:
        with self._changed:
            if self._failed_since_s is not None:
                _logger.info("The session store %s is back.", self.shown)
            self._failed_since_s = None
            self._failure = ""
            self._delay_s = 0.0
            self._retry_at_s = 0.0

    def _tell(self) -> None:
        with self._changed:
            listeners = [each.listener for each in self._followed.values()]
        for listener in listeners:
            listener()


def _settle(
    job: Callable[[], object],
    told: Future[object],
    failed: Callable[[str], object],
) -> None:
    if not told.set_running_or_notify_cancel():
        return
    try:
        answer = job()
    except StoreError as error:
        failed(_reason(error))
        told.set_exception(error)
    except BaseException as error:  # noqa: BLE001 - whoever asked must hear of it
        told.set_exception(error)
    else:
        told.set_result(answer)


def _reason(error: Exception) -> str:
    told = error.reason if isinstance(error, StoreError) else f"{type(error).__name__}: {error}"
    return shorten(told, MAX_REASON, placeholder=" …")


_lock = threading.Lock()
_shared: dict[str, WriteBehind] = {}


def write_behind(url: str) -> WriteBehind:
    """Return this process's way to the store at a URL; any thread.

    Raises
    ------
    OptionError
        If it is no URL of a store, or what that store needs is not installed.
    """
    whole = StoreAddress.of(url).whole
    with _lock:
        if whole not in _shared:
            _shared[whole] = WriteBehind(whole)
        return _shared[whole]


def _forget_after_fork() -> None:
    """Leave the parent's stores to it: a forked child has none of its threads."""
    global _lock, _shared  # noqa: PLW0603
    _lock = threading.Lock()
    _shared = {}


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)
