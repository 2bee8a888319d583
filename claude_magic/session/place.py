"""Where in which conversation a process begins."""

from __future__ import annotations

import logging
import uuid
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from .lineage import ends_turn, lineage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from .transcript import Transcript

_logger = logging.getLogger(__name__)

#: No conversation costs so much, in US dollars; a count that says so is broken.
_MOST_USD = 1e12


@dataclass(frozen=True, slots=True)
class Place:
    """Where in which conversation a process begins.

    Attributes
    ----------
    session_id
        The conversation that it carries.
    resumes
        The conversation that it goes on from: its own, or the one that it branches off; None where
        nothing was said yet.
    without
        Prompts whose turns are left out, with all that follows them, the oldest first. Any of them
        may have been cut off before Claude Code had written it down. It is iterated over when the
        process starts, and may have grown until then.
    recorded
        Whether another kernel may have had the conversation; then its record tells what else was
        under way in it.
    at
        The id of the message behind which it goes on; None where that is not known yet.
    answered
        Ids of prompts that are known to be part of the conversation, oldest first.
    missing
        Those of them that the transcript does not hold.
    counted_usd
        What Claude Code has counted of the conversation's cost until then, in US dollars.
    """

    session_id: str
    resumes: str | None = None
    without: Iterable[str] = ()
    recorded: bool = False
    at: str | None = None
    counted_usd: float = 0.0
    answered: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()

    @classmethod
    def of(cls, session_id: str, *, without: Iterable[str] = ()) -> Place:
        """Return the end of an earlier conversation, which other kernels can get at."""
        return cls(session_id, session_id, without, recorded=True)

    @classmethod
    def new(cls) -> Place:
        """Return the beginning of a conversation that nobody had yet."""
        return cls(str(uuid.uuid4()))

    def branch(self) -> Place:
        """Return the beginning of a new conversation that has this one so far in common with it."""
        return replace(self, session_id=str(uuid.uuid4()))

    @property
    def branches(self) -> bool:
        """Whether the conversation leaves the one that it goes on from as it is."""
        return self.resumes is not None and self.resumes != self.session_id


@dataclass(frozen=True, slots=True)
class Since:
    """The prompts of a conversation that goes on, from one of them to the latest.

    Attributes
    ----------
    prompts
        All of them, to which others are added.
    start
        How many come before.
    others
        Those that come first in the order of iteration.
    """

    prompts: Sequence[str]
    start: int
    others: Iterable[str] = ()

    def __iter__(self) -> Iterator[str]:
        yield from self.others
        yield from self.prompts[self.start :]


def find_place(
    wanted: Place,
    transcript: Transcript,
    *,
    strict: bool = False,
) -> Place:
    """Find in a transcript where a process begins, and make the transcript lead there.

    Claude Code decides by itself which branch of a transcript it follows. So the transcript of a
    conversation that goes on is reduced to the turns that belong to it, and that of a branch is
    written out where the original does not lead to its beginning. Nothing is changed where the disk
    does not allow it.

    Reads the whole transcript: call it off the event loop. The caller has the lease.

    Parameters
    ----------
    wanted
        The conversation to go on from, and what is left out of it. Whoever asks again must not find
        the prompt there twice.
    transcript
        What Claude Code keeps of that conversation.
    strict
        Whether Claude Code has just failed to find the place in this transcript.

    Returns
    -------
    Place
        Behind the last turn that ended; it resumes nothing if there is none.
    """
    if wanted.at is not None and wanted.branches and not strict:
        return wanted
    entries = list(transcript.entries())
    if not any(entry.get("type") == "user" for entry in entries):
        return replace(wanted, resumes=None, missing=wanted.answered)
    found = lineage(entries, tuple(wanted.without), wanted.answered, strict=strict)
    if found.end is None:
        return replace(wanted, resumes=None, missing=found.missing)
    place = replace(wanted, at=found.end, missing=found.missing)
    if not wanted.branches:
        # A branch counts its own cost from the beginning.
        place = replace(place, counted_usd=_counted_usd(entries))
        if found.differs or strict:
            with _logged():
                transcript.reduce(found.entries, found.removed)
    elif found.relinked or found.misleading or strict:
        # The original may be open, so it stays as it is.
        with _logged():
            transcript.copy(wanted.session_id, found.entries)
            place = replace(place, resumes=wanted.session_id)
    return place


@contextmanager
def _logged() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        _logger.warning("A transcript could not be repaired: %s", error)


def has_ended(prompt_id: str, transcript: Transcript) -> bool:
    """Tell from a transcript whether a prompt has had its whole answer.

    Reads the whole transcript: call it off the event loop.
    """
    since = {prompt_id}
    for entry in transcript.entries():
        if entry.get("parentUuid") in since:
            since.add(str(entry.get("uuid")))
            if ends_turn(entry):
                return True
    return False


def _counted_usd(entries: Iterable[dict[str, Any]]) -> float:
    # Claude Code writes its count when it ends in good order, and goes on from the last one.
    counts = [entry for entry in entries if entry.get("type") == "cost-state"]
    counted = counts[-1].get("totalCostUSD") if counts else None
    # A bool is an int.
    return float(counted) if isinstance(counted, (int, float)) and abs(counted) < _MOST_USD else 0.0
