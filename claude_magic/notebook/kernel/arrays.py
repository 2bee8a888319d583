"""A look at arrays of numpy, torch and those that are like them."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from claude_magic.masking import MASK, is_secret

from .bounded import cut
from .elements import cell, element
from .kinds import counted

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from .bounded import Page

#: Arrays are looked through for their range up to so many elements.
_COUNTED = 5_000_000
_VALUES = 10


def write_array(value: Any, page: Page, library: str) -> None:
    """Write the dtype, the range and a few values of an array. Within `attempt` only.

    Parameters
    ----------
    value
        Something with the shape and the arithmetic of an array.
    page
        Where to write.
    library
        Its outermost package, as ``numpy``.
    """
    if library == "torch":
        value = value.detach()
    shape = tuple(int(side) for side in value.shape)
    count = 1
    for side in shape:
        count *= side
    dtype = cut(str(value.dtype), 200)
    device = f", on {value.device}" if library == "torch" and str(value.device) != "cpu" else ""
    told = _range(value, count, dtype)
    page.add(f"dtype {dtype}{device}{f', {told}' if told else ''}")
    if not count:
        return
    names = getattr(value.dtype, "names", None)
    if not shape:
        page.add(f"value: {_records([value.item()], names)[0]}")
        return
    # The first row is a view; to flatten would copy what does not lie in one piece.
    row = value[(0,) * (len(shape) - 1)][:_VALUES].tolist()
    texts = _records(row, names)
    if len(shape) == 1 and count <= _VALUES:
        page.add(f"values: {', '.join(texts)}")
    else:
        where = "first values" if len(shape) == 1 else "first row begins"
        page.add(f"{where}: {', '.join(texts)}{', …' if shape[-1] > _VALUES else ''}")


def _records(values: list[Any], names: tuple[str, ...] | None) -> list[str]:
    if not names:
        return [cell(value, 60) for value in values]
    return [
        ", ".join(
            f"{name}={MASK if is_secret(name) else element(held, 40, 1)}"
            for name, held in zip(names, record, strict=False)
        ).join("()")
        for record in values
    ]


def _range(value: Any, count: int, dtype: str) -> str:
    plain = dtype.rpartition(".")[2].rstrip("0123456789")
    if not count or plain not in {"int", "uint", "float", "bfloat", "bool"}:
        return ""
    if count > _COUNTED:
        return f"range not looked for in {counted(count, 'element')}"
    with _no_warnings():
        if plain == "bool":
            return f"{int(value.sum()):,} of {count:,} True"
        nans = 0
        if plain in {"float", "bfloat"}:
            missing = value != value  # noqa: PLR0124 - NaN is what differs from itself
            nans = int(missing.sum())
            value = value[~missing] if nans else value
        told = f"{nans:,} NaN" if nans else ""
        if nans == count:
            return told
        # In double precision, so that small types neither overflow nor round.
        mean = float(value.double().mean() if hasattr(value, "double") else _mean(value))
        numbers = [f"min {_number(value.min())}", f"max {_number(value.max())}", f"mean {mean:.6g}"]
        return ", ".join([*numbers, told] if told else numbers)


def _mean(value: Any) -> Any:
    return value.mean(dtype="float64")


def _number(value: Any) -> str:
    number = value.item()
    return f"{number:.6g}" if type(number) is float else str(number)


def _no_warnings() -> AbstractContextManager[object]:
    numpy: Any = sys.modules.get("numpy")
    return numpy.errstate(all="ignore") if numpy else nullcontext()
