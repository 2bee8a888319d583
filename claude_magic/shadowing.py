"""Local files that would be imported in the place of claude-magic's dependencies.

In a kernel the working directory comes first in `sys.path`, so an ``anyio.py`` next to a notebook
is what ``import anyio`` runs, whoever imports it. This module finds such files before they run. It
imports nothing but the standard library.
"""

from __future__ import annotations

import os
import re
import sys
from contextlib import suppress
from importlib.machinery import PathFinder, all_suffixes
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def refuse_shadowed() -> None:
    """Check that no file of the working directory stands for a dependency of ours. Any thread.

    Takes a millisecond, and some more where a file has the name of anything that is installed. The
    standard library is not checked, nor folders that `sys.path` names otherwise.

    Raises
    ------
    ShadowedModuleError
        If there is one; it has not been run by us.
    """
    try:
        folder = os.path.realpath(os.getcwd())
    except OSError:
        return  # it is gone, and so is whatever was in it
    has_folder, behind = _behind_in_path(folder)
    if not has_folder:
        return
    for name, path in find_shadowing(folder, behind).items():
        from .errors import ShadowedModuleError  # noqa: PLC0415 - seldom needed

        raise ShadowedModuleError(name, path, was_run=_is_loaded_from(name, path))


def find_shadowing(folder: str, behind: list[str]) -> dict[str, str]:
    """Return the modules of a folder that stand for dependencies of ours: name → file.

    Parameters
    ----------
    folder
        The folder, which comes first where modules are looked for.
    behind
        The folders that come behind it.
    """
    local = dict(_modules_in(folder))
    found = {
        name: local[name]
        for name in local.keys() & _names_in(behind)
        if _hides(name, local[name], behind)
    }
    return {name: found[name] for name in sorted(found.keys() & _needed())} if found else {}


def _behind_in_path(folder: str) -> tuple[bool, list[str]]:
    """Return whether the working directory is in `sys.path`, and what comes behind it there."""
    is_folder = [
        entry == "" or (isinstance(entry, str) and os.path.realpath(entry) == folder)
        for entry in sys.path
    ]
    if True not in is_folder:
        return False, []
    first = is_folder.index(True)
    behind = zip(sys.path[first:], is_folder[first:], strict=True)
    return True, [entry for entry, is_it in behind if not is_it]


def _modules_in(folder: str) -> Iterator[tuple[str, str]]:
    """Yield the top-level modules of a folder, and the files that importing them would run."""
    suffixes = tuple(all_suffixes())
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return
    for entry in entries:
        name, dot, rest = entry.name.partition(".")
        if dot:
            if name.isidentifier() and f".{rest}" in suffixes:
                yield name, entry.path
        elif name.isidentifier():
            for suffix in suffixes:
                path = os.path.join(entry.path, f"__init__{suffix}")
                if os.path.isfile(path):
                    yield name, path
                    break


def _names_in(folders: list[str]) -> set[str]:
    """Return what modules in these folders may be called; other names are among them."""
    names: set[str] = set()
    for folder in folders:
        with suppress(OSError):  # no folder, such as a zip file
            names.update(entry.partition(".")[0] for entry in os.listdir(folder))
    return names


def _hides(name: str, path: str, behind: list[str]) -> bool:
    """Tell whether a local module is, or would be, imported in the place of an installed one."""
    if name in sys.modules and not _is_loaded_from(name, path):
        return False  # it comes too late
    spec = PathFinder.find_spec(name, behind)
    return (
        spec is not None
        and spec.origin is not None
        and os.path.realpath(spec.origin) != os.path.realpath(path)
    )


def _is_loaded_from(name: str, path: str) -> bool:
    file = getattr(sys.modules.get(name), "__file__", None)
    return isinstance(file, str) and os.path.realpath(file) == os.path.realpath(path)


def _needed() -> set[str]:
    """Return the top-level modules of all distributions that claude-magic depends on."""
    from importlib.metadata import PackageNotFoundError, distribution  # noqa: PLC0415 - seldom

    modules: set[str] = set()
    seen: set[str] = set()
    waiting = ["claude-magic"]
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if name in seen:
            continue
        seen.add(name)
        try:
            found = distribution(name)
        except PackageNotFoundError:
            continue  # for another platform
        modules |= {
            path.parts[0].partition(".")[0]
            for path in found.files or ()
            if path.suffix in {".py", ".so", ".pyd"} and path.parts[0] != ".."
        }
        waiting += [
            match.group()
            for requirement in found.requires or ()
            if "extra ==" not in requirement
            and (match := re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", requirement))
        ]
    return modules
