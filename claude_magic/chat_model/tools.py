"""LangChain's tools and tool choices in the words of a session and of the Messages API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_core.utils.function_calling import convert_to_openai_tool

from claude_magic.errors import UsageError
from claude_magic.session import ToolDefinition, wire_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


#: A dict with one of these, or with none, describes a tool of the caller.
_SCHEMA_TYPES = {"custom", "function", "object"}


def tool_schema(tool: Any) -> dict[str, Any]:
    """Return a tool, whatever LangChain takes for one, as a JSON schema with a name.

    Raises
    ------
    UsageError
        If it is a tool that another provider's servers run, or no tool at all.
    """
    if isinstance(tool, dict) and tool.get("type", "function") not in _SCHEMA_TYPES:
        raise UsageError(
            f"{tool['type']!r} is a tool that other servers run. Claude Code has tools of its own: "
            "name them in tools= and allowed_tools=, such as 'WebSearch'.",
        )
    try:
        return convert_to_openai_tool(tool)
    except (TypeError, ValueError) as error:
        raise UsageError(f"{tool!r} cannot be bound as a tool: {error}") from error


def definitions_of(schemas: Sequence[Any]) -> tuple[ToolDefinition, ...]:
    """Return what a session needs to know of the tools that were bound."""
    definitions = []
    for schema in schemas:
        function = tool_schema(schema)["function"]
        parameters = function.get("parameters") or {}
        definitions.append(
            ToolDefinition(
                function["name"],
                function.get("description") or "",
                {"type": "object", "properties": {}, **parameters},
            ),
        )
    return tuple(definitions)


def choice_of(
    choice: str | bool | Mapping[str, Any] | None,  # noqa: FBT001 - LangChain's own
    names: Sequence[str],
    *,
    parallel: bool | None = None,
) -> dict[str, Any] | None:
    """Return a tool choice as the Messages API takes it; None for the model's own choice.

    Parameters
    ----------
    choice
        ``"auto"``, ``"any"``, ``"required"`` or True, ``"none"``, a tool's name, or a dict of
        Anthropic's or OpenAI's form.
    names
        The tools that were bound.
    parallel
        Whether several tools may be called at once; None leaves it to the model.

    Raises
    ------
    UsageError
        If a tool is chosen that was not bound.
    """
    wanted: dict[str, Any]
    named = _named(choice)
    if choice in {None, "auto", False} if not isinstance(choice, dict) else named == "auto":
        wanted = {"type": "auto"}
    elif named in {"any", "required"} or choice is True:
        wanted = {"type": "any"}
    elif named == "none":
        return {"type": "none"}
    elif named in names:
        wanted = {"type": "tool", "name": wire_name(str(named))}
    else:
        bound = ", ".join(names) or "none"
        raise UsageError(
            f"tool_choice={choice!r}: must be 'auto', 'any', 'none' or one of: {bound}."
        )
    if parallel is not None:
        wanted["disable_parallel_tool_use"] = not parallel
    return wanted if wanted != {"type": "auto"} else None


def _named(choice: object) -> str | None:
    if not isinstance(choice, dict):
        return choice if isinstance(choice, str) else None
    if choice.get("type") == "function":
        return str(choice.get("function", {}).get("name"))
    return str(choice.get("name") or choice.get("type"))
