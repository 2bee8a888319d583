"""Columns and rows of pandas, polars and numpy, where these are imported already.

Only classes of the libraries themselves are read: a subclass of the user's may run code.
"""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from .attributes import MRO, module_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    #: A name, and a call that reads the first values under it.
    Column: TypeAlias = tuple[object, Callable[[], list[object]]]

#: Columns, values and row labels looked at.
_COLUMNS = 400
_VALUES = 500
_LABELS = 200


def columns(value: Any) -> Iterator[Column] | None:
    """Return the columns and labelled rows of a table, or the fields of a structured array.

    Nothing but the first values of a column is copied, and only when it is read, so that a large
    table costs no more than a small one.

    Returns
    -------
    iterator
        The columns; None if the value is no table.
    """
    cls = type(value)
    module = module_of(cls)
    root = module.partition(".")[0] if type(module) is str else ""
    # Such classes make nothing of their own of what is called here.
    if root == "geopandas":
        root = "pandas"
    if root not in sys.modules:
        return None
    read = _READERS.get((root, cls.__name__))
    return read(value) if read else None


def scalar(value: Any) -> object:
    """Return a number of numpy as Python's own; any other value as it is."""
    if module_of(type(value)) == "numpy" and any(
        cls.__name__ == "number" for cls in MRO(type(value))
    ):
        return value.item()
    return value


def _pandas_frame(frame: Any) -> Iterator[Column]:
    for number, name in enumerate(frame.columns[:_COLUMNS].tolist()):
        yield name, partial(_pandas_values, frame.iloc, number)
    for number, label in enumerate(_labels(frame.index)):
        yield label, partial(_pandas_row, frame.iloc, number)


def _pandas_values(places: Any, number: int) -> list[object]:
    return list(places[:_VALUES, number].tolist())


def _pandas_row(places: Any, number: int) -> list[object]:
    return list(places[number, :_COLUMNS].tolist())


def _pandas_series(series: Any) -> Iterator[Column]:
    yield series.name, series.iloc[:_VALUES].tolist
    for number, label in enumerate(_labels(series.index)):
        yield label, partial(_one, series.iloc, number)


def _labels(index: Any) -> list[object]:
    return [] if type(index).__name__ == "RangeIndex" else list(index[:_LABELS].tolist())


def _one(places: Any, number: int) -> list[object]:
    return [places[number]]


def _polars_frame(frame: Any) -> Iterator[Column]:
    for name in frame.columns[:_COLUMNS]:
        yield name, frame.get_column(name).head(_VALUES).to_list


def _polars_series(series: Any) -> Iterator[Column]:
    yield series.name, series.head(_VALUES).to_list


def _array(array: Any) -> Iterator[Column]:
    for name in array.dtype.names or ():
        yield name, partial(_elements, array[name])
    if array.dtype.kind in "USOiu":
        yield "", partial(_elements, array)


def _elements(array: Any) -> list[object]:
    return [array.flat[number] for number in range(min(_VALUES, array.size))]


def _record(record: Any) -> Iterator[Column]:
    for name in record.dtype.names or ():
        yield name, partial(_one, record, name)


_READERS: dict[tuple[str, str], Callable[[Any], Iterator[Column]]] = {
    ("pandas", "DataFrame"): _pandas_frame,
    ("pandas", "GeoDataFrame"): _pandas_frame,
    ("pandas", "Series"): _pandas_series,
    ("pandas", "GeoSeries"): _pandas_series,
    ("polars", "DataFrame"): _polars_frame,
    ("polars", "Series"): _polars_series,
    ("numpy", "ndarray"): _array,
    ("numpy", "recarray"): _array,
    ("numpy", "void"): _record,
    ("numpy", "record"): _record,
}
