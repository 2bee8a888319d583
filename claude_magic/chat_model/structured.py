"""Answers that are values of a schema."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any

from langchain_core.output_parsers import JsonOutputParser, PydanticOutputParser
from langchain_core.output_parsers.openai_tools import JsonOutputKeyToolsParser, PydanticToolsParser
from langchain_core.runnables import RunnableMap, RunnablePassthrough
from langchain_core.utils.pydantic import is_basemodel_subclass

from claude_magic.errors import UsageError

from .tools import tool_schema

if TYPE_CHECKING:
    from langchain_core.language_models import LanguageModelInput
    from langchain_core.runnables import Runnable

    from .model import ClaudeCodeChatModel

METHODS = ("json_schema", "function_calling", "json_mode")


def structured(
    model: ClaudeCodeChatModel,
    schema: dict[str, Any] | type,
    method: str,
    *,
    include_raw: bool,
    **kwargs: Any,
) -> Runnable[LanguageModelInput, Any]:
    """Return a runnable that asks a model for values of a schema; see `with_structured_output`."""
    if method not in METHODS:
        raise UsageError(f"method={method!r}: must be one of {', '.join(METHODS)}.")
    kwargs.pop("strict", None)  # both ways are as strict as it gets
    function = tool_schema(schema)["function"]
    if method == "function_calling":
        asking = model.bind_tools(
            [schema],
            tool_choice=function["name"],
            ls_structured_output_format=_described(method, schema),
            **kwargs,
        )
    else:
        wanted = {"type": "json_object"}
        if method == "json_schema":
            parameters = function.get("parameters", {"type": "object"})
            wanted = {"type": "json_schema", "json_schema": {"schema": parameters}}  # type: ignore[dict-item]
        asking = model.bind(
            response_format=wanted,
            ls_structured_output_format=_described(method, schema),
            **kwargs,
        )
    parser = _parser(schema, method, function["name"])
    if not include_raw:
        return asking | parser
    parsed = RunnablePassthrough.assign(
        parsed=itemgetter("raw") | parser,
        parsing_error=lambda _: None,
    )
    unparsed = RunnablePassthrough.assign(parsed=lambda _: None)
    return RunnableMap(raw=asking) | parsed.with_fallbacks(
        [unparsed], exception_key="parsing_error"
    )


def _described(method: str, schema: Any) -> dict[str, Any]:
    return {"kwargs": {"method": method}, "schema": tool_schema(schema)}


def _parser(schema: Any, method: str, name: str) -> Runnable[Any, Any]:
    pydantic = isinstance(schema, type) and is_basemodel_subclass(schema)
    if method == "function_calling":
        if pydantic:
            return PydanticToolsParser(tools=[schema], first_tool_only=True)
        return JsonOutputKeyToolsParser(key_name=name, first_tool_only=True)
    return PydanticOutputParser(pydantic_object=schema) if pydantic else JsonOutputParser()
