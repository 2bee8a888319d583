"""Paths that need a permission request of their own, whatever else is allowed.

Names are compared as the most forgiving file system would: without case, without characters that
some systems leave out of names, and in one Unicode form.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from . import file_names, javascript
from .obeyed_files import is_in_environment, is_obeyed_path
from .secret_files import FILES, FOLDERS, holds_secrets, is_secret_name

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Minimum of plain characters at the beginning of a glob that make it the name of something.
_TELLING = 2


def is_secret(path: Path, roots: Iterable[Path] = ()) -> bool:
    """Return whether a path is, by its name, likely to hold a secret. Any thread.

    Parameters
    ----------
    path
        An absolute path; the disk is not looked at.
    roots
        Directories that the person chose to work in: a project may be called ``credentials``, so
        that only the names below it count. ``.ssh`` and the like count wherever they are.
    """
    return holds_secrets(path.parts, len(path.parts) - len(_below(path, roots)))


def is_obeyed(path: Path, roots: Iterable[Path] = ()) -> bool:
    """Return whether some program obeys a file by itself, such as a hook of Git. Any thread.

    Parameters
    ----------
    path
        An absolute path; the disk is looked at for virtual environments.
    roots
        Directories that the person chose to work in; only the names below them count.
    """
    below = _below(path, roots)
    root = Path(*path.parts[: len(path.parts) - len(below)])
    return is_obeyed_path(below) or is_in_environment(path, root)


def names_secret(pattern: str) -> bool:
    """Return whether a glob is after files that are likely to hold a secret. Any thread.

    A glob that matches everything names nothing, nor does one that leaves out. Every branch of
    braces counts.
    """
    words = (word for word in javascript.words(pattern) if not word.startswith("!"))
    return any(
        _names_secret(name) for word in words for name in re.split(r"[/\\,{}]+", word) if name
    )


def _below(path: Path, roots: Iterable[Path]) -> tuple[str, ...]:
    inside = (path.relative_to(root).parts for root in roots if path.is_relative_to(root))
    # Of nested directories the outer one: the person has not chosen the names between them.
    return max(inside, key=len, default=path.parts)


def _names_secret(word: str) -> bool:
    name = file_names.visible(word)
    if word.startswith("!") or not re.sub(r"[*?\[\]]", "", name):
        return False
    # *password* is after what a file called password would be.
    if is_secret_name(name) or is_secret_name(re.sub(r"[*?]+", "", name)):
        return True
    name = name.casefold()
    # *.json would find a secrets.json too, but is not after it; a beginning tells more.
    if len(re.split(r"[*?\[]", name)[0]) < _TELLING:
        return False
    shortest = (pattern.replace("*", "") for pattern in FILES if pattern[0] != "*")
    return any(fnmatchcase(secret, name) for secret in (*shortest, *FOLDERS))
