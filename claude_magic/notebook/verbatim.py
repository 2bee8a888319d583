"""Input transformers that keep IPython's own reading of a cell away from prompts.

IPython takes ``>>>`` and ``In [1]:`` off the beginnings of lines, joins continued lines with extra
spaces, and takes any line that ends in ``?`` for a call for help. In a prompt all that is text.
"""

from __future__ import annotations

import re
import tokenize
from typing import TYPE_CHECKING

from IPython.core.inputtransformer2 import TokenTransformBase, make_tokens_by_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from typing_extensions import Self

#: What ends a line for `str.splitlines` and thus for IPython, but not for Python's tokenizer.
_SEPARATORS = "\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"

_CELL = re.compile(
    r"\ufeff?(?:[^\S\r\n]*(?:\r\n|\r|\n))*[^\S\r\n]*"
    rf"%%(?P<name>\w+)(?P<line>(?![{_SEPARATORS}])\s[^\r\n{_SEPARATORS}]*)??"
    rf"(?:[^\S\r\n]*(?:\r\n|\r|\n)|[{_SEPARATORS}]|\Z)"
)
_LINE_END = re.compile(r"\r\n|\r|\n")
_PHYSICAL_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
_NAME = re.compile(r"%(?P<name>[^\W\d]\w*)(?:(?P<prompt>\s.*)|\Z)", re.DOTALL)
#: A line of another magic that runs a line of ours, such as `%time %claude why?`.
_NESTED = re.compile(r"\s%claude\s.*\?\s*\Z", re.DOTALL)


def keep_verbatim(lines: list[str]) -> list[str]:
    """Rewrite ``%%claude`` cells and ``%claude`` lines as calls; leave other cells alone.

    An input transformer of IPython, to be the first of them. Lines that the tokenizer only reaches
    once other special syntax is gone are left to `ClaudeLine`.

    Parameters
    ----------
    lines
        The cell's lines, with their line ends.
    """
    text = "".join(lines)
    if "%claude" not in text:
        return lines
    cell = _CELL.match(text)
    if cell is not None:
        # The body of another magic may be a prompt cell, too, as below %%capture.
        line, body = (cell["line"] or "").strip(), text[cell.end() :]
        return [f"get_ipython().run_cell_magic({cell['name']!r}, {line!r}, {body!r})\n"]
    physical = _PHYSICAL_LINE.findall(text)
    while True:
        found = ClaudeLine.find(make_tokens_by_line([_tokenizable(line) for line in physical]))
        if found is None:
            return physical
        physical = found.transform(physical)


# IPython asks transformers whether a cell is complete, but not those that say this; a %%claude
# cell in a terminal is complete when a blank line follows, which IPython knows of cell magics.
keep_verbatim.has_side_effects = True  # type: ignore[attr-defined]


class ClaudeLine(TokenTransformBase):
    """Token transformer for ``%claude …``, ``x = %claude …`` and ``%time %claude …?``.

    Parameters
    ----------
    start
        Position of the logical line's first token, as `tokenize` counts.
    magic
        Position of the magic's ``%``.
    """

    #: Before IPython's own, which would take a question mark at the end for a call for help.
    priority = 1

    def __init__(self, start: tuple[int, int], magic: tuple[int, int]) -> None:
        super().__init__(start)  # type: ignore[no-untyped-call]
        self._row, self._column = magic[0] - 1, magic[1]

    @classmethod
    def find(cls, tokens_by_line: Sequence[Sequence[tokenize.TokenInfo]]) -> Self | None:
        """Return the transformer of the first such line, or None."""
        for tokens in tokens_by_line:
            code = [
                token
                for token in tokens
                if token.type not in {tokenize.INDENT, tokenize.DEDENT, tokenize.NL}
            ]
            at = 0 if code and code[0].string == "%" else _assignment(code) + 1
            if at < len(code) and code[at].string == "%":
                row, column = code[at].start
                first, *_ = _LINE_END.split(code[at].line, maxsplit=1)
                if _is_ours(first[column:]):
                    return cls(code[0].start, (row, column))
        return None

    def transform(self, lines: list[str]) -> list[str]:
        """Return the lines with this one rewritten as a call."""
        last, parts = self._row, [_LINE_END.sub("", lines[self._row][self._column :])]
        while parts[-1].endswith("\\") and last + 1 < len(lines):
            last += 1
            parts[-1] = parts[-1][:-1]
            parts.append(_LINE_END.sub("", lines[last]))
        read = _NAME.match("".join(parts))
        if read is None:
            raise SyntaxError(lines[self._row])
        prompt = (read["prompt"] or "").lstrip(" \t")
        call = f"get_ipython().run_line_magic({read['name']!r}, {prompt!r})"
        rewritten = f"{lines[self._row][: self._column]}{call}\n"
        return [*lines[: self._row], rewritten, *lines[last + 1 :]]


def _is_ours(line: str) -> bool:
    read = _NAME.match(line)
    if read is None:
        return False
    return read["name"] == "claude" or _NESTED.search(read["prompt"] or "") is not None


def _assignment(tokens: Sequence[tokenize.TokenInfo]) -> int:
    """Return the index of the first ``=`` outside brackets; that of the last token if none."""
    depth = 0
    for index, token in enumerate(tokens):
        if token.string == "=" and depth == 0:
            return index
        depth += (token.string in {"(", "[", "{"}) - (token.string in {")", "]", "}"})
    return len(tokens)


def _tokenizable(line: str) -> str:
    """Return a line of the same length, but for its end, whose end any tokenizer sees."""
    bare = _LINE_END.sub("", line)
    for separator in _SEPARATORS:
        bare = bare.replace(separator, " ")
    return bare + "\n"


def without_last_line_end(body: str) -> str:
    """Return a cell's body without the end of its last line, which is not part of the prompt."""
    for end in ("\r\n", "\n", "\r"):
        if body.endswith(end):
            return body[: -len(end)]
    return body
