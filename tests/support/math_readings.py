"""What front ends take for math in Markdown, as far as the gate must withstand it.

Follows JupyterLab's `removeMath` and MathJax's search through a page, and is lenient where they
are strict: what it finds is more than any of them does.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser

from markdown_it import MarkdownIt

_PARSER = MarkdownIt("commonmark", {"html": True})
_SPLIT = re.compile(
    r"(\$\$?|\\(?:begin|end)\{[a-z]*\*?\}|\\[{}$]|[{}]|(?:\n\s*)+|@@\d+@@|\\\\(?:\(|\)|\[|\]))",
    re.IGNORECASE,
)
_FENCES = re.compile(r"(?ms)^(?P<fence>`{3,}|(?:~T){3,})[^`\n]*\n(.*?)^(?P=fence)`*$")
_SPANS = re.compile(r"(?m)(^|[^\\])(`+)([^\n]*?[^`\n])\2(?!`)")
_DELIMITED = re.compile(
    r"(?s)\$.*\$|\\\(.*\\\)|\\\[.*\\\]|\\begin\s*\{[^}]*\}.*|\\(?:eq)?ref\s*\{",
)


def removed_by_jupyterlab(  # noqa: C901, PLR0912 - step by step as JupyterLab has it
    text: str,
) -> tuple[str, list[str]]:
    """Take math out of Markdown as JupyterLab does; returns the rest and the math."""
    math: list[str] = []
    if "`" in text or "~~~" in text:
        text = text.replace("~", "~T")
        for pattern in (_FENCES, _SPANS):
            text = pattern.sub(lambda found: found[0].replace("$", "~D"), text)

    def plain(part: str) -> str:
        return part.replace("~D", "$").replace("~T", "~")

    blocks = _SPLIT.split(re.sub(r"\r\n?", "\n", text))

    def take(first: int, last: int) -> None:
        math.append(plain("".join(blocks[first : last + 1])))
        blocks[first : last + 1] = [f"@@{len(math) - 1}@@", *[""] * (last - first)]

    start: int | None = None
    last: int | None = None
    end = ""
    braces = 0
    at = 1
    while at < len(blocks):
        block = blocks[at]
        if block.startswith("@"):
            blocks[at] = f"@@{len(math)}@@"
            math.append(block)
        elif start is not None:
            if block == end:
                if braces:
                    last = at
                else:
                    take(start, at)
                    start = last = None
            elif re.search(r"\n.*\n", block):
                if last is not None:
                    at = last
                    take(start, at)
                start = last = None
                braces = 0
            elif block == "{":
                braces += 1
            elif block == "}" and braces:
                braces -= 1
        elif block in {"$", "$$"}:
            start, end, braces = at, block, 0
        elif block in {"\\\\(", "\\\\["}:
            start, end, braces = at, "\\\\" + {"(": ")", "[": "]"}[block[-1]], 0
        elif block.startswith("\\begin"):
            start, end, braces = at, "\\end" + block[6:], 0
        at += 2
    if start is not None and last is not None:
        take(start, last)
    return plain("".join(blocks)), math


class _Strings(HTMLParser):
    """The texts of a page in which MathJax looks for math: elements divide them, code has none."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.strings = [""]
        self._code = 0
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002
        if tag not in {"br", "wbr"}:
            self.strings.append("")
        self._code += tag in {"pre", "code"}

    def handle_endtag(self, tag: str) -> None:
        self.strings.append("")
        self._code = max(0, self._code - (tag in {"pre", "code"}))

    def handle_data(self, data: str) -> None:
        if not self._code:
            self.strings[-1] += data


def math_in(text: str) -> list[str]:
    """Return all that some front end could take for math in Markdown."""
    rest, removed = removed_by_jupyterlab(text)
    found = [
        removed[int(number)]
        for string in _Strings(_PARSER.render(rest)).strings
        # What JupyterLab puts back into code is not math.
        for number in re.findall(r"@@(\d+)@@", string)
        if int(number) < len(removed)
    ]
    # With and without JupyterLab's first step.
    for source in (rest, text):
        for string in _Strings(_PARSER.render(source)).strings:
            found += [part[0] for part in _DELIMITED.finditer(string)]
    return found


def attributes_in(text: str) -> list[str]:
    """Return the tags with attributes that JupyterLab makes of Markdown, its math put back."""
    rest, removed = removed_by_jupyterlab(text)
    page = _PARSER.render(rest)
    escaped = [
        part.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;") for part in removed
    ]
    page = re.sub(
        r"@@(\d+)@@", lambda found: escaped[int(found[1]) % len(escaped)] if escaped else "", page
    )
    return re.findall(r"<[a-z]+[^>]* [^>]*>", page)
