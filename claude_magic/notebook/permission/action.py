"""What a tool call would do, and to what."""

from __future__ import annotations

import os
import re
import unicodedata
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from claude_magic.session import KERNEL_SERVER, PermissionRequest

from . import javascript
from .grep import is_sparing, sparing
from .sensitive import is_secret, names_secret
from .tool_arguments import are_known, are_plain

if TYPE_CHECKING:
    from collections.abc import Iterator

#: The tools of ours that look at the kernel and run code in it.
KERNEL_TOOLS = f"mcp__{KERNEL_SERVER}__"
RUN_PYTHON = f"{KERNEL_TOOLS}run_python"

_NO_NAME = re.compile("[\0\ud800-\udfff]")
#: Names that have no meaning in a glob but themselves.
_PLAIN_NAME = re.compile(r"[A-Za-z0-9._][A-Za-z0-9._-]*")


class Kind(str, Enum):
    """What a tool call does.

    Attributes
    ----------
    READ
        It looks at files.
    EDIT
        It writes a file.
    RUN
        It runs a command.
    WEB
        It goes to the web.
    KERNEL
        It runs code in this kernel, or looks at what is in it.
    OTHER
        Anything else, such as a tool that is not known here.
    """

    READ = "read"
    EDIT = "edit"
    RUN = "run"
    WEB = "web"
    KERNEL = "kernel"
    OTHER = "other"


#: Each known tool: what it does, and the argument that says to what.
_TOOLS = {
    "Read": (Kind.READ, "file_path"),
    "Glob": (Kind.READ, "path"),
    "Grep": (Kind.READ, "path"),
    "Edit": (Kind.EDIT, "file_path"),
    "Write": (Kind.EDIT, "file_path"),
    "NotebookEdit": (Kind.EDIT, "notebook_path"),
    "Bash": (Kind.RUN, "command"),
    "WebFetch": (Kind.WEB, "url"),
    "WebSearch": (Kind.WEB, "query"),
    RUN_PYTHON: (Kind.KERNEL, "code"),
}
KNOWN_TOOLS = frozenset(_TOOLS)

#: Those that look at all files below a directory.
_SEARCHES = frozenset({"Glob", "Grep"})


@dataclass(frozen=True, slots=True)
class Action:
    """What a tool call would do.

    Attributes
    ----------
    kind
        What it does.
    target
        To what: the file or directory as an absolute path without links, the command, the URL or
        the query, the code; the tool's name where it is of another kind.
    request
        The call as it is to run, which may differ from the call as it was made: its path has no
        links, so that one changed later changes nothing, and a Grep excludes secret-like files. It
        has to be answered ``Allow(action.request.arguments)``.
    places
        All files that a path may mean, without links: whoever opens it may take ``..`` before or
        after links. Nothing is certain of a path where there is none.
    spellings
        The same as they are written, with links.
    is_tree
        Whether it is about everything below the places.
    is_known
        Whether all its arguments are known here, and none changes the kind of the action.
    is_plain
        Whether no argument changes how it is done, such as in the background.
    objection
        Reason for refusing it, whatever is allowed; empty if there is none.
    """

    kind: Kind
    target: str
    request: PermissionRequest
    places: tuple[Path, ...] = ()
    spellings: tuple[Path, ...] = ()
    is_tree: bool = False
    is_known: bool = True
    is_plain: bool = True
    objection: str = ""


def action_of(request: PermissionRequest, cwd: Path) -> Action:
    """Say what a tool call would do. Any thread; looks at the disk for links.

    Parameters
    ----------
    request
        The call.
    cwd
        Where Claude Code runs: relative paths begin there.
    """
    action = _action_of(request, cwd)
    return replace(
        action,
        is_known=are_known(request),
        is_plain=are_plain(request),
        objection=_objection(request),
    )


def _action_of(request: PermissionRequest, cwd: Path) -> Action:
    name, arguments = request.name, request.arguments
    if name not in _TOOLS:
        kind = Kind.KERNEL if name.startswith(KERNEL_TOOLS) else Kind.OTHER
        return Action(kind, name, request)
    kind, key = _TOOLS[name]
    subject = arguments.get(key)
    if kind not in {Kind.READ, Kind.EDIT}:
        return Action(kind, subject if isinstance(subject, str) else "", request)
    if subject is None and name in _SEARCHES:
        subject = ""
    if not isinstance(subject, str) or (not subject and name not in _SEARCHES):
        return Action(kind, "", request, is_tree=name in _SEARCHES)
    if name == "Glob":
        subject = _searched(subject, arguments.get("pattern"))
    spellings = tuple(dict.fromkeys(_spellings(subject, cwd)))
    places = _resolved(spellings)
    target = str(places[0] if places else _shown(subject, cwd))
    if places and subject and name != "Glob":
        request = _without_links(request, key, spellings[0], places[0], cwd)
    is_tree = name in _SEARCHES
    if name == "Grep":
        request, is_tree = _limited(request, places, cwd)
    return Action(kind, target, request, places, spellings, is_tree)


def is_spared(action: Action) -> bool:
    """Return whether a search keeps away from what is likely to hold a secret. Any thread.

    A Glob tells no more than names, and may go anywhere that it does not name itself.
    """
    arguments = action.request.arguments
    if action.request.name == "Grep":
        pattern = arguments.get("glob")
        return isinstance(pattern, str) and is_sparing(pattern) and not names_secret(pattern)
    pattern = arguments.get("pattern")
    return isinstance(pattern, str) and not names_secret(pattern)


def _objection(request: PermissionRequest) -> str:
    key = {"Glob": "pattern", "Grep": "glob"}.get(request.name, "")
    pattern = request.arguments.get(key)
    if isinstance(pattern, str) and javascript.has_controls(pattern):
        return (
            f"The {key} {pattern!a} has control characters, which programs read differently. "
            "Write it with spaces, letters and signs only."
        )
    return ""


def _without_links(
    request: PermissionRequest,
    key: str,
    spelling: Path,
    place: Path,
    cwd: Path,
) -> PermissionRequest:
    """Name the file itself, so that a link which changes later leads nowhere else."""
    # A link above the working directory was there before the model was.
    below = spelling.relative_to(cwd) if spelling.is_relative_to(cwd) else spelling
    written = str(place)
    if place == cwd.resolve() / below or javascript.trim(_composed(written)) != written:
        return request
    return replace(request, arguments={**request.arguments, key: written})


def _limited(
    request: PermissionRequest,
    places: tuple[Path, ...],
    cwd: Path,
) -> tuple[PermissionRequest, bool]:
    """Limit a Grep to what it may find, and say whether that is everything below a directory.

    What is a file now may be a directory when Claude Code opens it, and the other way round.
    """
    pattern = request.arguments.get("glob")
    # Who consents to a search of .ssh is to see what is in it.
    after_secrets = _any_secret(places, cwd) or (isinstance(pattern, str) and names_secret(pattern))
    is_file = bool(places) and all(map(_is_file, places))
    name = places[0].name if places else ""
    is_tree = not is_file or bool(pattern) or _PLAIN_NAME.fullmatch(name) is None
    if pattern is not None and not isinstance(pattern, str):
        return request, is_tree
    glob = name if not is_tree else pattern or ""
    if not after_secrets:
        glob = sparing(glob)
    if glob == (pattern or ""):
        return request, is_tree
    return replace(request, arguments={**request.arguments, "glob": glob}), is_tree


def _searched(path: str, pattern: object) -> str:
    """Return the directory that a glob begins to search in, which Claude Code takes from both."""
    if not isinstance(pattern, str):
        return path
    parts = pattern.split("/")
    plain = next((n for n, part in enumerate(parts) if set(part) & set("*?[{")), len(parts))
    if ".." in parts[plain:] or javascript.trim(pattern).startswith("~"):
        return "/"  # anywhere
    start = "/".join(parts[:plain])
    if javascript.trim(pattern).startswith("/"):
        return javascript.trim(start) or "/"
    # The last part of a glob without a star is a file.
    return f"{path}/{start}" if path and start else path or start


def _spellings(text: str, cwd: Path) -> Iterator[Path]:
    """Yield the absolute paths that a text may mean, that of Claude Code first."""
    trimmed = _composed(javascript.trim(text))
    # ~ is the home of a process whose environment is not this one's, and JavaScript opens another
    # file than Python where the text is no Unicode: no place is certain.
    if not trimmed.startswith("~") and not _NO_NAME.search(text):
        for reading in (trimmed, text):
            written = os.path.join(cwd, reading)  # noqa: PTH118 - pathlib takes parts away
            yield Path(os.path.normpath(written))
            yield Path(written)


def _composed(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _resolved(spellings: tuple[Path, ...]) -> tuple[Path, ...]:
    # realpath leaves links that go round in circles alone; Path.resolve raises on some Pythons.
    return tuple(dict.fromkeys(Path(os.path.realpath(spelling)) for spelling in spellings))


def _any_secret(places: tuple[Path, ...], cwd: Path) -> bool:
    return any(is_secret(place, (cwd.resolve(), cwd)) for place in places)


def _is_file(place: Path) -> bool:
    try:
        return place.is_file()
    except OSError:
        return False


def _shown(text: str, cwd: Path) -> Path:
    trimmed = javascript.trim(text)
    if trimmed == "~" or trimmed.startswith("~/"):
        return Path(os.path.normpath(Path.home() / trimmed[2:]))
    return Path(os.path.normpath(cwd / trimmed))
