from __future__ import annotations

import json
import stat
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import pytest

from claude_magic.errors import OptionError
from claude_magic.session.records import Record, Records, title_of

if TYPE_CHECKING:
    from pathlib import Path

ID = "5f1c0a52-7d58-4d4f-8e5e-0f6a2b0c9d11"
OTHER_ID = "0a4c7a0e-9d0e-4a55-bb3a-3a4d5f5b1c22"

RECORD = Record(
    session_id=ID,
    name="default",
    notebook="/home/ada/analysis.ipynb",
    cwd="/home/ada",
    title="What is in sales.csv?",
    model="claude-opus-5",
    turns=3,
    cost_usd=0.25,
    started_s=1000.0,
    used_s=2000.0,
    under_way=("1f3a", "2b4c"),
)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "config"


@pytest.fixture
def records(config: Path) -> Records:
    return Records({"CLAUDE_CONFIG_DIR": str(config)})


def file_of(config: Path, session_id: str = ID) -> Path:
    return config / "claude-magic" / "sessions" / f"{session_id}.json"


def transcribe(config: Path, session_id: str) -> Path:
    transcript = config / "projects" / "-home-ada" / f"{session_id}.jsonl"
    transcript.parent.mkdir(parents=True, exist_ok=True)
    transcript.write_text("{}\n")
    return transcript


def test_a_record_is_kept(records: Records) -> None:
    records.save(RECORD)
    assert records.get(ID) == RECORD
    records.save(replace(RECORD, turns=4, notebook=None, cwd=None, model=None))
    assert records.get(ID) == replace(RECORD, turns=4, notebook=None, cwd=None, model=None)


@pytest.mark.promise(
    "Other users can neither read nor replace the files of a session.", against="local"
)
def test_nobody_else_can_read_it_and_nothing_else_is_left(records: Records, config: Path) -> None:
    records.save(RECORD)
    records.save(RECORD)
    file = file_of(config)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(file.parent.parent.stat().st_mode) == 0o700
    assert list(file.parent.iterdir()) == [file]


def test_past_conversations_come_last_used_first(records: Records, config: Path) -> None:
    other = replace(RECORD, session_id=OTHER_ID, notebook=None, used_s=3000.0)
    for record in (RECORD, other):
        records.save(record)
        transcribe(config, record.session_id)
    assert records.past() == [other, RECORD]
    assert records.past("/home/ada/analysis.ipynb") == [RECORD]
    assert records.past("/home/ada/other.ipynb") == []


def test_a_conversation_without_a_transcript_is_not_past(records: Records, config: Path) -> None:
    records.save(RECORD)
    assert records.past() == []
    transcript = transcribe(config, ID)
    assert records.past() == [RECORD]
    transcript.unlink()
    assert records.past() == []
    assert records.get(ID) == RECORD


@pytest.mark.parametrize(
    "damage",
    [
        "",
        "{",
        "[]",
        "null",
        "[" * 100_000,
        "\x00",
        json.dumps({"session_id": ID}),
        json.dumps(asdict(replace(RECORD, session_id=OTHER_ID))),
        json.dumps({**asdict(RECORD), "turns": "3"}),
        json.dumps({**asdict(RECORD), "turns": True}),
        json.dumps({**asdict(RECORD), "used_s": float("nan")}),
        json.dumps({**asdict(RECORD), "title": None}),
        json.dumps({**asdict(RECORD), "notebook": ["a"]}),
        json.dumps({**asdict(RECORD), "under_way": "1f3a"}),
        json.dumps({**asdict(RECORD), "under_way": [1]}),
    ],
    ids=lambda text: text[:12] + text[-24:],
)
def test_a_damaged_file_is_skipped(records: Records, config: Path, damage: str) -> None:
    good = replace(RECORD, session_id=OTHER_ID)
    records.save(good)
    file_of(config).write_text(damage)
    transcribe(config, ID)
    transcribe(config, OTHER_ID)
    assert records.get(ID) is None
    assert records.past() == [good]


def test_what_is_no_text_at_all_is_skipped(records: Records, config: Path) -> None:
    records.save(RECORD)
    file_of(config).write_bytes(b"\xff\xfe\x80")
    assert records.get(ID) is None


def test_what_a_later_version_wrote_is_read(records: Records, config: Path) -> None:
    records.save(RECORD)
    file_of(config).write_text(json.dumps({**asdict(RECORD), "colour": "blue"}))
    assert records.get(ID) == RECORD


def test_what_an_earlier_version_wrote_is_read(records: Records, config: Path) -> None:
    records.save(RECORD)
    written = asdict(RECORD)
    del written["under_way"]
    file_of(config).write_text(json.dumps(written))
    assert records.get(ID) == replace(RECORD, under_way=())


def test_a_title_from_a_file_cannot_reach_the_terminal(records: Records, config: Path) -> None:
    records.save(RECORD)
    file_of(config).write_text(json.dumps({**asdict(RECORD), "title": "a\x1b[31m\nb" + "c " * 99}))
    record = records.get(ID)
    assert record is not None
    assert record.title.isprintable()
    assert len(record.title) <= 80


@pytest.mark.parametrize(
    "session_id",
    ["", "../../x", "/etc/passwd", ID.upper(), f"{{{ID}}}", f"urn:uuid:{ID}", f"{ID}/..", "*"],
)
def test_what_is_no_uuid_becomes_no_file(
    records: Records,
    config: Path,
    session_id: str,
) -> None:
    with pytest.raises(OptionError, match="session_id"):
        records.save(replace(RECORD, session_id=session_id))
    with pytest.raises(OptionError, match="session_id"):
        records.get(session_id)
    assert not config.exists()


def test_where_nothing_can_be_written_nothing_breaks(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    # A file where the folder should be: read-only folders do not stop root, which CI may be.
    config = tmp_path / "config"
    config.write_text("")
    records = Records({"CLAUDE_CONFIG_DIR": str(config)})
    with caplog.at_level("INFO", "claude_magic"):
        records.save(RECORD)
    assert records.get(ID) is None
    assert records.past() == []
    assert [record.levelname for record in caplog.records] == ["INFO"]


def test_a_record_that_cannot_be_replaced_stays(records: Records, config: Path) -> None:
    path = file_of(config)
    (path / "in the way").mkdir(parents=True)
    records.save(RECORD)
    assert list(path.parent.iterdir()) == [path]


def test_the_folder_is_claude_codes_own(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(tmp_path / "process"))
    Records({}).save(RECORD)
    assert file_of(tmp_path / "process").exists()
    monkeypatch.delenv("CLAUDE_CONFIG_DIR")
    monkeypatch.setenv("HOME", str(tmp_path))
    Records({}).save(RECORD)
    assert file_of(tmp_path / ".claude").exists()


@pytest.mark.parametrize(
    ("prompt", "title"),
    [
        ("What is it?", "What is it?"),
        ("  What\n\n\tis it?\n", "What is it?"),
        ("a\x1b[31mb\x00", "a [31mb"),
        ("", ""),
        ("word " * 30, "word " * 15 + "…"),
        ("x" * 80, "x" * 80),
        ("x" * 200, "x" * 79 + "…"),
        ("x" * 90 + " y", "x" * 79 + "…"),
        ("x" * 80 + " y", "x" * 79 + "…"),
        ("x" * 79 + " y", "x" * 79 + "…"),
        ("\ud800 alone", "alone"),
    ],
)
def test_a_title_is_one_line_of_the_first_words(prompt: str, title: str) -> None:
    assert title_of(prompt) == title
    assert len(title) <= 80
