from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from claude_magic.session.place import Place, find_place
from claude_magic.session.transcript import Transcript

if TYPE_CHECKING:
    from pathlib import Path

ID = "5f1c0a52-7a3b-4d62-9b0e-2f6d1c9e8a74"


def _entry(name: str, parent: str | None, **fields: Any) -> dict[str, Any]:
    kind = "assistant" if name.startswith("answer") else "user"
    return {"type": kind, "uuid": name, "parentUuid": parent, **fields}


#: Two attempts at a prompt that were cut off, each begun behind the first answer.
ENTRIES = [
    _entry("prompt 1", None),
    _entry("answer 1", "prompt 1"),
    _entry("attempt 1", "answer 1"),
    _entry("answer half", "attempt 1"),
    _entry("attempt 2", "answer 1"),
]


@pytest.fixture
def transcript(tmp_path: Path) -> Transcript:
    folder = tmp_path / "projects" / "here"
    folder.mkdir(parents=True)
    lines = "".join(json.dumps(entry) + "\n" for entry in ENTRIES)
    (folder / f"{ID}.jsonl").write_text(lines)
    return Transcript(ID, {"CLAUDE_CONFIG_DIR": str(tmp_path)})


def test_without_a_prompt_that_was_cut_off_it_goes_on_at_the_end(transcript: Transcript) -> None:
    assert find_place(Place.of(ID), transcript) == Place(ID, ID)


@pytest.mark.parametrize(
    "cut_off",
    [
        ("attempt 1",),
        ("attempt 2",),
        ("attempt 1", "attempt 2"),
        # The last one was killed before it was written down; those before it must go all the same.
        ("attempt 1", "attempt 2", "attempt 3"),
        ("attempt 0", "attempt 1", "attempt 2"),
    ],
)
def test_all_attempts_at_a_prompt_are_left_out(
    transcript: Transcript,
    cut_off: tuple[str, ...],
) -> None:
    assert find_place(Place.of(ID, without=cut_off), transcript).at == "answer 1"


def test_a_prompt_that_was_never_written_down_leaves_nothing_out(transcript: Transcript) -> None:
    assert find_place(Place.of(ID, without=("attempt 3",)), transcript).at is None


def test_where_the_first_prompt_was_cut_off_nothing_is_resumed(transcript: Transcript) -> None:
    assert find_place(Place.of(ID, without=("prompt 1",)), transcript).resumes is None
