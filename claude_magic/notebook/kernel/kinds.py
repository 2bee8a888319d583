"""What a value is, found out without running any code of the value's own.

A user's object may lie about its class, raise in every property or never come back from them. So
types are read through `type` itself, and lengths through the built-in classes.
"""

from __future__ import annotations

import sys
from collections import deque
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_MODULE: Callable[[type], Any] = type.__dict__["__module__"].__get__
_QUALNAME: Callable[[type], str] = type.__dict__["__qualname__"].__get__
_MRO: Callable[[type], tuple[type, ...]] = type.__dict__["__mro__"].__get__
_DICT: Callable[[type], dict[str, Any]] = type.__dict__["__dict__"].__get__

#: The built-in classes whose length is shown, and of what.
_SIZED: dict[type, str] = {
    **dict.fromkeys((str,), "character"),
    **dict.fromkeys((bytes, bytearray), "byte"),
    **dict.fromkeys((dict, list, tuple, set, frozenset, deque, range), "item"),
}


class Kind(Enum):
    """The kinds of values of known libraries that are looked at in a way of their own."""

    FRAME = "frame"
    SERIES = "series"
    ARRAY = "array"
    FIGURE = "figure"
    AXES = "axes"
    IMAGE = "image"


#: By the outermost package and the name of a class; subclasses count too.
_KINDS = {
    ("pandas", "DataFrame"): Kind.FRAME,
    ("pandas", "Series"): Kind.SERIES,
    ("polars", "DataFrame"): Kind.FRAME,
    ("polars", "Series"): Kind.SERIES,
    ("numpy", "ndarray"): Kind.ARRAY,
    ("torch", "Tensor"): Kind.ARRAY,
    ("jax", "Array"): Kind.ARRAY,
    ("jaxlib", "ArrayImpl"): Kind.ARRAY,
    ("cupy", "ndarray"): Kind.ARRAY,
    ("tensorflow", "EagerTensor"): Kind.ARRAY,
    ("matplotlib", "FigureBase"): Kind.FIGURE,
    ("matplotlib", "_AxesBase"): Kind.AXES,
    ("PIL", "Image"): Kind.IMAGE,
}


def lineage(value: object) -> tuple[type, ...]:
    """Return the true class of a value and the classes that it is made from."""
    return _MRO(type(value))


def class_attribute(value: object, name: str) -> Any:
    """Return what a class of a value defines under a name, unbound, or None."""
    for cls in lineage(value):
        if name in _DICT(cls):
            return _DICT(cls)[name]
    return None


def kind_of(value: object) -> tuple[Kind, str] | None:
    """Return the kind of a value and the library that it comes from, where it is a known one."""
    for cls in lineage(value):
        root = _module(cls).partition(".")[0]
        kind = _KINDS.get((root, _QUALNAME(cls)))
        if kind:
            return kind, root
    return None


def class_name(cls: type) -> str:
    """Return a class's name with its module, or with its library where that offers it."""
    module, name = _module(cls), _QUALNAME(cls)
    if module in {"builtins", "__main__"}:
        return name
    root = module.partition(".")[0]
    public = getattr(sys.modules.get(root), "__dict__", {}).get(name)
    return f"{root if public is cls else module}.{name}"


def type_name(value: object) -> str:
    """Return the name of a value's class: ``int``, ``pandas.DataFrame``."""
    return class_name(type(value))


def _module(cls: type) -> str:
    try:
        module = _MODULE(cls)
    except AttributeError:
        return "?"
    return module if type(module) is str else "?"


def length(value: object) -> tuple[int, str] | None:
    """Return the length of a built-in container or text, and of what; None for all else.

    The `__len__` of other classes is not called: it may ask a database.
    """
    for cls in lineage(value):
        unit = _SIZED.get(cls)
        if unit:
            return cls.__len__(value), unit  # type: ignore[attr-defined]
    return None


def length_class(value: object) -> str | None:
    """Return about how long a value is, where it may be a secret; None if it has no length."""
    sized = length(value)
    if sized is None:
        return None
    for least, most in ((1, 15), (16, 63), (64, 255)):
        if 0 < sized[0] <= most:
            return f"{least} to {most} {sized[1]}s"
    return "256 or more" if sized[0] else "empty"


def shape(value: object) -> str | None:
    """Return ``1000 × 12`` of arrays and frames, ``3 items`` of containers, or None."""
    sized = length(value)
    if sized:
        return counted(*sized)
    found = kind_of(value)
    if found is None:
        return None
    try:
        sides: Any = getattr(value, "size" if found[0] is Kind.IMAGE else "shape", ())
        return " × ".join(str(int(side)) for side in sides or ()) or None
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException:  # noqa: BLE001 - whatever a subclass makes of its shape
        return None


def size(value: object) -> str | None:
    """Return the memory that an array's or a frame's own buffers take, for a person to read."""
    found = kind_of(value)
    try:
        if found in {(Kind.FRAME, "pandas"), (Kind.SERIES, "pandas")}:
            used = value.memory_usage(index=True, deep=False)  # type: ignore[attr-defined]
            return human_bytes(int(used.sum() if found and found[0] is Kind.FRAME else used))
        if found in {(Kind.FRAME, "polars"), (Kind.SERIES, "polars")}:
            return human_bytes(int(value.estimated_size()))  # type: ignore[attr-defined]
        if found and found[0] is Kind.ARRAY:
            return human_bytes(int(value.nbytes))  # type: ignore[attr-defined]
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException:  # noqa: BLE001 - an old version, or a subclass that has it otherwise
        return None
    return None


def human_bytes(count: int) -> str:
    """Return a number of bytes in the unit that suits it: ``512 B``, ``9.4 kB``."""
    if count < 1000:  # noqa: PLR2004 - a kilobyte
        return f"{count} B"
    amount = float(count)
    for unit in ("kB", "MB", "GB"):
        amount /= 1000
        if amount < 999.95:  # noqa: PLR2004 - rounds to less than a thousand
            return f"{amount:.1f} {unit}"
    return f"{amount / 1000:,.1f} TB"


def counted(count: int, noun: str) -> str:
    """Return a number with its noun: ``1 item``, ``12,000 characters``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
