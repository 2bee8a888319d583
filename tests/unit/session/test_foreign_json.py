"""JSON that other programs wrote."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from claude_magic.session.foreign_json import (
    MAX_DEPTH,
    MAX_PARTS,
    BrokenJsonError,
    Skipped,
    lines_of,
    parse_object,
    read_bounded,
)

if TYPE_CHECKING:
    from pathlib import Path

LIMIT = 16 * 2**20

#: What is no usable object, and why; others can be added.
BROKEN: dict[str, tuple[object, str]] = {
    "nothing": ("", "not JSON"),
    "half": ('{"a": ', "not JSON"),
    "two": ("{} {}", "not JSON"),
    "a NUL": ('{"a": "\x00"}', "not JSON"),
    "a number": ("5", "not an object"),
    "a text": ('"x"', "not an object"),
    "null": ("null", "not an object"),
    "a list": ("[]", "not an object"),
    "NaN": ('{"a": NaN}', "not JSON"),
    "Infinity": ('{"a": -Infinity}', "not JSON"),
    "an infinite number": ('{"a": 1e999}', "not JSON"),
    "a long number": ('{"a": ' + "9" * 100_000 + "}", "not JSON"),
    "open brackets": ("[" * 1_000_000, "nested too deeply"),
    "deep lists": ('{"a": ' + "[" * 50_000 + "]" * 50_000 + "}", "nested too deeply"),
    "deep objects": ('{"a":' * 50_000 + "1" + "}" * 50_000, "nested too deeply"),
    "one level too many": (
        '{"a":' * (MAX_DEPTH + 1) + "1" + "}" * (MAX_DEPTH + 1),
        "nested too deeply",
    ),
    "many parts": ('{"a": [' + "[]," * MAX_PARTS + "[]]}", "too large"),
    "a long text": ('{"a": "' + "x" * LIMIT + '"}', "too large"),
    "a long text of two bytes each": ('{"a": "' + "ä" * (LIMIT // 2) + '"}', "too large"),
    "bytes that are not UTF-8": (b'{"a": "\xff"}', "not UTF-8"),
    "UTF-16": ('{"a": 1}'.encode("utf-16"), "not UTF-8"),
    "half a surrogate pair": ('{"a": "\ud800"}', "not UTF-8"),
    "no text": (5, "not text"),
    "None": (None, "not text"),
}


@pytest.mark.promise("Broken entries of a shared store are skipped and counted.", against="sender")
@pytest.mark.parametrize("case", BROKEN)
def test_what_is_broken_is_refused_in_a_few_words(case: str) -> None:
    written, reason = BROKEN[case]
    with pytest.raises(BrokenJsonError, match=f"^{reason}$"):
        parse_object(written, LIMIT)


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"a": [1, 2.5, None, True, "ä 😀 \u2028", {"b": []}]},
        {"text": "[{" * 100_000},
        {"escaped": "\x00 \ud800"},
        {"long": "x" * (LIMIT - 100)},
    ],
    ids=["empty", "everything", "brackets in a text", "escaped", "long"],
)
@pytest.mark.parametrize("as_bytes", [True, False])
def test_what_is_not_broken_comes_back(value: object, *, as_bytes: bool) -> None:
    text = json.dumps(value)
    assert parse_object(text.encode() if as_bytes else text, LIMIT) == value


def test_the_deepest_value_allowed_comes_back_and_can_be_written() -> None:
    found = parse_object('{"a":' * MAX_DEPTH + "1" + "}" * MAX_DEPTH, LIMIT)
    assert json.loads(json.dumps(found)) == found


def test_lines_that_are_too_long_are_left_out_one_by_one(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    path.write_bytes(b"a\n" + b"x" * 11 + b"\n" + b"x" * 35 + b"\r\nb\r\n\n" + b"x" * 99)
    assert list(lines_of(path, 10)) == [b"a", None, None, b"b", b"", None]


def test_what_is_too_long_or_no_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * 10)
    assert read_bounded(path, 10) == b"x" * 10
    with pytest.raises(BrokenJsonError, match="too large"):
        read_bounded(path, 9)
    os.mkfifo(tmp_path / "pipe")
    for wrong in (tmp_path, tmp_path / "pipe", tmp_path / "absent"):
        with pytest.raises(OSError, match=wrong.name):
            read_bounded(wrong, 10)
        with pytest.raises(OSError, match=wrong.name):
            list(lines_of(wrong, 10))


def test_what_was_skipped_is_told_in_one_sentence() -> None:
    skipped = Skipped()
    assert not skipped
    skipped.add("not JSON")
    assert str(skipped) == "1 broken entry was skipped (1 not JSON)"
    for reason in ("too large", "too large"):
        skipped.add(reason)
    assert (skipped.count, bool(skipped)) == (3, True)
    assert str(skipped) == "3 broken entries were skipped (2 too large, 1 not JSON)"
