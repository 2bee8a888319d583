"""What is asked by default, and what a conversation was allowed since."""

from __future__ import annotations

import glob
from threading import Lock
from typing import TYPE_CHECKING

from claude_magic.errors import UsageError

from .action import RUN_PYTHON, Kind, is_spared
from .rules import SEARCH, Rule, domain_of
from .sensitive import is_secret

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from .action import Action


def needs_consent(action: Action, cwd: Path, extra_directories: Iterable[Path] = ()) -> bool:
    """Return whether a person is to be asked, where no rule allows it. Any thread.

    Only looking runs unasked: at files in the directories given, but for secret-like ones, and at
    the kernel.

    Parameters
    ----------
    action
        What would be done.
    cwd
        Where Claude Code runs.
    extra_directories
        Other directories that it may look into; relative ones are in `cwd`.
    """
    if action.kind is Kind.KERNEL:
        return action.request.name == RUN_PYTHON
    if action.kind is not Kind.READ or not action.places:
        return True
    given = [cwd, *(cwd / directory for directory in extra_directories)]
    roots = [root.resolve() for root in given]
    if not all(any(place.is_relative_to(root) for root in roots) for place in action.places):
        return True
    if any(is_secret(path, (*roots, *given)) for path in (*action.places, *action.spellings)):
        return True
    return action.is_tree and not is_spared(action)


def rule_for(action: Action, cwd: Path) -> Rule:
    """Return the narrowest rule that "for this session" may stand for. Any thread.

    It allows the action itself, unless its path is uncertain or it looks for secret-like files:
    those are asked for each time.

    Parameters
    ----------
    action
        What a person was asked about.
    cwd
        Where Claude Code runs.
    """
    if action.kind is Kind.KERNEL:
        return Rule(Kind.KERNEL)
    if action.kind is Kind.WEB:
        return _site_rule(action)
    if action.places:
        return _path_rule(action, cwd)
    return Rule.for_exactly(action.kind, action.target)


def _site_rule(action: Action) -> Rule:
    if action.request.name == "WebSearch":
        return Rule(Kind.WEB, SEARCH)
    domain = domain_of(action.target)
    # A host of that name is not what web:search is for.
    if domain is None or domain == SEARCH:
        return Rule(Kind.WEB, action.target, exact=True)
    return Rule(Kind.WEB, domain)


def _path_rule(action: Action, cwd: Path) -> Rule:
    place, root = action.places[0], cwd.resolve()
    if action.is_tree:
        return Rule(Kind.READ, _below(place, root, "**"))
    if action.kind is Kind.READ:
        directory = Rule(Kind.READ, _below(place.parent, root, "*"))
        if directory.allows(action, cwd):
            return directory
    return Rule.for_exactly(action.kind, _written(place, root))


def _below(directory: Path, root: Path, stars: str) -> str:
    written = "" if directory == root else _written(directory, root).rstrip("/") + "/"
    return glob.escape(written) + stars


def _written(place: Path, root: Path) -> str:
    """Return a path as a rule has it: without the working directory where that is clear."""
    if place != root and place.is_relative_to(root):
        relative = str(place.relative_to(root))
        if relative == relative.strip() and not relative.startswith("~"):
            return relative
    return str(place)


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
