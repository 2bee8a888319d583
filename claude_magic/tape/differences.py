"""How a text differs from another one, in a few lines that a person can read."""

from __future__ import annotations

import re
from difflib import SequenceMatcher, unified_diff

_LINES = 12
_WIDTH = 120
#: So much of what is the same is shown before the place where long lines begin to differ.
_BEFORE = 40

#: Lines, and values, that are compared. Finding the shortest difference takes quadratic time.
_MOST_COMPARED = 1000

_VALUE = re.compile(r"[+-]?\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?%?|[^\W\d][\w.]*|\S")


def difference(before: str, now: str) -> str:
    """Return the lines that differ: ``-`` as it was before, ``+`` as it is now, few and short."""
    old, new = _differing(before.splitlines(), now.splitlines(), around=1)
    lines = list(unified_diff(old, new, n=1, lineterm=""))[2:]
    lines = [line for line in lines if not line.startswith("@@")]
    shown = _shortened(lines[:_LINES])
    if len(lines) > _LINES:
        shown.append(f"… and {len(lines) - _LINES} more lines")
    return "\n".join(shown)


def changed_values(before: str, now: str, at_most: int = 5) -> list[str]:
    """Return which values differ, each as ``before → now``."""
    old, new = (
        [match.group() for line in text.splitlines() for match in _VALUE.finditer(line)]
        for text in (before, now)
    )
    old, new = _differing(old, new, around=0)
    changed = []
    for kind, start, end, from_, to in SequenceMatcher(
        None, old, new, autojunk=False
    ).get_opcodes():
        if kind != "equal":
            was, became = " ".join(old[start:end]), " ".join(new[from_:to])
            changed.append(f"{_cut(was) or 'nothing'} → {_cut(became) or 'nothing'}")
    return changed[:at_most] + (["…"] if len(changed) > at_most else [])


def _differing(old: list[str], new: list[str], around: int) -> tuple[list[str], list[str]]:
    """Return what is between the same beginning and the same end, with some of these around."""
    shorter = min(len(old), len(new))
    same = (number for number in range(shorter) if old[number] != new[number])
    start = next(same, shorter)
    ends = (number for number in range(shorter - start) if old[-1 - number] != new[-1 - number])
    end = next(ends, shorter - start)
    first, cut = max(start - around, 0), max(end - around, 0)
    return (
        old[first : len(old) - cut][:_MOST_COMPARED],
        new[first : len(new) - cut][:_MOST_COMPARED],
    )


def _shortened(lines: list[str]) -> list[str]:
    """Cut long lines to where they begin to differ from the line that stands in their place."""
    removed = [line[1:] for line in lines if line.startswith("-")]
    added = [line[1:] for line in lines if line.startswith("+")]
    same = min(
        (_common(one, other) for one, other in zip(removed, added, strict=False)),
        default=0,
    )
    long = max(map(len, lines), default=0) > _WIDTH
    start = max(same - _BEFORE, 0) if long else 0
    dots = "…" if start else ""
    shown = []
    for line in lines:
        text = line[1:][start:]
        cut = text[: _WIDTH - 1] + "…" if len(text) > _WIDTH else text
        shown.append(f"{line[0]} {dots}{cut}")
    return shown


def _common(one: str, other: str) -> int:
    for number, (left, right) in enumerate(zip(one, other, strict=False)):
        if left != right:
            return number
    return min(len(one), len(other))


def _cut(text: str) -> str:
    shortest = _WIDTH // 2
    return text if len(text) <= shortest else text[: shortest - 1] + "…"
