"""That the kernel and the JupyterLab extension mean the same by their messages."""

from __future__ import annotations

import re
import types
import typing
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from claude_magic import __version__
from claude_magic.notebook import wire
from claude_magic.session import SessionState

TYPESCRIPT = (Path(__file__).parents[3] / "labextension/src/wire.ts").read_text(encoding="utf-8")

#: The constants of both sides, by their TypeScript names.
CONSTANTS = {"VERSION": __version__, "TARGET": wire.TARGET, "ADDRESS": wire.ADDRESS}

NAMES = {str: "string", int: "number", bool: "boolean", type(None): "null"}


def _in_typescript(hint: Any) -> str:
    """Return a type as TypeScript writes it."""
    if get_origin(hint) is Literal:
        return " | ".join(f"'{word}'" for word in get_args(hint))
    if get_origin(hint) is list:
        return f"{_in_typescript(get_args(hint)[0])}[]"
    if get_origin(hint) in {typing.Union, types.UnionType}:
        return " | ".join(_in_typescript(part) for part in get_args(hint))
    return NAMES.get(hint) or str(hint.__name__)


def test_all_messages_are_the_same_in_python_and_in_typescript() -> None:
    messages = {
        name: {key: _in_typescript(hint) for key, hint in get_type_hints(kind).items()}
        for name, kind in vars(wire).items()
        if typing.is_typeddict(kind)
    }
    interfaces = {
        found[1]: dict(re.findall(r"^  (\w+): (.+);$", found[2], re.MULTILINE))
        for found in re.finditer(r"export interface (\w+) \{\n?(.*?)\}", TYPESCRIPT, re.DOTALL)
    }
    assert interfaces == messages


def test_their_explanations_are_the_same() -> None:
    told = {
        name: text
        for text, name in re.findall(r"/\*\* (.+) \*/\nexport interface (\w+)", TYPESCRIPT)
    }
    assert told == {
        name: kind.__doc__ for name, kind in vars(wire).items() if typing.is_typeddict(kind)
    }


def test_the_constants_are_the_same() -> None:
    told = dict(re.findall(r"export const (\w+) = '(.+)';", TYPESCRIPT))
    assert told == CONSTANTS


def test_every_state_of_a_session_is_known() -> None:
    (states,) = [get_args(get_type_hints(wire.SessionView)["state"])]
    assert list(states) == [state.value for state in SessionState]
