"""A look at data frames and series of pandas and polars."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from claude_magic.masking import MASK, is_secret

from .bounded import cut
from .elements import cell, element
from .kinds import counted, lineage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .bounded import Page

#: A table's columns are shown up to this width, in characters.
_WIDTH = 160
_CELL = 32
#: So many columns get a line each, more are grouped by their dtype, and that is as many as it goes.
_LISTED = 30
_LOOKED_AT = 400
#: Looking for missing values takes at most about a tenth of a second up to so many of them.
_COUNTED = 3_000_000


def write_frame(value: Any, page: Page, rows: int, library: str) -> None:
    """Write the columns of a data frame and its first rows. Within `attempt` only.

    Parameters
    ----------
    value
        A `DataFrame` of pandas or polars.
    page
        Where to write.
    rows
        How many rows to show at most.
    library
        ``pandas`` or ``polars``.
    """
    height, width = value.shape
    columns = [_column(value, number, library) for number in range(min(width, _LOOKED_AT))]
    names = [_label(column.name) for column in columns]
    index = _index(value, rows) if library == "pandas" else None
    if index and index.described:
        page.add(index.described)
    count_missing = library == "polars" or height * width <= _COUNTED
    page.add("columns:" if count_missing else "columns (too large to count what is missing):")
    missing = [_missing(column, library) if count_missing else 0 for column in columns]
    dtypes = [cut(str(column.dtype), 60) for column in columns]
    if width <= _LISTED:
        _list_columns(names, dtypes, missing, page)
    else:
        _group_columns(names, dtypes, missing, page)
    if width > len(columns):
        page.add(f"  … and {counted(width - len(columns), 'more column')}")
    shown = min(rows, height)
    if not shown or not width:
        return
    table = []
    if index:
        table.append(["", *index.labels])
    for name, column in zip(names, columns, strict=True):
        table.append([name, *_cells(column.name, _head(column, shown, library), index)])
        if sum(_width(cells) + 2 for cells in table) > _WIDTH:
            break
    fitting = len(table) - bool(index)
    of_columns = f", first {fitting} of {width:,} columns" if fitting < width else ""
    of_rows = f"first {shown} of {height:,} rows" if shown < height else "all rows"
    page.add(f"{of_rows}{of_columns}:")
    _write_table(table, page)


def _list_columns(
    names: Sequence[str], dtypes: Sequence[str], missing: Sequence[int], page: Page
) -> None:
    widest = max(map(len, names), default=0)
    for name, dtype, count in zip(names, dtypes, missing, strict=True):
        page.add(f"  {name:<{widest}}  {dtype}{f'  {count:,} missing' if count else ''}")


def _group_columns(
    names: Sequence[str], dtypes: Sequence[str], missing: Sequence[int], page: Page
) -> None:
    groups: dict[str, list[str]] = {}
    for name, dtype, count in zip(names, dtypes, missing, strict=True):
        text = f"{name} ({count:,} missing)" if count else name
        groups.setdefault(dtype, []).append(text)
    # Half the page is for the columns; every dtype gets the same share of it.
    share = max(100, page.room // (2 * len(groups)))
    for dtype, texts in groups.items():
        fitting, used = 0, 0
        while fitting < len(texts) and used < share:
            used += len(texts[fitting]) + 2
            fitting += 1
        left_out = len(texts) - fitting
        more = f", … {left_out:,} more" if left_out else ""
        page.add(f"  {dtype} ({len(texts):,}): {', '.join(texts[:fitting])}{more}")


def write_series(value: Any, page: Page, rows: int, library: str) -> None:
    """Write what a series consists of, and its first values. Within `attempt` only."""
    height = len(value)
    missing = _missing(value, library) if library == "polars" or height <= _COUNTED else 0
    called = f"named {_label(value.name)}, " if value.name not in {None, ""} else ""
    page.add(f"{called}dtype {value.dtype}{f', {missing:,} missing' if missing else ''}")
    index = _index(value, rows) if library == "pandas" else None
    if index and index.described:
        page.add(index.described)
    shown = min(rows, height)
    if shown:
        page.add(f"first {shown} of {height:,}:" if shown < height else "all values:")
        table = [index.labels] if index else []
        _write_table([*table, _cells(value.name, _head(value, shown, library), index)], page)


class _Index:
    """The labels of the first rows of a pandas object."""

    def __init__(self, described: str, labels: list[str], secrets: list[bool]) -> None:
        self.described = described
        self.labels = labels
        self.secrets = secrets


def _index(value: Any, rows: int) -> _Index:
    index = value.index
    names = [str(name) for name in index.names if name is not None]
    held = index[:rows].tolist()
    withheld = any(map(is_secret, names))
    labels = [MASK if withheld else _cell(label) for label in held]
    # A row may be named like a column elsewhere.
    secrets = [type(label) is str and is_secret(label[:200]) for label in held]
    kind = lineage(index)[0].__name__
    if kind == "RangeIndex" and not names:
        return _Index("", labels, secrets)
    named = f" {', '.join(map(_label, names))}" if names else ""
    return _Index(f"index:{named} ({kind}, {cut(str(index.dtype), 60)})", labels, secrets)


def _column(frame: Any, number: int, library: str) -> Any:
    # By place, for names may occur twice.
    return frame.iloc[:, number] if library == "pandas" else frame.to_series(number)


def _head(column: Any, rows: int, library: str) -> list[object]:
    head = column.head(rows)
    return list(head.tolist() if library == "pandas" else head.to_list())


def _missing(column: Any, library: str) -> int:
    return int(column.null_count() if library == "polars" else column.isna().sum())


def _label(name: object) -> str:
    return cut(" ".join(name.split()), _CELL) if type(name) is str else element(name, _CELL, 1)


def _cells(name: object, values: Sequence[object], index: _Index | None) -> list[str]:
    # A name may be a tuple of several levels.
    if is_secret(str(name)):
        return [MASK] * len(values)
    secrets = index.secrets if index else [False] * len(values)
    return [MASK if secret else _cell(value) for value, secret in zip(values, secrets, strict=True)]


def _cell(value: Any) -> str:
    text = cell(value, _CELL)
    return text[1:-1] if type(value) is str else text


def _width(cells: Sequence[str]) -> int:
    return max(map(len, cells))


def _write_table(columns: Sequence[Sequence[str]], page: Page) -> None:
    widths = [_width(column) for column in columns]
    for row in zip(*columns, strict=True):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        page.add("  " + "  ".join(cells).rstrip())
