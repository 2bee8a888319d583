"""Session stores that hold what another program broke."""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pytest

from claude_magic.errors import BrokenEntriesError
from claude_magic.session.foreign_json import MAX_ENTRY_BYTES, MAX_NOTE_BYTES, Skipped
from claude_magic.session.records import Record
from claude_magic.session.stores import Key, open_store
from claude_magic.session.stores.local_copy import LocalCopy
from claude_magic.session.stores.store_copy import stored_ids, stored_records

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from support.kernel import Kernel

    from claude_magic.session.stores import Store

PROJECT = "claude-magic"
ID = "11111111-1111-4111-8111-111111111111"
OTHER_ID = "22222222-2222-4222-8222-222222222222"
KEY = Key(PROJECT, ID)

#: What may stand in the place of an entry; others can be added.
LINES: dict[str, str | bytes] = {
    "a number": "5",
    "a text": '"x"',
    "null": "null",
    "a list": "[]",
    "half": '{"type": "us',
    "nothing but a space": " ",
    "deep": "[" * 100_000,
    "deep and closed": '{"a":' * 100_000 + "1" + "}" * 100_000,
    "NaN": '{"type": "user", "n": NaN}',
    "an id of another type": '{"type": "user", "uuid": [1]}',
    "a parent of another type": '{"type": "user", "uuid": "x", "parentUuid": {}}',
    "a type of another type": '{"type": [], "uuid": "x"}',
    "a message of another type": '{"type": "user", "uuid": "x", "message": 5}',
    "huge": json.dumps({"type": "user", "text": "x" * MAX_ENTRY_BYTES}),
    "not UTF-8": b'{"type": "user", "text": "\xff\xfe"}',
}

#: What may stand in the place of a record; others can be added.
RECORDS: dict[str, str] = {
    "nothing": " ",
    "a number": "5",
    "null": "null",
    "a list": "[]",
    "deep": "[" * 200_000,
    "half": '{"session_id"',
    "another's": json.dumps({"session_id": OTHER_ID}),
    "of other types": json.dumps({"session_id": ID, "title": 5}),
    "huge": json.dumps({"session_id": ID, "title": "x" * MAX_NOTE_BYTES}),
}

RECORD = Record(OTHER_ID, "main", None, None, "What is it?", "claude", 1, 0.1, 1.0, time.time())


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    """Give an empty store."""
    store = open_store(url)
    yield store
    store.close()


def _plant(url: str, store: Store, key: Key, line: str | bytes) -> None:
    """Put a line behind the entries of a transcript as another program would."""
    raw = line if isinstance(line, bytes) else line.encode()
    kind = url.partition(":")[0]
    columns = "INSERT INTO claude_magic_entries (project, session_id, subpath, entry) VALUES"
    if kind == "sqlite":
        import sqlite3  # noqa: PLC0415

        with sqlite3.connect(url.removeprefix("sqlite:///")) as database:
            database.execute(f"{columns} (?, ?, ?, CAST(? AS TEXT))", (*key, raw))
        database.close()
    elif kind == "postgresql":
        import psycopg  # noqa: PLC0415

        with psycopg.connect(url) as client:
            client.execute(f"{columns} (%s, %s, %s, %s)".encode(), (*key, raw.decode()))
    elif kind == "redis":
        import redis  # noqa: PLC0415

        with redis.Redis.from_url(url) as client:
            name = ":".join(["claude-magic", "entries", *key])
            client.rpush(name, raw)
    else:
        folder = store._folder(key)  # type: ignore[attr-defined]  # noqa: SLF001
        with store._service() as service:  # type: ignore[attr-defined]  # noqa: SLF001
            name = f"{folder}{5:09d}-{uuid.uuid4().hex[:8]}.jsonl"
            service.put_object(Bucket="conversations", Key=name, Body=raw + b"\n")


def said(*uuids: str) -> list[dict[str, Any]]:
    return [{"type": "user", "uuid": each} for each in uuids]


@pytest.mark.failure(
    "An entry of a shared store is broken",
    then="It is reported and skipped",
)
@pytest.mark.promise("Broken entries of a shared store are skipped and counted.", against="sender")
def test_broken_entries_do_not_hide_the_others(url: str, store: Store, tmp_path: Path) -> None:
    store.append(KEY, said("a"))
    planted = 0
    for line in LINES.values():
        if isinstance(line, bytes) and url.startswith("postgresql"):
            continue  # it takes none that is not UTF-8
        _plant(url, store, KEY, line)
        planted += 1
    _plant(url, store, KEY, json.dumps(said("b")[0]))
    skipped = Skipped()
    assert store.load(KEY, skipped) == said("a", "b")
    assert skipped.count == planted, str(skipped)
    skipped = Skipped()
    LocalCopy(tmp_path, ID).fetch(store, PROJECT, "-work", skipped)
    (path,) = tmp_path.rglob("*.jsonl")
    assert [json.loads(line) for line in path.read_text().splitlines()] == said("a", "b")
    assert skipped.count == planted
    # What is sent later finds the rest there.
    store.append(KEY, said("b", "c"))
    assert [each["uuid"] for each in store.load(KEY) or ()][-1] == "c"


@pytest.mark.promise("Broken entries of a shared store are skipped and counted.", against="sender")
def test_a_conversation_of_which_nothing_can_be_read_is_refused(
    url: str, store: Store, tmp_path: Path
) -> None:
    store.append(Key(PROJECT, OTHER_ID), said("a"))
    _plant(url, store, KEY, "[" * 100_000)
    assert store.load(KEY) == []
    with pytest.raises(BrokenEntriesError, match="1 broken entry was skipped"):
        LocalCopy(tmp_path, ID).fetch(store, PROJECT, "-work")
    assert not [*tmp_path.rglob("*.jsonl")]


@pytest.mark.promise("Broken entries of a shared store are skipped and counted.", against="sender")
@pytest.mark.parametrize("record", RECORDS)
def test_a_broken_record_does_not_hide_the_others(url: str, store: Store, record: str) -> None:
    for session_id in (ID, OTHER_ID):
        store.append(Key(PROJECT, session_id), said("a"))
    store.put_note(PROJECT, ID, "record", RECORDS[record])
    store.put_note(PROJECT, "../../x", "record", "{}")
    store.put_note(PROJECT, "n" * 300, "record", "{}")
    store.put_note(PROJECT, OTHER_ID, "record", json.dumps(asdict(RECORD)))
    found = stored_records(url).result(20)
    assert found.records == (RECORD,)
    assert found.skipped.startswith("3 broken entries were skipped")
    assert stored_ids(url).result(20) == {ID, OTHER_ID}


@pytest.mark.promise("Broken entries of a shared store are skipped and counted.", against="sender")
@pytest.mark.parametrize("summary", ["[" * 100_000, "5", "", '{"data": 5}', '{"first_prompt": []}'])
def test_a_broken_summary_hides_nothing_and_is_written_anew(
    url: str, store: Store, summary: str
) -> None:
    for session_id in (ID, OTHER_ID):
        store.append(Key(PROJECT, session_id), said("a"))
    _break_summary(url, store, summary)
    assert store.sessions(PROJECT).keys() == {ID, OTHER_ID}
    assert store.summaries(PROJECT).keys() == {ID, OTHER_ID}
    store.append(KEY, said("b"))
    assert store.load(KEY) == said("a", "b")
    assert isinstance(store.summaries(PROJECT)[ID][1], dict)


def _break_summary(url: str, store: Store, summary: str) -> None:
    kind = url.partition(":")[0]
    change = "UPDATE claude_magic_sessions SET summary = {} WHERE session_id = {}"
    if kind == "sqlite":
        import sqlite3  # noqa: PLC0415

        with sqlite3.connect(url.removeprefix("sqlite:///")) as database:
            database.execute(change.format("?", "?"), (summary, ID))
        database.close()
    elif kind == "postgresql":
        import psycopg  # noqa: PLC0415

        with psycopg.connect(url) as client:
            client.execute(change.format("%s", "%s").encode(), (summary, ID))
    elif kind == "redis":
        import redis  # noqa: PLC0415

        with redis.Redis.from_url(url) as client:
            client.hset(f"claude-magic:session:{PROJECT}:{ID}", "summary", summary)
    else:
        name = store._name("summaries", PROJECT, f"{ID}.json")  # type: ignore[attr-defined]  # noqa: SLF001
        with store._service() as service:  # type: ignore[attr-defined]  # noqa: SLF001
            service.put_object(Bucket="conversations", Key=name, Body=summary.encode())


#: What a store may call a subagent's transcript that is not written; others can be added.
SUBPATHS = (
    "subagents",
    "subagents/" + "n" * 300,
    "subagents/nl\nx",
    "subagents//tmp/x",
    "subagents/./x",
    "subagents/.hidden",
    "subagents/a b",
    "subagents/x.",
    "subagents/\u202ex",
    "subagents/" + "a/" * 200 + "/x",
)


@pytest.mark.promise("Broken entries of a shared store are skipped and counted.", against="sender")
def test_a_subagent_with_an_impossible_name_does_not_keep_its_conversation_away(
    tmp_path: Path,
) -> None:
    store = open_store(f"sqlite:///{tmp_path}/store.db")
    store.append(KEY, said("a"))
    for subpath in (*SUBPATHS, "subagents/agent-1", "subagents/agent-1.jsonl/x"):
        store.append(KEY._replace(subpath=subpath), said("s"))
    skipped, folder = Skipped(), tmp_path / "config"
    LocalCopy(folder, ID).fetch(store, PROJECT, "-work", skipped)
    store.close()
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    project = "projects/-work"
    assert found == {f"{project}/{ID}.jsonl", f"{project}/{ID}/subagents/agent-1.jsonl"}
    assert skipped.count == len(SUBPATHS) + 1


@pytest.mark.promise("Broken entries of a shared store are skipped and counted.", against="sender")
def test_a_kernel_says_what_it_skipped_and_goes_on_with_the_rest(
    start_kernel: Callable[..., Kernel],
    api: Any,
    tmp_path: Path,
) -> None:
    url = f"sqlite:///{tmp_path}/store.db"
    first = start_kernel({**api.environment, "CLAUDE_CONFIG_DIR": str(tmp_path / "first")})
    setting = f"%config ClaudeMagics.session_store = {url!r}"
    first.run(f"%load_ext claude_magic\n{setting}")
    assert first.run("%%claude\nMy name is Ada.").status == "ok"
    told = first.run("import claude_magic; print(claude_magic.current_session().session_id)")
    session_id = told.stdout.strip()
    first.run("%claude_disconnect")
    store = open_store(url)
    for line in LINES.values():
        _plant(url, store, Key(PROJECT, session_id), line)
    _plant(url, store, KEY, "5")
    store.append(Key(PROJECT, OTHER_ID), said("a"))
    store.put_note(PROJECT, OTHER_ID, "record", "[" * 100_000)
    store.close()
    # Another machine: nothing of the conversation is in its folder.
    other = start_kernel({**api.environment, "CLAUDE_CONFIG_DIR": str(tmp_path / "second")})
    other.run(f"%load_ext claude_magic\n{setting}")
    listed = other.run("%claude_sessions --past --all")
    assert listed.status == "ok"
    assert "1 broken entry was skipped (1 nested too deeply)" in listed.stdout
    assert session_id[:8] in str(listed.contents("display_data"))
    resumed = other.run(f"%claude_connect --resume {session_id}")
    assert resumed.status == "ok", resumed.error
    assert resumed.stdout.count(f"{len(LINES)} broken entries were skipped") == 1
    assert other.run("%%claude\nWho am I?").status == "ok"
    assert "My name is Ada." in str(api.requests[-1].body)
