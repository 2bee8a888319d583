"""The conversation in a transcript, whatever was left behind in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from claude_magic.session.lineage import lineage


def _entries(text: str) -> list[dict[str, Any]]:
    """Return a transcript from its short form: one entry a line.

    ``ID < PARENT`` is an entry; its kind follows from the first letter of its id: p(rompt), a(nswer
    that ends a turn), c(all of a tool), r(esult of a tool), i(nterruption), n("No response
    requested."), x (an attachment), s(ubagent's). ``> ID`` is a ``last-prompt`` entry that names an
    end, ``>> ID, CUT`` one that takes CUT back, ``==`` a compaction.
    """
    found: list[dict[str, Any]] = []
    for line in text.split("\n"):
        words = line.replace(",", " ").split()
        match words:
            case []:
                continue
            case [">", end]:
                found.append({"type": "last-prompt", "leafUuid": end})
            case [">>", end, cut]:
                taken_back = {"leafUuid": None if end == "-" else end, "cutUuid": cut}
                found.append(
                    {"type": "last-prompt", "rewound": True, "explicit": True} | taken_back
                )
            case ["==", row_id]:
                boundary = {"type": "system", "subtype": "compact_boundary", "parentUuid": None}
                found.append({"uuid": row_id} | boundary)
            case [row_id, "<", parent]:
                found.append(
                    {"uuid": row_id, "parentUuid": None if parent == "-" else parent}
                    | _KINDS[row_id[0]],
                )
            case _:
                raise AssertionError(line)
    return found


def _said(role: str, content: Any, **fields: Any) -> dict[str, Any]:
    return {"type": role, "message": {"role": role, "content": content, **fields}}


_KINDS: dict[str, dict[str, Any]] = {
    "p": _said("user", "words") | {"promptSource": "sdk"},
    "a": _said("assistant", [{"type": "text", "text": "words"}], stop_reason="end_turn"),
    "c": _said("assistant", [{"type": "tool_use"}], stop_reason="tool_use"),
    "r": _said("user", [{"type": "tool_result", "content": "42"}]),
    "i": _said("user", [{"type": "text", "text": "[Request interrupted by user]"}]),
    "n": _said("assistant", "No response requested.", model="<synthetic>", stop_reason="end_turn"),
    "x": {"type": "attachment"},
    "s": _said("user", "words") | {"isSidechain": True},
}


@dataclass(frozen=True)
class Case:
    """One transcript and the conversation in it.

    Attributes
    ----------
    transcript
        The short form of `_entries`.
    prompts
        The prompts in the conversation.
    end
        Its last message.
    removed
        Entries that are removed.
    without, answered
        What is known of it.
    missing
        What is missing.
    strict
        Whether Claude Code did not find the end.
    """

    transcript: str
    prompts: str
    end: str | None
    removed: str = ""
    without: str = ""
    answered: str = ""
    missing: str = ""
    strict: bool = False


CASES = {
    "nothing": Case("", "", None),
    "a plain conversation": Case(
        "p1 < -\n x1 < p1\n a1 < x1\n p2 < a1\n a2 < p2\n > a2", "p1 p2", "a2", answered="p1 p2"
    ),
    "a turn with a tool": Case("p1 < -\n c1 < p1\n r1 < c1\n a1 < r1", "p1", "a1"),
    "two calls at once": Case(
        "p1 < -\n c1 < p1\n c2 < c1\n r1 < c1\n r2 < c2\n a1 < r2\n p2 < a1\n a2 < p2",
        "p1 p2",
        "a2",
    ),
    "the last prompt cut off": Case(
        "p1 < -\n a1 < p1\n p2 < a1\n c2 < p2\n > p2", "p1", "a1", "p2 c2", without="p2"
    ),
    "cut off and asked again": Case(
        "p1 < -\n a1 < p1\n p2 < a1\n > p2\n p3 < a1\n a3 < p3", "p1 p3", "a3", "p2"
    ),
    "cut off, then asked something else": Case(
        "p1 < -\n a1 < p1\n p2 < a1\n c2 < p2\n r2 < c2\n > r2\n p3 < a1\n a3 < p3\n"
        "p4 < a3\n a4 < p4",
        "p1 p3 p4",
        "a4",
        "p2 c2 r2",
    ),
    "three attempts": Case(
        "p1 < -\n a1 < p1\n p2 < a1\n p3 < a1\n p4 < a1", "p1", "a1", "p2 p3 p4", without="p2 p3 p4"
    ),
    "damaged by 0.1": Case(
        "p1 < -\n a1 < p1\n p2 < a1\n > p2\n p3 < a1\n a3 < p3\n p4 < a3\n a4 < p4\n"
        "n2 < p2\n p5 < n2\n a5 < p5",
        "p1 p3 p4 p5",
        "a5",
        "p2 n2",
    ),
    "damaged by 0.1 twice": Case(
        "p1 < -\n a1 < p1\n p2 < a1\n p3 < a1\n a3 < p3\n n2 < p2\n p5 < n2\n a5 < p5\n"
        "p6 < a5\n p7 < a5\n a7 < p7\n n6 < p6\n p8 < n6\n a8 < p8",
        "p1 p3 p5 p7 p8",
        "a8",
        "p2 n2 p6 n6",
    ),
    "an answer behind a dead end, known": Case(
        "p1 < -\n a1 < p1\n p2 < a1\n p3 < a1\n a3 < p3\n n2 < p2\n p4 < n2\n a4 < p4",
        "p1 p3 p4",
        "a4",
        "p2 n2",
        without="p2",
        answered="p1 p3 p4",
    ),
    "the first prompt cut off": Case("p1 < -\n c1 < p1", "", None, "p1 c1", without="p1"),
    "the first prompt cut off, then another": Case(
        "p1 < -\n p2 < -\n a2 < p2", "p2", "a2", "p1", without="p1"
    ),
    "stopped before the first word": Case(
        "p1 < -\n a1 < p1\n p2 < a1\n i2 < p2\n p3 < i2\n a3 < p3", "p1 p2 p3", "a3"
    ),
    "stopped in the middle": Case("p1 < -\n c1 < p1\n i1 < c1", "p1", "i1"),
    "taken back": Case(
        "p1 < -\n a1 < p1\n p2 < a1\n c2 < p2\n >> a1, p2\n p3 < a1\n a3 < p3",
        "p1 p3",
        "a3",
        "p2 c2",
    ),
    "taken back, and nothing since": Case(
        "p1 < -\n a1 < p1\n p2 < a1\n a2 < p2\n >> a1, p2", "p1", "a1", "p2 a2"
    ),
    "all of it taken back": Case(
        "p1 < -\n a1 < p1\n p2 < a1\n a2 < p2\n >> -, p1\n p3 < -\n a3 < p3",
        "p3",
        "a3",
        "p1 a1 p2 a2",
    ),
    "answered behind a rejected prompt": Case(
        "p1 < -\n a1 < p1\n p2 < a1\n p3 < p2\n a3 < p3",
        "p1 p3",
        "a3",
        "p2",
        without="p2",
        answered="p1 p3",
    ),
    "another branch on purpose": Case(
        "p1 < -\n a1 < p1\n p2 < a1\n a2 < p2\n p3 < a1\n a3 < p3", "p1 p3", "a3"
    ),
    "another branch on purpose, strictly": Case(
        "p1 < -\n a1 < p1\n p2 < a1\n a2 < p2\n p3 < a1\n a3 < p3\n > a2",
        "p1 p3",
        "a3",
        "p2 a2",
        strict=True,
    ),
    "an answer that was not written": Case(
        "p1 < -\n a1 < p1\n p3 < a2\n a3 < p3", "p1 p3", "a3", answered="p1 p2 p3", missing="p2"
    ),
    "summarised": Case(
        "p1 < -\n a1 < p1\n == b\n x2 < b\n p3 < x2\n a3 < p3\n p4 < a3",
        "p1 p3",
        "a3",
        "p4",
        without="p4",
        answered="p1 p3",
    ),
    "summarised, strictly": Case(
        "p1 < -\n a1 < p1\n == b\n x2 < b\n p3 < x2\n a3 < p3\n > a1", "p3", "a3", strict=True
    ),
    "summarised for a prompt that was rejected": Case(
        "p1 < -\n a1 < p1\n p2 < a1\n == b\n x2 < b\n p3 < x2",
        "p1",
        "a1",
        "p2 b x2 p3",
        without="p2",
        answered="p1",
    ),
    "a subagent": Case("p1 < -\n s1 < -\n a1 < p1\n s2 < s1", "p1", "a1"),
    "an order that a store mixed up": Case("a1 < p1\n p2 < a1\n p1 < -\n a2 < p2", "p1 p2", "a2"),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_conversation_is_found_in_any_transcript(case: Case) -> None:
    found = lineage(
        _entries(case.transcript),
        case.without.split(),
        case.answered.split(),
        strict=case.strict,
    )
    assert found.prompts == tuple(case.prompts.split())
    assert found.end == case.end
    assert [entry["uuid"] for entry in found.removed] == case.removed.split()
    assert found.missing == tuple(case.missing.split())


#: What nobody writes there, and a store may hold all the same.
ODD: list[Any] = [None, 0, [], {}, ["p1"], {"p1": 1}, "p1", "", True]


@pytest.mark.parametrize("odd", ODD, ids=repr)
@pytest.mark.parametrize(
    "name",
    ["type", "uuid", "parentUuid", "message", "leafUuid", "cutUuid", "subtype", "isMeta"],
)
def test_an_odd_value_in_a_transcript_breaks_nothing(name: str, odd: Any) -> None:
    for entries in map(_entries, (CASES["taken back"].transcript, CASES["summarised"].transcript)):
        for index in range(len(entries)):
            changed = [*entries[:index], {**entries[index], name: odd}, *entries[index + 1 :]]
            message = {**entries[index], "message": {"content": odd, "stop_reason": odd}}
            for each in (changed, [*entries[:index], message, *entries[index + 1 :]]):
                lineage(lineage(each, ("p2", "p4")).entries, (), ("p1",), strict=True)


def test_parents_that_go_round_in_a_circle_end() -> None:
    lineage(_entries("p1 < a2\n a1 < p1\n p2 < a1\n a2 < p2"))


def test_a_long_transcript_takes_no_longer_backwards() -> None:
    entries = _entries("\n".join(f"p{n} < {f'p{n - 1}' if n else '-'}" for n in range(20_000)))
    assert len(lineage([*entries[-2::-1], entries[-1]]).prompts) == len(entries)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_what_is_left_is_one_line_and_stays_as_it_is(case: Case) -> None:
    first = lineage(
        _entries(case.transcript),
        case.without.split(),
        case.answered.split(),
        strict=case.strict,
    )
    again = lineage(first.entries, (), case.answered.split())
    assert (again.prompts, again.end) == (first.prompts, first.end)
    assert not again.differs
    parents = {str(e["uuid"]): e.get("parentUuid") for e in first.entries if "uuid" in e}
    line, at = [], first.end
    while at is not None and at in parents:
        line.append(at)
        at = parents[at]
    # What came before a compaction is in its summary.
    kept = any(entry.get("subtype") == "compact_boundary" for entry in first.entries)
    summarised = case.transcript.partition("==")[0] if kept else ""
    said = [each for each in first.prompts if each not in summarised]
    assert [each for each in reversed(line) if each in first.prompts] == said
