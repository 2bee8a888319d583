"""The model's thinking, while it lasts and when it is over."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from claude_magic.session import ThinkingDelta, ThinkingFinished

#: So much of what is being thought is shown, in characters.
_GLIMPSE = 100


class Thinking:
    """Collects a block of thinking and measures how long it takes.

    Parameters
    ----------
    clock
        What tells the time, in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began_s: float | None = None
        self._text = ""

    @property
    def under_way(self) -> bool:
        """Whether a block has begun and is not finished."""
        return self._began_s is not None

    def add(self, event: ThinkingDelta) -> None:
        """Take a piece."""
        if self._began_s is None:
            self._began_s = self._clock()
        self._text += event.text

    @property
    def glimpse(self) -> str:
        """The last words, in one line."""
        words = " ".join(self._text[-2 * _GLIMPSE :].split())
        return f"Thinking … {words[-_GLIMPSE:]}".rstrip()

    def finish(self, event: ThinkingFinished) -> tuple[str, str] | None:
        """Return what is said of the block and the block; None if nothing was seen of it."""
        return self._end("Thought for", event.text)

    def break_off(self) -> tuple[str, str] | None:
        """Return what is said of a block that will not be finished, and the block."""
        return self._end("Thought, without coming to an end, for", "")

    def _end(self, outcome: str, text: str) -> tuple[str, str] | None:
        if self._began_s is None:
            return None
        elapsed_s = self._clock() - self._began_s
        took = f"{elapsed_s:.0f} s" if elapsed_s >= 1 else "less than 1 s"
        thought = text or self._text
        self._began_s, self._text = None, ""
        return f"{outcome} {took}", thought
