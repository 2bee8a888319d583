"""A tape as the text of its file: the same tape is always the same text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from .reply import OtherBlock, Text, Thinking
from .tape_file import FORMAT_KEY, FORMAT_VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .reply import Reply, ToolUse, Usage
    from .rules import Rules
    from .tape import Tape, TapeTurn

_WIDTH = 100


def tape_text(tape: Tape) -> str:
    """Return the text of a tape's file."""
    document: dict[str, Any] = {
        FORMAT_KEY: int(FORMAT_VERSION),
        "title": tape.title,
        "label": tape.label,
        **({"words_per_second": tape.words_per_second} if tape.words_per_second else {}),
        **_rules(tape.rules),
        "conversations": [
            {"name": each.name, "turns": [_turn(turn) for turn in each.turns]}
            for each in tape.conversations
        ],
    }
    return yaml.dump(
        document,
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        width=_WIDTH,
        default_flow_style=False,
    )


def _rules(rules: Rules) -> dict[str, Any]:
    ignore = {name: pattern.pattern for name, pattern in rules.ignore.items()}
    keep = {"keep": sorted(rules.keep)} if rules.keep else {}
    return {**keep, **({"ignore": ignore} if ignore else {})}


def _turn(turn: TapeTurn) -> dict[str, Any]:
    items = [item for reply in turn.replies for item in _items(reply)]
    return {"you": turn.you, "claude": items}


def _items(reply: Reply) -> Iterator[dict[str, Any]]:
    for step in reply.steps:
        if isinstance(step, Text):
            yield {"text": step.text}
        elif isinstance(step, Thinking):
            yield {"thinking": step.text}
        elif isinstance(step, OtherBlock):
            yield {"block": dict(step.content)}
    calls = [_call(use) for use in reply.calls]
    if len(calls) == 1:
        yield {"tool": calls[0]}
    elif calls:
        yield {"tools": calls}
    # After a call without usage it is what tells that no result is waited for.
    ends = bool(reply.calls) and reply.usage is None
    if reply.stop_reason is not None and (ends or reply.stop_reason != _derived(reply)):
        yield {"stopped": reply.stop_reason}
    if reply.usage is not None:
        yield {"usage": _Flow(_usage(reply.usage))}


def _derived(reply: Reply) -> str:
    return "tool_use" if reply.calls else "end_turn"


def _call(use: ToolUse) -> dict[str, Any]:
    call: dict[str, Any] = {"name": use.name}
    if use.input:
        call["input"] = dict(use.input)
    if use.outcome is not None:
        call["failed" if use.outcome.is_error else "result"] = use.outcome.text
    return call


def _usage(usage: Usage) -> dict[str, int]:
    counts = {
        "input": usage.input_tokens,
        "cache_read": usage.cache_read_input_tokens,
        "cache_write": usage.cache_creation_input_tokens,
        "output": usage.output_tokens,
    }
    return {name: count for name, count in counts.items() if count or name in ("input", "output")}


class _Flow(dict[str, int]):
    """A mapping that stands in one line."""


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as such, and no anchors."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - yaml's
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002 - yaml's
        super().increase_indent(flow, indentless=False)


def _represented(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar(
        "tag:yaml.org,2002:str", text, style="|" if "\n" in text else None
    )


def _in_one_line(dumper: yaml.SafeDumper, counts: _Flow) -> yaml.MappingNode:
    return dumper.represent_mapping("tag:yaml.org,2002:map", counts.items(), flow_style=True)


_Dumper.add_representer(str, _represented)
_Dumper.add_representer(_Flow, _in_one_line)
