"""The table of a run, and its places in the documentation."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

from .chart import draw
from .machine import machine

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .figures import Figure, Report

_ROOT = Path(__file__).parents[1]

_CHART = """\
![Two charts: the time per turn of one conversation for a process per cell, for %%claude, for the
bare client and for plain HTTP; and the memory of sessions](images/benchmarks.svg)
"""

_HEAD = ("figure", "ours", "measured against", "ratio", "plain HTTP", "goal", "met")


def table(figures: Sequence[Figure]) -> str:
    """Return figures as a Markdown table."""
    return _rows(_HEAD, (figure.cells() for figure in figures))


def write(report: Report, *, reduced: bool) -> None:
    """Put a run's table, and its chart, where the documentation shows them.

    Parameters
    ----------
    report
        What was measured.
    reduced
        Whether it was measured less often than in full, which is then said.
    """
    counts = " A short run, with few repetitions." if reduced else ""
    day = time.strftime("%Y-%m-%d", time.gmtime())
    told = f"Measured on {day}, {machine()}.{counts}\n\n"
    told += f"{table(report.figures)}\n{_CHART}"
    _replace(_ROOT / "docs" / "benchmarks.md", told)
    draw(report, _ROOT / "docs" / "images" / "benchmarks.svg")
    short = [figure.brief() for figure in report.figures if figure.headline]
    _replace(_ROOT / "README.md", _rows(("figure", "measured", "goal", "met"), short))


def _rows(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return "".join(f"| {' | '.join(row)} |\n" for row in (head, ["---"] * len(head), *rows))


def _replace(path: Path, text: str) -> None:
    """Put a text between the marks of a page."""
    begin, end = "<!-- benchmarks -->", "<!-- /benchmarks -->"
    page = path.read_text(encoding="utf-8")
    block = re.compile(f"{begin}.*?{end}", re.DOTALL)
    if not block.search(page):
        raise ValueError(f"{path.name} has no place for the table: put {begin} {end} into it")
    path.write_text(
        block.sub(lambda _: f"{begin}\n\n{text}\n{end}", page, count=1),
        encoding="utf-8",
    )
