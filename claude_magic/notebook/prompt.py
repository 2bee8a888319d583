"""What Claude is sent for a cell: its text as it is written, and what goes with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .answers import WISHES
from .context import enclosed
from .mentions import attachments

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from claude_magic.session import Prompt

    from .answers import Form


def compose(
    text: str,
    namespace: Mapping[str, Any],
    form: Form | None = None,
    *contexts: str,
    known: Callable[[str], str],
) -> Prompt:
    """Return the content of a prompt. Main thread only.

    Parameters
    ----------
    text
        What the person wrote; it is sent as it is, and first.
    namespace
        The variables that it may mention.
    form
        What the answer is turned into.
    *contexts
        Further parts of the prompt, each in a block of its own; an empty one is left out.
    known
        Masks the values of secret variables, in everything but `text`.

    Raises
    ------
    UsageError
        If a file that is mentioned is too large for the API.
    """
    blocks = [*attachments(text, namespace)]
    if form in WISHES:
        blocks.append({"type": "text", "text": enclosed(WISHES[form])})
    blocks += [{"type": "text", "text": enclosed(told)} for told in contexts if told]
    for block in blocks:
        if block["type"] == "text":
            block["text"] = known(block["text"])
    return [{"type": "text", "text": text}, *blocks] if blocks else text


def readable(prompt: Prompt) -> str:
    """Return a prompt as a person can read it: all text, and what else there is by its kind."""
    if isinstance(prompt, str):
        return prompt
    return "\n\n".join(map(_readable_block, prompt))


def _readable_block(block: Mapping[str, Any]) -> str:
    if block["type"] == "text":
        return str(block["text"])
    source = block["source"]
    size = len(source["data"]) * 3 // 4
    return f"[{block['type']}: {source['media_type']}, {size:,} bytes]"
