"""The cells that Claude proposes, where they go, and what becomes of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from IPython.display import display

from . import renderers
from .answers import fenced
from .front_end import FrontEnd
from .request import Target
from .wire import WireCell

if TYPE_CHECKING:
    from collections.abc import Sequence

    from IPython.core.interactiveshell import InteractiveShell

    from .kernel.history import CellHistory
    from .link import Link

#: So many proposals are remembered, the newest ones.
REMEMBERED = 50


@dataclass(frozen=True, slots=True)
class ProposedCell:
    """A cell that Claude proposes; nothing runs it but a person.

    Attributes
    ----------
    kind
        What it is.
    source
        Its text.
    replaces
        The front end's id of the cell that it would replace; None for a new one.
    """

    kind: Literal["code", "markdown"]
    source: str
    replaces: str | None = None


class Proposals:
    """The cells that Claude has proposed in one conversation. Main thread only.

    Parameters
    ----------
    shell
        The shell by whose front end they are inserted.
    history
        Knows what became of them.
    link
        Puts them into the notebook where the front end has our extension.
    """

    def __init__(self, shell: InteractiveShell, history: CellHistory, link: Link) -> None:
        self._shell = shell
        self._history = history
        self._link = link
        self._refused: list[ProposedCell] = []
        self._waiting: list[ProposedCell] = []
        self._made: list[ProposedCell] = []
        # The front end takes one text for a cell.
        self._placed = False

    def propose(self, cells: Sequence[ProposedCell]) -> None:
        """Keep cells until the turn has ended."""
        self._waiting += cells
        self._made = [*self._made, *cells][-REMEMBERED:]

    def insert(self, front_end: FrontEnd) -> None:
        """Put what is waiting below the cell that is running.

        A front end with our extension takes all. Another one takes one code cell, when the cell
        ends; the others are shown to be copied. A batch takes none.
        """
        cells, self._waiting = self._waiting, []
        if cells and front_end is FrontEnd.NOTEBOOK and self._offered(cells):
            self._placed = False
            return
        first = None
        if front_end is not FrontEnd.BATCH and not self._placed:
            first = next((cell for cell in cells if cell.kind == "code"), None)
        self._placed = False
        rest = [cell for cell in cells if cell is not first]
        if first is not None:
            self._shell.set_next_input(first.source)
        for cell in rest:
            language = "python" if cell.kind == "code" else "markdown"
            text = f"Proposed {cell.kind} cell:\n\n{fenced(cell.source, language)}"
            display(renderers.words.text_bundle(text), raw=True)

    def _offered(self, cells: Sequence[ProposedCell]) -> bool:
        def settle(number: int, accepted: bool) -> None:  # noqa: FBT001 - as the front end tells it
            if not accepted and 0 <= number < len(cells):
                self._refused.append(cells[number])

        return self._link.offer([_on_the_wire(cell) for cell in cells], settle)

    def drop(self) -> None:
        """Forget what is waiting, because the turn failed."""
        self._made = self._made[: len(self._made) - len(self._waiting)]
        self._waiting.clear()
        self._placed = False

    def place(self, code: str, target: Target, prompt: str) -> None:
        """Put the code of an answer where it was asked for.

        Parameters
        ----------
        code
            The code.
        target
            A new cell below, or the prompt's own.
        prompt
            Stands above the code as a comment where it takes the prompt's place.
        """
        if target is Target.BELOW:
            self.propose([ProposedCell("code", code)])
            return
        comment = "\n".join(f"# {line}".rstrip() for line in prompt.splitlines())
        self._shell.set_next_input(f"{comment}\n{code}", replace=True)
        self._placed = True

    def outcomes(self) -> list[str]:
        """Return a line for each cell proposed so far: what became of it."""
        runs = {run.source.strip(): run for run in self._history.recent(REMEMBERED)}
        lines = []
        for number, cell in enumerate(self._made, 1):
            if cell.kind == "markdown":
                continue
            run = runs.get(cell.source.strip())
            if run is None:
                outcome = "refused" if cell in self._refused else "not run"
            else:
                outcome = run.error or run.status
            where = f" (cell {run.cell_id})" if run is not None and run.cell_id else ""
            title = cell.source.strip().partition("\n")[0][:60]
            lines.append(f"proposed cell {number}, `{title}`: {outcome}{where}")
        return lines


def _on_the_wire(cell: ProposedCell) -> WireCell:
    """Return a cell as the front end gets it; a kernel that has died need not be asked again."""
    found: list[str] = []
    if cell.kind == "markdown":
        found = renderers.gate.findings(cell.source)
    cleaned = renderers.gate.local_markdown(cell.source) if found else cell.source
    return WireCell(
        kind=cell.kind, source=cell.source, replaces=cell.replaces, found=found, cleaned=cleaned
    )
