"""May a tool run? What it would do, what is allowed, and the question to a person.

Nothing here talks to anybody: it is what the ways of asking have in common. A tool call runs
unasked if `needs_consent` says no, or one of the rules of the cell or of the conversation's
`Grants` allows its `Action`; otherwise a person answers the `Question`.

A part is imported when it is needed: loading the extension asks nobody.
"""

from typing import TYPE_CHECKING

from claude_magic import lazily

if TYPE_CHECKING:
    from .action import Action, Kind, action_of
    from .asking import Choice, ask_in_text, choose
    from .grants import Grants
    from .policy import is_asked_each_time, is_ordinary_edit, needs_consent, rule_for
    from .question import Question, fenced, question_of, visible
    from .rules import Rule, parse_rules
    from .sensitive import is_obeyed, is_secret

__all__ = [
    "Action",
    "Choice",
    "Grants",
    "Kind",
    "Question",
    "Rule",
    "action_of",
    "ask_in_text",
    "choose",
    "fenced",
    "is_asked_each_time",
    "is_obeyed",
    "is_ordinary_edit",
    "is_secret",
    "needs_consent",
    "parse_rules",
    "question_of",
    "rule_for",
    "visible",
]

__getattr__ = lazily.exports(
    __name__,
    {
        "Action": "claude_magic.notebook.permission.action",
        "Choice": "claude_magic.notebook.permission.asking",
        "Grants": "claude_magic.notebook.permission.grants",
        "Kind": "claude_magic.notebook.permission.action",
        "Question": "claude_magic.notebook.permission.question",
        "Rule": "claude_magic.notebook.permission.rules",
        "action_of": "claude_magic.notebook.permission.action",
        "ask_in_text": "claude_magic.notebook.permission.asking",
        "choose": "claude_magic.notebook.permission.asking",
        "fenced": "claude_magic.notebook.permission.question",
        "is_asked_each_time": "claude_magic.notebook.permission.policy",
        "is_obeyed": "claude_magic.notebook.permission.sensitive",
        "is_ordinary_edit": "claude_magic.notebook.permission.policy",
        "is_secret": "claude_magic.notebook.permission.sensitive",
        "needs_consent": "claude_magic.notebook.permission.policy",
        "parse_rules": "claude_magic.notebook.permission.rules",
        "question_of": "claude_magic.notebook.permission.question",
        "rule_for": "claude_magic.notebook.permission.policy",
        "visible": "claude_magic.notebook.permission.question",
    },
)
