"""Index of spellings that finds all of them in a text in one pass."""

from __future__ import annotations

import re
from bisect import bisect_left
from typing import TYPE_CHECKING

from .secret_names import MASK

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: Spellings are looked up by so many characters; shorter ones are not found.
HEAD = 4
#: Where a text was cut, a part of a spelling from this length on is masked, in characters.
LEAST_PART = 6

#: Escapes end in letters that belong to no word: ``\n``, ``%20``, ``\u00e4``.
_ESCAPE_BEFORE = re.compile(r"(?:\\[abfnrtv0]|%[0-9A-Fa-f]{2}|\\x[0-9a-f]{2}|\\u[0-9a-fA-F]{4})\Z")
#: Signs that something was left out, with the note on how much it was.
_CUT = re.compile(r"•••|(?:…|\.\.\.)(?:[^\n…]{0,60}…\]?\n)?")
#: What follows or precedes the part of a text that was cut: ``'abc…'``, ``[abc…]``.
_CLOSING = " \t\n'\"`)]}>,;|"
_OPENING = _CLOSING + "([{<"


class SecretIndex:
    """Immutable set of spellings. Any thread may call.

    Parameters
    ----------
    forms
        Each spelling, and whether it counts only where no letter or digit touches it.
    """

    def __init__(self, forms: Mapping[str, bool]) -> None:
        self.forms = forms
        lengths: dict[str, set[int]] = {}
        for form in forms:
            lengths.setdefault(form[:HEAD], set()).add(len(form))
        self._lengths = {head: tuple(sorted(each, reverse=True)) for head, each in lengths.items()}
        # A part of a word is a word again, so parts are looked for of the other spellings only.
        parts = [form for form, alone in forms.items() if not alone]
        self._beginnings = _Beginnings(parts)
        self._endings = _Beginnings([form[::-1] for form in parts])

    def masked(self, text: str) -> str:
        """Return a text with `MASK` in place of each spelling, and of parts where it was cut."""
        if not self.forms:
            return text
        shown = []
        done = 0
        for start, end in sorted([*self._whole(text), *self._cut_off(text)]):
            if start >= done:
                shown += [text[done:start], MASK]
            done = max(done, end)
        return "".join([*shown, text[done:]])

    def _whole(self, text: str) -> Iterator[tuple[int, int]]:
        by_head, forms = self._lengths, self.forms
        for at in range(len(text) - HEAD + 1):
            lengths = by_head.get(text[at : at + HEAD])
            if lengths is None:
                continue
            for length in lengths:
                alone = forms.get(text[at : at + length])
                if alone is not None and not (alone and _touched(text, at, at + length)):
                    yield at, at + length
                    break

    def _cut_off(self, text: str) -> Iterator[tuple[int, int]]:
        longest = self._beginnings.longest
        begin = 0
        cuts = [found.span() for found in _CUT.finditer(text)]
        # Between two cuts there may be the end of one spelling and the beginning of another.
        for start, end in [*cuts, (len(text), len(text))]:
            last = text[max(begin, start - longest) : start].rstrip(_CLOSING)
            stop = max(begin, start - longest) + len(last)
            if found := self._beginnings.at_end_of(last):
                yield stop - found, stop
            first = text[begin : min(start, begin + longest)]
            stripped = first.lstrip(_OPENING)
            if found := self._endings.at_end_of(stripped[::-1]):
                at = begin + len(first) - len(stripped)
                yield at, at + found
            begin = end


class _Beginnings:
    """Texts whose beginnings are looked for at the end of another text."""

    def __init__(self, texts: list[str]) -> None:
        self._texts = sorted(texts)
        self._heads = frozenset(text[:HEAD] for text in texts)
        self.longest = max(map(len, texts), default=0)

    def at_end_of(self, text: str) -> int:
        """Return the length of the longest beginning that a text ends with; 0 if there is none."""
        for at in range(len(text) - LEAST_PART + 1):
            if text[at : at + HEAD] in self._heads:
                part = text[at:]
                place = bisect_left(self._texts, part)
                if place < len(self._texts) and self._texts[place].startswith(part):
                    return len(part)
        return 0


def _touched(text: str, start: int, end: int) -> bool:
    """Tell whether a letter or digit is right before or after a place."""
    if end < len(text) and text[end].isalnum():
        return True
    if not start or not text[start - 1].isalnum():
        return False
    return not _ESCAPE_BEFORE.search(text[max(0, start - 6) : start])
