"""What a tool call would do, and to what."""

from __future__ import annotations

import os
import re
import unicodedata
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from claude_magic.session import KERNEL_SERVER, PermissionRequest

from .sensitive import is_secret, is_sparing, names_secret, sparing

if TYPE_CHECKING:
    from collections.abc import Iterator

#: The tools of ours that look at the kernel and run code in it.
KERNEL_TOOLS = f"mcp__{KERNEL_SERVER}__"
RUN_PYTHON = f"{KERNEL_TOOLS}run_python"

#: What JavaScript's ``trim`` takes off the ends of a path.
_TRIMMED = "\t\n\v\f\r \xa0\u1680\u2028\u2029\u202f\u205f\u3000\ufeff" + "".join(
    map(chr, range(0x2000, 0x200B)),
)

_NO_NAME = re.compile("[\0\ud800-\udfff]")


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
        The call as it is to run. That of a Grep through a directory differs from what was asked: it
        leaves secret-like files out, so it has to be answered ``Allow(action.request.arguments)``.
    places
        All files that a path may mean, without links: whoever opens it may take ``..`` before or
        after links. Nothing is certain of a path where there is none.
    spellings
        The same as they are written, with links.
    is_tree
        Whether it is about everything below the places.
    """

    kind: Kind
    target: str
    request: PermissionRequest
    places: tuple[Path, ...] = ()
    spellings: tuple[Path, ...] = ()
    is_tree: bool = False


def action_of(request: PermissionRequest, cwd: Path) -> Action:
    """Say what a tool call would do. Any thread; looks at the disk for links.

    Parameters
    ----------
    request
        The call.
    cwd
        Where Claude Code runs: relative paths begin there.
    """
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
    # A file that is searched is read; what is no file may be a directory by then.
    is_tree = name in _SEARCHES and not (places and all(map(_is_file, places)))
    # Whoever consents to a search of .ssh is to see what is in it.
    if name == "Grep" and is_tree and not _any_secret(places, cwd):
        request = _sparing_secrets(request)
    target = str(places[0] if places else _shown(subject, cwd))
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


def _sparing_secrets(request: PermissionRequest) -> PermissionRequest:
    pattern = request.arguments.get("glob")
    if pattern is None:
        pattern = ""
    if not isinstance(pattern, str) or names_secret(pattern):
        return request
    return PermissionRequest(request.name, {**request.arguments, "glob": sparing(pattern)})


def _searched(path: str, pattern: object) -> str:
    """Return the directory that a glob begins to search in, which Claude Code takes from both."""
    if not isinstance(pattern, str):
        return path
    parts = pattern.split("/")
    plain = next((n for n, part in enumerate(parts) if set(part) & set("*?[{")), len(parts))
    if ".." in parts[plain:] or pattern.strip(_TRIMMED).startswith("~"):
        return "/"  # anywhere
    start = "/".join(parts[:plain])
    if pattern.strip(_TRIMMED).startswith("/"):
        return start.strip(_TRIMMED) or "/"
    # The last part of a glob without a star is a file.
    return f"{path}/{start}" if path and start else path or start


def _spellings(text: str, cwd: Path) -> Iterator[Path]:
    """Yield the absolute paths that a text may mean, that of Claude Code first."""
    trimmed = unicodedata.normalize("NFC", text.strip(_TRIMMED))
    # ~ is the home of a process whose environment is not this one's, and JavaScript opens another
    # file than Python where the text is no Unicode: no place is certain.
    if not trimmed.startswith("~") and not _NO_NAME.search(text):
        for reading in (trimmed, text):
            written = os.path.join(cwd, reading)  # noqa: PTH118 - pathlib takes parts away
            yield Path(os.path.normpath(written))
            yield Path(written)


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
    trimmed = text.strip(_TRIMMED)
    if trimmed == "~" or trimmed.startswith("~/"):
        return Path(os.path.normpath(Path.home() / trimmed[2:]))
    return Path(os.path.normpath(cwd / trimmed))
