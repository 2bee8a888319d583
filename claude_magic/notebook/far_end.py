"""What answers in Claude's place in a kernel, or records what Claude answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from claude_magic.variables import Replaced

if TYPE_CHECKING:
    from collections.abc import Mapping

    from claude_magic.tape import Deck, Demo


class FarEnd:
    """Where all of a kernel talks to: the demo, a tape, or, with none of them, Claude.

    The kernel's own variables lead there, so that the models and sessions that code makes go
    there, too: a notebook on a tape must not ask the API behind its reader's back. Main thread
    only.

    Attributes
    ----------
    running
        The demo or the tape; None for Claude.
    """

    def __init__(self) -> None:
        self.running: Demo | Deck | None = None
        self._variables = Replaced()

    @property
    def outside(self) -> dict[str, str]:
        """The kernel's variables as they are without it: where a recording finds the API."""
        return self._variables.outside

    def replace(self, wanted: Demo | Deck | None, variables: Mapping[str, str]) -> list[str]:
        """Have something else answer, or Claude; what answered before is stopped.

        Returns the report of what answered before, if that was a recording.

        Parameters
        ----------
        wanted
            What answers from now on, and runs.
        variables
            Lead to it.
        """
        before = self.running
        if wanted is before:
            return []
        self._variables.put_back()
        if before is not None:
            before.stop()
        self.running = wanted
        self._variables.put(variables)
        return before.report() if before is not None else []
