"""What may run without a question, in the words of ``--allow``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from claude_magic.errors import UsageError

from .action import KERNEL_TOOLS, KNOWN_TOOLS, Kind, is_spared
from .sensitive import is_obeyed, is_secret

if TYPE_CHECKING:
    from pathlib import Path

    from .action import Action

#: What stands for searching the web, which has no domain.
SEARCH = "search"

_PATHS = frozenset({Kind.READ, Kind.EDIT})
_RULE = re.compile(r"\s*(?P<kind>[^\s:=]*)\s*(?:(?P<mark>[:=])(?P<pattern>.*))?", re.DOTALL)
_MAGIC = re.compile(r"[*?\[]")
_DOMAIN = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*")
# What makes more than one command of a command, in any shell; zsh runs code in parentheses too.
_CONTROL = re.compile(r"[;&|`<>()\x00-\x1f\x7f\x85\u2028\u2029]|\$\{")

_POSSIBLE = (
    "Possible are read, edit, run, web, kernel and other alone, or with what they are for, as in "
    "edit:src/**, read:/data/*.csv, run:git status, run:pytest *, web:docs.python.org, "
    "other:Agent; = in place of : takes the rest as it is written, and ,, stands for a comma."
)


@dataclass(frozen=True, slots=True)
class Rule:
    """Something that may run without a question. Its text is what `parse_rules` reads.

    Attributes
    ----------
    kind
        What may be done.
    pattern
        To what: a path with ``*`` and ``**``, a command that may end in `` *``, a domain, the name
        of a tool; None is everything of that kind.
    exact
        Whether nothing in the pattern has a meaning.
    """

    kind: Kind
    pattern: str | None = None
    exact: bool = False

    @classmethod
    def for_exactly(cls, kind: Kind, target: str) -> Rule:
        """Return the rule for one target, written with ``=`` only where it has to be."""
        if kind in _PATHS:
            plain = _MAGIC.search(target) is None and not target.endswith("/")
        elif kind is Kind.RUN:
            plain = "*" not in target
        else:
            plain = kind is Kind.OTHER
        return cls(kind, target, exact=not (plain and target == target.strip() and target))

    def __str__(self) -> str:
        if self.pattern is None:
            return self.kind.value
        return f"{self.kind.value}{'=' if self.exact else ':'}{self.pattern.replace(',', ',,')}"

    def allows(self, action: Action, cwd: Path) -> bool:
        """Return whether an action is covered. Any thread; looks at the disk for links in `cwd`.

        Paths are compared without links, so that none leads out of a pattern. A glob never covers
        a secret-like file, or one that some program obeys by itself: it has to be named. Only known
        arguments are covered, and of a command with a pattern only those in the foreground.

        Parameters
        ----------
        action
            What would be done.
        cwd
            Where relative patterns begin.
        """
        if action.kind is not self.kind or action.objection or not action.is_known:
            return False
        if self.pattern is None or not action.is_plain:
            return self.pattern is None
        if self.kind in _PATHS:
            return self._allows_path(self.pattern, action, (cwd.resolve(), cwd))
        if action.target == self.pattern and (self.exact or self.kind is not Kind.WEB):
            return True
        if self.exact or self.kind not in {Kind.RUN, Kind.WEB}:
            return False
        allows = _allows_command if self.kind is Kind.RUN else _allows_site
        return allows(self.pattern, action)

    def _allows_path(self, pattern: str, action: Action, roots: tuple[Path, Path]) -> bool:
        if not action.places:
            return False
        cwd = roots[0]
        if self.exact or _MAGIC.search(pattern) is None:
            named = cwd.joinpath(pattern)
            return not action.is_tree and all(place == named for place in action.places)
        if _has_to_be_named(action, roots):
            return False
        parts = [part for part in pattern.split("/") if part not in {"", "."}]
        places = action.places
        if action.is_tree:
            if not is_spared(action) or not _covers_all_below(parts):
                return False
            # If it matches anything in the tree by its end, it matches all that is in it.
            places = tuple(place / "-" for place in places)
        if pattern.startswith("/"):
            return all(_glob_matches(parts, place.parts[1:]) for place in places)
        return all(
            place.is_relative_to(cwd) and _glob_matches(parts, place.relative_to(cwd).parts)
            for place in places
        )


def parse_rules(text: str) -> tuple[Rule, ...]:
    """Read the value of ``--allow``: rules with commas between them. Any thread.

    Raises
    ------
    UsageError
        If one of them is impossible.
    """
    return tuple(
        _parse(written.replace(",,", ",")) for written in re.findall(r"(?:[^,]|,,)+", text)
    )


def domain_of(url: str) -> str | None:
    """Return the host of a web address, or None where readers of addresses may disagree on it."""
    # Browsers take \ for / and leave line ends out; before @ stands no host.
    if not url.isascii() or not url.isprintable() or re.search(r"[\\\s]", url):
        return None
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").removesuffix(".")
        _ = parts.port  # raises where it is no number
    except ValueError:
        return None
    if parts.scheme not in {"http", "https"} or "@" in parts.netloc:
        return None
    return host if _DOMAIN.fullmatch(host) else None


def _parse(written: str) -> Rule:
    found = _RULE.fullmatch(written)
    try:
        kind = Kind(found["kind"] if found else "")
    except ValueError:
        raise UsageError(f"{written.strip()!r} is no rule of what to allow. {_POSSIBLE}") from None
    mark, pattern = (found["mark"], found["pattern"]) if found else (None, None)
    if mark is None or pattern is None:
        return Rule(kind)
    if mark == ":":
        pattern = pattern.strip()
    objection = _objection(kind, pattern, exact=mark == "=")
    if objection:
        raise UsageError(f"{written.strip()!r} is no rule of what to allow: {objection}")
    return Rule(kind, pattern, exact=mark == "=")


def _objection(kind: Kind, pattern: str, *, exact: bool) -> str | None:
    """Say why there can be no such rule."""
    if kind is Kind.KERNEL:
        return "kernel stands alone: what Python does cannot be told from its text."
    if not pattern:
        return f"nothing follows; {kind.value} alone allows everything of that kind."
    if kind in _PATHS:
        return _path_objection(pattern, exact=exact)
    if kind is Kind.OTHER:
        return _tool_objection(pattern)
    if exact:
        return None
    return _command_objection(pattern) if kind is Kind.RUN else _site_objection(pattern)


def _tool_objection(pattern: str) -> str | None:
    if pattern in KNOWN_TOOLS or pattern.startswith(KERNEL_TOOLS):
        return f"{pattern} has a kind of its own. {_POSSIBLE}"
    return None


def _site_objection(pattern: str) -> str | None:
    if _DOMAIN.fullmatch(pattern.lower()):
        return None
    return (
        "web takes a domain, as in web:docs.python.org, and its subdomains with it; "
        f"web:{SEARCH} is for searching."
    )


def _path_objection(pattern: str, *, exact: bool) -> str | None:
    if pattern.startswith("~"):
        return "write the directory in place of ~."
    if ".." in pattern.split("/"):
        return "write the directory in place of ..; a path may begin with /."
    if pattern.endswith("/") and not exact:
        return f"{pattern}** is everything in that directory."
    return None


def _command_objection(pattern: str) -> str | None:
    beginning = pattern.removesuffix(" *")
    if "*" in beginning:
        return f"* stands at the end, behind a space. run={pattern} takes it as it is written."
    if beginning != pattern and _CONTROL.search(beginning):
        return "only one plain command can end in *."
    return None


def _allows_command(pattern: str, action: Action) -> bool:
    command, beginning = action.target, pattern.removesuffix(" *")
    if beginning == pattern or _CONTROL.search(command):
        return False
    return command == beginning or command.startswith(f"{beginning} ")


def _allows_site(pattern: str, action: Action) -> bool:
    domain = pattern.lower()
    if action.request.name == "WebSearch":
        return domain == SEARCH
    host = domain_of(action.target)
    if host is None or domain == SEARCH:
        return False
    if host == domain:
        return True
    # Nothing stands below a name without a dot, such as a whole country, or below a number.
    has_subdomains = "." in domain and not domain.rpartition(".")[2].isdigit()
    return has_subdomains and host.endswith(f".{domain}")


def _has_to_be_named(action: Action, roots: tuple[Path, Path]) -> bool:
    # A link called .env is as good as what it leads to.
    paths = (*action.places, *action.spellings)
    if action.kind is Kind.EDIT and any(is_obeyed(path, roots) for path in paths):
        return True
    return any(is_secret(path, roots) for path in paths)


def _covers_all_below(parts: list[str]) -> bool:
    return parts[-1:] == ["**"] or parts[-2:] == ["**", "*"]


def _glob_matches(pattern: list[str], parts: tuple[str, ...]) -> bool:
    """Return whether a path is one that a glob is for; ``**`` at its end needs something there."""
    reached = {0}
    for part in parts:
        following = set()
        for at in _with_skipped(pattern, reached):
            if at == len(pattern):
                continue
            if pattern[at] == "**":
                following |= {at, at + 1}
            elif fnmatchcase(part, pattern[at]):
                following.add(at + 1)
        reached = following
    return len(pattern) in reached


def _with_skipped(pattern: list[str], reached: set[int]) -> set[int]:
    """Return the positions with those behind each ``**``, which may stand for no directory."""
    positions = set()
    for start in reached:
        at = start
        positions.add(at)
        while at + 1 < len(pattern) and pattern[at] == "**":
            at += 1
            positions.add(at)
    return positions
