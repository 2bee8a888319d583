from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from claude_magic.session.place import Place, Since, find_place, has_ended
from claude_magic.session.transcript import Transcript

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ID = "5f1c0a52-7a3b-4d62-9b0e-2f6d1c9e8a74"


def _entry(name: str, parent: str | None, **fields: Any) -> dict[str, Any]:
    kind = "assistant" if name.startswith("answer") else "user"
    return {"type": kind, "uuid": name, "parentUuid": parent, **fields}


#: Two attempts at a prompt that were cut off, each begun behind the first answer.
ENTRIES = [
    {"type": "queue-operation"},
    _entry("prompt 1", None),
    _entry("answer 1", "prompt 1"),
    _entry("attempt 1", "answer 1"),
    _entry("answer half", "attempt 1"),
    _entry("attempt 2", "answer 1"),
]


@pytest.fixture
def written(tmp_path: Path) -> Callable[[list[dict[str, Any]]], Transcript]:
    def write(entries: list[dict[str, Any]]) -> Transcript:
        folder = tmp_path / "projects" / "here"
        folder.mkdir(parents=True)
        lines = "".join(json.dumps(entry) + "\n" for entry in entries)
        (folder / f"{ID}.jsonl").write_text(lines)
        return Transcript(ID, {"CLAUDE_CONFIG_DIR": str(tmp_path)})

    return write


@pytest.fixture
def transcript(written: Callable[[list[dict[str, Any]]], Transcript]) -> Transcript:
    return written(ENTRIES)


def test_without_a_prompt_that_was_cut_off_it_goes_on_at_the_end(transcript: Transcript) -> None:
    assert find_place(Place.of(ID), transcript) == replace(Place.of(ID), at="attempt 2")


@pytest.mark.parametrize(
    "cut_off",
    [
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
    assert find_place(Place.of(ID, without=("attempt 3",)), transcript).at == "attempt 2"


def test_where_the_first_prompt_was_cut_off_nothing_is_resumed(transcript: Transcript) -> None:
    assert find_place(Place.of(ID, without=("prompt 1",)), transcript).resumes is None


def test_a_branch_begins_behind_the_last_message_before_what_it_leaves_out(
    transcript: Transcript,
) -> None:
    asked = ["prompt 1"]
    wanted = replace(Place.of(ID).branch(), without=Since(asked, 1))
    assert find_place(wanted, transcript).at == "attempt 2"
    asked += ["attempt 1", "attempt 2"]
    place = find_place(wanted, transcript)
    assert (place.resumes, place.at) == (ID, "answer 1")
    assert place.branches
    # Where it begins does not change any more.
    assert find_place(replace(place, without=()), transcript) == replace(place, without=())


def test_a_prompt_that_was_stopped_before_the_first_word_stays(
    written: Callable[[list[dict[str, Any]]], Transcript],
) -> None:
    transcript = written(
        [
            *ENTRIES[:3],
            _entry("prompt 2", "answer 1"),
            _entry("stopped", "prompt 2"),
            {"type": "attachment", "uuid": "something", "parentUuid": "stopped"},
            _entry("prompt 3", "something"),
        ],
    )
    assert find_place(Place.of(ID, without=("prompt 3",)), transcript).at == "stopped"


@pytest.mark.parametrize(
    ("stop_reasons", "ended"),
    [
        ([], False),
        ([None], False),
        (["tool_use"], False),
        (["tool_use", "end_turn"], True),
        (["pause_turn"], False),
        (["max_tokens"], True),
    ],
)
def test_a_prompt_has_its_answer_where_nothing_more_was_to_come(
    written: Callable[[list[dict[str, Any]]], Transcript],
    stop_reasons: list[str | None],
    ended: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    entries = [*ENTRIES[:3], _entry("prompt 2", "answer 1")]
    for number, reason in enumerate(stop_reasons):
        name = f"answer 2.{number}"
        message = {"stop_reason": reason}
        entries.append(_entry(name, str(entries[-1]["uuid"]), message=message))
    assert has_ended("prompt 2", written(entries)) is ended
