"""Values in one short line: elements of containers, cells of tables, results."""

from __future__ import annotations

import types
from collections import deque
from typing import TYPE_CHECKING, Any

from claude_magic import masking
from claude_magic.masking import MASK, is_secret

from .bounded import cut, failure, plain
from .kinds import class_attribute, class_name, counted, kind_of, length, lineage, shape, type_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: Containers in containers are opened so many times.
_DEPTH = 3
_BRACKETS: dict[type, tuple[str, str]] = {
    list: ("[", "]"),
    tuple: ("(", ")"),
    set: ("{", "}"),
    frozenset: ("{", "}"),
    deque: ("[", "]"),
}
#: Of longer texts only so much is looked at, in characters or bytes.
_LONGEST = 9000
#: Numbers that are larger take long to write, in bits.
_LARGEST = 4000


def element(value: Any, limit: int = 200, depth: int = _DEPTH) -> str:
    """Return a value in one line of about `limit` characters, secrets masked.

    It may take long where an object has a `__repr__` of its own: to be called within `attempt`.
    """
    classes = lineage(value)
    if str in classes or bytes in classes or bytearray in classes:
        return _quoted(value, limit)
    if int in classes and int.bit_length(value) > _LARGEST:
        return f"<{type_name(value)} of {int.bit_length(value):,} bits>"
    if is_container(value):
        left, right = _brackets(value)
        if depth <= 0:
            sized = length(value)
            return f"{left}… {counted(*sized)}{right}" if sized else f"{left}…{right}"
        return _joined(left, members(value, limit, depth), right, length(value), limit)
    return _other(value, limit)


def is_container(value: object) -> bool:
    """Tell whether `members` can look into a value."""
    classes = lineage(value)
    return dict in classes or any(cls in classes for cls in _BRACKETS) or bool(_fields(value))


def members(value: Any, limit: int = 200, depth: int = _DEPTH) -> Iterator[str]:
    """Write what a container holds, one by one; values of secret names are masked.

    Parameters
    ----------
    value
        A container, a dataclass or a named tuple. Only the built-in classes' own ways of
        iterating are used.
    limit
        About the most characters of each.
    depth
        How many containers in one another are opened.
    """
    classes = lineage(value)
    fields = _fields(value)
    if fields:
        for name in fields:
            try:
                held = object.__getattribute__(value, name)
            except AttributeError:
                continue
            yield f"{name}={_held(name, held, limit, depth)}"
    elif dict in classes:
        for key, held in dict.items(value):
            yield f"{element(key, 80, 1)}: {_held(key, held, limit, depth)}"
    else:
        cls: Any = next(cls for cls in _BRACKETS if cls in classes)
        pair = tuple.__len__(value) == 2 if cls is tuple else False  # noqa: PLR2004 - a pair
        before: object = None
        for member in cls.__iter__(value):
            yield _held(before if pair else None, member, limit, depth)
            before = member


def _held(name: object, value: object, limit: int, depth: int) -> str:
    if type(name) is bytes:
        name = name.decode("utf-8", "replace")
    if type(name) is str and len(name) < 200 and is_secret(name) and value is not None:  # noqa: PLR2004 - a name
        return MASK
    return element(value, limit, depth - 1)


def _brackets(value: object) -> tuple[str, str]:
    classes = lineage(value)
    if _fields(value):
        return f"{class_name(classes[0]).rpartition('.')[2]}(", ")"
    if dict in classes:
        left, right = "{", "}"
    else:
        left, right = next(found for cls, found in _BRACKETS.items() if cls in classes)
    if classes[0] in {dict, list, tuple, set}:
        return left, right
    return f"{class_name(classes[0]).rpartition('.')[2]}({left}", f"{right})"


def _fields(value: object) -> tuple[str, ...]:
    """Return the names of a dataclass's shown fields, or of a named tuple's."""
    fields = class_attribute(value, "__dataclass_fields__")
    if type(fields) is dict and type not in lineage(value):
        return tuple(name for name, field in fields.items() if getattr(field, "repr", False))
    names = class_attribute(value, "_fields") if tuple in lineage(value) else ()
    if type(names) is tuple and all(type(name) is str for name in names):
        return names
    return ()


def _joined(
    left: str,
    texts: Iterable[str],
    right: str,
    sized: tuple[int, str] | None,
    limit: int,
) -> str:
    shown: list[str] = []
    used = len(left) + len(right)
    for text in texts:
        if used + len(text) > limit and shown:
            left_out = f"… {sized[0] - len(shown):,} more" if sized else "…"
            shown.append(left_out)
            break
        shown.append(text)
        used += len(text) + 2
    return left + ", ".join(shown) + right


def _quoted(value: Any, limit: int) -> str:
    cls: Any = next(cls for cls in (str, bytes, bytearray) if cls in lineage(value))
    start = cls.__getitem__(value, slice(_LONGEST))
    text = repr(masking.mask(plain(start))) if cls is str else masking.mask(repr(bytes(start)))
    if len(text) <= limit and cls.__len__(value) <= _LONGEST:
        return text
    return f"{text[: max(1, min(limit - 2, len(text) - 1))]}…{text[-1]}"


def _other(value: Any, limit: int) -> str:
    classes = lineage(value)
    if type in classes:
        return f"<class {class_name(value)}>"
    if kind_of(value):
        # Their reprs show what stands in columns with secret names.
        sides = shape(value)
        return f"<{type_name(value)} {sides}>" if sides else f"<{type_name(value)}>"
    if types.FunctionType in classes:
        return f"<function {value.__qualname__}>"
    try:
        text = plain(repr(value))
    except BaseException as error:  # noqa: BLE001 - the other elements are worth showing
        return f"<its repr raised {failure(error)}>"
    return cut(" ".join(text.split()) if len(text) < _LONGEST else text, limit)


def cell(value: Any, limit: int) -> str:
    """Return an element of an array or a table; like `element`, but short numbers and times."""
    if type(value) is float:
        return f"{value:.6g}"
    if class_name(type(value)).partition(".")[0] in {"pandas", "datetime", "decimal"}:
        return cut(str(value), limit)
    return element(value, limit, 2)
