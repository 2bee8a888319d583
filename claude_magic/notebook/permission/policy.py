"""What is asked by default, and what the answer may stand for."""

from __future__ import annotations

import glob
from typing import TYPE_CHECKING

from .action import RUN_PYTHON, Kind, is_spared
from .rules import SEARCH, Rule, domain_of
from .sensitive import is_obeyed, is_secret

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
    if action.objection or not action.is_known:
        return True
    if action.kind is Kind.KERNEL:
        return action.request.name == RUN_PYTHON
    if action.kind is not Kind.READ or not action.places:
        return True
    roots = _roots(cwd, extra_directories)
    if not _are_inside(action, roots):
        return True
    if any(is_secret(path, roots) for path in (*action.places, *action.spellings)):
        return True
    return action.is_tree and not is_spared(action)


def is_ordinary_edit(
    action: Action,
    cwd: Path,
    extra_directories: Iterable[Path] = (),
) -> bool:
    """Return whether ``acceptEdits`` covers an action. Any thread.

    It writes a file in the directories given that no program obeys and that holds no secret.

    Parameters
    ----------
    action, cwd, extra_directories
        As of `needs_consent`.
    """
    return (
        action.kind is Kind.EDIT
        and action.is_known
        and bool(action.places)
        and _are_inside(action, _roots(cwd, extra_directories))
        and not is_asked_each_time(action, cwd, extra_directories)
    )


def is_asked_each_time(
    action: Action,
    cwd: Path,
    extra_directories: Iterable[Path] = (),
) -> bool:
    """Return whether only the person's own words may allow an action beforehand. Any thread.

    It writes a file that some program executes or obeys, or one that is likely to hold a secret.

    Parameters
    ----------
    action, cwd, extra_directories
        As of `needs_consent`.
    """
    roots = _roots(cwd, extra_directories)
    return action.kind is Kind.EDIT and any(
        is_secret(path, roots) or is_obeyed(path, roots)
        for path in (*action.places, *action.spellings)
    )


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


def _roots(cwd: Path, extra_directories: Iterable[Path]) -> tuple[Path, ...]:
    given = [cwd, *(cwd / directory for directory in extra_directories)]
    return (*(root.resolve() for root in given), *given)


def _are_inside(action: Action, roots: tuple[Path, ...]) -> bool:
    return all(any(place.is_relative_to(root) for root in roots) for place in action.places)


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
