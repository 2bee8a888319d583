"""How one conversation goes on: from process to process, behind a crash, from kernel to kernel."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from claude_magic.errors import StartError, UsageError

from .lease import Holder, Lease
from .place import Place, find_place
from .records import Records
from .transcript import Transcript
from .turn import prompt_text

if TYPE_CHECKING:
    from .asking import Asking
    from .options import SessionOptions
    from .records import Record
    from .state import SessionStatus
    from .turn import Prompt, Turn


class Continuity:
    """What a conversation holds by now, where its next process begins, and the right to go on.

    A prompt is under way from `ask` to `answered`. If the process goes away in between, the next
    one begins before that prompt, so that it is in the conversation once, or not at all. Loop
    thread only, but for `begun`.

    Parameters
    ----------
    options
        What the session was asked for.
    origin
        The earlier conversation to go on with, or to branch off; None begins a new one.
    """

    def __init__(self, options: SessionOptions, origin: Place | None) -> None:
        #: What the session is asked for at present.
        self.options = options
        self._origin = origin or Place.new()
        self._session_id = self._origin.session_id
        self._records = Records(options.environment)
        self._one_note_at_a_time = asyncio.Lock()
        self._lease: Lease | None = None
        self._under_way: Asking | None = None
        # Turns that are not in the conversation, which nobody has been told yet.
        self._left_out: set[Turn] = set()
        self._cut_off: list[str] = []
        self._holds_answers = False
        #: Whether Claude Code has heard anything in this conversation, from this session.
        self.spoken = False

    @property
    def session_id(self) -> str:
        """The conversation's id; a new one where nothing was kept of the old."""
        return self._session_id

    @property
    def begun(self) -> bool:
        """Whether anything was said, here or before it was resumed. Any thread."""
        return self.spoken or self._origin.resumes is not None

    def ask(self, asking: Asking) -> None:
        """Take note that a prompt is under way."""
        self._under_way = asking

    def answered(self, *, complete: bool) -> None:
        """Take note that the prompt has its result: what is in the conversation stays."""
        self._under_way = None
        self._cut_off.clear()
        self._holds_answers |= complete
        self._left_out.clear()

    def lacks_another_than(self, turn: Turn) -> bool:
        """Tell whether a turn is missing since the last answer; this one is about to be asked."""
        return bool(self._left_out - {turn})

    async def find_place(self) -> Place:
        """Return where the process that starts now begins, with the lease for it taken.

        Raises
        ------
        StartError
            If there is no such conversation, or nothing is left of it.
        SessionHeldError
            If it is open elsewhere.
        """
        place = wanted = self._end() if self.spoken else self._origin
        await self._hold(wanted.session_id)
        if wanted.resumes is not None and self.options.keep_transcript:
            transcript = Transcript(wanted.resumes, self.options.environment)
            place = await asyncio.to_thread(find_place, wanted, transcript)
        elif self.spoken:
            place = replace(wanted, resumes=None)
        if place.resumes is None and wanted.resumes is not None:
            if not self.spoken and not wanted.without:
                raise StartError(f"there is no conversation {wanted.resumes} to go on from")
            if self._holds_answers and self.options.keep_transcript:
                raise StartError(
                    "the transcript of this conversation is gone, and with it the context; "
                    "`%claude_reset` starts a new one",
                )
            place = self._begin_again()
            await self._hold(place.session_id)
        if self._under_way is not None:
            self._left_out.add(self._under_way.turn)
            self._cut_off = list(self._not_answered)
        if not self.spoken:
            self._origin = place
        return place

    def _end(self) -> Place:
        return Place.of(self._session_id, without=self._not_answered)

    @property
    def _not_answered(self) -> tuple[str, ...]:
        """The prompts since the last answer: those that were cut off, and what is under way."""
        under_way = [self._under_way.prompt_id] if self._under_way is not None else []
        return tuple(dict.fromkeys([*self._cut_off, *under_way]))

    def _begin_again(self) -> Place:
        """Begin where the session began, under a new id, because nothing of it was kept."""
        self.spoken = False
        place = Place.new()
        if self._origin.branches:
            place = replace(self._origin, session_id=place.session_id)
        self._session_id = place.session_id
        return place

    async def _hold(self, session_id: str) -> None:
        """Keep other kernels from going on with the conversation meanwhile."""
        if not self.options.keep_transcript:
            return
        if self._lease is None or self._lease.session_id != session_id:
            await self.let_go()
            self._lease = Lease(session_id, self.options.environment)
        await asyncio.to_thread(self._lease.take, Holder.here(self.options.notebook))

    async def let_go(self) -> None:
        """Let another kernel go on with the conversation; twice is harmless."""
        if self._lease is not None:
            await asyncio.to_thread(self._lease.release)

    async def recall(self) -> Record | None:
        """Return what an earlier kernel kept of the conversation; None once this one goes on."""
        if self.spoken or self._origin.resumes is None:
            return None
        return await asyncio.to_thread(self._records.get, self._session_id)

    async def note(self, prompt: Prompt, status: SessionStatus) -> None:
        """Keep what a later kernel is to know of the conversation, after a turn."""
        if not self.options.keep_transcript:
            return
        # One after the other, so that the last one stands.
        async with self._one_note_at_a_time:
            await asyncio.to_thread(
                self._records.note,
                status,
                prompt_text(prompt),
                self.options.notebook,
            )

    def branch(self) -> Place:
        """Return where another session can begin that has this conversation in common with it.

        A turn that is under way is left out.

        Raises
        ------
        UsageError
            If nothing is kept of this conversation.
        """
        if not self.options.keep_transcript:
            raise UsageError("A conversation that keeps no transcript cannot be branched.")
        if self.spoken:
            return Place.of(self._session_id).branch(without=self._not_answered)
        if self._origin.resumes is None:
            return Place.new()
        return replace(self._origin, session_id=Place.new().session_id)
