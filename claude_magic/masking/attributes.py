"""Attributes of objects, read without running any code of the object or of its class.

A class may define `__getattr__`, properties, or a `__dict__` of its own. So only the descriptors
that the interpreter itself made are used: those of instance dictionaries and of slots.
"""

from __future__ import annotations

import gc
import sys
import types
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MRO: Callable[[type], tuple[type, ...]] = type.__dict__["__mro__"].__get__
_CLASS_DICT: Callable[[type], Any] = type.__dict__["__dict__"].__get__
_CLASS_MODULE: Callable[[type], Any] = type.__dict__["__module__"].__get__
_MODULE_DICT: Callable[[types.ModuleType], dict[str, object]] = vars(types.ModuleType)[
    "__dict__"
].__get__
_DESCRIPTORS = frozenset({types.GetSetDescriptorType, types.MemberDescriptorType})
_INSTALLED = ("site-packages", "dist-packages")


def instance_dict(value: object) -> dict[object, object] | None:
    """Return the dictionary of an instance's attributes; None if it has none of its own."""
    for cls in MRO(type(value)):
        descriptor: Any = _CLASS_DICT(cls).get("__dict__")
        if type(descriptor) in _DESCRIPTORS:
            held = descriptor.__get__(value, cls)
            return held if isinstance(held, dict) else None
    return None


def slot_descriptors(cls: type) -> dict[str, types.MemberDescriptorType]:
    """Return the descriptors of the slots that instances of a class have."""
    return {
        name: descriptor
        for each in reversed(MRO(cls))
        for name, descriptor in list(_CLASS_DICT(each).items())
        if type(descriptor) is types.MemberDescriptorType and name[:2] != "__"
    }


def slots(
    value: object, descriptors: dict[str, types.MemberDescriptorType]
) -> Iterator[tuple[str, object]]:
    """Yield the names and contents of an instance's slots."""
    for name, descriptor in descriptors.items():
        with suppress(AttributeError):  # where nothing was assigned
            yield name, descriptor.__get__(value, type(value))


def class_items(cls: type) -> Iterator[tuple[object, object]]:
    """Yield what the body of a class assigned."""
    yield from list(_CLASS_DICT(cls).items())


def arguments(function: types.FunctionType) -> Iterator[tuple[str, object]]:
    """Yield the defaults of a function's parameters and the variables of its closure."""
    code = function.__code__
    defaults = function.__defaults__ or ()
    names = code.co_varnames[: code.co_argcount]
    yield from zip(names[len(names) - len(defaults) :], defaults, strict=False)
    yield from list((function.__kwdefaults__ or {}).items())
    for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=False):
        with suppress(ValueError):  # where nothing was assigned yet
            yield name, cell.cell_contents


def proxied(proxy: types.MappingProxyType[Any, Any]) -> list[object]:
    """Return what a mapping proxy shows; to ask the proxy would ask the mapping."""
    return gc.get_referents(proxy)


def module_items(module: types.ModuleType) -> list[tuple[str, object]]:
    """Return the names and values of a module."""
    return list(_MODULE_DICT(module).items())


def module_name(module: types.ModuleType) -> object:
    """Return the name of a module."""
    return _MODULE_DICT(module).get("__name__")


def is_users(name: object) -> bool:
    """Tell whether a module of this name belongs to the user, not to an installed package."""
    if type(name) is not str or name.partition(".")[0] in sys.stdlib_module_names:
        return name == "__main__"
    module = sys.modules.get(name)
    if module is None or type(module) is not types.ModuleType:
        return False
    file = _MODULE_DICT(module).get("__file__")
    return type(file) is str and not any(folder in file for folder in _INSTALLED)


def module_of(cls: type) -> object:
    """Return the name of the module that defines a class."""
    try:
        return _CLASS_MODULE(cls)
    except AttributeError:
        return None
