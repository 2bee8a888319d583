"""What a call asks of the model beside its messages."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from claude_magic.errors import UsageError
from claude_magic.session.limits import check_argument, check_well_formed_json

from .tools import choice_of, definitions_of

if TYPE_CHECKING:
    from claude_magic.session import SessionOptions

#: What a call may set, or a model for all its calls.
SETTINGS = (
    "model",
    "effort",
    "temperature",
    "top_p",
    "top_k",
    "max_tokens",
    "stop",
    "thinking",
    "timeout",
    "max_retries",
)

#: What a call alone may set.
_OF_A_CALL = ("tools", "tool_choice", "parallel_tool_calls", "strict", "response_format")

#: What other models take, and what to use here.
INSTEAD = {
    "frequency_penalty": "say in the system prompt that it should not repeat itself",
    "presence_penalty": "say in the system prompt that it should not repeat itself",
    "logit_bias": "say in the system prompt which words to avoid",
    "n": "call batch() with the prompt as often as you want answers",
    "seed": "set temperature=0; no answer is guaranteed to repeat",
    "logprobs": "the API does not tell them",
    "top_logprobs": "the API does not tell them",
    "audio": "Claude neither hears nor speaks; send text",
    "modalities": "Claude answers in text",
    "reasoning_effort": "set effort=",
    "betas": "set ANTHROPIC_BETAS in environment=",
    "mcp_servers": "bind the tools with bind_tools()",
}


def refuse_unknown(names: Mapping[str, Any], known: tuple[str, ...] = ()) -> None:
    """Raise a `UsageError` for what is no parameter here; it names what to use instead."""
    for name in names:
        if name in INSTEAD:
            raise UsageError(f"{name} is not a parameter of this model: {INSTEAD[name]}.")
    unknown = sorted(set(names) - {*SETTINGS, *_OF_A_CALL, *known})
    if unknown:
        raise UsageError(
            f"{', '.join(unknown)}: not a parameter of this model; nothing was sent. "
            f"There are {', '.join((*SETTINGS, *_OF_A_CALL))}.",
        )


def with_settings(options: SessionOptions, settings: Mapping[str, Any]) -> SessionOptions:
    """Return options under which a session answers as the settings want it.

    Parameters
    ----------
    options
        Those of the model.
    settings
        Those of the model and the call, the call's own in place of the model's.

    Raises
    ------
    UsageError
        If one is no parameter here.
    OptionError
        If one has an impossible value.
    """
    refuse_unknown(settings)
    given = {name: value for name, value in settings.items() if value is not None}
    sampling = ("temperature", "top_p", "top_k")
    fields: dict[str, Any] = {name: given[name] for name in sampling if name in given}
    if given.get("stop"):
        stop = given["stop"]
        fields["stop_sequences"] = [stop] if isinstance(stop, str) else list(stop)
        check_well_formed_json("stop", fields["stop_sequences"])
        check_argument("stop", json.dumps(fields["stop_sequences"]))
    tools = definitions_of(given.get("tools", ()))
    choice = choice_of(
        given.get("tool_choice"),
        [tool.name for tool in tools],
        parallel=given.get("parallel_tool_calls"),
    )
    if choice is not None:
        fields["tool_choice"] = choice
    thinking = given.get("thinking")
    forced = choice is not None and choice["type"] in {"any", "tool"}
    if thinking is None and (forced or {"temperature", "top_k"} & set(fields)):
        # The API takes neither together with thinking.
        thinking = {"type": "disabled"}
    return options.but(
        model=given.get("model"),
        effort=given.get("effort"),
        client_tools=tools,
        output_schema=_schema(given.get("response_format")),
        thinking=thinking,
        max_tokens=given.get("max_tokens"),
        max_retries=given.get("max_retries"),
        deadline_s=given.get("timeout"),
        request_fields={**options.request_fields, **fields},
    )


def _schema(response_format: object) -> dict[str, Any] | None:
    """Return the JSON schema of a response format; any object for one that only wants JSON."""
    if response_format is None:
        return None
    if isinstance(response_format, Mapping):
        match response_format.get("type"):
            case "json_schema":
                described = response_format.get("json_schema", response_format)
                return dict(described.get("schema", {}))
            case "json_object":
                return {"type": "object"}
            case "text":
                return None
            case "object":
                return dict(response_format)
    raise UsageError(
        f"response_format={response_format!r}: must be a JSON schema of an object, "
        "{'type': 'json_schema', 'json_schema': {'schema': …}} or {'type': 'json_object'}.",
    )
