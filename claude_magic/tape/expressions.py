"""Regular expressions that come with a tape, run so that none of them can run away.

Python's own engine backtracks: ``(a+)+$`` takes years for 40 characters. RE2 does not, and was made
for expressions from strangers. Finding *all* matches still takes quadratic time in the worst case,
so that a text is searched in pieces; and each match may grow by the name that replaces it, so that
growth is limited.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Protocol

from claude_magic.errors import TapeError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: Expressions on one tape.
MAX_EXPRESSIONS = 32

#: Length of one expression, in characters.
MAX_CHARACTERS = 1000

#: How many times longer the replacements together may make a text.
MAX_GROWTH = 8

#: A match lies within one line, and within this many characters of a longer one.
_PIECE = re.compile(r"[^\n]{1,1000}")

_SURROGATES = re.compile("[\ud800-\udfff]")


class Expression(Protocol):
    """A compiled regular expression: one of `expression`, or of `re.compile` for trusted ones."""

    @property
    def pattern(self) -> str:
        """The expression's text."""
        ...

    def finditer(self, text: str, /) -> Iterator[Any]:
        """Yield a match for each occurrence in a text, without overlaps."""
        ...


class _Linear:
    """An expression that RE2 runs; equal to every one of the same text."""

    def __init__(self, pattern: str, compiled: Any) -> None:
        self.pattern = pattern
        self._compiled = compiled

    def __eq__(self, other: object) -> bool:
        return self.pattern == getattr(other, "pattern", None)

    def __hash__(self) -> int:
        return hash(self.pattern)

    def __repr__(self) -> str:
        return f"expression({self.pattern!r})"

    def finditer(self, text: str, /) -> Iterator[Any]:
        return iter(self._compiled.finditer(text))


def expression(pattern: str) -> Expression:
    """Compile an expression in RE2's syntax: Python's, without look-around and back-references.

    Raises
    ------
    ValueError
        If it is none, or has more than `MAX_CHARACTERS`.
    TapeError
        If RE2 is not installed.
    """
    if len(pattern) > MAX_CHARACTERS:
        raise ValueError(f"it has more than {MAX_CHARACTERS} characters")
    try:
        import re2  # noqa: PLC0415 - only a tape with expressions needs it
    except ImportError as error:
        raise TapeError(
            "The expressions of `ignore:` need google-re2: pip install 'claude-magic[demo]'"
        ) from error
    options = re2.Options()
    options.log_errors = False
    try:
        return _Linear(pattern, re2.compile(pattern, options))
    except re2.error as error:
        problem = error.args[0]
        raise ValueError(
            problem.decode(errors="replace") if isinstance(problem, bytes) else str(problem)
        ) from error


def ignored(text: str, expressions: Mapping[str, Expression]) -> str:
    """Return a text with ``«name»`` for each match of each expression, in the order of these.

    Lines are searched one by one: ``^`` and ``$`` are the ends of a line. An expression whose
    replacements would make the text longer than `MAX_GROWTH` times is left out.
    """
    if not expressions:
        return text
    text = _SURROGATES.sub("�", text)  # RE2 reads UTF-8, which has none
    at_most = MAX_GROWTH * len(text) + MAX_CHARACTERS
    for name, pattern in expressions.items():
        text = _replaced(text, pattern, f"«{name}»", at_most)
    return text


def _replaced(text: str, pattern: Expression, by: str, at_most: int) -> str:
    parts = []
    done, length = 0, len(text)
    for piece in _PIECE.finditer(text):
        for match in pattern.finditer(piece[0]):
            start, end = piece.start() + match.start(), piece.start() + match.end()
            if start == end:  # nothing that could be ignored
                continue
            length += len(by) - (end - start)
            if length > at_most:
                return text
            parts += [text[done:start], by]
            done = end
    return "".join([*parts, text[done:]]) if parts else text
