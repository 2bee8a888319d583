"""What became of the user's variables since Claude was last told."""

from __future__ import annotations

import types
import weakref
from typing import TYPE_CHECKING

from claude_magic.masking import is_secret

from .bounded import cut, visible
from .kinds import length_class, lineage, shape, type_name

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

#: The most that `Digest.update` returns, in bytes of UTF-8.
LIMIT_BYTES = 1000
#: Kept free for what is said of variables that do not fit.
_RESERVE_BYTES = 100
#: Longer names and types are cut, in characters.
_LONG = 80
_IPYTHON = frozenset({"In", "Out", "exit", "quit", "get_ipython", "open"})
_LEFT_OUT = {types.ModuleType, types.FunctionType, types.BuiltinFunctionType, types.MethodType}


class _Known:
    """What is remembered of a variable; nothing that keeps its value alive."""

    __slots__ = ("_identity", "_reference", "shape", "type")

    def __init__(self, name: str, value: object) -> None:
        self._identity = id(value)
        self._reference: weakref.ref[object] | None
        try:
            # An identity is given to another object once its own is gone.
            self._reference = weakref.ref(value)
        except TypeError:  # numbers, texts, built-in containers
            self._reference = None
        self.type = type_name(value)
        # How long a secret is exactly is nobody's business.
        self.shape = length_class(value) if is_secret(name) else shape(value)

    def became(self, value: object, now: _Known) -> bool:
        """Tell whether the variable holds something else by now."""
        if self._reference is None:
            same = self._identity == id(value)
        else:
            same = self._reference() is value
        return not same or (self.type, self.shape) != (now.type, now.shape)

    def __str__(self) -> str:
        sides = f", {self.shape}" if self.shape else ""
        return f"{self.type}{sides}"


class Digest:
    """Tells what changed in a namespace, and remembers what it told. Main thread only.

    It tells names, types and shapes, and no values. Names that begin with ``_``, modules,
    functions and IPython's own are left out. A list that was changed in place and is as long as
    before goes unnoticed.

    Parameters
    ----------
    hidden
        Further names that are never told.
    """

    def __init__(self, hidden: Collection[str] = ()) -> None:
        self._hidden = _IPYTHON.union(hidden)
        self._known: dict[str, _Known] = {}

    def update(self, namespace: Mapping[str, object]) -> str:
        """Return what is new, changed or gone since the last call; nothing is an empty text.

        Parameters
        ----------
        namespace
            The user's variables; none is kept alive.

        Returns
        -------
        str
            At most `LIMIT_BYTES` of UTF-8, the newest variables first. What does not fit is
            counted.
        """
        known: dict[str, _Known] = {}
        new, changed = [], []
        for name, value in list(namespace.items()):
            if not self._is_told(name, value):
                continue
            now = known[name] = _Known(name, value)
            before = self._known.get(name)
            if before is None:
                new.append(name)
            elif before.became(value, now):
                changed.append(name)
        gone = [name for name in self._known if name not in known]
        earlier, self._known = self._known, known
        return _told(
            {
                "New variables": (_entry(name, str(known[name])) for name in reversed(new)),
                "Changed": (_entry(name, _change(earlier[name], known[name])) for name in changed),
                "Gone": (_entry(name) for name in gone),
            },
            {"New variables": len(new), "Changed": len(changed), "Gone": len(gone)},
        )

    def _is_told(self, name: str, value: object) -> bool:
        return (
            type(name) is str
            and not name.startswith("_")
            and name not in self._hidden
            and _LEFT_OUT.isdisjoint(lineage(value))
        )


def _change(before: _Known, now: _Known) -> str:
    if before.type != now.type:
        return f"{now}; was {before}"
    if before.shape != now.shape:
        return f"{now}; was {before.shape}"
    return f"{now}; another object"


def _entry(name: str, about: str = "") -> str:
    # Masked, for a name can be anything that is an identifier.
    name = visible(cut(name, _LONG))
    return f"{name} ({visible(cut(about, 2 * _LONG))})" if about else name


def _told(sections: Mapping[str, Iterable[str]], counts: Mapping[str, int]) -> str:
    lines = []
    room = LIMIT_BYTES - _RESERVE_BYTES
    for title, entries in sections.items():
        count = counts[title]
        if not count:
            continue
        shown: list[str] = []
        room -= len(title) + 3
        for entry in entries:
            room -= len(entry.encode()) + 2
            if room < 0:
                break
            shown.append(entry)
        if len(shown) < count:
            room = 0  # what comes later is only counted, so that the count is all that is missing
            shown.append(f"{count - len(shown):,} more" if shown else f"{count:,}")
        lines.append(f"{title}: {', '.join(shown)}")
    return "\n".join(lines)
