"""Turns that this process remembers because the transcript does not hold them."""

from __future__ import annotations

import errno
import os
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .transcript import Transcript, config_folder
from .turn import Told

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from .turn import Prompt

#: Bytes that a disk has room for where Claude Code can still write a turn.
_PROBE_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class UnwrittenTurn:
    """A turn that Claude Code was asked and that its transcript does not hold.

    Attributes
    ----------
    prompt_id
        The id under which the prompt was sent.
    prompt
        The prompt.
    answer
        The text of the answer; None where there is none.
    """

    prompt_id: str
    prompt: Prompt
    answer: str | None

    def messages(self) -> Iterator[Told]:
        """Yield the turn as messages that another process can be told."""
        yield Told("user", self.prompt)
        if self.answer:
            yield Told("assistant", self.answer)


class WrittenSoFar:
    """Looks in a transcript for what should have been written since the last look.

    Reads only what is new. Call it off the event loop, one call at a time.

    Parameters
    ----------
    session_id
        The conversation.
    environment
        `SessionOptions.environment`, which may say where Claude Code keeps its files.
    """

    def __init__(self, session_id: str, environment: Mapping[str, str]) -> None:
        self.session_id = session_id
        self._transcript = Transcript(session_id, environment)
        self._read_bytes = 0

    def lacks(self, ids: Collection[str]) -> bool:
        """Tell whether the transcript lacks entries with any of these ids."""
        # What was written anew since the last look has other lengths.
        starts = (self._read_bytes, 0) if self._read_bytes else (0,)
        return all(self._lacks(ids, start) for start in starts)

    def _lacks(self, ids: Collection[str], start: int) -> bool:
        try:
            path = self._transcript.path
            if path is None:
                return True
            with path.open("rb") as file:
                file.seek(start)
                new = file.read()
        except OSError:
            return True
        # A line without its end is not an entry yet, and perhaps never will be.
        whole = new[: new.rfind(b"\n") + 1]
        if any(b'"uuid":"%s"' % each.encode() not in whole for each in ids):
            return True
        self._read_bytes = start + len(whole)
        return False


def why_not_written(environment: Mapping[str, str]) -> str:
    """Return why Claude Code cannot write transcripts, by trying; empty if it can by now."""
    folder = config_folder(environment)
    try:
        for each in (folder, folder / "projects"):
            with suppress(FileExistsError):
                each.mkdir(parents=True)
        with tempfile.TemporaryFile(dir=folder / "projects", buffering=0) as file:
            if file.write(b"\0" * _PROBE_BYTES) < _PROBE_BYTES:
                return f"{os.strerror(errno.ENOSPC)} ({folder})"
            os.fsync(file.fileno())
    except OSError as error:
        return f"{error.strerror or error} ({folder})"
    return ""
