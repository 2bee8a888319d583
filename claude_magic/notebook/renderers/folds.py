"""Details folded away below one line, with nothing in them that is alive."""

from __future__ import annotations

import re

from . import gate
from .gate import visible

# An empty line would end the HTML, and what follows it would be Markdown again.
_BEFORE_EMPTY_LINE = re.compile(r"\n(?=[ \t]*(?:\n|$))")


def bounded(text: str, most: int, left_out: int = 0) -> str:
    """Return the beginning of a text, and how much is left out.

    Parameters
    ----------
    text
        The text.
    most
        How much of it may be kept, in characters.
    left_out
        How many characters were left out of it before.
    """
    left_out += max(0, len(text) - most)
    return f"{text[:most]}\n… {left_out:,} more characters" if left_out else text


def fold(mark: str, call: str, *details: str) -> dict[str, str]:
    """Return a line that unfolds as an output.

    Parameters
    ----------
    mark
        What stands before the line; ours.
    call
        The line, shown as code; it may be anybody's.
    *details
        What is inside, each shown as it is; those that are empty are left out.
    """
    return _folded(f"{mark} <code>{gate.code(visible(call))}</code>", f"{mark} {call}", details)


def aside_fold(line: str, *details: str) -> dict[str, str]:
    """Return a line of ours that unfolds as an output, smaller than the model's words."""
    return _folded(f"<small>{gate.line(visible(line))}</small>", line, details)


def _folded(summary: str, plain: str, details: tuple[str, ...]) -> dict[str, str]:
    inside = "\n<hr>\n".join(
        f"<pre>{_BEFORE_EMPTY_LINE.sub('&#10;', gate.code(visible(detail.rstrip())))}</pre>"
        for detail in details
        if detail.strip()
    )
    body = f"\n<blockquote>\n{inside}\n</blockquote>\n" if inside else ""
    return {
        "text/markdown": f"<details><summary>{summary}</summary>{body}</details>",
        "text/plain": plain,
    }
