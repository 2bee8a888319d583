"""Where in which conversation a process begins."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
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
    at
        The id of the answer behind which it goes on; None for the end of the conversation.
    dropped_turn
        Whether a turn that was cut off is left out by this.
    """

    session_id: str
    resumes: str | None = None
    at: str | None = None
    dropped_turn: bool = False

    @classmethod
    def of(cls, session_id: str) -> Place:
        """Return the end of an earlier conversation."""
        return cls(session_id, session_id)

    @property
    def branches(self) -> bool:
        """Whether the conversation leaves the one that it goes on from as it is."""
        return self.resumes is not None and self.resumes != self.session_id

    @classmethod
    def new(cls, *, dropped_turn: bool = False) -> Place:
        """Return the beginning of a conversation that nobody had yet."""
        return cls(str(uuid.uuid4()), dropped_turn=dropped_turn)


def place_to_resume(transcript: Transcript, cut_off: str | None) -> Place:
    """Find where a conversation goes on after its process went away.

    Whoever asks again must not find the prompt there twice, so a turn that was cut off is left out.
    Reads the whole transcript: call it off the event loop.

    Parameters
    ----------
    transcript
        What Claude Code keeps of the conversation.
    cut_off
        The prompt that was under way when the process went away, if one was.

    Returns
    -------
    Place
        Behind the last turn that ended; a new conversation if there is none.
    """
    entries = {str(entry.get("uuid")): entry for entry in transcript.entries()}
    if not any(entry.get("type") == "user" for entry in entries.values()):
        return Place.new()
    if cut_off not in entries:  # it takes Claude Code about 0.1 s to write a prompt down
        return Place.of(transcript.session_id)
    entry = entries.get(str(cut_off))
    while entry is not None:
        entry = entries.get(str(entry.get("parentUuid")))
        if entry is not None and entry.get("type") == "assistant":
            end = Place.of(transcript.session_id)
            return replace(end, at=str(entry["uuid"]), dropped_turn=True)
    return Place.new(dropped_turn=True)
