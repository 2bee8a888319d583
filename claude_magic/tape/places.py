"""Folders of this machine, by the names that they have on a tape."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

#: Home directories of whomever, where they are not this person's.
_HOMES = re.compile(r"(?<![\w.])(?:/home|/Users)/[\w.-]+|[A-Z]:\\{1,2}Users\\{1,2}[\w.-]+")

_FEWEST_PARTS = 2


class Places:
    """Names folders, so that a tape tells nothing of a machine and plays on any other.

    Immutable; any thread may use it.

    Parameters
    ----------
    folder
        The notebook's folder, which is ``«folder»`` on a tape.
    """

    def __init__(self, folder: Path) -> None:
        known = {"«folder»": folder, "«home»": Path.home(), "«temp»": Path(tempfile.gettempdir())}
        self._paths = {name: str(path.absolute()) for name, path in known.items()}
        self._names: dict[str, str] = {}
        for name, path in known.items():
            for spelled in (path.absolute(), path.resolve()):
                # Everything lies below a root; it says nothing.
                if len(spelled.parts) >= _FEWEST_PARTS:
                    self._names.setdefault(str(spelled), name)
        longest_first = sorted(self._names, key=len, reverse=True)
        self._pattern = re.compile(
            rf"(?<![\w.])(?:{'|'.join(map(re.escape, longest_first))})(?![\w-]|\.\w)"
        )

    def named(self, text: str) -> str:
        """Return a text with names in the place of folders."""
        text = self._pattern.sub(lambda found: self._names[found[0]], text)
        return _HOMES.sub("«home»", text)

    def here(self, text: str) -> str:
        """Return a text of a tape with this machine's folders."""
        for name, path in self._paths.items():
            text = text.replace(name, path)
        return text
