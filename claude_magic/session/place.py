"""Where in which conversation a process begins."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .transcript import Transcript


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
        may have been cut off before Claude Code had written it down.
    at
        The id of the answer behind which it goes on; None for the end of the conversation.
    counted_usd
        What Claude Code has counted of the conversation's cost until then, in US dollars.
    """

    session_id: str
    resumes: str | None = None
    without: tuple[str, ...] = ()
    at: str | None = None
    counted_usd: float = 0.0

    @classmethod
    def of(cls, session_id: str, *, without: tuple[str, ...] = ()) -> Place:
        """Return the end of an earlier conversation."""
        return cls(session_id, session_id, without)

    @classmethod
    def new(cls) -> Place:
        """Return the beginning of a conversation that nobody had yet."""
        return cls(str(uuid.uuid4()))

    def branch(self, *, without: tuple[str, ...] = ()) -> Place:
        """Return the beginning of a new conversation that has this one so far in common with it."""
        return Place(str(uuid.uuid4()), self.session_id, without)

    @property
    def branches(self) -> bool:
        """Whether the conversation leaves the one that it goes on from as it is."""
        return self.resumes is not None and self.resumes != self.session_id


def find_place(wanted: Place, transcript: Transcript) -> Place:
    """Find in a transcript where a process begins.

    Reads the whole transcript: call it off the event loop.

    Parameters
    ----------
    wanted
        The conversation to go on from, and what is left out of it. Whoever asks again must not find
        the prompt there twice.
    transcript
        What Claude Code keeps of that conversation.

    Returns
    -------
    Place
        Behind the last turn that ended; it resumes nothing if there is none.
    """
    entries = list(transcript.entries())
    if not any(entry.get("type") == "user" for entry in entries):
        return replace(wanted, resumes=None)
    # A branch counts its own cost from the beginning.
    place = wanted if wanted.branches else replace(wanted, counted_usd=_counted_usd(entries))
    if not wanted.without:
        return place
    written = {entry.get("uuid") for entry in entries}
    cut_off = next((prompt for prompt in wanted.without if prompt in written), None)
    if cut_off is None:
        # It takes Claude Code about 0.1 s to write a prompt down. One that is under way while the
        # conversation is branched will be there by the time that its transcript is read again.
        return replace(place, at=_last_answer(entries)) if wanted.branches else place
    at = _answer_before(cut_off, entries)
    if at is None:
        return replace(wanted, resumes=None)
    return replace(place, at=at)


def _answer_before(prompt_id: str, entries: Iterable[dict[str, Any]]) -> str | None:
    by_id = {str(entry.get("uuid")): entry for entry in entries}
    entry = by_id.get(prompt_id)
    while entry is not None:
        entry = by_id.get(str(entry.get("parentUuid")))
        if entry is not None and entry.get("type") == "assistant":
            return str(entry["uuid"])
    return None


def _last_answer(entries: Iterable[dict[str, Any]]) -> str | None:
    answers = [entry for entry in entries if entry.get("type") == "assistant"]
    return str(answers[-1]["uuid"]) if answers else None


def _counted_usd(entries: Iterable[dict[str, Any]]) -> float:
    # Claude Code writes its count when it ends in good order, and goes on from the last one.
    counts = [entry for entry in entries if entry.get("type") == "cost-state"]
    return float(counts[-1].get("totalCostUSD") or 0.0) if counts else 0.0
