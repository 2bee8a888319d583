"""Tapes from strangers: each defect is a `TapeError` with line and column, and costs little."""

from __future__ import annotations

import contextlib
import os
import pickle
import re
import time
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from claude_magic.errors import TapeError
from claude_magic.tape import Tape
from claude_magic.tape.document import MAX_BYTES, MAX_DEPTH, MAX_NODES, MAX_NUMBER_CHARACTERS
from claude_magic.tape.tape_file import MAX_TURNS
from claude_magic.tape.tape_text import tape_text

if TYPE_CHECKING:
    from pathlib import Path

HEAD = "claude-magic-tape: 1\ntitle: T\n"
ONE = "conversations: [{name: a, turns: [{you: a, claude: b}]}]\n"
#: A tape up to a value of a tool's argument; 14 characters come before it on line 10.
INPUT = HEAD + (
    "conversations:\n- name: c\n  turns:\n  - you: Hi.\n    claude:\n    - tool:\n"
    "        name: X\n        input: {a: "
)
END = "}\n    - text: Done.\n"


class Memory:
    """A tape that is no file, as the package's own one may be."""

    name = "test.yaml"

    def __init__(self, data: bytes | str) -> None:
        self._data = data if isinstance(data, bytes) else data.encode()

    def read_bytes(self) -> bytes:
        return self._data


def given_input(value: str) -> str:
    return INPUT + value + END


def defect(data: bytes | str) -> TapeError:
    """Return what is wrong with a tape that must not be accepted."""
    with pytest.raises(TapeError) as refused:
        Tape.load(Memory(data))
    error = refused.value
    assert str(error).endswith(f" (line {error.line}, column {error.column})")
    return error


#: What a tool's argument may not be, and what is said of it.
VALUES = {
    "anchor": ("&x 1", "no anchor"),
    "anchor on a list": ("&x [1]", "no anchor"),
    "anchor on a mapping": ("&x {b: 1}", "no anchor"),
    "anchor on nothing": ("&x ", "no anchor"),
    "alias": ("*x", "no alias"),
    "python tag": ("!!python/object/apply:os.system ['true']", "no tag"),
    "python name": ("!!python/name:os.system x", "no tag"),
    "number with YAML in it": ("!!int '[1, {b: c}]'", "no tag"),
    "string tag": ("!!str 1", "no tag"),
    "own tag": ("!x 1", "no tag"),
    "non-specific tag": ("! 1", "no tag"),
    "verbatim tag": ("!<tag:yaml.org,2002:int> 1", "no tag"),
    "tag on a mapping": ("!!set {b, c}", "no tag"),
    "tag on a list": ("!!omap [b: 1]", "no tag"),
    "binary": ("!!binary aGk=", "no tag"),
    "timestamp": ("!!timestamp 2020-13-45", "no tag"),
    "merge key": ("{<<: {b: 1}}", "no merge key"),
    "repeated key": ("{b: 1, b: 1}", "`b:` once"),
    "repeated key, quoted": ("{b: 1, 'b': 1}", "`b:` once"),
    "repeated key of another type": ("{1: a, '1': b}", "`1:` once"),
    "list as a key": ("{[b]: 1}", "a text as the name"),
    "mapping as a key": ("{{b: c}: 1}", "a text as the name"),
    "deep list": ("[" * 99 + "]" * 99, f"at most {MAX_DEPTH} levels"),
    "deep mapping": ("{a: " * 99 + "1" + "}" * 99, f"at most {MAX_DEPTH} levels"),
    "very deep list": ("[" * 99_999, f"at most {MAX_DEPTH} levels"),
    "long number": ("1" * 200_000, f"a number of at most {MAX_NUMBER_CHARACTERS}"),
    "long fraction": ("1." + "1" * 200_000, f"a number of at most {MAX_NUMBER_CHARACTERS}"),
    "long hexadecimal": ("0x" + "f" * 200_000, f"a number of at most {MAX_NUMBER_CHARACTERS}"),
    "long sexagesimal": ("1" + ":59" * 70_000, f"a number of at most {MAX_NUMBER_CHARACTERS}"),
    "infinite": (".inf", "a finite number"),
    "too large for a float": ("1.0e+999", "a finite number"),
    "negative infinite": ("-.INF", "a finite number"),
    "not a number": (".nan", "a finite number"),
    "digits without digits": ("0b_", "a number"),
    "half of a pair": (r'"\uD800"', "whole characters"),
    "half of a pair in a key": (r'{"\uDFFF": 1}', "whole characters"),
    "pair of halves": (r'"\uD83D\uDE00"', "whole characters"),
    "beyond Unicode": (r'"\U00110000"', "not YAML"),
    "far beyond Unicode": (r'"\UFFFFFFFF"', "not YAML"),
    "unknown escape": (r'"\y"', "not YAML"),
    "unfinished text": ('"x', "not YAML"),
    "unfinished list": ("[x", "not YAML"),
    "tab": ("\t- x", "not YAML"),
    "control character": ("\x07", "not YAML"),
    "escape sequence": ("\x1b[2J", "not YAML"),
    "NUL": ("\0", "not YAML"),
    "delete": ("\x7f", "not YAML"),
    "reserved": ("`x`", "not YAML"),
    "undefined tag handle": ("!x!y 1", "not YAML"),
    "bad URI escape in a tag": ("!%FF 1", "not YAML"),
}


@pytest.mark.parametrize(("value", "told"), VALUES.values(), ids=VALUES)
def test_an_argument_is_plain_data(value: str, told: str) -> None:
    error = defect(given_input(value))
    assert str(error).startswith("test.yaml:10: ") or told == "not YAML"
    assert told in str(error)
    assert error.column is not None
    assert error.column > 19 or error.line != 10


#: Whole files, and where and how they are refused.
FILES: dict[str, tuple[bytes | str, int, int, str]] = {
    "empty": ("", 1, 1, "the file is empty"),
    "white space": (" \n\n", 1, 1, "the file is empty"),
    "comment": ("# nothing", 1, 1, "the file is empty"),
    "end of a document": ("---\n", 2, 1, "expected fields"),
    "number": ("1", 1, 1, "expected fields"),
    "NUL": ("\0", 1, 1, "special characters are not allowed"),
    "UTF-16 with a mark": (HEAD.encode("utf-16"), 1, 1, "not UTF-8"),
    "UTF-16 without one": (HEAD.encode("utf-16-le"), 1, 2, "special characters"),
    "UTF-32": (HEAD.encode("utf-32"), 1, 1, "not UTF-8"),
    "Latin-1": (HEAD.encode() + b"label: caf\xe9\n", 3, 11, "not UTF-8"),
    "cut off": (HEAD.encode() + "label: é".encode()[:-1], 3, 8, "not UTF-8"),
    "surrogate in CESU-8": (HEAD.encode() + b"label: \xed\xa0\x80\n", 3, 8, "not UTF-8"),
    "overlong": (HEAD.encode() + b"label: \xc0\xaf\n", 3, 8, "not UTF-8"),
    "another document": (HEAD + "conversations: x\n---\nb: 2\n", 4, 1, "one document"),
    "another document, refused first": ("a: 1\n--- 2\n--- 3\n", 2, 1, "one document"),
    "anchored root": ("&x\n" + HEAD, 1, 1, "no anchor"),
    "tagged root": ("!!map\n" + HEAD, 1, 1, "no tag"),
    "repeated directive": ("%YAML 1.1\n%YAML 1.1\n---\na: 1", 2, 1, "not YAML"),
    "directive of many digits": ("%YAML 1." + "9" * 9999 + "\n---\na: 1", 1, 9, "not YAML"),
    "YAML 2": ("%YAML 2.0\n---\na: 1", 1, 1, "not YAML"),
    "large": (HEAD + "#" * MAX_BYTES, 3, MAX_BYTES - len(HEAD) + 1, "cannot be read: more than"),
    "large in lines": (b"#\n" * MAX_BYTES, MAX_BYTES // 2 + 1, 1, "cannot be read: more than"),
    "many values": ("[" + "1," * MAX_NODES + "]", 1, 2 * MAX_NODES, f"at most {MAX_NODES} values"),
    "many empty values": ("x: {" + "a,[]," * MAX_NODES, 1, 10, "`a:` once"),
    "anchors as conversations": (
        HEAD + "conversations:\n- &c {name: a, turns: [{you: hi, claude: yo}]}\n- *c\n",
        4,
        3,
        "no anchor",
    ),
    "two answers": (
        HEAD
        + "conversations:\n- {name: a, turns: [{you: hi, claude: yo}]}\n"
        + "- {name: b, turns: [{you: hi, claude: no}]}\n",
        5,
        21,
        "has another answer here",
    ),
    "many turns": (
        HEAD
        + "conversations:\n- name: a\n  turns:\n"
        + "  - {you: hi, claude: yo}\n" * (MAX_TURNS + 1),
        6 + MAX_TURNS,
        5,
        f"at most {MAX_TURNS} turns",
    ),
    "slow": (HEAD + "words_per_second: 1.0e-9\n" + ONE, 3, 19, "above 0"),
    "many tokens": (
        HEAD
        + "conversations:\n- name: a\n  turns:\n  - you: hi\n    claude:\n"
        + "    - usage: {input: "
        + "9" * 9999
        + ", output: 1}\n",
        8,
        22,
        "a number of tokens",
    ),
    "expression that is none": (HEAD + ONE + "ignore: {x: '('}", 4, 13, "missing )"),
    "expression that looks behind": (HEAD + ONE + "ignore: {x: '(?<=a)b'}", 4, 13, "expression"),
    "expression that is long": (
        HEAD + ONE + f"ignore: {{x: {'a' * 9999}}}",
        4,
        13,
        "characters",
    ),
    "expression that repeats": (
        HEAD + ONE + "ignore: {x: 'a{1000}{1000}'}",
        4,
        13,
        "repetition",
    ),
    "expression that refers back": (
        HEAD + ONE + "ignore: {x: '(a)\\1'}",
        4,
        13,
        "escape",
    ),
    "template as a name": (
        HEAD + ONE + "ignore: {'\\1': a}",
        4,
        10,
        "a name of at most",
    ),
    "many expressions": (
        HEAD + ONE + "ignore:\n" + "".join(f"  n{number}: a\n" for number in range(99)),
        37,
        3,
        "at most 32 expressions",
    ),
}


@pytest.mark.parametrize(("data", "line", "column", "told"), FILES.values(), ids=FILES)
def test_a_defect_is_told_with_line_and_column(
    data: bytes | str, line: int, column: int, told: str
) -> None:
    error = defect(data)
    assert told in str(error)
    assert (error.line, error.column) == (line, column)


def test_the_place_outlives_a_pickle() -> None:
    error = defect("a: [")
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - ours
    assert (str(again), again.line, again.column) == (str(error), error.line, error.column)


def not_a_file(kind: str, folder: Path) -> Path:
    path = folder / "t.yaml"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "endless":
        path.symlink_to("/dev/zero")
    elif kind == "loop":
        path.symlink_to(path)
    elif kind == "long name":
        path = folder / ("x" * 300)
    elif kind == "NUL":
        path = folder / "x\0y"
    return path


@pytest.mark.skipif(os.name != "posix", reason="pipes and devices have names elsewhere")
@pytest.mark.parametrize("kind", ["folder", "pipe", "endless", "loop", "long name", "NUL", "none"])
def test_what_is_no_file_is_refused_at_once(kind: str, tmp_path: Path) -> None:
    with pytest.raises(TapeError, match="the tape cannot be read") as refused:
        Tape.load(not_a_file(kind, tmp_path))
    assert refused.value.line is None


@pytest.mark.parametrize(
    "value",
    [
        "'<<': 1",
        "<<x: 1",
        "'': 1",
        "null: 1",
        "=: 1",
        r'"a\0b": "\e[0m"',
        "b: '&x *y !z'",
        "b: 1:30",
    ],
)
def test_what_only_looks_dangerous_is_read_and_written_again(value: str) -> None:
    tape = Tape.load(Memory(given_input("{" + value + "}")))
    assert Tape.load(Memory(tape_text(tape))).conversations == tape.conversations


def test_a_byte_order_mark_is_not_part_of_a_tape() -> None:
    assert Tape.load(Memory(b"\xef\xbb\xbf" + given_input("1").encode())).title == "T"


# -- every field, with every kind of value --------------------------------------------------------

WHOLE: dict[str, Any] = {
    "claude-magic-tape": 1,
    "title": "T",
    "label": "L",
    "words_per_second": 20,
    "keep": ["ids"],
    "ignore": {"run": "run-[0-9]+"},
    "conversations": [
        {
            "name": "c",
            "turns": [
                {"you": "Hi.", "claude": "Hello."},
                {
                    "you": "Look.",
                    "claude": [
                        {"thinking": "Hm."},
                        {"block": {"type": "search", "input": {"q": 1}}},
                        {"tool": {"name": "Read", "input": {"a": [1]}, "result": "b"}},
                        {"usage": {"input": 1, "output": 2, "cache_read": 3, "cache_write": 4}},
                        {"tools": [{"name": "Glob", "failed": "x"}, {"name": "Grep"}]},
                        {"stopped": "tool_use"},
                        {"text": "Seen."},
                    ],
                },
            ],
        }
    ],
}


def places(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Return the ways to all values inside a value."""
    found = [path]
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            found += places(item, (*path, key))
    return found


def changed(path: tuple[str | int, ...], change: Any) -> Any:
    """Return `WHOLE` with another value in one place."""
    copy = yaml.safe_load(yaml.safe_dump(WHOLE))
    if not path:
        return change
    inside = copy
    for key in path[:-1]:
        inside = inside[key]
    if change is REMOVED:
        del inside[path[-1]]
    else:
        inside[path[-1]] = change
    return copy


REMOVED = object()
ODD = [
    *(REMOVED, None, True, 0, -1, 1.5, float("inf"), float("nan"), 10**300, "", " ", "\0", "«»"),
    *("(", "a\nb", "=", "<<", "2026-01-01", b"x", [], {}, [[]], [None], {"a": 1}, [{}], {"": ""}),
    {1: 2},
]


def loads_or_is_refused(data: bytes) -> None:
    refused, tape = None, None
    try:
        tape = Tape.load(Memory(data))
    except TapeError as error:
        refused = error
    if tape is not None:
        # What was accepted can be written, and is the same when it is read again.
        written = tape_text(tape)
        assert tape_text(Tape.load(Memory(written))) == written
        return
    assert refused is not None
    assert refused.line is not None
    assert refused.column is not None
    assert 1 <= refused.line <= len(re.findall(b"[\r\n]|\xc2\x85|\xe2\x80[\xa8\xa9]", data)) + 2
    assert re.search(r" \(line \d+, column \d+\)$", str(refused))


@pytest.mark.parametrize("path", places(WHOLE), ids=lambda path: ".".join(map(str, path)) or "root")
def test_any_value_in_any_place_is_read_or_refused(path: tuple[str | int, ...]) -> None:
    for change in ODD:
        if path or change is not REMOVED:
            data = yaml.safe_dump(changed(path, change), sort_keys=False, allow_unicode=True)
            loads_or_is_refused(data.encode())


TEXT = yaml.safe_dump(WHOLE, sort_keys=False).encode()
PIECES = st.sampled_from(
    [
        *(
            b"&a ",
            b"*a",
            b"!!int ",
            b"! ",
            b"? ",
            b"- ",
            b": ",
            b"| ",
            b">9 ",
            b"%YAML 1.1\n",
            b"---\n",
        ),
        *(
            b"...\n",
            b"{",
            b"}",
            b"[",
            b"]",
            b",",
            b"\n",
            b"\r",
            b"\t",
            b" ",
            b"'",
            b'"',
            b'"\\U',
            b"#",
        ),
        *(
            b"\0",
            b"\xff",
            b"\xef\xbb\xbf",
            b"\xe2\x80\xa8",
            b"\xc2\x85",
            b"\\",
            b"<<: ",
            b"0x",
            b"1e999",
        ),
    ]
)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.tuples(st.integers(0, len(TEXT)), st.integers(0, 12), PIECES | st.binary(max_size=4)),
        min_size=1,
        max_size=4,
    )
)
def test_a_damaged_tape_is_read_or_refused(damages: list[tuple[int, int, bytes]]) -> None:
    data = TEXT
    for at, cut, put in damages:
        data = data[:at] + put + data[at + cut :]
    loads_or_is_refused(data)


# -- time ------------------------------------------------------------------------------------------

#: Texts of about so many characters, in which an engine that backtracks, or that begins anew at
#: every character, is lost.
GROWING = {
    "aliases would explode": lambda n: given_input("[" + "*a," * (n // 3) + "]"),
    "keys without values": lambda n: "{" + "a b " * (n // 4),
    "questions": lambda n: "? " * (n // 2),
    "block": lambda n: HEAD + "label: |\n" + "  x\n" * (n // 4),
    "blank lines": lambda n: HEAD + "label: |\n" + "\n" * n + "  x",
    "escapes": lambda n: HEAD + 'label: "' + r"\x41" * (n // 4) + '"',
    "expression": lambda n: (
        HEAD + "ignore: {x: (a+)+$, y: (.*a){20}, z: a(a*b)?}\n"
        f"conversations: [{{name: a, turns: [{{you: {'a' * n}!, claude: b}}]}}]"
    ),
}


@pytest.mark.parametrize("grown", GROWING.values(), ids=GROWING)
def test_time_grows_with_the_length_and_no_faster(grown: Any) -> None:
    def seconds(length: int) -> float:
        data = grown(length)
        started = time.process_time()
        with contextlib.suppress(TapeError):
            Tape.load(Memory(data))
        return time.process_time() - started

    seconds(1000)
    short = min(seconds(20_000) for _ in range(3))
    # Eight times the length takes 64 times as long where time grows with the square.
    assert seconds(160_000) < 30 * max(short, 0.02)
