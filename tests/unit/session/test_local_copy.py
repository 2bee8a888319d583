"""A conversation's transcripts here and in a store, one from the other."""

from __future__ import annotations

import json
import stat
from typing import TYPE_CHECKING, Any

import pytest

from claude_magic.errors import OptionError
from claude_magic.session.stores import Key, open_store
from claude_magic.session.stores.local_copy import LocalCopy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from claude_magic.session.stores import Store

ID = "11111111-1111-4111-8111-111111111111"
KEY = Key("p", ID)
AGENT = Key("p", ID, "subagents/agent-1")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = open_store(f"sqlite:///{tmp_path}/store.db")
    yield store
    store.close()


def said(*uuids: str) -> list[dict[str, Any]]:
    return [{"type": "user", "uuid": uuid} for uuid in uuids]


def write(path: Path, entries: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    return path


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def own(folder: Path, project: str = "-work") -> Path:
    return folder / "projects" / project / f"{ID}.jsonl"


def test_a_conversation_with_a_subagent_moves_whole(store: Store, tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    write(own(here), said("a", "b"))
    agent = own(here).with_suffix("") / "subagents" / "agent-1.jsonl"
    write(agent, said("s"))
    agent.with_suffix(".meta.json").write_text('{"agentType": "Explore"}')
    for _ in range(2):
        LocalCopy(here, ID).send(store, "p")
    assert store.load(KEY) == said("a", "b")
    assert store.load(AGENT) == [{"agentType": "Explore", "type": "agent_metadata"}, *said("s")]
    assert not LocalCopy(there, ID).exists
    assert not LocalCopy(there, ID).fetch(store, "p", "-elsewhere")
    moved = own(there, "-elsewhere")
    assert read(moved) == said("a", "b")
    agent = moved.with_suffix("") / "subagents" / "agent-1.jsonl"
    assert read(agent) == said("s")
    assert json.loads(agent.with_suffix(".meta.json").read_text()) == {"agentType": "Explore"}
    files = [path for path in there.rglob("*") if path.is_file()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    folders = [path for path in there.rglob("*") if path.is_dir()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in folders} == {0o700}


def test_what_claude_code_notes_for_itself_stays_here(store: Store, tmp_path: Path) -> None:
    write(own(tmp_path), [{"type": "cost-state"}, *said("a"), {"type": "api-request"}])
    LocalCopy(tmp_path, ID).send(store, "p")
    assert store.load(KEY) == said("a")


def test_half_a_line_is_left_out(store: Store, tmp_path: Path) -> None:
    path = write(own(tmp_path), said("a"))
    path.write_text(path.read_text() + '{"type": "us')
    LocalCopy(tmp_path, ID).send(store, "p")
    assert store.load(KEY) == said("a")


def test_what_was_said_elsewhere_comes_here(store: Store, tmp_path: Path) -> None:
    path = write(own(tmp_path), [*said("a"), {"type": "mode"}])
    store.append(KEY, said("a", "b"))
    # It stays where it was, in whichever directory it goes on.
    assert not LocalCopy(tmp_path, ID).fetch(store, "p", "-another")
    assert read(path) == said("a", "b")
    assert not own(tmp_path, "-another").exists()


def test_what_is_here_already_is_not_touched(store: Store, tmp_path: Path) -> None:
    store.append(KEY, said("a"))
    path = write(own(tmp_path), [*said("a", "b"), {"type": "cost-state"}])
    before = path.stat().st_ino
    assert not LocalCopy(tmp_path, ID).fetch(store, "p", "-work")
    assert path.stat().st_ino == before


def test_where_both_have_gone_on_the_store_holds_and_nothing_is_lost(
    store: Store, tmp_path: Path
) -> None:
    path = write(own(tmp_path), said("a", "only here"))
    store.append(KEY, said("a", "only there"))
    assert LocalCopy(tmp_path, ID).fetch(store, "p", "-work")
    assert read(path) == said("a", "only there")
    (aside,) = (tmp_path / "claude-magic" / "set-aside").iterdir()
    assert read(aside) == said("a", "only here")


@pytest.mark.promise(
    "A session store writes only into the folder of its conversation.", against="sender"
)
@pytest.mark.parametrize(
    "subpath",
    ["../../../x", "subagents/../../x", "/etc/x", "x", "subagents/a\\..\\..\\b", "subagents/C:x"],
)
def test_a_store_cannot_write_where_it_wants(store: Store, tmp_path: Path, subpath: str) -> None:
    store.append(KEY, said("a"))
    store.append(KEY._replace(subpath=subpath), said("s"))
    folder = tmp_path / "config"
    LocalCopy(folder, ID).fetch(store, "p", "-work")
    assert [path for path in folder.rglob("*") if path.is_file()] == [own(folder)]


def test_nothing_comes_of_a_conversation_that_is_not_there(store: Store, tmp_path: Path) -> None:
    assert not LocalCopy(tmp_path / "config", ID).fetch(store, "p", "-work")
    assert not (tmp_path / "config").exists()


def test_an_id_is_no_path(tmp_path: Path) -> None:
    with pytest.raises(OptionError):
        LocalCopy(tmp_path, "../x")
