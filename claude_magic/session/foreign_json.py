"""JSON that other programs wrote: bounded in size, depth and number of parts."""

from __future__ import annotations

import json
import math
import os
import stat
from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: Longest entry of a transcript that is read, in bytes. The largest that Claude Code writes hold a
#: file of 20 MB as base64.
MAX_ENTRY_BYTES = 32 * 2**20

#: Longest note, record or summary of a conversation that is read, in bytes.
MAX_NOTE_BYTES = 2**20

#: Deepest nesting that is read. Python raises RecursionError at about 1000 levels, both when it
#: reads JSON and when it writes it.
MAX_DEPTH = 200

#: Most arrays and objects in one text, each of which takes about 64 bytes of memory.
MAX_PARTS = 2_000_000


class BrokenJsonError(ValueError):
    """A text that is not the JSON that it should be; its own text says why, in a few words."""


class Skipped:
    """Tally of the broken entries that were left out of a result, by reason."""

    def __init__(self) -> None:
        self._reasons: Counter[str] = Counter()

    def add(self, reason: object) -> None:
        """Count one entry."""
        self._reasons[str(reason)] += 1

    @property
    def count(self) -> int:
        """The number of entries that were left out."""
        return sum(self._reasons.values())

    def __bool__(self) -> bool:
        return bool(self._reasons)

    def __str__(self) -> str:
        """Return such as ``"2 broken entries were skipped (1 not JSON, 1 too large)"``."""
        what = "1 broken entry was" if self.count == 1 else f"{self.count} broken entries were"
        why = ", ".join(f"{count} {reason}" for reason, count in self._reasons.most_common())
        return f"{what} skipped ({why})"


def parse_object(written: object, max_bytes: int) -> dict[str, Any]:
    """Return the JSON object that a text holds. Any thread.

    Parameters
    ----------
    written
        Text or bytes in UTF-8; a database may hold a value of any other type in its place.
    max_bytes
        The longest text that is read, in bytes.

    Raises
    ------
    BrokenJsonError
        If it is not an object, or not valid JSON, or exceeds a limit.
    """
    text = _text(written)
    # What is no ASCII takes more bytes than characters.
    if len(text) > max_bytes or (not text.isascii() and len(text.encode()) > max_bytes):
        raise BrokenJsonError("too large")
    parts = sum(map(text.count, "[{"))
    if parts > MAX_PARTS:
        raise BrokenJsonError("too large")
    try:
        found = json.loads(text, parse_constant=_refuse, parse_float=_finite)
    except RecursionError:
        raise BrokenJsonError("nested too deeply") from None
    except ValueError:
        raise BrokenJsonError("not JSON") from None
    if not isinstance(found, dict):
        raise BrokenJsonError("not an object")
    if parts > MAX_DEPTH and _depth(found) > MAX_DEPTH:
        raise BrokenJsonError("nested too deeply")
    return found


def _text(written: object) -> str:
    """Return what was written as text that can be encoded."""
    try:
        if isinstance(written, bytes):
            return written.decode()
        if isinstance(written, str):
            if not written.isascii():
                written.encode()
            return written
    except UnicodeError:
        raise BrokenJsonError("not UTF-8") from None
    raise BrokenJsonError("not text")


def _refuse(constant: str) -> float:
    """Refuse NaN and Infinity, which are not JSON: Claude Code would refuse the line."""
    raise ValueError(constant)


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(digits)
    return number


def _depth(value: object) -> int:
    """Return the number of levels of arrays and objects, up to one more than `MAX_DEPTH`."""
    level, depth = [value], 0
    while level and depth <= MAX_DEPTH:
        containers = [each for each in level if isinstance(each, (dict, list))]
        if not containers:
            break
        depth += 1
        level = [
            inner
            for each in containers
            for inner in (each.values() if isinstance(each, dict) else each)
        ]
    return depth


def read_bounded(path: Path, max_bytes: int) -> bytes:
    """Return the contents of a small file. Any thread.

    Raises
    ------
    OSError
        If it is not a regular file, which may keep its reader waiting, or cannot be read.
    BrokenJsonError
        If it is longer than `max_bytes`.
    """
    with open(_opened(path), "rb") as file:
        found = file.read(max_bytes + 1)
    if len(found) > max_bytes:
        raise BrokenJsonError("too large")
    return found


def lines_of(path: Path, max_bytes: int) -> Iterator[bytes | None]:
    """Yield the lines of a file without their ends; None for each that is too long. Any thread.

    Raises
    ------
    OSError
        If it is not a regular file, which may keep its reader waiting, or cannot be read.
    """
    with open(_opened(path), "rb") as file:
        while line := file.readline(max_bytes + 1):
            if len(line) <= max_bytes or line.endswith(b"\n"):
                yield line.rstrip(b"\r\n")
                continue
            yield None
            while line and not line.endswith(b"\n"):
                line = file.readline(max_bytes)


def _opened(path: Path) -> int:
    """Return a descriptor of a regular file; a pipe in its place keeps nobody waiting."""
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | _BINARY)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(f"{path} is not a regular file")
    return descriptor


#: On Windows a descriptor is opened as text otherwise.
_BINARY = getattr(os, "O_BINARY", 0)
