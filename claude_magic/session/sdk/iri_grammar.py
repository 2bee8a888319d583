"""The grammar of internationalised URIs, which nobody needs for a conversation.

The SDK imports jsonschema, and jsonschema, where JupyterLab is installed too, a parser of such URIs
that is made when it is imported: a second, in which the kernel does hardly anything else.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

_GRAMMAR = "rfc3987_syntax"


def import_jsonschema_without_it() -> None:
    """Import jsonschema so that the grammar is made when the first such URI is checked.

    What jsonschema accepts stays the same. Does nothing where it was imported before.
    """
    if {"jsonschema", _GRAMMAR} & set(sys.modules) or find_spec(_GRAMMAR) is None:
        return
    stand_in = ModuleType(_GRAMMAR)
    stand_in.is_valid_syntax = _is_valid_syntax  # type: ignore[attr-defined]
    sys.modules[_GRAMMAR] = stand_in
    try:
        with suppress(ImportError):
            import_module("jsonschema")
    finally:
        del sys.modules[_GRAMMAR]


def _is_valid_syntax(term: str, value: str) -> bool:
    return bool(import_module(_GRAMMAR).is_valid_syntax(term, value))
