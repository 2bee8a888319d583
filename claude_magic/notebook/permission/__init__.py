"""May a tool run? What it would do, what is allowed, and the question to a person.

Nothing here talks to anybody: it is what the ways of asking have in common. A tool call runs
unasked if `needs_consent` says no, or one of the rules of the cell or of the conversation's
`Grants` allows its `Action`; otherwise a person answers the `Question`.
"""

from .action import Action, Kind, action_of
from .asking import Choice, ask_in_text
from .policy import Grants, needs_consent, rule_for
from .question import Question, fenced, question_of, visible
from .rules import Rule, parse_rules

__all__ = [
    "Action",
    "Choice",
    "Grants",
    "Kind",
    "Question",
    "Rule",
    "action_of",
    "ask_in_text",
    "fenced",
    "needs_consent",
    "parse_rules",
    "question_of",
    "rule_for",
    "visible",
]
