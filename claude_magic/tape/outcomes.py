"""Compares what tools give back in a replay with what they gave back when the tape was recorded."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from claude_magic.masking import mask

from .differences import changed_values, difference
from .masked_text import fits

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from .reply import ToolOutcome, ToolUse
    from .request import ToolCall, ToolResult
    from .rules import Rules
    from .tape import TapeTurn

#: The tools whose every word is the kernel's or the user's.
_OURS = "mcp__"
_KERNEL = "mcp__kernel__"

#: Claude Code's own tools that show what is there. What it says of its others, and of a failure of
#: any, it words anew with its versions.
_SHOWING = frozenset({"Bash", "Glob", "Grep", "Read"})

#: The newest file comes first, which is another one in every checkout.
_UNORDERED = frozenset({"Glob", "Grep"})

#: Read numbers the lines, and not in the same way in all of its versions.
_LINE_NUMBER = re.compile(r"^ *(\d+)(?:→|\t)", re.MULTILINE)

_SHOWN_CHARACTERS = 100


def told_call(name: str, arguments: Mapping[str, Any]) -> str:
    """Return a call of a tool as a person would write it."""
    told = ", ".join(
        f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in arguments.items()
    )
    if len(told) > _SHOWN_CHARACTERS:
        told = told[: _SHOWN_CHARACTERS - 1] + "…"
    return f"{name.removeprefix(_KERNEL)}({told})"


def comparable(text: str, rules: Rules, named: Callable[[str], str]) -> str:
    """Return what a tool's result is compared by, and written down as."""
    return rules.result(mask(named(_LINE_NUMBER.sub(r"\1: ", text))))


def changed_outcome(
    turn: TapeTurn,
    calls: tuple[ToolCall, ...],
    rules: Rules,
    named: Callable[[str], str],
) -> str | None:
    """Return what is told of the first result that differs from the recorded one; None if none.

    Parameters
    ----------
    turn
        The recorded turn.
    calls
        The tools that were called in it so far, with their results.
    rules
        What is not compared.
    named
        Names this machine's folders.
    """
    recorded = [use for reply in turn.replies for use in reply.calls]
    for use, call in zip(recorded, calls, strict=False):
        if use.outcome is None or call.result is None:
            continue
        # The recorded one was made comparable twice, too: when it was recorded, and now.
        now = rules.result(comparable(call.result.text, rules, named))
        before = comparable(use.outcome.text, rules, named)
        if _differs(use, use.outcome, call.result, before, now):
            return _told(use, use.outcome, call.result, before, now)
    return None


def _differs(
    use: ToolUse,
    recorded: ToolOutcome,
    result: ToolResult,
    before: str,
    now: str,
) -> bool:
    if recorded.is_error != result.is_error:
        return True
    if use.name.startswith(_OURS):
        return not _lines_fit(before.splitlines(), now.splitlines())
    if recorded.is_error or use.name not in _SHOWING:
        return False
    if use.name in _UNORDERED:
        return not _lines_fit(sorted(before.splitlines()), sorted(now.splitlines()))
    return not _lines_fit(before.splitlines(), now.splitlines())


def _lines_fit(before: list[str], now: list[str]) -> bool:
    """Tell whether lines are the same, but for what is masked in one of both."""
    return len(before) == len(now) and all(
        fits(one, other) or fits(other, one) for one, other in zip(before, now, strict=True)
    )


def _told(
    use: ToolUse,
    recorded: ToolOutcome,
    result: ToolResult,
    before: str,
    now: str,
) -> str:
    call = told_call(use.name, use.input)
    if result.is_error and not recorded.is_error:
        head = f"{call} failed or was denied; when the tape was recorded it did not."
    elif recorded.is_error and not result.is_error:
        head = f"{call} succeeded; when the tape was recorded it failed or was denied."
    else:
        head = f"{call} gave another result than when the tape was recorded."
    values = changed_values(before, now) if not result.is_error else []
    which = [f"Changed: {', '.join(values)}"] if values else []
    return "\n".join([head, *which, difference(before, now)])
