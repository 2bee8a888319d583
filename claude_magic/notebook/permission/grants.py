"""What a conversation was allowed by a person."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

from claude_magic.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from .action import Action
    from .rules import Rule


class Grants:
    """What a person allowed "for this session". Any thread."""

    def __init__(self) -> None:
        self._rules: tuple[Rule, ...] = ()
        self._lock = Lock()

    @property
    def rules(self) -> tuple[Rule, ...]:
        """What is allowed, in the order in which it was."""
        return self._rules

    def allows(self, action: Action, cwd: Path) -> bool:
        """Return whether one of the rules covers an action."""
        return any(rule.allows(action, cwd) for rule in self._rules)

    def grant(self, rule: Rule) -> None:
        """Allow something from now on; doing it again is harmless."""
        with self._lock:
            if rule not in self._rules:
                self._rules = (*self._rules, rule)

    def revoke(self, which: int | str) -> Rule:
        """Take back what was allowed, and return it.

        Parameters
        ----------
        which
            The rule's number in `rules`, from 1, or its text.

        Raises
        ------
        UsageError
            If there is no such rule.
        """
        with self._lock:
            number = _number(which, self._rules)
            if number is None:
                listed = "; ".join(f"{n} {rule}" for n, rule in enumerate(self._rules, 1))
                raise UsageError(
                    f"Nothing of the kind {which!r} is allowed in this session. "
                    f"There is: {listed or 'nothing'}.",
                )
            revoked = self._rules[number - 1]
            self._rules = self._rules[: number - 1] + self._rules[number:]
            return revoked


def _number(which: int | str, rules: tuple[Rule, ...]) -> int | None:
    for number, rule in enumerate(rules, 1):
        if str(which) in {str(rule), str(number)}:
            return number
    return None
