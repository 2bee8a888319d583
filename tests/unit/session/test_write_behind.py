"""What lies between conversations and their store, on a real file that fails in real ways."""

from __future__ import annotations

import asyncio
import json
import platform
import sqlite3
import threading
import time
import uuid
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from claude_magic.errors import SessionHeldError
from claude_magic.session.guard import own_mark
from claude_magic.session.lease import Holder
from claude_magic.session.stores import PROJECT, Key, open_store, store_copy, write_behind
from claude_magic.session.stores.store_copy import StoreCopy
from claude_magic.session.stores.write_behind import WriteBehind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from claude_magic.session.stores import Store

ID = "11111111-1111-4111-8111-111111111111"
KEY = Key(PROJECT, ID)


class Place:
    """A store in a folder that can go away and come back, and a conversation's own folder."""

    def __init__(self, folder: Path) -> None:
        self._disk = folder / "disk"
        self._away = folder / "away"
        self._disk.mkdir()
        self.path = self._disk / "store.db"
        self.url = f"sqlite:///{self.path}"
        self.config = folder / "claude"
        self._happened = threading.Condition()

    def hear(self) -> None:
        with self._happened:
            self._happened.notify_all()

    def until(self, condition: Callable[[], object]) -> None:
        """Wait, from event to event, until something holds."""
        with self._happened:
            assert self._happened.wait_for(condition, timeout=20)

    def follow(self, **options: Any) -> WriteBehind:
        behind = WriteBehind(self.url, **options)
        assert behind.follow(ID, self.config, self.hear)
        return behind

    def go(self) -> None:
        self._disk.rename(self._away)

    def come_back(self) -> None:
        self._away.rename(self._disk)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Have somebody else write to the store all the time."""
        other = sqlite3.connect(self.path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")
        other.close()

    @property
    def stored(self) -> list[dict[str, Any]]:
        with self.opened() as store:
            return store.load(KEY) or []

    def opened(self) -> closing[Store]:
        """Give the store on a connection of the test's own."""
        return closing(open_store(self.url))

    @property
    def lease(self) -> str | None:
        with self.opened() as store:
            return store.note(PROJECT, ID, "lease")

    @lease.setter
    def lease(self, written: str) -> None:
        with self.opened() as store:
            store.put_note(PROJECT, ID, "lease", written)

    def write(self, *entries: dict[str, Any]) -> None:
        """Write to the transcript, as Claude Code does."""
        path = self.config / "projects" / "-project" / f"{ID}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as file:
            file.writelines(json.dumps(entry) + "\n" for entry in entries)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    place = Place(tmp_path)
    assert place.stored == []  # the file is there by now
    return place


def said(text: str) -> dict[str, Any]:
    return {"type": "user", "uuid": str(uuid.uuid4()), "text": text}


def wait(behind: WriteBehind) -> bool:
    return behind.leave(ID).result(20)


def test_what_is_added_arrives_in_its_order(place: Place) -> None:
    behind = place.follow()
    entries = [said(str(number)) for number in range(200)]
    for entry in entries:
        behind.append(ID, "", [entry])
    behind.append(ID, "subagents/agent-1", [said("sub")])
    assert wait(behind)
    assert place.stored == entries
    with place.opened() as store:
        assert store.subpaths(PROJECT, ID) == ["subagents/agent-1"]


def test_nobody_waits_for_a_store_that_is_slow(place: Place) -> None:
    behind = place.follow()
    entries = [said(str(number)) for number in range(50)]
    with place.locked():
        began = time.monotonic()
        for entry in entries:
            behind.append(ID, "", [entry])
        # The store itself gives up on the lock after 5 s.
        assert time.monotonic() - began < 1
    assert wait(behind)
    assert place.stored == entries


def test_a_store_that_went_away_is_told_and_caught_up_with(place: Place) -> None:
    behind = place.follow()
    behind.append(ID, "", [first := said("before")])
    place.until(lambda: place.stored == [first])
    assert behind.behind(ID) == ""
    place.go()
    behind.append(ID, "", [second := said("meanwhile"), third := said("and more")])
    place.until(lambda: behind.behind(ID))
    told = behind.behind(ID)
    assert told.startswith("the session store is behind since ")
    assert "2 entries (0.2 kB) only on this machine" in told
    assert "No such file" in told
    place.come_back()
    place.until(lambda: not behind.behind(ID))
    assert place.stored == [first, second, third]


def test_what_the_queue_does_not_hold_comes_from_the_transcript(place: Place) -> None:
    behind = place.follow(max_bytes=2_000)
    entries = [said(f"{number} {'x' * 200}") for number in range(30)]
    place.go()
    for entry in entries:
        place.write(entry)
        behind.append(ID, "", [entry])
        assert behind._queued_bytes <= 2_000  # noqa: SLF001 - the bound is the promise
    place.until(lambda: "all that was said since" in behind.behind(ID))
    place.come_back()
    place.until(lambda: not behind.behind(ID))
    assert place.stored == entries
    behind.append(ID, "", [last := said("last")])
    assert wait(behind)
    assert place.stored == [*entries, last]


def test_what_a_killed_process_did_not_say_is_caught_up_with(place: Place) -> None:
    place.write(first := said("handed on"), second := said("written, and killed"))
    with place.opened() as store:
        store.append(KEY, [first])
    behind = place.follow()
    behind.catch_up(ID)
    assert wait(behind)
    assert place.stored == [first, second]


def test_whoever_closes_during_an_outage_is_told_soon(place: Place) -> None:
    behind = place.follow()
    holder = Holder.here()
    assert behind.claim(ID, holder, None).result(20) is None
    place.go()
    behind.append(ID, "", [entry := said("meanwhile")])
    began = time.monotonic()
    assert not wait(behind)
    assert time.monotonic() - began < 2
    assert "1 entry" in behind.behind(ID)
    place.come_back()
    place.until(lambda: not behind.behind(ID))
    # Nobody else could go on with it before the store had it all; now everybody may.
    place.until(lambda: place.lease is None)
    assert place.stored == [entry]


def test_a_record_comes_behind_what_it_tells_of(place: Place) -> None:
    behind = place.follow()
    place.go()
    behind.append(ID, "", [said("one")])
    for number in range(100):
        behind.note(ID, f"record {number}", at_once=number % 2 == 0)
    place.come_back()

    def recorded() -> bool:
        with place.opened() as store:
            return store.note(PROJECT, ID, "record") == "record 99"

    place.until(recorded)
    assert len(place.stored) == 1


def test_a_question_that_fails_is_answered_and_not_repeated(place: Place) -> None:
    behind = place.follow()
    asked: list[int] = []

    def ask(_store: object) -> None:
        asked.append(1)
        raise ValueError("a question's own mistake")

    with pytest.raises(ValueError, match="own mistake"):
        behind.ask(ask).result(20)
    assert asked == [1]
    behind.append(ID, "", [entry := said("after it")])
    assert wait(behind)
    assert place.stored == [entry]


def test_one_machine_at_a_time_goes_on(place: Place) -> None:
    here, there = place.follow(), place.follow()
    assert here.claim(ID, Holder(1, "first", "a.ipynb", 0.0), None).result(20) is None
    other = there.claim(ID, Holder(2, "second", "b.ipynb", 0.0), None).result(20)
    assert other is not None
    assert json.loads(other)["host"] == "first"
    assert wait(here)
    assert there.claim(ID, Holder(2, "second", "b.ipynb", 0.0), None).result(20) is None


def test_whoever_was_taken_over_keeps_its_words_to_itself(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write_behind, "RENEW_S", 0.05)
    behind = place.follow()
    assert behind.claim(ID, Holder.here(), None).result(20) is None
    behind.append(ID, "", [mine := said("mine")])
    place.until(lambda: place.stored == [mine])
    # This machine slept, and another one has waited for long enough.
    theirs = {"pid": 7, "host": "elsewhere", "notebook": "b.ipynb", "since_s": 0.0, "token": "t"}
    place.lease = json.dumps(theirs)
    place.until(lambda: "goes on in" in behind.behind(ID))
    assert "b.ipynb, pid 7 on elsewhere" in behind.behind(ID)
    place.write(mine, lost := said("not theirs"))
    behind.append(ID, "", [lost])
    assert not wait(behind)
    assert place.stored == [mine]
    assert place.lease is not None
    assert json.loads(place.lease) == theirs


@pytest.fixture
def copy(place: Place, monkeypatch: pytest.MonkeyPatch) -> StoreCopy:
    """Give a session's view of the store, to which waiting is shorter than it is."""
    monkeypatch.setattr(store_copy, "LAPSE_S", 0.5)
    monkeypatch.setattr(store_copy, "LOOK_S", 0.05)
    return StoreCopy(place.url, {"CLAUDE_CONFIG_DIR": str(place.config)}, place.hear)


def elsewhere(beat: int) -> str:
    return json.dumps(
        {"pid": 7, "host": "elsewhere", "notebook": None, "since_s": 0.0, "token": "t"}
        | {"beat": beat, "mark": "another-machine.7-1"}
    )


async def test_a_lease_that_is_not_renewed_lapses(place: Place, copy: StoreCopy) -> None:
    place.lease = elsewhere(1)
    began = time.monotonic()
    holding = asyncio.create_task(copy.hold(ID, Holder.here(), new=False))
    await asyncio.to_thread(place.until, lambda: copy.behind)
    assert copy.behind.startswith("waiting whether this conversation is still open in another kern")
    await holding
    assert time.monotonic() - began >= 0.5
    assert copy.behind == ""
    await copy.let_go()


async def test_a_lease_that_is_renewed_is_another_s(place: Place, copy: StoreCopy) -> None:
    place.lease = elsewhere(1)
    over = threading.Event()

    def renew() -> None:
        beat = 1
        while not over.wait(0.1):
            beat += 1
            place.lease = elsewhere(beat)

    thread = threading.Thread(target=renew)
    thread.start()
    with pytest.raises(SessionHeldError, match="pid 7 on elsewhere"):
        await copy.hold(ID, Holder.here(), new=False)
    over.set()
    thread.join()


async def test_a_kernel_of_this_machine_that_is_gone_holds_nothing(
    place: Place, copy: StoreCopy
) -> None:
    where = own_mark().partition(".")[0]
    gone = json.loads(elsewhere(1)) | {"mark": f"{where}.999999999-1", "host": platform.node()}
    place.lease = json.dumps(gone)
    began = time.monotonic()
    await copy.hold(ID, Holder.here(), new=False)
    assert time.monotonic() - began < 0.5
    await copy.let_go()


def test_a_connection_that_nobody_needs_is_closed(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write_behind, "IDLE_S", 0.05)
    behind = place.follow()
    behind.append(ID, "", [first := said("first")])
    assert wait(behind)
    thread = behind._thread  # noqa: SLF001 - that it ends is the promise
    if thread is not None:
        thread.join(20)
        assert not thread.is_alive()
    assert behind.follow(ID, place.config, place.hear)
    behind.append(ID, "", [second := said("second")])
    assert wait(behind)
    assert place.stored == [first, second]


async def test_whoever_lets_go_during_an_outage_hears_what_is_missing(
    place: Place, copy: StoreCopy, caplog: pytest.LogCaptureFixture
) -> None:
    await copy.hold(ID, Holder.here(), new=False)
    place.go()
    place.write(said("meanwhile"))
    copy.mirror(ID)
    await copy.let_go()
    await copy.let_go()
    (told,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert ID in told
    assert "behind since" in told
