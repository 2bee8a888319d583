"""Keeps IPython's own reading of a cell away from prompts.

Before IPython looks at magics it takes ``>>>`` and ``In [1]:`` off the beginnings of lines, and
takes any line that ends in ``?`` for a call for help. In a prompt all that is text.
"""

from __future__ import annotations

import re

_CELL = re.compile(r"%%claude(?P<line>[ \t][^\n]*)?\n?")
_QUESTION = re.compile(r"(?P<indent>\s*)%claude[ \t]+(?P<prompt>.*\?)\s*")
_TRIPLE_QUOTES = re.compile(r'"""|\'\'\'')


def keep_verbatim(lines: list[str]) -> list[str]:
    """Rewrite ``%%claude`` cells and ``%claude …?`` lines as calls; leave other cells alone.

    An input transformer of IPython, to be the first of them.

    Parameters
    ----------
    lines
        The cell's lines, with their line ends.
    """
    first = next((number for number, line in enumerate(lines) if line.strip()), 0)
    if lines and lines[first].startswith("%%"):
        cell = _CELL.fullmatch(lines[first])
        if cell is None:
            return lines  # the body belongs to another magic
        line = (cell["line"] or "").strip()
        body = "".join(lines[first + 1 :])
        return [f"get_ipython().run_cell_magic('claude', {line!r}, {body!r})\n"]
    rewritten = []
    in_text = False
    for line in lines:
        question = None if in_text else _QUESTION.fullmatch(line)
        if question:
            call = f"get_ipython().run_line_magic('claude', {question['prompt']!r})"
            rewritten.append(f"{question['indent']}{call}\n")
        else:
            in_text ^= len(_TRIPLE_QUOTES.findall(line)) % 2 == 1
            rewritten.append(line)
    return rewritten


# IPython asks transformers whether a cell is complete, but not those that say this; a %%claude
# cell in a terminal is complete when a blank line follows, which IPython knows of cell magics.
keep_verbatim.has_side_effects = True  # type: ignore[attr-defined]
