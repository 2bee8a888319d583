"""Walk through namespaces that finds the values behind secret names."""

from __future__ import annotations

import json
import re
import sys
import time
import types
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from . import attributes
from .columns import columns, scalar
from .pair_names import is_key_name, is_value_name
from .secret_names import DIRECTORIES, is_password, is_secret, words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

#: Bounds of one walk: containers in one another, members of one container, members in all, and
#: seconds. A walk that reaches one ends; the next one begins at the variables again.
MAX_DEPTH = 8
MAX_MEMBERS = 1000
MAX_NODES = 100_000
MAX_SECONDS = 0.2
#: Longer names and texts are not looked at, in characters.
_LONGEST_NAME = 200
_LONGEST_URL = 4096
_LONGEST_BYTES = 10_000
_LONGEST_JSON = 20_000
#: A list of more words than this is data, not a few passwords.
_FEW = 50

_URL_PASSWORD = re.compile(r"://[^\s:/@\"'<>]{0,200}:([^\s\"'<>]{1,200})@")
_FIELD_PASSWORD = re.compile(r"(?:^|;)\s*(?:password|pwd)\s*=\s*([^;]{1,200})", re.IGNORECASE)
_SCHEME = re.compile(r"(?:Basic|Bearer|Digest|Token|Negotiate|ApiKey)\s+", re.IGNORECASE)
_CONTAINERS = (list, tuple, set, frozenset, deque)
_PLAIN = frozenset({float, bool, type(None), complex, range, slice, types.BuiltinFunctionType})
_PAIR = 2
#: Names of what is written next to a secret and is none.
_HARMLESS = words(
    "user username user_name login account host hostname server port url uri endpoint database db "
    "dbname schema driver name type kind email region scope scopes expires expiry expires_in "
    "token_type algorithm",
)


@dataclass(frozen=True, slots=True)
class SecretValue:
    """Value found behind a secret name.

    Attributes
    ----------
    value
        The value: a text, bytes, or an integer.
    is_password
        Whether the name is one of a password, so that a plain word may be the secret.
    """

    value: str | bytes | int
    is_password: bool


#: How the name of a value was judged: no secret, a secret, a password.
_NO, _YES, _PASSWORD = 0, 1, 2


class NamespaceWalk:
    """Breadth-first walk through variables, containers, objects, classes, functions and tables.

    No code of a value or of its class runs: no property, `__getattr__`, `__repr__`, `__iter__` or
    `__eq__`. Tables are read through their library. Each instance is for one walk.

    Parameters
    ----------
    *namespaces
        Values by their names.
    """

    def __init__(self, *namespaces: Mapping[str, object]) -> None:
        self._namespaces = namespaces
        self._found: list[SecretValue] = []
        self._queue: deque[tuple[object, int, int]] = deque()
        # By identity and judgement; the values are kept alive so that none is used again.
        self._seen: set[tuple[int, bool]] = set()
        self._alive: list[object] = []
        self._nodes = 0
        self._slots: dict[type, dict[str, types.MemberDescriptorType]] = {}
        # By a class that a value's own is made from; the first one counts.
        self._ways: tuple[tuple[type, Callable[[Any, int, int], None]], ...] = (
            (str, self._open_text),
            (bytes, self._open_bytes),
            (bytearray, self._open_bytearray),
            (int, self._open_int),
            (dict, self._open_dict),
            *((cls, self._open_members) for cls in _CONTAINERS),
            (types.MappingProxyType, self._open_proxy),
            (type, self._open_class),
            (types.ModuleType, self._open_module),
            (types.FunctionType, self._open_function),
        )

    def secrets(self) -> list[SecretValue]:
        """Return what was found within the bounds."""
        deadline = time.monotonic() + MAX_SECONDS
        for namespace in self._namespaces:
            for name, value in list(namespace.items()):
                self._visit(name, value, 0, _NO)
        while self._queue and self._nodes < MAX_NODES and time.monotonic() < deadline:
            value, depth, judged = self._queue.popleft()
            try:
                self._open(value, depth, judged)
            except Exception:  # noqa: BLE001, S112 - changed by a thread, or a library's own failure
                continue
        return self._found

    def _visit(self, name: object, value: object, depth: int, judged: int) -> None:
        """Look at one value and the name that it has in its container."""
        self._nodes += 1
        cls = type(value)
        if cls in _PLAIN:
            return
        judged = _judge(name, judged)
        if judged and cls in {str, int} and _is_harmless(name):
            judged = _NO
        if cls is str:
            self._take_text(value, judged)  # type: ignore[arg-type]
        elif cls is int:
            self._take(value, judged)  # type: ignore[arg-type]
        elif depth <= MAX_DEPTH:
            key = id(value), bool(judged)
            if key not in self._seen:
                self._seen.add(key)
                self._alive.append(value)
                self._queue.append((value, depth, judged))

    def _take_text(self, text: str, judged: int) -> None:
        if judged:
            text = text.strip()
            scheme = _SCHEME.match(text)
            text = text[scheme.end() :] if scheme else text
            self._take(text, judged)
            if text[:1] in {"{", "["} and len(text) <= _LONGEST_JSON:
                with suppress(ValueError, RecursionError):
                    self._visit("", json.loads(text), 0, judged)
        if len(text) > _LONGEST_URL:
            return
        if "://" in text and "@" in text:
            for password in _URL_PASSWORD.findall(text):
                self._take(password, _PASSWORD)
                self._take(unquote(password), _PASSWORD)
        elif ";" in text and "=" in text:
            for password in _FIELD_PASSWORD.findall(text):
                self._take(password.strip(), _PASSWORD)

    def _open(self, value: Any, depth: int, judged: int) -> None:
        lineage = attributes.MRO(type(value))
        for cls, look in self._ways:
            if cls in lineage:
                look(value, depth, judged)
                return
        table = columns(value)
        number = scalar(value)
        if table is not None:
            self._open_table(table, depth, judged)
        elif number is not value:
            self._visit("", number, depth, judged)
        elif judged and type(value) is getattr(sys.modules.get("uuid"), "UUID", None):
            self._take(str(value), judged)
        else:
            self._open_object(value, depth, judged)

    def _take(self, value: str | bytes | int, judged: int) -> None:
        if judged:
            self._found.append(SecretValue(value, is_password=judged == _PASSWORD))

    def _open_text(self, value: Any, _depth: int, judged: int) -> None:
        self._take_text(str.__getitem__(value, slice(None)), judged)

    def _open_bytes(self, value: Any, _depth: int, judged: int) -> None:
        self._take(bytes.__getitem__(value, slice(_LONGEST_BYTES)), judged)

    def _open_bytearray(self, value: Any, _depth: int, judged: int) -> None:
        self._take(bytes(bytearray.__getitem__(value, slice(_LONGEST_BYTES))), judged)

    def _open_int(self, value: Any, _depth: int, judged: int) -> None:
        self._take(int.__index__(value), judged)

    def _open_dict(self, value: Any, depth: int, judged: int) -> None:
        self._open_items(dict.items(value), depth, judged)
        self._open_object(value, depth, judged)

    def _open_proxy(self, value: Any, depth: int, judged: int) -> None:
        for held in attributes.proxied(value):
            self._visit("", held, depth, judged)

    def _open_module(self, value: Any, depth: int, _judged: int) -> None:
        # Of a module only its own texts: a package leads everywhere.
        if depth == 0 and attributes.is_users(attributes.module_name(value)):
            texts = [each for each in attributes.module_items(value) if type(each[1]) is str]
            self._open_named(texts, depth, _NO)

    def _open_function(self, value: Any, depth: int, _judged: int) -> None:
        self._open_named(attributes.arguments(value), depth, _NO)
        self._open_object(value, depth, _NO)

    def _open_class(self, cls: Any, depth: int, _judged: int) -> None:
        if attributes.is_users(attributes.module_of(cls)):
            self._open_named(attributes.class_items(cls), depth, _NO)

    def _open_members(self, value: Any, depth: int, judged: int) -> None:
        self._nodes += 10
        cls: Any = next(each for each in _CONTAINERS if each in attributes.MRO(type(value)))
        held = list(islice(cls.__iter__(value), MAX_MEMBERS))
        names = _field_names(value)
        if names:
            self._open_named(zip(names, held, strict=False), depth, judged)
            return
        self._open_object(value, depth, judged)
        if len(held) == _PAIR and type(held[0]) is str and type(value) in {tuple, list}:
            self._visit(held[0], held[1], depth + 1, judged)
        if judged == _PASSWORD and len(held) > _FEW:
            judged = _YES
        for member in held:
            # Most members of large lists are numbers.
            if type(member) not in _PLAIN and (judged or type(member) is not int):
                self._visit("", member, depth + 1, judged)

    def _open_items(self, items: Iterable[tuple[object, object]], depth: int, judged: int) -> None:
        self._nodes += 10
        held = [
            (name, value)
            for name, value in islice(items, MAX_MEMBERS)
            if type(value) not in _PLAIN and (judged or type(name) is str or type(value) is not int)
        ]
        self._open_named(held, depth, judged)
        if len(held) > 1:
            self._open_pairs([(name, value) for name, value in held if type(name) is str], depth)

    def _open_named(self, items: Iterable[tuple[object, object]], depth: int, judged: int) -> None:
        for name, value in items:
            self._visit(name, value, depth + 1, judged)

    def _open_pairs(self, items: list[tuple[str, object]], depth: int) -> None:
        """Look at records like ``{"name": "password", "value": …}``, and columns of such."""
        names = [value for name, value in items if is_key_name(name)]
        if not names:
            return
        values = [value for name, value in items if is_value_name(name)]
        for name in names:
            for value in values:
                if type(name) is str:
                    self._visit(name, value, depth + 1, _NO)
                elif type(name) is list and type(value) is list:
                    for each, held in islice(zip(name, value, strict=False), MAX_MEMBERS):
                        if type(each) is str:
                            self._visit(each, held, depth + 1, _NO)

    def _open_table(
        self, table: Iterable[tuple[object, Callable[[], list[object]]]], depth: int, judged: int
    ) -> None:
        named = list(table)
        self._nodes += len(named)
        for name, read in named:
            of_name = _judge(name, judged)
            if of_name:
                held = read()
                strength = _YES if len(held) > _FEW else of_name
                for value in held:
                    self._visit("", value, depth + 1, strength)
        keys = [read for name, read in named if is_key_name(_last_text(name))]
        values = [read for name, read in named if is_value_name(_last_text(name))]
        for key in keys:
            for value in values:
                for name, held_value in zip(key(), value(), strict=False):
                    if _judge(name):
                        self._visit(name, held_value, depth + 1, _NO)

    def _open_object(self, value: object, depth: int, judged: int) -> None:
        # The attributes of an object are judged by their own names, as in ``token.text``. Only
        # the texts in a password object, and what is called a value, are taken to be the secret.
        held = attributes.instance_dict(value)
        if held:
            self._open_items(dict.items(held), depth, _NO)
        cls = type(value)
        if cls not in self._slots:
            self._slots[cls] = attributes.slot_descriptors(cls)
        held_in_slots = list(attributes.slots(value, self._slots[cls]))
        self._open_named(held_in_slots, depth, _NO)
        if judged:
            for name, text in [*dict.items(held or {}), *held_in_slots]:
                if type(text) not in {str, bytes} or type(name) is not str:
                    continue
                if judged == _PASSWORD or is_value_name(name.strip("_")):
                    self._visit(name, text, depth + 1, judged)
        for each in attributes.MRO(cls)[:-1]:
            self._visit("", each, depth + 1, _NO)


def _judge(name: object, judged: int = _NO) -> int:
    """Judge a value by its own name and by the judgement of what holds it."""
    if type(name) is tuple:  # a column of several levels
        return max((_judge(level, judged) for level in name), default=judged)
    name = name if type(name) is str else _text(name)
    if not name or len(name) > _LONGEST_NAME:
        return judged
    if name in DIRECTORIES or not is_secret(name):
        return judged
    return _PASSWORD if is_password(name) else max(judged, _YES)


def _is_harmless(name: object) -> bool:
    return type(name) is str and name.strip("_").lower() in _HARMLESS


def _text(name: Any) -> str:
    lineage = attributes.MRO(type(name))
    if bytes in lineage:
        data: bytes = bytes.__getitem__(name, slice(None))
        return data.decode("utf-8", "replace")
    return str.__getitem__(name, slice(None)) if str in lineage else ""


def _last_text(name: object) -> str:
    return _text(name[-1] if type(name) is tuple and name else name)


def _field_names(value: object) -> tuple[str, ...]:
    """Return the names of a named tuple's fields."""
    if type(value) in {list, tuple, set, frozenset, deque}:
        return ()
    for cls in attributes.MRO(type(value)):
        names = dict(attributes.class_items(cls)).get("_fields")
        if type(names) is tuple and all(type(name) is str for name in names):
            return names
    return ()
