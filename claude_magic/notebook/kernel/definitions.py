"""A look at functions, classes and modules."""

from __future__ import annotations

import inspect
import textwrap
import types
from typing import TYPE_CHECKING, Any

from .bounded import cut
from .kinds import counted, lineage

if TYPE_CHECKING:
    from .bounded import Page

_FUNCTIONS = (
    types.FunctionType,
    types.BuiltinFunctionType,
    types.MethodType,
    types.WrapperDescriptorType,
    types.MethodDescriptorType,
)
_DOC_LINES = 3


def is_definition(value: object) -> bool:
    """Tell whether a value is a function, a class or a module."""
    classes = lineage(value)
    return any(cls in classes for cls in (*_FUNCTIONS, type, types.ModuleType))


def write_definition(value: Any, page: Page) -> None:
    """Write a signature, and the source or the docstring's beginning. Within `attempt` only."""
    if types.ModuleType in lineage(value):
        _write_module(value, page)
        return
    try:
        page.add(f"signature: {value.__name__}{inspect.signature(value)}")
    except (ValueError, TypeError):  # some of those written in C have none
        page.add(f"signature: {value.__name__}(…)")
    try:
        source = inspect.getsource(value)
    except (OSError, TypeError):
        source = ""
    if source:
        page.add("source:")
        page.add(cut(textwrap.dedent(source).rstrip(), page.room))
    else:  # otherwise it is part of the source
        _write_doc(inspect.getdoc(value), page)


def _write_module(module: types.ModuleType, page: Page) -> None:
    held = types.ModuleType.__getattribute__(module, "__dict__")
    version, file = held.get("__version__"), held.get("__file__")
    if type(version) is str:
        page.add(f"version {version}")
    if type(file) is str:
        page.add(f"file {file}")
    _write_doc(held.get("__doc__"), page)
    names = [name for name in list(held) if type(name) is str and not name.startswith("_")]
    page.add(f"{counted(len(names), 'public name')}: {cut(', '.join(names), 600)}")


def _write_doc(doc: object, page: Page) -> None:
    if type(doc) is not str or not doc.strip():
        return
    lines = doc.strip().splitlines()
    page.add("doc: " + cut("\n".join(lines[:_DOC_LINES]).rstrip(), 500))
    if len(lines) > _DOC_LINES:
        page.add(f"  … {counted(len(lines) - _DOC_LINES, 'more line')}")
