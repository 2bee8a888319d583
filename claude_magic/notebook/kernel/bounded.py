"""Texts that stay within their bounds, and calls that stay within their time."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from claude_magic import masking

from .kinds import type_name

if TYPE_CHECKING:
    from collections.abc import Callable

#: A secret that begins where a text is cut is seen whole if it is no longer than this.
_MARGIN = 8192


class Page:
    """A text that is written line by line and never grows far beyond its limit.

    One thread writes; another may read `text` at any time, also of a page that was never finished.

    Parameters
    ----------
    limit
        The most characters that `text` returns.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lines: list[str] = []
        self._used = 0
        #: What is being done just now, as the beginning of a sentence about its failure.
        self.doing = "looking at it"

    @property
    def room(self) -> int:
        """The characters that may still be added."""
        return max(0, self._limit - self._used)

    def add(self, line: str) -> None:
        """Write a line."""
        line = cut(line, self._limit)
        self._lines.append(line)
        self._used += len(line) + 1

    def append(self, text: str) -> None:
        """Write on at the end of the last line."""
        text = cut(text, self._limit)
        self._lines[-1] += text
        self._used += len(text)

    @property
    def written(self) -> int:
        """The number of lines so far."""
        return len(self._lines)

    def fold(self, lines: int, text: str) -> None:
        """Write a text at the end of a line in place of all lines behind it.

        Parameters
        ----------
        lines
            What `written` was after that line.
        text
            The text, shorter than what it stands for.
        """
        self._lines[lines - 1 :] = [self._lines[lines - 1] + text]

    def text(self) -> str:
        """Return what was written so far, masked and bounded; nothing in it steers a terminal."""
        return cut(visible("\n".join(list(self._lines))), self._limit)


def cut(text: str, limit: int) -> str:
    """Return the beginning of a text, masked, and say how much was left out.

    Parameters
    ----------
    text
        As long as it may be; little more than `limit` of it is looked at.
    limit
        The most characters to return, the note included.
    """
    masked = masking.mask(text[: limit + _MARGIN])
    whole = len(text) <= limit + _MARGIN
    left_out = len(masked if whole else text) - limit
    if left_out <= 0:
        return masked
    # Among the elements of a list or in a table's cell a long note would be most of the text.
    long = limit >= 200  # noqa: PLR2004 - about two lines
    note = f"… ({left_out:,} more characters)" if long else "…"
    return masked[: max(0, limit - len(note))] + note[:limit]


def head_and_tail(text: str, limit: int) -> str:
    """Return a text without its middle, masked, and say how much that was."""
    if len(text) <= limit:
        return cut(text, limit)
    note = f"\n… {len(text) - limit:,} characters left out …\n"
    room = max(0, limit - len(note))
    last = room // 3
    end = masking.mask(text[-last - _MARGIN :])[-last:] if last else ""
    return masking.mask(text[: room - last + _MARGIN])[: room - last] + note + end


def visible(text: str) -> str:
    """Return a text with escapes for what does not print, but for line ends and tabs."""
    return "".join(
        character
        if character.isprintable() or character in "\n\t"
        else character.encode("unicode_escape").decode("ascii")
        for character in text
    )


def plain(text: str) -> str:
    """Return a text as an exact `str`, whatever a subclass makes of itself."""
    return str.__getitem__(text, slice(None))


def failure(error: BaseException) -> str:
    """Return an error's type and message in a line, even where its message fails too."""
    try:
        message = plain(str(error))
    except BaseException:  # noqa: BLE001 - what matters is the first error
        message = ""
    told = " ".join(message[:2000].split())
    return cut(f"{type_name(error)}: {told}" if told else type_name(error), 300)


def attempt(call: Callable[[], object], limit_s: float) -> BaseException | None:
    """Run a call that may raise anything or never come back; return what it raised.

    It runs in a daemon thread of its own. If its time is up that thread is abandoned: it goes on
    beside the user's code until it ends by itself or with the process, for a thread cannot be
    killed. The caller waits interruptibly. A call that holds the interpreter's lock all the time,
    as a C function may, holds the caller too.

    Raises
    ------
    TimeoutError
        If it took longer than `limit_s` seconds.
    """
    raised: list[BaseException] = []

    def run() -> None:
        try:
            call()
        except BaseException as error:  # noqa: BLE001 - a thread must not print a traceback
            raised.append(error)

    thread = threading.Thread(target=run, name="claude-magic-look", daemon=True)
    thread.start()
    thread.join(limit_s)
    if thread.is_alive():
        raise TimeoutError
    return raised[0] if raised else None
