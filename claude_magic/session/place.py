"""Where in which conversation a process begins."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from .transcript import Transcript

#: No conversation costs so much, in US dollars; a count that says so is broken.
_MOST_USD = 1e12

#: What an answer stops with that is not the end of its turn.
_GOES_ON = {None, "tool_use", "pause_turn"}


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
        The id of the message behind which it goes on; None for the end of the conversation.
    counted_usd
        What Claude Code has counted of the conversation's cost until then, in US dollars.
    """

    session_id: str
    resumes: str | None = None
    without: Iterable[str] = ()
    recorded: bool = False
    at: str | None = None
    counted_usd: float = 0.0

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
    if wanted.at is not None:
        return wanted
    entries = list(transcript.entries())
    if not any(entry.get("type") == "user" for entry in entries):
        return replace(wanted, resumes=None)
    # A branch counts its own cost from the beginning.
    place = wanted if wanted.branches else replace(wanted, counted_usd=_counted_usd(entries))
    written = {entry.get("uuid") for entry in entries}
    cut_off = next((prompt for prompt in wanted.without if prompt in written), None)
    if cut_off is None:
        # It takes Claude Code about 0.1 s to write a prompt down. One that is under way while the
        # conversation is branched, or is asked from now on, will be there by the time that the
        # branch reads the transcript.
        return replace(place, at=_last_message(entries)) if wanted.branches else place
    at = _message_before(cut_off, entries)
    if at is None:
        return replace(wanted, resumes=None)
    return replace(place, at=at)


def has_ended(prompt_id: str, transcript: Transcript) -> bool:
    """Tell from a transcript whether a prompt has had its whole answer.

    Reads the whole transcript: call it off the event loop.
    """
    since = {prompt_id}
    for entry in transcript.entries():
        if entry.get("parentUuid") in since:
            since.add(str(entry.get("uuid")))
            message = entry.get("message") if entry.get("type") == "assistant" else None
            if isinstance(message, dict) and message.get("stop_reason") not in _GOES_ON:
                return True
    return False


def _message_before(prompt_id: str, entries: Iterable[dict[str, Any]]) -> str | None:
    by_id = {entry["uuid"]: entry for entry in entries if entry.get("uuid")}
    entry = by_id.get(prompt_id)
    while entry is not None:
        entry = by_id.get(entry.get("parentUuid"))
        if entry is not None and _is_message(entry):
            return str(entry["uuid"])
    return None


def _last_message(entries: Iterable[dict[str, Any]]) -> str | None:
    messages = [entry for entry in entries if _is_message(entry)]
    return str(messages[-1]["uuid"]) if messages else None


def _is_message(entry: dict[str, Any]) -> bool:
    # A turn that was stopped before its first word ends with one of the user's.
    return entry.get("type") in {"assistant", "user"}


def _counted_usd(entries: Iterable[dict[str, Any]]) -> float:
    # Claude Code writes its count when it ends in good order, and goes on from the last one.
    counts = [entry for entry in entries if entry.get("type") == "cost-state"]
    counted = counts[-1].get("totalCostUSD") if counts else None
    # A bool is an int.
    return float(counted) if isinstance(counted, (int, float)) and abs(counted) < _MOST_USD else 0.0
