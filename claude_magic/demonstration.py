"""Runs a notebook for people to watch, and keeps what it showed."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

from .errors import ClaudeMagicError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from nbformat import NotebookNode

try:
    import nbclient
    import nbformat
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
    from nbconvert import HTMLExporter
    from nbformat.reader import NotJSONError
except ImportError as error:
    raise ClaudeMagicError(
        f"{error.name} is missing; it comes with `pip install 'claude-magic[demo]'`.",
    ) from error

#: A cell of a demonstration may take this long, in seconds: the first one starts Claude Code.
CELL_TIMEOUT_S = 120


class _Terminal:
    """Writes a conversation for a person to read; in colour where the terminal has any."""

    def __init__(self) -> None:
        self._colour = sys.stdout.isatty()

    def heading(self, text: str) -> None:
        self._write(f"\n{self._paint(text, '1')}\n")

    def spoken(self, speaker: str, text: str, colour: str) -> None:
        name = self._paint(f"{speaker:>8}", colour)
        for number, line in enumerate(text.strip().splitlines()):
            words = self._paint(line, colour) if not speaker else line
            self._write(f"{name if number == 0 else ' ' * 8}  {words}".rstrip() + "\n")

    def _paint(self, text: str, colour: str) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if self._colour else text

    def _write(self, text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()


def demonstrate(
    notebook: Path,
    output: Path | None,
    environment: Mapping[str, str],
    *,
    label: str,
    page: bool = True,
) -> None:
    """Run a notebook from start to end, print its conversation, and write it as executed.

    Parameters
    ----------
    notebook
        The notebook.
    output
        The folder for the executed notebook and the page, made if it is missing; None to write
        neither.
    environment
        The kernel's environment.
    label
        What answers in place of Claude.
    page
        Whether to write an HTML page too.

    Raises
    ------
    ClaudeMagicError
        If a cell fails; what was executed until then is written all the same.
    """
    terminal = _Terminal()
    try:
        document = nbformat.read(notebook, as_version=4)
    except (OSError, NotJSONError) as error:
        raise ClaudeMagicError(f"{notebook} is not a notebook: {error}") from error
    places = [place for place, cell in enumerate(document.cells) if cell.cell_type == "code"]

    def announce(cell: NotebookNode, cell_index: int) -> None:
        if cell_index in places:
            terminal.heading(f"[{places.index(cell_index) + 1}/{len(places)}]")
            terminal.spoken(*_prompt(cell.source))

    def report(cell: NotebookNode, **_: Any) -> None:
        for said in _shown(cell):
            terminal.spoken(*said)

    client = nbclient.NotebookClient(
        document,
        timeout=CELL_TIMEOUT_S,
        record_timing=False,
        # ipykernel warns that loopback is not encrypted, in the middle of the conversation.
        extra_arguments=["--IPKernelApp.log_level=ERROR"],
        resources={"metadata": {"path": str(notebook.parent)}},
        on_cell_start=announce,
        on_cell_executed=report,
    )
    terminal.heading(f"{notebook.name} · {label}")
    began = time.monotonic()
    failure: str | None = None
    try:
        client.execute(env=dict(environment))
    except CellExecutionError as error:
        failure = f"{error.ename}: {error.evalue}"
    except (CellTimeoutError, DeadKernelError) as error:
        failure = str(error)
    _forget_kernel(document)
    written = _write(document, notebook.stem, output, page=page) if output is not None else []
    if failure is not None:
        raise ClaudeMagicError(f"{notebook.name}: a cell failed: {failure}")
    terminal.heading(f"{len(places)} cells in {time.monotonic() - began:.1f} s")
    for path in written:
        terminal.spoken("wrote", str(path), "32")


def _forget_kernel(document: NotebookNode) -> None:
    """Leave out what only this kernel had: its Python's version, and widgets that are none."""
    document.metadata.pop("language_info", None)
    widgets = document.metadata.get("widgets", {})
    if all(not each.get("state") for each in widgets.values()):
        document.metadata.pop("widgets", None)


def _prompt(source: str) -> tuple[str, str, str]:
    """Return who speaks in a cell, what, and in which colour."""
    first, _, body = source.partition("\n")
    if first.startswith("%%claude"):
        return "you", body, "36"
    if first.startswith("%claude ") and not body:
        return "you", first.removeprefix("%claude "), "36"
    return "code", source, "33"


def _shown(cell: NotebookNode) -> list[tuple[str, str, str]]:
    """Return who speaks in a cell's outputs, what, and in which colour."""
    shown = []
    for output in cell.get("outputs", ()):
        data = output.get("data", {})
        if "text/markdown" in data:
            aside = data["text/markdown"].startswith(_ASIDES)
            text = data.get("text/plain", data["text/markdown"])
            shown.append(("", text, "2") if aside else ("claude", text, "35"))
        elif "text" in output:
            shown.append(("", output["text"], "0"))
        elif "text/plain" in data:
            shown.append(("", data["text/plain"], "0"))
    return shown


#: What the renderers begin with that is not the model's words: a footer, a tool's call.
_ASIDES = ("<sub>", "<details>")


def _write(document: NotebookNode, stem: str, output: Path, *, page: bool) -> list[Path]:
    output.mkdir(parents=True, exist_ok=True)
    executed = output / f"{stem}.ipynb"
    nbformat.write(document, executed)
    if not page:
        return [executed]
    html, _ = HTMLExporter().from_notebook_node(document)
    rendered = output / f"{stem}.html"
    rendered.write_text(html, encoding="utf-8")
    return [executed, rendered]
