"""What is known of conversations that outlive their kernel."""

from __future__ import annotations

import logging
import time
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from .private_file import private_folder, read_private_file, write_private_file
from .transcript import check_session_id, transcribed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from .foreign_json import Skipped
    from .state import SessionStatus

_logger = logging.getLogger(__name__)

#: A record names at most so many prompts of each kind: it is written twice for each turn.
MAX_IDS = 100

#: A title is not longer than this, in characters.
TITLE_LENGTH = 80


@dataclass(frozen=True, slots=True)
class Record:
    """What is known of one conversation.

    Attributes
    ----------
    session_id
        The conversation's id, as Claude Code knows it.
    name
        What the kernel called it among others; None if nothing.
    notebook
        The notebook that it belongs to; None where that is not known.
    cwd
        The directory that Claude Code worked in; None for that of the process.
    title
        The first words of its first prompt, as `title_of` gives them.
    model
        The model that answered last.
    turns
        Prompts answered so far.
    cost_usd
        What it cost so far, in US dollars.
    started_s, used_s
        When it began and when it was last used, by `time.time()`.
    under_way
        The ids of the prompts since its last answer, the oldest first. A kernel that was killed
        leaves them here; whoever goes on leaves them out.
    left_out
        The ids of the last prompts that are not part of the conversation: a crash cut them off, or
        the API rejected them.
    answered
        The ids of the last prompts that were answered, the oldest first.
    """

    session_id: str
    name: str | None
    notebook: str | None
    cwd: str | None
    title: str
    model: str | None
    turns: int
    cost_usd: float
    started_s: float
    used_s: float
    under_way: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    answered: tuple[str, ...] = ()


def title_of(prompt: str) -> str:
    """Return a prompt's first words: one line of printable characters, 80 at most."""
    line = " ".join("".join(c if c.isprintable() else " " for c in prompt).split())
    if len(line) <= TITLE_LENGTH:
        return line
    cut = line[: TITLE_LENGTH - 1]
    return f"{cut.rpartition(' ')[0]} …" if " " in cut else f"{cut}…"


class Records:
    """The records of all of this user's conversations, one small file for each.

    They lie beside Claude Code's own files, so that whoever moves or clears those takes them along.
    Several kernels may write at once. A record is a convenience: where the disk is full or cannot
    be written, it is not kept, the log says so at level INFO, and nothing is raised.

    Any thread may call; every method reads or writes files, for a millisecond or a few, so call it
    off the event loop.

    Parameters
    ----------
    environment
        `SessionOptions.environment`, which may say where Claude Code keeps its files.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._folder = private_folder(environment, "sessions")

    def save(self, record: Record) -> None:
        """Keep a record, in place of an earlier one of the same conversation.

        Raises
        ------
        OptionError
            If its session id is not a UUID.
        """
        path = self._path(record.session_id)
        try:
            write_private_file(path, asdict(record))
        except OSError as error:
            _logger.info("The record of a conversation was not kept: %s", error)

    def note(  # noqa: PLR0913, PLR0917 - a record's fields
        self,
        status: SessionStatus,
        prompt: str,
        notebook: str | None,
        under_way: Sequence[str] = (),
        left_out: Sequence[str] = (),
        answered: Sequence[str] = (),
    ) -> Record:
        """Keep what has become of a conversation with its latest turn.

        Parameters
        ----------
        status
            The session's, right after the turn.
        prompt
            The turn's prompt; the first one of a conversation gives it its title.
        notebook
            The notebook that the conversation belongs to.
        under_way
            The ids of the prompts since the last answer.
        left_out, answered
            The ids of the prompts that are not part of the conversation, and of those that were
            answered; the last `MAX_IDS` of them are kept.

        Returns
        -------
        Record
            What was kept.
        """
        before = self.get(status.session_id)
        used_s = status.used_s or time.time()
        record = Record(
            session_id=status.session_id,
            name=status.name,
            notebook=notebook,
            cwd=status.cwd,
            title=before.title if before is not None else title_of(prompt),
            model=status.model,
            turns=status.turns,
            cost_usd=status.paid_usd,
            started_s=before.started_s if before is not None else used_s,
            used_s=used_s,
            under_way=tuple(under_way),
            left_out=tuple(left_out[-MAX_IDS:]),
            answered=tuple(answered[-MAX_IDS:]),
        )
        self.save(record)
        return record

    def get(self, session_id: str) -> Record | None:
        """Return a conversation's record, whether or not it still has a transcript.

        Raises
        ------
        OptionError
            If the session id is not a UUID.
        """
        return _read(self._path(session_id))

    def past(self, notebook: str | None = None, skipped: Skipped | None = None) -> list[Record]:
        """Return the conversations that can be resumed, the last used first.

        Parameters
        ----------
        notebook
            Only those that belong to this notebook; None for all.
        skipped
            Counts the records that are broken and left out.
        """
        try:
            there = transcribed(self._environment)
            paths = [path for path in self._folder.glob("*.json") if path.stem in there]
        except OSError as error:
            _logger.info("The records of conversations cannot be read: %s", error)
            return []
        records: list[Record] = []
        for path in paths:
            record = _read(path)
            if record is not None:
                records.append(record)
            elif skipped is not None:
                skipped.add("not a record")
        if notebook is not None:
            records = [record for record in records if record.notebook == notebook]
        return sorted(records, key=lambda record: record.used_s, reverse=True)

    def _path(self, session_id: str) -> Path:
        return self._folder / f"{check_session_id(session_id)}.json"


#: Longest text in a record, in characters.
MAX_FIELD_LENGTH = 4096

#: Most prompts that may be under way in a record.
MAX_UNDER_WAY = 1000

#: Largest number of turns or of US dollars in a record.
MAX_NUMBER = 1e12

#: The end of the year 9999, in seconds since the epoch: no later moment can be displayed.
MAX_MOMENT_S = 253_402_300_799.0

_LIMITS = {"started_s": MAX_MOMENT_S, "used_s": MAX_MOMENT_S}

_TEXT = (str,)
_TEXT_OR_NONE = (str, type(None))
_NUMBER = (int, float)

_TYPES: dict[str, tuple[type, ...]] = {
    "session_id": _TEXT,
    "name": _TEXT_OR_NONE,
    "notebook": _TEXT_OR_NONE,
    "cwd": _TEXT_OR_NONE,
    "title": _TEXT,
    "model": _TEXT_OR_NONE,
    "turns": (int,),
    "cost_usd": _NUMBER,
    "started_s": _NUMBER,
    "used_s": _NUMBER,
    "under_way": (tuple,),
    "left_out": (tuple,),
    "answered": (tuple,),
}


def _read(path: Path) -> Record | None:
    """Return the record in a file; None if it is damaged, or not ours."""
    return record_of(read_private_file(path), path.stem)


def record_of(written: Mapping[str, Any] | None, session_id: str) -> Record | None:
    """Return a conversation's record from its fields; None if they are damaged, or of another."""
    if written is None or written.get("session_id") != session_id:
        return None
    # A later version may have written more than this one knows.
    values: dict[str, Any] = {field.name: written.get(field.name) for field in fields(Record)}
    for name in ("under_way", "left_out", "answered"):
        values[name] = _texts(values[name])
    for name, value in values.items():
        if not isinstance(value, _TYPES[name]) or isinstance(value, bool):
            return None
        if isinstance(value, str) and (len(value) > MAX_FIELD_LENGTH or "\0" in value):
            return None
        # NaN is not between anything.
        if isinstance(value, (int, float)) and not 0 <= value <= _LIMITS.get(name, MAX_NUMBER):
            return None
    for name in ("title", "name", "model"):
        if values[name] is not None:
            values[name] = title_of(values[name])
    return Record(**values)


def _texts(written: object) -> tuple[str, ...] | None:
    """Return a list of texts, which an earlier version did not write; None if it is no such."""
    if written is None:
        return ()
    if not isinstance(written, list) or len(written) > MAX_UNDER_WAY:
        return None
    if not all(isinstance(text, str) and len(text) <= MAX_FIELD_LENGTH for text in written):
        return None
    return tuple(written)
