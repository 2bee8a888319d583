"""Environment variables of this process, which more than one part of claude-magic reads or sets."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Names a tape, and maybe how it is used, for all kernels that inherit it: ``MODE:FILE``.
TAPE_VARIABLE = "CLAUDE_MAGIC_TAPE"


class Replaced:
    """Variables in the place of this process's own, until they are put back. Main thread only."""

    def __init__(self) -> None:
        self._before: dict[str, str | None] = {}

    @property
    def outside(self) -> dict[str, str]:
        """The variables as they are without those that were put in."""
        told = {**os.environ, **self._before}
        return {name: value for name, value in told.items() if value is not None}

    def put(self, variables: Mapping[str, str]) -> None:
        """Put variables in, in the place of what was put in before."""
        self.put_back()
        self._before = {name: os.environ.get(name) for name in variables}
        os.environ.update(variables)

    def put_back(self) -> None:
        """Have the process's own variables again; twice is harmless."""
        for name, value in self._before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        self._before = {}
