"""What differs from run to run and means nothing, and what a tape says about it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .expressions import ignored

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .expressions import Expression

_DAY = r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_CLOCK = r"\d{1,2}:\d{2}:\d{2}(?:[.,]\d+)?"

#: What is replaced, by the kind that a tape may keep: pattern and name.
_KINDS: dict[str, tuple[tuple[re.Pattern[str], str], ...]] = {
    "ids": (
        (re.compile(r"(?<![\w-])[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"), "«id»"),
        (re.compile(r"(?<!\w)(?:toolu|msg|req|call|sess|session|task)_[A-Za-z0-9]{8,}"), "«id»"),
        (re.compile(r"(?<!\w)(pid[ =:]{1,2})\d+", re.IGNORECASE), r"\1«id»"),
        # Claude Code puts long results into a file, which has another name each time.
        (re.compile(r"((?:Output too large|persist limit).{0,200}?\bsaved to: ).+"), r"\1«file»"),
    ),
    "addresses": (
        (re.compile(r"(?<!\w)0x[0-9a-fA-F]{6,}"), "«address»"),
        (re.compile(r"(?<![\w.])(127\.0\.0\.1|localhost):\d+"), r"\1:«port»"),
    ),
    "times": (
        (
            re.compile(
                rf"(?<!\d)\d{{4}}-\d\d-\d\d[T ]{_CLOCK}(?:Z|[+-]\d\d:?\d\d)?"
                rf"|{_DAY} {_MONTH} +\d{{1,2}} {_CLOCK}(?: [A-Z]{{3,4}})?(?: \d{{4}})?"
                rf"|{_DAY}, \d{{1,2}} {_MONTH} \d{{4}} {_CLOCK}(?: (?:GMT|[+-]\d{{4}}))?"
                rf"|(?<![\d:]){_CLOCK}(?![\d:])"
                # What `ls -l` prints; of older files it prints the year, which is compared.
                rf"|(?<!\w){_MONTH} +\d{{1,2}} +\d\d:\d\d(?![\d:])",
            ),
            "«time»",
        ),
        (
            re.compile(r"(?<![\w.«])\d+(?:\.\d+)?(?:e-?\d+)? ?(?:ns|[uµμ]s|ms|s|secs?|seconds?)\b"),
            "«duration»",
        ),
    ),
    "paths": (
        # All but the file's name; what lies in the notebook's own folder is as it was.
        (
            re.compile(
                r"(?<![\w:/.»-])/(?:[\w.+@~-]+/)+"
                r"|(?:«home»|«temp»)/(?:[\w.+@~«»-]+/)*"
                r"|(?<!\w)[A-Za-z]:\\(?:[\w.+@~ -]+\\)+",
            ),
            "«path»/",
        ),
    ),
}

KINDS = tuple(_KINDS)


@dataclass(frozen=True, slots=True)
class Rules:
    """Which values of tool results, and of prompts, are not compared. Any thread may use it.

    Attributes
    ----------
    keep
        Kinds, of `KINDS`, that are compared all the same.
    ignore
        More that is not compared: a regular expression for each name.
    """

    keep: frozenset[str] = frozenset()
    ignore: Mapping[str, Expression] = field(default_factory=dict, hash=False)

    def prompt(self, text: str) -> str:
        """Return what a prompt is compared by."""
        return " ".join(ignored(text, self.ignore).split())

    def result(self, text: str) -> str:
        """Return what a tool's result is compared by, and written down as."""
        text = ignored(text, self.ignore)
        for kind, replaced in _KINDS.items():
            if kind not in self.keep:
                for pattern, name in replaced:
                    text = pattern.sub(name, text)
        return "\n".join(line.rstrip() for line in text.splitlines()).strip("\n")
