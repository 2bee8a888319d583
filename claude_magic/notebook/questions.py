"""Lets a one-line prompt end in a question mark.

IPython takes any line that ends in ``?`` for a call for help, before it looks at magics, so
``%claude What is my name?`` would look for an object called `name`.
"""

from __future__ import annotations

import re

_QUESTION = re.compile(r"(?P<indent>\s*)%claude[ \t]+(?P<prompt>.*\?)\s*")
_TRIPLE_QUOTES = re.compile(r'"""|\'\'\'')


def keep_questions(lines: list[str]) -> list[str]:
    """Rewrite ``%claude …?`` lines as calls, as an input transformer of IPython.

    Parameters
    ----------
    lines
        The cell's lines, with their line ends.
    """
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
