from __future__ import annotations

import json
from typing import TYPE_CHECKING

from claude_magic.session.own_record import WrittenSoFar

if TYPE_CHECKING:
    from pathlib import Path

SESSION = "5f1c0a52-1d0f-4a3e-9a55-0d2f3a4b5c6d"


def _line(entry_id: str, text: str = "") -> str:
    return json.dumps({"uuid": entry_id, "text": text}, separators=(",", ":")) + "\n"


def test_a_transcript_that_was_written_anew_is_read_from_its_beginning(tmp_path: Path) -> None:
    """A store's copy is shorter than what was read, and then grows beyond that."""
    path = tmp_path / "projects" / "-x" / f"{SESSION}.jsonl"
    path.parent.mkdir(parents=True)
    written = WrittenSoFar(SESSION, {"CLAUDE_CONFIG_DIR": str(tmp_path)})
    path.write_text(_line("one", "x" * 1000))
    assert not written.lacks({"one"})
    path.write_text(_line("one") + _line("two") + _line("more", "y" * 5000))
    assert not written.lacks({"two"})
    with path.open("a") as file:
        file.write(_line("three"))
    assert not written.lacks({"three"})
    assert written.lacks({"four"})


def test_a_line_without_its_end_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "projects" / "-x" / f"{SESSION}.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text(_line("one") + _line("two").rstrip())
    assert WrittenSoFar(SESSION, {"CLAUDE_CONFIG_DIR": str(tmp_path)}).lacks({"two"})
