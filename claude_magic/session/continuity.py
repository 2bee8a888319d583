"""How one conversation goes on: from process to process, behind a crash, from kernel to kernel."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from claude_magic.errors import StartError, UsageError

from .lease import Holder, Lease
from .own_record import UnwrittenTurn, WrittenSoFar, why_not_written
from .place import Place, Since, find_place, has_ended
from .records import Records, title_of
from .transcript import Transcript
from .turn import first_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from .options import SessionOptions
    from .records import Record
    from .sdk import Mirror
    from .state import SessionStatus
    from .stores.store_copy import StoreCopy
    from .turn import Prompt, Told, Turn


class Continuity:
    """What a conversation holds by now, where its next process begins, and the right to go on.

    A prompt is under way from `ask` to `answered`. If the process goes away in between, the next
    one begins before that prompt, so that it is in the conversation once, or not at all; the record
    tells another kernel. Loop thread only, but for `begun`.

    Parameters
    ----------
    options
        What the session was asked for.
    origin
        The earlier conversation to go on with, or to branch off; None begins a new one.
    on_store
        Called on any thread whenever what `behind` says may have changed.
    """

    def __init__(
        self,
        options: SessionOptions,
        origin: Place | None,
        on_store: Callable[[], object] = lambda: None,
    ) -> None:
        #: What the session is asked for at present.
        self.options = options
        self._origin = origin or Place.new()
        self._session_id = self._origin.session_id
        self._records = Records(options.environment)
        self._one_note_at_a_time = asyncio.Lock()
        self._lease: Lease | None = None
        #: What a store has of it; None where it is kept on this machine alone.
        self.copy = _store_copy(options, on_store)
        # All prompts that were asked here, and how many of them are sure to stay.
        self._prompts: list[str] = []
        self._settled = 0
        # Those of them that a crash cut off or the API rejected: they are not in the conversation.
        self._dead: list[str] = []
        # The prompts that were answered: in an earlier kernel, and here with their titles.
        self._earlier = self._origin.answered
        self._answered: dict[str, str] = {}
        #: Turns that the transcript does not hold, with all that came after the first of them.
        self.unwritten: list[UnwrittenTurn] = []
        #: Why they are not there; empty where they are, or nobody knows.
        self.problem = ""
        #: Turns that are in no transcript and that nobody remembers, by their titles.
        self.lost: tuple[str, ...] = ()
        self._to_tell: tuple[UnwrittenTurn, ...] = ()
        self._told_again = False
        self._written: WrittenSoFar | None = None
        self._under_way: Turn | None = None
        # Turns that are not in the conversation, which nobody has been told yet; None is one of
        # another kernel.
        self._left_out: set[Turn | None] = set()
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

    def ask(self, turn: Turn, prompt_id: str) -> None:
        """Take note that a prompt of a turn is under way, whether it is to be answered or not."""
        self.spoken = True
        self._under_way = turn
        self._prompts.append(prompt_id)

    def answered(self, *, complete: bool) -> None:
        """Take note that the turn has its result: what is in the conversation stays."""
        turn, self._under_way = self._under_way, None
        self._settled = len(self._prompts)
        self._holds_answers |= complete
        if complete and turn is not None:
            self._answered[self._prompts[-1]] = title_of(first_text(turn.prompt))
        self._left_out.clear()

    def lost_now(self) -> tuple[str, ...]:
        """Return the titles of the turns that are in no transcript any more, once."""
        lost, self.lost = self.lost, ()
        return lost

    def _forget_unwritten(self) -> None:
        """Take note that all of the conversation is in the transcript, told again or not."""
        for turn in self.unwritten:
            self._answered.pop(turn.prompt_id, None)
            self._dead.append(turn.prompt_id)
        self.unwritten.clear()
        self._told_again = False
        self.problem = ""

    def take_back(self, prompt_id: str) -> None:
        """Take note that a prompt is not part of the conversation, though Claude Code was sent it.

        No turn may be under way.
        """
        self._dead.append(prompt_id)
        if prompt_id in self._prompts:
            self._prompts.remove(prompt_id)
        self._settled = len(self._prompts)

    def untold(self) -> tuple[Told, ...]:
        """Return what the process that runs has to be told before the next prompt, once."""
        turns, self._to_tell = self._to_tell, ()
        return tuple(message for turn in turns for message in turn.messages())

    async def look_whether_written(self, turn: Turn, prompt_id: str, last_id: str | None) -> bool:
        """Look whether the transcript holds a turn that was just answered.

        Parameters
        ----------
        turn
            The turn.
        prompt_id
            The id under which its prompt was sent.
        last_id
            The id of the last message of the answer; None where there was none.

        Returns
        -------
        bool
            Whether this is the first turn that it does not hold.
        """
        if not self.options.keep_transcript:
            return False
        if self._written is None or self._written.session_id != self._session_id:
            self._written = WrittenSoFar(self._session_id, self.options.environment)
        ids = {prompt_id} if last_id is None else {prompt_id, last_id}
        lacks = await asyncio.to_thread(self._written.lacks, ids)
        if not lacks and (not self.unwritten or self._told_again):
            self._forget_unwritten()
            return False
        first = not self.unwritten
        # Behind a gap nothing in the transcript can be reached, so that is told again as well.
        self.unwritten.append(UnwrittenTurn(prompt_id, turn.prompt, turn.text or None))
        if first or lacks:
            self.problem = await asyncio.to_thread(why_not_written, self.options.environment)
        return first

    @property
    def ends(self) -> tuple[str, str] | None:
        """The ids of the first prompt and the last; None where not all was said here."""
        if not self._prompts or self._origin.resumes is not None:
            return None
        return self._prompts[0], self._prompts[-1]

    def forget(self, *, same_process: bool) -> None:
        """Take note that nothing is left of what was said.

        Parameters
        ----------
        same_process
            Whether the process goes on, and so its id of the conversation.
        """
        self.spoken = self._holds_answers = False
        self._dead.extend(self._prompts)
        self._prompts.clear()
        self._settled = 0
        self._earlier, self.lost, self.problem = (), (), ""
        self._answered.clear()
        self.unwritten.clear()
        self._to_tell = ()
        self._under_way = None
        self._left_out.clear()
        if not same_process:
            self._origin = Place.new()
            self._session_id = self._origin.session_id

    def lacks_another_than(self, turn: Turn) -> bool:
        """Tell whether a turn is missing since the last answer; this one is about to be asked."""
        return bool(self._left_out - {turn})

    async def find_place(self, cwd: Path) -> Place:
        """Return where the process that starts now begins, with the lease for it taken.

        Parameters
        ----------
        cwd
            The directory that it works in.

        Raises
        ------
        StartError
            If there is no such conversation, or nothing is left of it.
        SessionHeldError
            If it is open elsewhere.
        """
        # The process that was sent them is gone; they are asked again, or not at all.
        self._dead.extend(self._unsettled)
        del self._prompts[self._settled :]
        find = self._find_end if self.spoken else self._find_origin
        place = await find(cwd)
        if self._under_way is not None:
            self._left_out.add(self._under_way)
        self._to_tell = tuple(self.unwritten)
        self._told_again = bool(self._to_tell)
        remembered = {turn.prompt_id for turn in self.unwritten}
        lost = [each for each in place.missing if each not in remembered]
        self.lost = tuple(self._answered.pop(each, "") for each in lost)
        self._earlier = tuple(each for each in self._earlier if each not in lost)
        return place

    async def find_again(self, place: Place) -> Place | None:
        """Return the place once more, where Claude Code did not find it; None if that is no use.

        Raises
        ------
        OptionError
            If the id of the conversation is not a UUID.
        """
        if place.resumes is None or not self.options.keep_transcript:
            return None
        transcript = Transcript(place.resumes, self.options.environment)
        again = await asyncio.to_thread(find_place, place, transcript, strict=True)
        return again if again.resumes is not None else None

    async def _find_end(self, cwd: Path) -> Place:
        """Go on at the end of what was said here, or begin again where nothing of it was kept."""
        place = await self._find(Place.of(self._session_id), cwd)
        if self.options.keep_transcript and place.resumes is not None:
            return place
        # A branch in which nothing was answered yet begins where it leaves the other conversation.
        begins_again = self._origin.branches and not self._answered
        if self.options.keep_transcript and place.missing and not begins_again:
            raise StartError(_lost(self._answered.values()))
        self.spoken = False
        if not self.options.keep_transcript:
            self._prompts.clear()
            self._settled = 0
        self._origin = self._origin.branch() if self._origin.branches else Place.new()
        self._session_id = self._origin.session_id
        return await self._find_origin(cwd)

    async def _find_origin(self, cwd: Path) -> Place:
        """Begin where the session was asked to."""
        place = await self._find(self._origin, cwd)
        if self._origin.resumes is not None and place.resumes is None:
            if not any((*self._origin.without, *self._dead)):
                raise StartError(f"there is no conversation {self._origin.resumes} to go on from")
            # It had got no further than the prompt that is left out.
            place = Place.new()
            self._session_id = place.session_id
            await self._hold(place.session_id, new=True)
        if self._origin.branches or place.resumes is None:
            # Where a branch leaves the other conversation does not change any more.
            self._origin = place
        return place

    async def _find(self, wanted: Place, cwd: Path) -> Place:
        """Look up a place in the transcript, with the lease for it taken."""
        goes_on = wanted.resumes is not None and not wanted.branches
        taken = await self._hold(wanted.session_id, new=not goes_on)
        if wanted.resumes is None or not self.options.keep_transcript:
            return wanted
        if taken and self.copy is not None:
            await self.copy.fetch(wanted.resumes, cwd, branches=wanted.branches)
        if taken and wanted.recorded:
            await self._inherit(wanted.resumes)
        transcript = Transcript(wanted.resumes, self.options.environment)
        untold = [turn.prompt_id for turn in self.unwritten]
        answered = dict.fromkeys((*wanted.answered, *self._earlier, *self._answered))
        wanted = replace(
            wanted,
            without=(*wanted.without, *self._dead, *untold),
            answered=tuple(each for each in answered if each not in untold),
        )
        return await asyncio.to_thread(find_place, wanted, transcript)

    @property
    def _unsettled(self) -> tuple[str, ...]:
        """The prompts since the last answer: those that were cut off, and what is under way."""
        return tuple(self._prompts[self._settled :])

    async def _inherit(self, session_id: str) -> None:
        """Take over what was under way where another kernel left off, or was killed."""
        record = await asyncio.to_thread(self._records.get, session_id)
        if record is None:
            return
        self._earlier = tuple(each for each in record.answered if each not in self._answered)
        self._dead.extend(each for each in record.left_out if each not in self._dead)
        cut_off = record.under_way
        if not cut_off or cut_off[-1] in self._dead:
            return
        # A kernel that was killed right behind an answer had no time to write that it was there.
        transcript = Transcript(session_id, self.options.environment)
        if not await asyncio.to_thread(has_ended, cut_off[-1], transcript):
            self._dead.extend(cut_off)
            self._left_out.add(None)

    async def _hold(self, session_id: str, *, new: bool) -> bool:
        """Keep other kernels from going on with the conversation, and tell whether they could.

        Parameters
        ----------
        session_id
            The conversation.
        new
            Whether it is of our making, so that nobody else can know of it.
        """
        if not self.options.keep_transcript:
            return False
        if self._lease is None or self._lease.session_id != session_id:
            await self.let_go()
            self._lease = Lease(session_id, self.options.environment)
        if self._lease.held:
            return False
        holder = Holder.here(self.options.notebook)
        taking = asyncio.create_task(asyncio.to_thread(self._lease.take, holder))
        try:
            await asyncio.shield(taking)
        except asyncio.CancelledError:
            # Whoever cancels lets go next, and must not be overtaken by the thread that takes.
            await asyncio.wait([taking])
            raise
        if self.copy is not None:
            try:
                await self.copy.hold(session_id, holder, new=new)
            except BaseException:
                await asyncio.to_thread(self._lease.release)
                raise
        return True

    async def let_go(self) -> None:
        """Let another kernel go on with the conversation; twice is harmless."""
        if self._lease is not None:
            if self.copy is not None:
                await self.copy.let_go()
            await asyncio.to_thread(self._lease.release)

    async def recall(self) -> Record | None:
        """Return what an earlier kernel kept of the conversation; None once this one goes on."""
        if self.spoken or self._origin.resumes is None:
            return None
        return await asyncio.to_thread(self._records.get, self._session_id)

    async def note(self, prompt: Prompt, status: SessionStatus) -> None:
        """Keep what a later kernel is to know of the conversation, before and after a turn."""
        if not self.options.keep_transcript:
            return
        # One after the other, so that the last one stands.
        async with self._one_note_at_a_time:
            record = await asyncio.to_thread(
                self._records.note,
                status,
                first_text(prompt),
                self.options.notebook,
                self._unsettled,
                self._dead,
                (*self._earlier, *self._answered),
            )
            if self.copy is not None:
                self.copy.note(record)

    def mirror(self) -> Mirror | None:
        """Return what takes all that the process writes that starts now; None for nothing."""
        return self.copy.mirror(self._session_id) if self.copy is not None else None

    def branch(self) -> Place:
        """Return where another session can begin that has this conversation in common with it.

        A turn that is under way is left out, and what is asked until the other session begins.

        Raises
        ------
        UsageError
            If nothing is kept of this conversation, or not all of it.
        """
        if not self.options.keep_transcript:
            raise UsageError("A conversation that keeps no transcript cannot be branched.")
        if self.unwritten:
            raise UsageError(f"This conversation cannot be branched. {self.unwritten_told}")
        if not self.begun:
            return Place.new()
        # What the record says may be older than what is known here.
        place = replace(Place.of(self._session_id), recorded=False) if self.spoken else self._origin
        later = Since(self._prompts, self._settled, Since(self._dead, 0, place.without))
        answered = (*self._earlier, *self._answered)
        return replace(place.branch(), without=later, answered=answered)

    @property
    def unwritten_told(self) -> str:
        """Say that the transcript lacks turns, and why; empty if it lacks none."""
        if not self.unwritten:
            return ""
        turns = "turn is" if len(self.unwritten) == 1 else f"{len(self.unwritten)} turns are"
        reason = f" ({self.problem})" if self.problem else ""
        return (
            f"The last {turns} not in the transcript{reason}; only this process remembers "
            f"{'it' if len(self.unwritten) == 1 else 'them'}, as text."
        )


def _lost(titles: Iterable[str]) -> str:
    """Say that nothing is left of a conversation."""
    told = ", ".join(f"“{title}”" for title in titles if title)
    turns = f" The turns were: {told}." if told else ""
    return (
        "the transcript of this conversation is gone, and with it the context; "
        f"`%claude_reset` starts a new one.{turns}"
    )


def _store_copy(options: SessionOptions, listener: Callable[[], object]) -> StoreCopy | None:
    if options.session_store is None or not options.keep_transcript:
        return None
    from .stores.store_copy import StoreCopy  # noqa: PLC0415 - only where there is a store

    return StoreCopy(options.session_store, options.environment, listener)
