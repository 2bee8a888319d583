"""Terminals, as far as a turn needs them: one that can be rewritten, and one that cannot."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, Protocol, TextIO

from claude_magic.shadowing import refuse_shadowed

from .segments import SINGLE_BLOCKS, Segments

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
    from rich.live import Live
    from rich.segment import Segment

#: What grows is drawn at most this often, in seconds …
INTERVAL_S = 0.1

#: … and less often where it is longer than this, in characters: all of it is rendered each time.
SWIFT = 6_000

#: Controls would steer the terminal; bidirectional overrides would make text look like other text.
_CONTROLS = {
    code: None
    for codes in (
        range(9),
        range(11, 32),
        range(127, 160),
        range(0x202A, 0x202F),
        range(0x2066, 0x206A),
    )
    for code in codes
}


#: Text attributes and no colours: whoever chose those of the terminal can read them.
_STYLES = {
    "markdown.block_quote": "dim",
    "markdown.code": "bold",
    "markdown.code_block": "none",
    "markdown.h1": "bold underline",
    "markdown.h2": "bold underline",
    "markdown.h3": "bold",
    "markdown.h4": "bold italic",
    "markdown.item.number": "bold",
    "markdown.kbd": "bold",
    "markdown.link": "none",
    "markdown.link_url": "underline",
    "markdown.list": "none",
    "markdown.table.border": "dim",
    "markdown.table.header": "bold",
}


def harmless(text: str) -> str:
    """Return a text without what could steer a terminal; line ends and tabs stay."""
    return text.translate(_CONTROLS)


class Terminal(Protocol):
    """Where a turn is written. Main thread only."""

    def text(self, piece: str, block: int) -> None:
        """Write a piece of the model's Markdown."""

    def line(self, text: str) -> None:
        """Write lines that stand by themselves, below all text so far."""

    def aside(self, text: str) -> None:
        """Write a line that is less important."""

    def tell(self, progress: str) -> None:
        """Say where things stand, for as long as nothing else is written."""

    def settle(self) -> None:
        """Leave the terminal to others: nothing that was written will be touched again."""

    @property
    def due_s(self) -> float | None:
        """How long until `refresh` is wanted, in seconds; None while nothing waits."""

    def refresh(self) -> None:
        """Show what has been waiting."""


def open_terminal(file: TextIO | None = None) -> Terminal:
    """Return what stands behind a file; behind standard output if it is None."""
    file = file or sys.stdout
    if file.isatty() and os.environ.get("TERM") not in {"dumb", "unknown"}:
        return RichTerminal(file)
    return PlainTerminal(file)


class PlainTerminal:
    """A file, a pipe, a terminal that cannot move its cursor: Markdown as it is written.

    Parameters
    ----------
    file
        Where it is written.
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._block: int | None = None

    def text(self, piece: str, block: int) -> None:
        """Write a piece of the model's Markdown."""
        if self._block not in {None, block}:
            self._file.write("\n\n")
        self._block = block
        self._file.write(harmless(piece))
        self._file.flush()

    def line(self, text: str) -> None:
        """Write lines that stand by themselves, below all text so far."""
        self.settle()
        self._file.write(f"{harmless(text)}\n")
        self._file.flush()

    def aside(self, text: str) -> None:
        """Write a line that is less important."""
        self.line(f"[{text}]")

    def tell(self, progress: str) -> None:
        """Say nothing: it could not be taken back."""

    def settle(self) -> None:
        """End the line that is under way."""
        if self._block is not None:
            self._file.write("\n")
            self._file.flush()
            self._block = None

    @property
    def due_s(self) -> float | None:
        """Nothing waits: every piece is written as it comes."""
        return None

    def refresh(self) -> None:
        """Do nothing: every piece is written as it comes."""


class RichTerminal:
    """A terminal that shows Markdown: whole blocks for good, and below them the one under way.

    Only what fits the screen is ever rewritten, so an answer may be longer than it.

    Parameters
    ----------
    file
        Where it is written.
    clock
        What tells the time, in seconds.
    """

    def __init__(self, file: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        # rich takes 0.1 s to load, and only a conversation in a terminal needs it.
        refuse_shadowed()
        from rich.console import Console  # noqa: PLC0415
        from rich.theme import Theme  # noqa: PLC0415

        self._console = Console(
            file=file,
            force_jupyter=False,
            markup=False,
            emoji=False,
            highlight=False,
            theme=Theme(_STYLES),
        )
        self._clock = clock
        self._live: Live | None = None
        self._segments = Segments(SINGLE_BLOCKS)
        self._block: int | None = None
        self._printed = 0
        self._progress = ""
        self._waiting = False
        self._drawn_s = clock() - INTERVAL_S
        # Whether anything was written, and whether the last of it was Markdown: an empty line parts
        # that from whatever stands beside it.
        self._written = self._in_text = False

    def text(self, piece: str, block: int) -> None:
        """Write a piece of the model's Markdown."""
        if self._block not in {None, block}:
            self._finish_text()
        self._block = block
        self._progress = ""
        self._segments.feed(harmless(piece))
        self._waiting = True

    def line(self, text: str) -> None:
        """Write lines that stand by themselves, below all text so far."""
        self._write(text, "none")

    def aside(self, text: str) -> None:
        """Write a line that is less important."""
        self._write(f"[{text}]", "dim")

    def _write(self, text: str, style: str) -> None:
        from rich.text import Text  # noqa: PLC0415

        self.settle()
        if self._in_text:
            self._console.print()
        self._written, self._in_text = True, False
        self._console.print(Text(harmless(text), style), soft_wrap=True)

    def tell(self, progress: str) -> None:
        """Say where things stand, for as long as nothing else is written."""
        if self._block is None:
            self._progress = harmless(progress)
            self._waiting = True

    def settle(self) -> None:
        """Leave the terminal to others: nothing that was written will be touched again."""
        self._progress = ""
        self._waiting = False
        with self._console:
            self._finish_text()
            if self._live is not None:
                self._live.stop()
                self._live = None

    @property
    def due_s(self) -> float | None:
        """How long until something wants to be drawn, in seconds; None while nothing waits."""
        if not self._waiting:
            return None
        interval_s = INTERVAL_S * max(1, len(self._segments.open) / SWIFT)
        return max(0.0, self._drawn_s + interval_s - self._clock())

    def refresh(self) -> None:
        """Draw what has come since the last time."""
        from rich.live import Live  # noqa: PLC0415

        self._waiting = False
        if self._live is None:
            self._live = Live(
                console=self._console,
                auto_refresh=False,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
                vertical_overflow="visible",
            )
            self._live.start()
        with self._console:  # which writes all of it in one stroke, so that nothing flickers
            self._print(self._segments.closed)
            self._live.update(self._under_way(), refresh=True)
        self._drawn_s = self._clock()

    def _under_way(self) -> RenderableType:
        from rich.text import Text  # noqa: PLC0415

        if self._segments.open.strip():
            return _Tail(_Markdown(self._segments.open), above=self._written)
        return Text(self._progress, "dim", overflow="ellipsis", no_wrap=True)

    def _finish_text(self) -> None:
        """Write the text under way as it stays."""
        self._print(self._segments.pieces)
        self._segments.withdraw()
        self._printed = 0
        self._block = None

    def _print(self, pieces: Sequence[str]) -> None:
        """Write those of the pieces that are new, in the place of what is live."""
        if self._live is not None:
            self._live.update("", refresh=True)
        for piece in pieces[self._printed :]:
            if not piece.strip():
                continue
            if self._written:
                self._console.print()
            self._console.print(_Markdown(piece))
            self._written = self._in_text = True
        self._printed = len(pieces)


class _Markdown:
    """Markdown that cannot steer a terminal, not even by a character that it names."""

    def __init__(self, markdown: str) -> None:
        self._markdown = markdown

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.markdown import Markdown  # noqa: PLC0415
        from rich.segment import Segment  # noqa: PLC0415
        from rich.style import Style  # noqa: PLC0415
        from rich.syntax import ANSISyntaxTheme  # noqa: PLC0415

        theme = ANSISyntaxTheme({("Comment",): Style(dim=True), ("Keyword",): Style(bold=True)})
        # An address is shown in full: a link that hides it could lead anywhere.
        markdown = Markdown(self._markdown, hyperlinks=False)
        # rich passes it on as it is, and takes more than the names that it declares.
        markdown.code_theme = theme  # type: ignore[assignment]
        lines = console.render_lines(markdown, options.update(height=None), pad=False)
        while lines and _is_empty(lines[0]):
            lines.pop(0)
        while lines and _is_empty(lines[-1]):
            lines.pop()
        for line in lines:
            # rich fills lines up to the width, which breaks them when the window gets narrower.
            while line and not line[-1].text.strip():
                line.pop()
            for number, segment in enumerate(line):
                text = segment.text.rstrip() if number == len(line) - 1 else segment.text
                yield Segment(harmless(text), segment.style)
            yield Segment.line()


def _is_empty(line: list[Segment]) -> bool:
    return not "".join(segment.text for segment in line).strip()


class _Tail:
    """The last lines of something, as many as the screen holds.

    Parameters
    ----------
    whole
        What is shown the end of.
    above
        Whether an empty line parts it from what stands above it.
    """

    def __init__(self, whole: _Markdown, *, above: bool) -> None:
        self._whole = whole
        self._above = above

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.segment import Segment  # noqa: PLC0415

        lines = console.render_lines(self._whole, options.update(height=None), pad=False)
        # One line is left for the cursor, one for the empty line above.
        if self._above:
            yield Segment.line()
        for line in lines[-max(1, console.height - 2) :]:
            yield from line
            yield Segment.line()
