"""Text of any length in little memory: its head, its tail, and how much is missing between."""

from __future__ import annotations

import re
import threading
from collections import deque

#: Room for the words that stand for what was left out, in characters.
_GAP_ROOM = 60

_ESCAPE = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # colours, cursor
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?"  # titles, links
    r"|\x1b[@-Z\\^_]"
)
# Anchored: it would take time quadratic in the length of a line otherwise.
_OVERWRITTEN = re.compile(r"^[^\n]*\r(?=[^\r\n])", re.MULTILINE)


#: A word is not longer than this, in characters.
_WORD = 500
_LAST_WORD = re.compile(r"\S*\Z")
_FIRST_WORD = re.compile(r"\S*")


class BoundedText:
    """A text that is written bit by bit and of which only the head and the tail are kept.

    Any thread may call it, and a signal handler that interrupts it.

    Parameters
    ----------
    limit
        The longest text that is kept whole, and the longest that `text` returns, in characters;
        at least 200.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._head_limit = limit // 2
        self._tail_limit = limit - self._head_limit
        # Reentrant: a signal handler may print while its thread writes.
        self._lock = threading.RLock()
        self.clear()

    def clear(self) -> None:
        """Forget all that was written."""
        with self._lock:
            self._head: list[str] = []
            self._tail: deque[str] = deque()
            self._head_length = self._tail_length = self._length = 0

    def write(self, text: str) -> None:
        """Add `text` to the end."""
        with self._lock:
            self._length += len(text)
            room = self._head_limit - self._head_length
            if room > 0:
                self._head.append(text[:room])
                self._head_length += min(room, len(text))
                text = text[room:]
            if not text:
                return
            # A slice, so that no huge text is kept alive by its end.
            self._tail.append(text[-self._tail_limit :])
            self._tail_length += len(self._tail[-1])
            while self._tail_length - len(self._tail[0]) >= self._tail_limit:
                self._tail_length -= len(self._tail.popleft())

    def __bool__(self) -> bool:
        return self._length > 0

    @property
    def text(self) -> str:
        """What is kept, in at most as many characters as the limit."""
        with self._lock:
            head, tail = "".join(self._head), "".join(self._tail)
            if self._length <= self._limit:
                return head + tail
            # Half a word may be half a secret, which nobody would know by its shape.
            head = head[: -len(_LAST_WORD.search(head[-_WORD:])[0]) or None]  # type: ignore[index]
            tail = tail[-(self._tail_limit - _GAP_ROOM) :]
            tail = tail[len(_FIRST_WORD.match(tail[:_WORD])[0]) :]  # type: ignore[index]
            missing = self._length - len(head) - len(tail)
            return f"{head}\n[… {missing:,} characters left out …]\n{tail}"


def bounded(text: str, limit: int) -> str:
    """Return `text` in at most `limit` characters, its head and its tail if it is longer."""
    kept = BoundedText(limit)
    kept.write(text)
    return kept.text


def plain(text: str) -> str:
    """Return `text` as a terminal would leave it: no colours, no overwritten progress bars."""
    return _OVERWRITTEN.sub("", _ESCAPE.sub("", text))
