"""Every kind of session store, on its real server."""

from __future__ import annotations

import os
import stat
import threading
from typing import TYPE_CHECKING

import pytest
from claude_agent_sdk.testing import run_session_store_conformance
from support.stores import emptied

from claude_magic.errors import StoreError
from claude_magic.session.stores import Key, StoreAddress, open_store, sdk_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.stores import Server

    from claude_magic.session.sdk import SdkStore
    from claude_magic.session.stores import Store

KEY = Key("proj", "sess")

#: Something of everything that JSON can hold.
ODD = {"type": "user", "uuid": "u", "text": "a\x00b \ud800 😀 \u2028 \\u0000", "n": [1.5, None]}


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    """Give an empty store."""
    store = open_store(url)
    yield store
    store.close()


async def test_it_keeps_the_contracts_of_the_sdk(server: tuple[Server | None, str]) -> None:
    # All 14: none of the methods that may be missing is missing, and none is skipped.
    made: list[SdkStore] = []

    def make() -> SdkStore:
        made.append(sdk_store(emptied(server[1])))
        return made[-1]

    await run_session_store_conformance(make)
    assert len(made) == 15  # one to look at, and one for each contract
    for each in made:
        each.close()


def test_entries_come_back_as_they_were(store: Store) -> None:
    store.append(KEY, [ODD])
    assert store.load(KEY) == [ODD]


def test_what_is_added_twice_is_there_once(store: Store) -> None:
    # A connection that breaks behind the last word of a call leaves nobody knowing.
    said = [{"type": "user", "uuid": str(number)} for number in range(3)]
    store.append(KEY, said[:2])
    store.append(KEY, said)
    assert store.load(KEY) == said
    assert store.summaries(KEY.project).keys() == {KEY.session_id}


def test_many_entries_keep_their_order_over_connections(url: str) -> None:
    said = [{"type": "user", "uuid": str(number), "text": "x" * 1000} for number in range(120)]
    for start in range(0, len(said), 10):
        store = open_store(url)
        store.append(KEY, said[start : start + 10])
        store.close()
    store = open_store(url)
    assert store.load(KEY) == said
    store.close()


def test_a_note_is_swapped_by_one_of_many(url: str, store: Store) -> None:
    assert store.note("proj", "sess", "lease") is None
    assert not store.swap_note("proj", "sess", "lease", "another", "mine")
    won: list[str] = []
    barrier = threading.Barrier(6)

    def take(name: str) -> None:
        mine = open_store(url)
        mine.notes("proj", "lease")  # connects
        barrier.wait()
        if mine.swap_note("proj", "sess", "lease", None, name):
            won.append(name)
        mine.close()

    threads = [threading.Thread(target=take, args=[str(number)]) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert store.note("proj", "sess", "lease") == won[0]
    assert store.swap_note("proj", "sess", "lease", won[0], "another")
    assert not store.swap_note("proj", "sess", "lease", won[0], None)
    assert store.swap_note("proj", "sess", "lease", "another", None)
    assert store.notes("proj", "lease") == {}


def test_notes_go_with_their_conversation(store: Store) -> None:
    store.append(KEY, [ODD])
    store.put_note("proj", "sess", "record", "old")
    store.put_note("proj", "sess", "record", "new")
    store.put_note("other", "sess", "record", "another's")
    assert store.notes("proj", "record") == {"sess": "new"}
    store.delete(KEY)
    assert store.notes("proj", "record") == {}
    assert store.note("other", "sess", "record") == "another's"


def test_two_writers_lose_nothing(url: str, store: Store) -> None:
    store.append(KEY, [{"type": "x", "uuid": "first"}])

    def write(name: str) -> None:
        mine = open_store(url)
        for number in range(20):
            mine.append(KEY, [{"type": "x", "uuid": f"{name} {number}"}])
        mine.close()

    threads = [threading.Thread(target=write, args=[name]) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = [str(entry["uuid"]) for entry in store.load(KEY) or ()]
    assert len(found) == 41
    for name in "ab":
        assert [each for each in found if each.startswith(name)] == [
            f"{name} {number}" for number in range(20)
        ]


def test_a_store_that_went_away_says_so_and_works_when_it_is_back(
    server: tuple[Server | None, str], url: str
) -> None:
    process, _ = server
    if process is None:
        pytest.skip("a file has no server")
    store = open_store(url)
    store.append(KEY, [ODD])
    process.kill()
    with pytest.raises(StoreError) as raised:
        store.append(KEY, [{"type": "x"}])
    told = str(raised.value)
    assert "open-sesame" not in told
    assert StoreAddress.of(url).shown in told
    process.start()
    if not url.startswith("s3"):  # moto keeps nothing
        assert store.load(KEY) == [ODD]
        store.append(KEY, [{"type": "x"}])
        assert store.load(KEY) == [ODD, {"type": "x"}]
    store.close()


def test_a_wrong_password_is_told_without_it(server: tuple[Server | None, str]) -> None:
    if "open-sesame" not in server[1]:
        pytest.skip("it has no password")
    store = open_store(server[1].replace("open-sesame", "wrong%20word"))
    with pytest.raises(StoreError, match=r"(?i)password") as raised:
        store.load(KEY)
    assert "wrong" not in str(raised.value)


@pytest.mark.promise(
    "Other users can neither read nor replace the files of a session.", against="local"
)
def test_a_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/store.db")
    store.append(KEY, [ODD])
    modes = [stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()]
    assert modes
    assert set(modes) == {0o600}
    store.close()


def test_a_file_that_was_removed_is_made_anew(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/store.db")
    store.append(KEY, [ODD])
    os.remove(tmp_path / "store.db")  # noqa: PTH107
    store.append(KEY, [{"type": "x"}])
    assert store.load(KEY) == [{"type": "x"}]
    store.close()
