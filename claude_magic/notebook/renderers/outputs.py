"""The outputs of one cell, in their order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from IPython.display import display

from . import words
from .segments import joined

if TYPE_CHECKING:
    from collections.abc import Iterable

    from IPython.display import DisplayHandle

#: JupyterLab shows 50 outputs of a cell. From this many on, what comes next joins the last one
#: while that is shorter than so many characters, and twice as long with each further output.
ROOMY = 30
JOINED = 16_000


class _Output:
    """One output of the cell that can be rewritten in place, as a whole."""

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self._handle: DisplayHandle | None = None
        self._shown: dict[str, str] = {}

    @property
    def size(self) -> int:
        """The length of what it shows, in characters."""
        return len(self._shown.get("text/markdown", ""))

    def write(self) -> None:
        bundles = [part.bundle for part in self.parts if part.bundle.get("text/markdown")]
        # A text that is still being written has no plain form; then nor has the whole.
        kinds = [kind for kind in words.text_bundle("") if all(kind in each for each in bundles)]
        bundle = {kind: joined(each[kind] for each in bundles) for kind in kinds}
        if bundle == self._shown:
            return
        if self._handle is None:
            self._handle = display(bundle, raw=True, display_id=True)
        else:
            self._handle.update(bundle, raw=True)
        self._shown = bundle


class Part:
    """What is said in one place: an output of its own, or a part of one where there are many.

    Parameters
    ----------
    output
        Where it stands.

    Attributes
    ----------
    bundle
        What it shows.
    """

    def __init__(self, output: _Output) -> None:
        self.output = output
        self.bundle: dict[str, str] = {}
        output.parts.append(self)

    @property
    def size(self) -> int:
        """The length of all that is sent when this part changes, in characters."""
        return self.output.size

    def write(self, bundle: dict[str, str]) -> None:
        """Show a bundle in the place of the one before."""
        write_together([(self, bundle)])


def write_together(written: Iterable[tuple[Part, dict[str, str]]]) -> None:
    """Show bundles in the places of those before; an output that holds several is sent once."""
    outputs = {}
    for part, bundle in written:
        if bundle != part.bundle:
            part.bundle = bundle
            outputs[part.output] = True
    for output in outputs:
        output.write()


class Outputs:
    """The outputs of one cell, with a line of progress below them. Main thread only.

    Whatever comes next is written over the line of progress, so the cell does not jump.
    """

    def __init__(self) -> None:
        self._last: _Output | None = None
        self._count = 0
        self._progress: Part | None = None

    def next(self) -> Part:
        """Return the place for what comes next."""
        if self._last is not None and self._count >= ROOMY:
            room = JOINED << (self._count - ROOMY)
            if self._last.size < room:
                return Part(self._last)
        if self._progress is None:
            self._progress = self._new()
        part, self._progress = self._progress, None
        self._last = part.output
        return part

    def tell(self, progress: str) -> None:
        """Say where things stand, in a small line below all else."""
        if self._progress is None:
            self._progress = self._new()
        self._progress.write(words.aside_bundle(progress))

    def make_way(self, remark: str) -> None:
        """Let what others display stand below all so far, with a remark above it."""
        self.tell(remark)
        self._progress = self._last = None

    def _new(self) -> Part:
        self._count += 1
        return Part(_Output())
