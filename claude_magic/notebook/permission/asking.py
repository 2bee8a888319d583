"""The question whether a tool may run, where there is only text."""

from __future__ import annotations

import re
from enum import Enum
from typing import TYPE_CHECKING

from .question import visible

if TYPE_CHECKING:
    from collections.abc import Callable

    from .question import Question
    from .rules import Rule

#: An answer that cannot be understood is asked for so often; then it is no.
MAX_ATTEMPTS = 5

_NO = re.compile(r"no?(?:[\s:,;.-]+(?P<reason>.*))?", re.IGNORECASE | re.DOTALL)


class Choice(Enum):
    """What a person answered.

    Attributes
    ----------
    ONCE
        It may run now.
    SESSION
        It may run now, and what is like it in this conversation too.
    NO
        It must not run.
    STOP
        It must not run, and the turn ends.
    """

    ONCE = "once"
    SESSION = "session"
    NO = "no"
    STOP = "stop"


_WORDS = {
    "y": Choice.ONCE,
    "yes": Choice.ONCE,
    "once": Choice.ONCE,
    "s": Choice.SESSION,
    "session": Choice.SESSION,
    "q": Choice.STOP,
    "quit": Choice.STOP,
    "stop": Choice.STOP,
}


def ask_in_text(
    question: Question,
    read: Callable[[str], str],
    write: Callable[[str], None],
    rule: Rule | None = None,
) -> tuple[Choice, str]:
    """Ask a person, and return the choice with the reason for a no. On `read`'s thread.

    Nothing but a clear yes allows. What `read` raises goes through, but for the end of its input.

    Parameters
    ----------
    question
        What is asked; all of it is shown.
    read
        Shows a prompt and returns a line, such as `input`.
    write
        Shows a text and ends its line, such as `print`.
    rule
        What "for this session" stands for; it is said in the prompt. None offers no such choice.
    """
    write(question.title)
    # Behind the bar stands what the model wrote: none of it can pose as this question.
    write("\n".join(f"│ {line}" for line in question.body.split("\n")))
    if question.note:
        write(question.note)
    return choose(read, write, rule)


def choose(
    read: Callable[[str], str],
    write: Callable[[str], None],
    rule: Rule | None = None,
) -> tuple[Choice, str]:
    """Ask for a choice about what is shown already, and return it with the reason for a no.

    Parameters
    ----------
    read, write, rule
        As of `ask_in_text`.
    """
    session = f"[s]ession ({visible(str(rule), one_line=True)}), " if rule is not None else ""
    prompt = f"Run it? [y]es once, {session}[n]o, [q] stop: "
    for _ in range(MAX_ATTEMPTS):
        try:
            answer = read(prompt).strip()
        except EOFError:
            return Choice.NO, ""
        if not answer:
            return Choice.NO, ""
        choice = _WORDS.get(answer.lower())
        if choice is not None and (rule is not None or choice is not Choice.SESSION):
            return choice, ""
        refused = _NO.fullmatch(answer)
        if refused:
            return Choice.NO, (refused["reason"] or "").strip()
        letters = "y, s, n or q" if rule is not None else "y, n or q"
        write(f"Answer {letters}; a reason may follow n, as in: n: use the other file")
    return Choice.NO, ""
