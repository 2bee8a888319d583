"""The words for what is not the model's text: tools, retries, the end of a turn."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from claude_magic.session import KERNEL_SERVER, MAIN

from . import gate
from .gate import visible

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from claude_magic.session import (
        BackgroundReply,
        PermissionAsked,
        PermissionDenied,
        RetryScheduled,
        RoomAwaited,
        SessionStatus,
        TurnFinished,
        TurnStarted,
    )

#: Longer arguments of a tool are cut in its one line, in characters.
MAX_ARGUMENT = 80


#: The arguments that tell by themselves what a call does.
_TELLING = ("command", "file_path", "pattern", "code", "name")

#: How Claude Code calls the tools of the kernel.
_KERNEL = f"mcp__{KERNEL_SERVER}__"


def tool_call(name: str, arguments: Mapping[str, Any]) -> str:
    """Say a tool call in one line of plain text."""
    telling = next((arguments[key] for key in _TELLING if arguments.get(key)), None)
    cells = arguments.get("cells")
    if telling is None and isinstance(cells, list):
        telling = f"{len(cells)} cell{'s' if len(cells) != 1 else ''}"
    plain = json.dumps(dict(arguments), default=str) if arguments else ""
    text = telling if isinstance(telling, str) else plain
    text = visible(" ".join(text.split()))
    if len(text) > MAX_ARGUMENT:
        text = text[: MAX_ARGUMENT - 1] + "…"
    return f"{name.removeprefix(_KERNEL)} {text}".rstrip()


def retry(event: RetryScheduled) -> str:
    """Say why there is a pause."""
    status = event.status
    cause = f"The API answered {status}" if status else "The connection to the API failed"
    return f"{cause}; retry {event.attempt} of {event.max_attempts} in {event.delay_s:.1f} s"


def room(event: RoomAwaited) -> str:
    """Say that the answer waits for other conversations."""
    return f"Waiting until one of the {event.max_live} busy conversations is idle"


def asked(event: PermissionAsked) -> str:
    """Say that a tool call waits for somebody's consent."""
    return f"Waiting for consent: {tool_call(event.name, event.arguments)}"


def denied(event: PermissionDenied, call: str) -> str:
    """Say that a tool call was not allowed, and why."""
    return f"Not allowed{'' if event.asked else ', because nobody could be asked'}: {call}"


def recovery(event: TurnStarted | TurnFinished) -> str:
    """Say that the session had to be recovered, and what of it was lost; empty if it had not."""
    if event.dropped_turn:
        return "resumed after Claude Code had gone away; the turn that it cut off was left out"
    return "resumed after Claude Code had gone away" if event.recovered else ""


def background(event: BackgroundReply) -> str:
    """Say what happened between the cells, in one line."""
    return f"In the background: {event.cause or 'a task ended'}"


def footer(event: TurnFinished, status: SessionStatus) -> str:
    """Say what a turn took: model, time, tokens, cost where it is known."""
    usage, label = event.usage, status.label
    cached = f" ({_count(usage.cache_read_tokens)} cached)" if usage.cache_read_tokens else ""
    parts = [
        label,
        status.name if status.name != MAIN else None,
        event.model,
        f"{event.elapsed_s:.1f} s",
        f"{_count(usage.input_tokens)} in{cached} / {_count(usage.output_tokens)} out",
        # What a scripted reply would have cost is nobody's cost.
        f"${event.cost_usd:.2f}" if event.cost_usd >= _CENT and not label else None,
        recovery(event),
        # Some of it is a database's own words.
        visible(event.store_behind),
        _unwritten(event),
        _lost(event),
    ]
    return " · ".join(part for part in parts if part)


def _unwritten(event: TurnFinished) -> str:
    """Say that the transcript cannot be written, once; empty where it can."""
    if not event.unwritten:
        return ""
    return (
        f"not saved: {visible(event.unwritten)} Set `%config ClaudeMagics.transcript_folder` to "
        "keep transcripts elsewhere"
    )


def _lost(event: TurnFinished) -> str:
    """Say which earlier turns are missing from the conversation; empty if none are."""
    if not event.lost:
        return ""
    count = len(event.lost)
    titles = ", ".join(f"“{visible(title)}”" for title in event.lost if title)
    told = f": {titles}" if titles else ""
    return f"{count} earlier turn{'s' * (count != 1)} missing from the transcript{told}"


_CENT = 0.005
_KILO = 1000


def _count(tokens: int) -> str:
    return f"{tokens / _KILO:.1f}K" if tokens >= _KILO else str(tokens)


def text_bundle(markdown: str) -> dict[str, str]:
    """Return Markdown as an output."""
    return {"text/markdown": gate.markdown(markdown), "text/plain": markdown}


def growing_bundle(markdown: str) -> dict[str, str]:
    """Return Markdown that will be sent again soon, without its plain form."""
    return {"text/markdown": gate.markdown(markdown)}


def quote(heading: str, markdown: str) -> str:
    """Return Markdown that answers no prompt as a quotation, for the gate to pass."""
    text = f"{heading}\n\n{markdown}" if markdown else heading
    return "\n".join(f"> {line}".rstrip() for line in text.splitlines())


def quote_bundle(heading: str, markdown: str) -> dict[str, str]:
    """Return Markdown that answers no prompt as an output, set apart from answers."""
    text = f"{heading}\n\n{markdown}" if markdown else heading
    # In a quotation an empty line ends no math, so it is passed as a quotation.
    return {"text/markdown": gate.markdown(quote(heading, markdown)), "text/plain": text}


def aside(text: str) -> str:
    """Return a line as HTML, smaller than the model's words."""
    return f"<sub>{gate.line(visible(text))}</sub>"


def aside_bundle(text: str) -> dict[str, str]:
    """Return a line as an output, smaller than the model's words."""
    return {"text/markdown": aside(text), "text/plain": text}


def code_span(text: str) -> str:
    """Return `text` as inline code in Markdown, whatever backticks it holds."""
    longest = max((len(run) for run in _backticks(text)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if longest or not text else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def _backticks(text: str) -> list[str]:
    return "".join(char if char == "`" else " " for char in text).split()
