"""What Claude is told of the kernel with each prompt: what has changed since the last one."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING

from claude_magic import masking

from .kernel.digest import Digest

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from .cells import Proposals
    from .kernel.history import CellHistory

#: So much goes with a prompt at most, in bytes of UTF-8.
LIMIT_BYTES = 1024

#: The failed cell is looked for among this many, the one that asks included.
_RECENT = 10


class KernelContext:
    """What one conversation knows of the kernel. Main thread only.

    Parameters
    ----------
    shell
        The shell.
    history
        Knows the cells that were run.
    proposals
        The cells that Claude has proposed.
    """

    def __init__(
        self,
        shell: InteractiveShell,
        history: CellHistory,
        proposals: Proposals,
    ) -> None:
        self._shell = shell
        self._history = history
        self._proposals = proposals
        # What Claude knows, and what it will know by what was looked up last.
        self._digest = self._looked = Digest(shell.user_ns_hidden)
        self._told: set[str] = set()
        self._telling: set[str] = set()

    def told(self) -> str:
        """Return what has changed since `remember`: names and types, no values."""
        self._looked = copy(self._digest)
        variables = self._looked.update(self._shell.user_ns)
        self._telling = {*self._errors(), *self._proposals.outcomes()}
        news = sorted(self._telling - self._told)
        return _cut(masking.mask("\n".join(line for line in (variables, *news) if line)))

    def remember(self) -> None:
        """Take note that Claude was told what `told` returned last."""
        self._digest, self._told = self._looked, self._telling

    def _errors(self) -> list[str]:
        # The cell that asks is the newest one. A failed prompt is in the conversation already.
        before = [
            run
            for run in self._history.recent(_RECENT)
            if run.status != "running" and not run.is_own_failure
        ][-1:]
        return [f"cell [{run.number}] failed: {run.error}" for run in before if run.error]


def _cut(text: str) -> str:
    whole = text.encode()
    if len(whole) <= LIMIT_BYTES:
        return text
    return whole[: LIMIT_BYTES - 4].decode(errors="ignore") + " …"
