"""Small tables of a kernel's conversations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from claude_magic.session import SHORTEST_ID, moment
from claude_magic.widgets import one_line

from .renderers import gate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from claude_magic.session import NamedSession, Record

#: So much of an id is shown; it is enough for `%claude_connect --resume`.
_ID_LENGTH = max(8, SHORTEST_ID)


@dataclass(frozen=True)
class Table:
    """Texts in rows and columns, for a notebook and for a terminal.

    Attributes
    ----------
    columns
        What stands above.
    rows
        As many texts each; no text of a prompt can break a row or steer a terminal.
    empty
        What is said where there is no row.
    """

    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    empty: str = ""

    def __repr__(self) -> str:
        if not self.rows:
            return self.empty
        lines = [self.columns, *(tuple(map(one_line, row)) for row in self.rows)]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        padded = (
            "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True))
            for line in lines
        )
        return "\n".join(line.rstrip() for line in padded)

    def _repr_html_(self) -> str:
        if not self.rows:
            return f"<p>{gate.line(self.empty)}</p>"
        body = "".join(_row("td", row) for row in self.rows)
        return f"<table><thead>{_row('th', self.columns)}</thead><tbody>{body}</tbody></table>"


def _row(kind: str, texts: tuple[str, ...]) -> str:
    # JupyterLab aligns the cells of tables to the right.
    cells = (
        f'<{kind} style="text-align: left">{gate.line(one_line(text))}</{kind}>' for text in texts
    )
    return f"<tr>{''.join(cells)}</tr>"


def sessions_table(sessions: Mapping[str, NamedSession]) -> Table:
    """Return the conversations of a kernel as a table."""
    rows = []
    for name, named in sessions.items():
        status = named.status
        rows.append(
            (
                name,
                str(status.state),
                str(status.turns),
                moment(status.used_s) if status.used_s is not None else "",
                _cost(status.paid_usd),
            ),
        )
    return Table(("name", "state", "turns", "last use", "cost"), rows)


def past_table(records: Sequence[Record], *, everywhere: bool) -> Table:
    """Return earlier conversations as a table, each with what `--resume` takes.

    Parameters
    ----------
    records
        What is known of them, in the order to show.
    everywhere
        Whether they may belong to several notebooks.
    """
    columns = ("id", "began with", "turns", "last use", "cost")
    rows = [
        (
            record.session_id[:_ID_LENGTH],
            record.title,
            str(record.turns),
            moment(record.used_s),
            _cost(record.cost_usd),
        )
        for record in records
    ]
    if not everywhere:
        return Table(columns, rows, "This notebook has no earlier conversation.")
    homes = [record.notebook or record.cwd or "" for record in records]
    return Table(
        (*columns, "where"),
        [(*row, home) for row, home in zip(rows, homes, strict=True)],
        "There is no earlier conversation.",
    )


def _cost(cost_usd: float) -> str:
    return f"${cost_usd:,.4f}" if cost_usd > 0 else ""
