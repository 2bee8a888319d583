"""Tools that the caller runs: Claude asks for them, the turn ends, the caller answers."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from claude_magic.errors import OptionError
from claude_magic.well_formed import well_formed

from .limits import check_well_formed_json

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Claude Code knows a caller's tools as those of a server of this name.
CLIENT_SERVER = "client"

_PREFIX = f"mcp__{CLIENT_SERVER}__"

#: What the API takes for a name, prefix included.
_NAME = re.compile(rf"[A-Za-z0-9_-]{{1,{128 - len(_PREFIX)}}}")


@dataclass(frozen=True, slots=True)
class ToolDefinition:
    """A tool that the caller runs.

    Parameters
    ----------
    name
        Letters, digits, ``_`` and ``-``, up to 114 of them.
    description
        What the model is told of it.
    input_schema
        The JSON schema of its arguments, which are an object.

    Raises
    ------
    OptionError
        If the name or the schema is impossible.
    """

    name: str
    description: str
    input_schema: Mapping[str, Any] = field(hash=False)

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not _NAME.fullmatch(self.name):
            raise OptionError("tool", self.name, "a name of letters, digits, _ and -, up to 114")
        schema = dict(self.input_schema)
        if schema.get("type") != "object":
            raise OptionError("tool", {self.name: schema}, "one whose arguments are an object")
        try:
            json.dumps(schema)
        except TypeError as error:
            raise OptionError(
                "tool", {self.name: schema}, f"one with a JSON schema: {error}"
            ) from None
        check_well_formed_json("tool", {self.name: schema})
        object.__setattr__(self, "input_schema", schema)
        object.__setattr__(self, "description", well_formed(self.description))

    @property
    def wire_name(self) -> str:
        """What the tool is called between Claude Code and the API."""
        return wire_name(self.name)


def wire_name(name: str) -> str:
    """Return what a caller's tool is called between Claude Code and the API."""
    return f"{_PREFIX}{name}"


def own_name(wire: str) -> str | None:
    """Return what the caller calls a tool; None for a tool that Claude Code runs itself."""
    return wire.removeprefix(_PREFIX) if wire.startswith(_PREFIX) else None
