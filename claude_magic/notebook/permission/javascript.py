"""Text rules of JavaScript, in which Claude Code is written.

Python and JavaScript disagree on white space: ``str.split`` takes U+001C-U+001F and U+0085 for it,
JavaScript takes U+FEFF. Text that Claude Code parses is split and trimmed here by its rules.
"""

from __future__ import annotations

import re
import unicodedata

#: Characters that JavaScript's ``\s`` matches and its ``trim`` removes.
WHITE_SPACE = "\t\n\v\f\r \xa0\u1680\u2028\u2029\u202f\u205f\u3000\ufeff" + "".join(
    map(chr, range(0x2000, 0x200B)),
)

_RUNS = re.compile(f"[{re.escape(WHITE_SPACE)}]+")
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def trim(text: str) -> str:
    r"""Return a text without white space at its ends, as ``text.trim()``. Any thread."""
    return text.strip(WHITE_SPACE)


def words(text: str) -> list[str]:
    r"""Return the words of a text, as ``text.split(/\s+/).filter(Boolean)``. Any thread."""
    return [word for word in _RUNS.split(text) if word]


def has_controls(text: str) -> bool:
    """Return whether a text has control, format or line separator characters. Any thread.

    It includes every character that only one of the two languages takes for white space.
    """
    return any(unicodedata.category(letter) in _INVISIBLE for letter in text)
