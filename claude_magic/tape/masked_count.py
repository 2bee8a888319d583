"""Count of the secrets that are masked on a tape, and the calls that run with a mask."""

from __future__ import annotations

from typing import TYPE_CHECKING

from claude_magic.masking import MASK

from .outcomes import told_call

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .tape import Tape


def masked_in(tape: Tape) -> list[str]:
    """Return lines that say how many secrets are masked on a tape, and which calls run with masks.

    Empty if there are none.
    """
    counts = {"prompts": 0, "answers": 0, "tool inputs": 0, "tool results": 0}
    calls = []
    for turn in tape.turns.values():
        counts["prompts"] += turn.you.count(MASK)
        for reply in turn.replies:
            for use in reply.calls:
                given = sum(text.count(MASK) for text in _texts(dict(use.input)))
                counts["tool inputs"] += given
                if given:
                    calls.append(told_call(use.name, use.input))
                if use.outcome is not None:
                    counts["tool results"] += use.outcome.text.count(MASK)
            counts["answers"] += sum(
                text.count(MASK)
                for step in reply.steps
                for text in _texts(getattr(step, "text", getattr(step, "content", None)))
            )
    if not any(counts.values()):
        return []
    told = ", ".join(f"{count} in {where}" for where, count in counts.items() if count)
    lines = [f"{sum(counts.values())} secrets masked: {told}"]
    if calls:
        lines.append(
            f"These calls run with {MASK} in place of a secret when the tape is replayed. Edit the"
            " tape, or record it with code that reads the secret from a variable:"
        )
        lines += [f"  {call}" for call in calls]
    return lines


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _texts(key)
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
