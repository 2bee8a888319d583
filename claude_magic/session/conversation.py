"""One conversation: its state, its process, its turns. Everything here runs on the loop thread."""

from __future__ import annotations

import asyncio
import importlib
import logging
import os
import sys
import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from claude_magic.errors import (
    ApiError,
    ClaudeMagicError,
    ConnectionLostError,
    ContextTooLongError,
    NotLoggedInError,
    PromptRejectedError,
    SessionClosedError,
    SessionError,
    SessionHeldError,
    StartError,
    TurnInterruptedError,
    TurnLimitError,
    UsageError,
)
from claude_magic.shadowing import refuse_shadowed

from .asking import Asking
from .background import Background
from .continuity import Continuity
from .events import (
    BackgroundReply,
    PermissionAsked,
    PermissionDenied,
    RetryScheduled,
    RoomAwaited,
    TurnFinished,
    TurnStarted,
    Usage,
)
from .folders import working_folder
from .line import Line
from .loop import loop_thread, running_loop_thread
from .observations import Answering, Began, Result, TaskEnded, TasksChanged, TokensSpent
from .permission import Deny, checked, nobody_to_ask
from .restarts import RestartBudget
from .served import Caller
from .state import TRANSITIONS, SessionState, SessionStatus
from .watchdog import frozen

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine
    from pathlib import Path
    from types import ModuleType

    from .events import Event
    from .observations import Observation
    from .options import SessionOptions
    from .permission import PermissionAnswer, PermissionRequest
    from .place import Place
    from .pool import Pool
    from .sdk import Client
    from .turn import Prompt, Told, Turn

T = TypeVar("T")

_logger = logging.getLogger(__name__)

#: An interrupt is repeated this often until the turn ends, in seconds: one that comes within a
#: millisecond of its prompt is lost.
INTERRUPT_EVERY_S = 0.25

#: A turn that has not ended this long after its interrupt is ended with its process, in seconds.
INTERRUPT_GRACE_S = 5.0

#: Claude Code takes no budget of nothing.
_NOTHING_USD = 1e-9


class Conversation:
    """One conversation with Claude Code and the one process that carries it at a time.

    Owns the session's state, the client and its reader, and the order of its turns: one after
    another, in the order of `perform`. It may be made on any thread and is then used on the loop
    thread only; `ClaudeSession` is the face for others.

    Starting, ending and the first step of a turn exclude each other, so that no turn begins on a
    process that is being closed. An end, once begun, is carried through whoever waits for it.

    Parameters
    ----------
    options
        What the session was asked for.
    origin
        The earlier conversation to go on with, or to branch off; None begins a new one.
    caller
        What whoever made the session does for it.
    pool
        Where the session finds room for its process; None for as many as there are sessions.
    """

    def __init__(
        self,
        options: SessionOptions,
        origin: Place | None = None,
        caller: Caller | None = None,
        pool: Pool | None = None,
    ) -> None:
        self.options = options
        self._chosen = options
        self._continuity = Continuity(options, origin, self._store_changed)
        self._caller = caller or Caller()
        consent_for = self._needs_consent if self._caller.consent_for is not None else None
        self._served = replace(self._caller, consent_for=consent_for)
        # Where Claude Code works; it stays there, wherever the kernel goes.
        self._cwd = options.cwd
        self._pool = pool
        #: The latest snapshot. Any thread may read it: it is replaced, never changed.
        self.status = SessionStatus(
            SessionState.PARKED if self._continuity.begun else SessionState.NEW,
            session_id=self._continuity.session_id,
            usage=Usage(),
            model=options.model,
            label=options.label or os.environ.get("CLAUDE_MAGIC_LABEL") or None,
            tools=options.tools,
            cwd=str(options.cwd) if options.cwd is not None else None,
            extra_directories=tuple(map(str, options.extra_directories)),
            allowed_tools=options.allowed_tools,
            name=options.name,
            chosen_model=options.model,
            effort=options.effort,
            permission_mode=options.permission_mode,
            store=self._continuity.copy.shown if self._continuity.copy is not None else "",
        )
        self.listeners: list[Callable[[SessionStatus], object]] = []
        self._client: Client | None = None
        self._reader: asyncio.Task[None] | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._lifecycle = asyncio.Lock()
        self._line = Line(self._exchange, self._look_for_room)
        self._unwatched: set[asyncio.Task[Any]] = set()
        self._carried: set[asyncio.Task[Any]] = set()
        self._asking: Asking | None = None
        self._background = Background()
        self._overheard: list[BackgroundReply] = []
        self._restarts = RestartBudget()
        # What Claude Code has counted of the cost of the whole conversation.
        self._counted_usd = 0.0

    @property
    def pids(self) -> tuple[int, int] | None:
        """The process ids of the supervisor and of Claude Code while they run."""
        return self._client.pids if self._client is not None else None

    @property
    def begun(self) -> bool:
        """Whether anything was said, here or before it was resumed. Any thread."""
        return self._continuity.begun

    # -- state ---------------------------------------------------------------------------------

    def _move(self, state: SessionState, reason: str = "") -> None:
        if state not in TRANSITIONS[self.status.state]:
            raise AssertionError(f"no way from {self.status.state} to {state}")
        self._tell(replace(self.status, state=state, reason=reason))

    def _tell(self, status: SessionStatus) -> None:
        others = self.options != self._chosen
        self.status = replace(status, restarts=others and self._client is not None)
        self._look_for_room()
        for listener in list(self.listeners):
            self._call(listener)

    def tell_granted(self, granted: tuple[str, ...]) -> None:
        """Say what a person has allowed for the rest of the session."""
        self._tell(replace(self.status, granted=granted))

    def _store_changed(self) -> None:
        """Look, on the loop thread, whether the store has fallen behind. Any thread."""
        loop = running_loop_thread()
        if loop is not None:
            loop.call_soon(self._look_at_store)

    def _look_at_store(self) -> None:
        behind = self._store_behind
        if self.status.store_behind != behind:
            self._tell(replace(self.status, store_behind=behind))

    @property
    def _store_behind(self) -> str:
        return self._continuity.copy.behind if self._continuity.copy is not None else ""

    def choose(self, options: SessionOptions) -> None:
        """Take note of what the turns to come have that bring no options of their own."""
        self._chosen = options
        self._adopt_chosen()
        self._tell(
            replace(
                self.status,
                chosen_model=options.model,
                effort=options.effort,
                permission_mode=options.permission_mode,
            ),
        )

    def _adopt_chosen(self) -> None:
        """Have the next process start with what was chosen, unless a turn waits for another."""
        if self._client is None and self._connecting is None and self._line.empty:
            self._adopt(self._chosen)

    def _adopt(self, options: SessionOptions) -> None:
        self.options = options
        self._continuity.options = options
        self._tell(
            replace(
                self.status,
                tools=options.tools,
                extra_directories=tuple(map(str, options.extra_directories)),
                allowed_tools=options.allowed_tools,
                name=options.name,
                model=options.model or self.status.model,
            ),
        )

    def _look_for_room(self) -> None:
        if self._pool is not None:
            self._pool.look()

    def _call(self, listener: Callable[[SessionStatus], object]) -> None:
        try:
            listener(self.status)
        except Exception:
            # Whoever looks on must not be able to stop the session.
            _logger.exception("A listener of the session raised and is not called again.")
            self.listeners.remove(listener)

    def check_open(self) -> None:
        """Raise `SessionClosedError` if the session was closed. Any thread may call."""
        if self.status.state is SessionState.CLOSED:
            raise SessionClosedError(
                "This session was closed and its context is gone; start a new one, in a notebook "
                "with `%claude_reset`.",
            )

    # -- connecting ----------------------------------------------------------------------------

    async def connect(self, *, by_hand: bool = False) -> None:
        """Start Claude Code, or resume the conversation; nothing to do where it runs.

        Parameters
        ----------
        by_hand
            Whether somebody asks for it who knows that it went away, and how often.

        Raises
        ------
        StartError
            If the process does not come up.
        RestartLimitError
            If it went away too often of late.
        SessionHeldError
            If the conversation is open elsewhere.
        SessionClosedError
            If the session was closed.
        """
        if by_hand:
            self._restarts = RestartBudget()
        async with self._lifecycle:
            if self.options != self._chosen:
                self._adopt_chosen()
            await self._connected()

    async def _connected(self) -> Client:
        """Return the client of a process that runs. The caller holds the lifecycle."""
        self.check_open()
        if self._client is None:
            if self._connecting is None:
                if self.status.state is SessionState.LOST and self._reader is not None:
                    self._restarts.spend()
                self._move(SessionState.CONNECTING)
                self._connecting = self._start(self._open())
                self._connecting.add_done_callback(self._opened)
            connecting = self._connecting
            try:
                # A caller that leaves must not take the connection from those who come after it.
                await asyncio.shield(connecting)
            except asyncio.CancelledError:
                if connecting.cancelled():
                    raise StartError("it was disconnected while it started") from None
                raise
        if self._client is None:  # it came up and went away again at once
            raise ConnectionLostError(self.status.reason)
        return self._client

    async def _open(self) -> None:
        client: Client | None = None
        try:
            if self._pool is not None:
                await self._pool.make_room(self)
                if self.status.reason:
                    self._tell(replace(self.status, reason=""))
            async with loop_thread().starts:
                # Importing the SDK takes most of a second; other sessions go on meanwhile.
                sdk = await asyncio.to_thread(_import_sdk)
                self._cwd = self._cwd or working_folder()
                place = await self._continuity.find_place(self._cwd)
                await self._recall()
                client = self._client_at(sdk, place, self._cwd)
                try:
                    await client.connect()
                except StartError as error:
                    again = await self._found_again(place, error)
                    if again is None:
                        raise
                    place, client = again, self._client_at(sdk, again, self._cwd)
                    await client.connect()
                models = await client.models()
            self._client = client
            self.status = replace(self.status, models=models)
            self._background = Background()
            self._counted_usd = place.counted_usd
            self._reader = asyncio.create_task(self._read(client))
            self._move(SessionState.READY)
        except asyncio.CancelledError:
            if client is not None:
                await client.disconnect()
            raise
        except SessionHeldError as error:
            self._move(SessionState.PARKED, _first_line(error))
            raise
        except Exception as error:
            self._move(SessionState.LOST, _first_line(error))
            raise

    def _client_at(self, sdk: ModuleType, place: Place, cwd: Path) -> Client:
        client: Client = sdk.Client(
            self._options_now(cwd),
            place,
            self._decide,
            self._served,
            self._continuity.mirror(),
        )
        return client

    async def _found_again(self, place: Place, error: StartError) -> Place | None:
        """Return the place again, in a transcript without other ends, if it was not found."""
        if place.at is None or place.at not in str(error):
            return None
        _logger.info("Claude Code followed another branch of %s: %s", place.resumes, error)
        return await self._continuity.find_again(place)

    def _opened(self, connecting: asyncio.Task[None]) -> None:
        self._connecting = None
        if connecting.cancelled():  # perhaps before its first step
            self._move(SessionState.PARKED)
        if self._client is None:
            self._leave_room()

    def wait_for_room(self, max_live: int) -> None:
        """Say that the process has to wait for its place among so many."""
        reason = f"It waits until another conversation is idle: {max_live} may run at a time."
        if self.status.reason != reason:
            self._tell(replace(self.status, reason=reason))
            if self._line.first is not None:
                self._line.first.publish(RoomAwaited(max_live))

    def _leave_room(self) -> None:
        if self._pool is not None:
            self._pool.leave(self)

    def _options_now(self, cwd: Path) -> SessionOptions:
        """Return the options for a process that starts now."""
        options = self.options
        if options.cwd is None:
            options = options.but(cwd=cwd)
        budget_usd = options.budget_usd
        if budget_usd is None:
            return options
        # A process holds its own cost against its budget, and nothing of what was spent before it.
        left_usd = budget_usd - self.status.cost_usd
        return options.but(budget_usd=max(left_usd, _NOTHING_USD))

    async def _recall(self) -> None:
        """Go on counting where an earlier kernel stopped."""
        status = replace(self.status, session_id=self._continuity.session_id)
        record = await self._continuity.recall()
        if record is not None:
            status = replace(
                status,
                turns=record.turns,
                cost_usd=record.cost_usd,
                used_s=record.used_s,
            )
        if status != self.status:
            self._tell(status)

    def branch(self) -> Place:
        """Return where another session can begin that has this conversation in common with it.

        A turn that is under way is left out.

        Raises
        ------
        UsageError
            If nothing is kept of this conversation.
        """
        return self._continuity.branch()

    # -- turns ---------------------------------------------------------------------------------

    def perform(self, turn: Turn) -> None:
        """Put a turn in the line; its events tell the rest."""
        self._line.join(turn)

    async def _exchange(self, turn: Turn) -> TurnFinished:
        """Ask until there is a result, and make the turn's last event of it."""
        recovered = False
        while True:
            recovered |= self._continuity.spoken and self.status.state is SessionState.LOST
            try:
                asking, result = await self._ask(turn, recovered=recovered)
                break
            except ConnectionLostError as error:
                # Text can be withdrawn and said again. What a tool has done cannot be undone, and
                # must not be done twice.
                if self._line.stopped(turn):
                    raise TurnInterruptedError(turn.text) from error
                if turn.acted:
                    error.partial_text = turn.text
                    raise
                turn.withdraw()
        if result.error is not None:
            if isinstance(result.error, PromptRejectedError):
                removed = await self._carry(self._take_back(asking, result.error))
                raise result.error.told(removed=removed, acted=turn.acted)
            raise result.error
        lost = self._continuity.lost_now()
        unwritten = await self._look_whether_written(asking, result)
        return TurnFinished(
            text=turn.text,
            usage=result.usage,
            cost_usd=asking.cost_usd,
            elapsed_s=time.monotonic() - turn.created_s,
            model=self.status.model or "",
            session_id=self.status.session_id,
            stop_reason=result.stop_reason,
            recovered=recovered,
            dropped_turn=asking.dropped_turn,
            calls=turn.calls,
            thinking=turn.thinking,
            structured=result.structured,
            store_behind=self._store_behind,
            unwritten=unwritten,
            lost=lost,
        )

    async def _look_whether_written(self, asking: Asking, result: Result) -> str:
        """Say that the transcript does not hold a turn, where this is the first one."""
        first = await self._continuity.look_whether_written(
            asking.turn,
            asking.prompt_id,
            result.last_message_id,
        )
        told = self._continuity.unwritten_told
        if told != self.status.unwritten:
            self._tell(replace(self.status, unwritten=told))
        return told if first else ""

    async def _take_back(self, asking: Asking, error: PromptRejectedError) -> bool:
        """Remove a prompt that the API rejects from the conversation, and return whether it was.

        Otherwise every later request would hold it and be rejected as well.
        """
        async with self._lifecycle:
            client, kept = self._client, self.options.keep_transcript
            # For a prompt that is too long, Claude Code has replaced all before it by a summary.
            summarised = kept and isinstance(error, ContextTooLongError)
            removed = client is None or (
                not summarised and await client.take_back(asking.prompt_id)
            )
            if not removed and kept and not self._background.running:
                # The next process begins before the prompt.
                await self._shut(SessionState.PARKED)
                removed = True
            if removed:
                self._continuity.take_back(asking.prompt_id)
                self._start(self._continuity.note(asking.turn.prompt, self.status))
            return removed

    async def _ask(self, turn: Turn, *, recovered: bool) -> tuple[Asking, Result]:
        """Tell the turn's history, send its prompt and wait for the result."""
        if turn.options is not None and turn.options != self.options:
            await self._carry(self._reopen(turn.options))
        async with self._lifecycle:
            client = await self._connected()
            self._move(SessionState.BUSY)
            self._asking = asking = Asking(turn)
        watch = self._start(self._watch(client))
        try:
            # Claude Code takes a told answer together with the prompt after it, and reorders told
            # prompts whose empty results are not awaited.
            answers: list[Told] = []
            for told in (*self._continuity.untold(), *turn.history):
                if told.role == "assistant":
                    answers.append(told)
                else:
                    await self._send(client, asking, told.content, answers)
                    answers = []
                    self._asking = asking = Asking(turn)
            if self._line.stopped(turn):
                raise TurnInterruptedError(sent=False)
            if (over := self._over_budget("nothing was sent")) is not None:
                raise over
            dropped = self._continuity.lacks_another_than(turn)
            asking = Asking(turn, wanted=True, recovered=recovered, dropped_turn=dropped)
            self._asking = asking
            self._set_deadline(asking)
            result = await self._send(client, asking, turn.prompt, answers)
        finally:
            watch.cancel()
            self._asking = None
            if self.status.state in {SessionState.BUSY, SessionState.INTERRUPTING}:
                self._move(SessionState.READY)
        return asking, result

    async def _reopen(self, options: SessionOptions) -> None:
        """Go on with other options, which takes another process."""
        if self._continuity.unwritten:
            raise UsageError(
                f"{self._continuity.unwritten_told} Other options take another process, which "
                "would not know them; nothing was sent.",
            )
        if self._background.running:
            raise UsageError(
                "A task of this conversation is still running in the background, and would end "
                "with the process. Other options have to wait for it; nothing was sent.",
            )
        async with self._lifecycle:
            await self._shut(SessionState.PARKED)
            self._adopt(options)

    async def _carry(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Carry an end through, also where whoever waits for it is cancelled."""
        task = asyncio.create_task(coroutine)
        self._carried.add(task)
        task.add_done_callback(self._carried.discard)
        return await asyncio.shield(task)

    async def _send(
        self,
        client: Client,
        asking: Asking,
        prompt: Prompt,
        answers_before: list[Told],
    ) -> Result:
        self._continuity.ask(asking.turn, asking.prompt_id)
        self._start(self._continuity.note(asking.turn.prompt, self.status))
        asking.turn.sent |= asking.wanted
        try:
            await client.send(asking.prompt_id, prompt, answers_before, wanted=asking.wanted)
        except ConnectionLostError as error:
            self._lose(client, error.reason)  # before the reader has noticed
            raise
        return await asking.outcome

    def _over_budget(self, consequence: str) -> TurnLimitError | None:
        budget_usd, cost_usd = self.options.budget_usd, self.status.cost_usd
        if budget_usd is None or cost_usd < budget_usd:
            return None
        return TurnLimitError(
            f"This conversation has cost ${cost_usd:.4f} and may cost ${budget_usd:.4f}; "
            f"{consequence}. Raise the budget, or start a new conversation.",
        )

    def _set_deadline(self, asking: Asking) -> None:
        if self.options.deadline_s is not None:
            now_s, turn = time.monotonic(), asking.turn
            if turn.deadline_s is None:
                turn.deadline_s = now_s + self.options.deadline_s
            expiry = asyncio.get_running_loop().call_later(
                turn.deadline_s - now_s,
                self._expire,
                asking,
            )
            asking.outcome.add_done_callback(lambda _: expiry.cancel())

    def _expire(self, asking: Asking) -> None:
        if asking is self._asking:
            asking.deadline_s = self.options.deadline_s
            self.interrupt(asking.turn)

    def stop(self) -> None:
        """Stop the turn that is under way, or about to be; nothing to do where none is."""
        if self._line.first is not None:
            self.interrupt(self._line.first)

    def interrupt(self, turn: Turn) -> None:
        """Stop a turn wherever it is on its way: in the line, connecting, or under way."""
        if turn not in self._line or turn.answered:
            return
        self._line.mark_stopped(turn)
        if self._asking is None or self._asking.turn is not turn:
            self._line.cancel(turn)
        elif self._client is not None and self.status.state is SessionState.BUSY:
            self._move(SessionState.INTERRUPTING)
            self._start(self._interrupt(self._client, turn))

    async def _interrupt(self, client: Client, turn: Turn) -> None:
        """Repeat the interrupt until the turn ends; give up on the process if it does not."""
        deadline = time.monotonic() + INTERRUPT_GRACE_S
        # The turn after this one may be in the line already; it must not be hit.
        while (asking := self._asking) is not None and asking.turn is turn:
            if time.monotonic() > deadline:
                await self._end_process(client)
                return
            # Before the turn has begun there is nothing that an interrupt would stop.
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(asking.began.wait(), INTERRUPT_EVERY_S)
            with suppress(asyncio.TimeoutError, ConnectionLostError):
                await asyncio.wait_for(client.interrupt(), INTERRUPT_EVERY_S)
            await asyncio.wait([asking.outcome], timeout=INTERRUPT_EVERY_S)

    async def _watch(self, client: Client) -> None:
        if await frozen(client):
            self._start(self._end_process(client))

    async def _end_process(self, client: Client) -> None:
        """End a process that does not listen any more; the reader then takes note of it."""
        if not client.kill():
            await client.disconnect()

    def _start(self, coroutine: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Run something that nobody may be waiting for."""
        task = asyncio.create_task(coroutine)
        self._unwatched.add(task)
        task.add_done_callback(self._unwatched.discard)
        # Callers may have left; then nobody else takes the exception.
        task.add_done_callback(lambda done: done.cancelled() or done.exception())
        return task

    # -- reading -------------------------------------------------------------------------------

    async def _read(self, client: Client) -> None:
        """Read all that the process says, for as long as it lives."""
        reason = "its output ended"
        try:
            async for observation in client.observe():
                # What is left in the pipe of a process that was given up answers nobody.
                if self._client in {client, None}:
                    self._receive(observation)
        except ConnectionLostError as error:
            reason = error.reason
        except Exception as error:
            # Without a reader everything would stand still, so it ends like any other loss.
            _logger.exception("The output of Claude Code could not be read.")
            reason = f"its output could not be read: {type(error).__name__}: {error}"
            await self._end_process(client)
        self._lose(client, reason)

    def _receive(self, observation: Observation) -> None:
        """Take one observation; what belongs to no prompt of ours goes to the background."""
        asking = self._asking
        match observation:
            case Began():
                if self.status.model != observation.model:
                    self._tell(replace(self.status, model=observation.model, window_tokens=None))
                if asking is not None:
                    asking.began.set()
            case Answering() if asking is not None:
                self._attribute(asking, ours=asking.prompt_id in observation.prompts)
            case Answering():
                pass
            case Result():
                self._conclude(observation)
            case TasksChanged():
                self._background.running = observation.running
                self._look_for_room()
            case TaskEnded():
                self._background.ended(observation.summary)
            case TokensSpent():
                self._stop_if_limited(asking)
            case _:
                self._pass_on(observation)

    def _pass_on(self, event: Event) -> None:
        asking = self._asking
        if asking is None or not asking.answering:
            self._background.hear(event)
        elif asking.wanted and not asking.limited:
            asking.turn.publish(event)
            if isinstance(event, RetryScheduled):
                asking.waited_s = event.delay_s
                self._stop_if_refused(asking, event.status)

    def _stop_if_refused(self, asking: Asking, status: int | None) -> None:
        # Claude Code asks ten times, for three minutes, whether the credential is good by now.
        if asking.refused is None and status in {401, 403}:
            asking.refused = status
            self.interrupt(asking.turn)

    def _stop_if_limited(self, asking: Asking | None) -> None:
        # Claude Code has the model go on behind its limit, three times. It asks at once, so what is
        # said from here on is no part of the answer, and its end is no failure of it.
        if asking is not None and asking.answering and self.options.max_tokens is not None:
            asking.limited = True
            self.interrupt(asking.turn)

    def _attribute(self, asking: Asking, *, ours: bool) -> None:
        if ours and not asking.answering and asking.wanted:
            self._tell_overheard(asking.turn)
            model = self.status.model or ""
            asking.turn.publish(TurnStarted(model, asking.recovered, asking.dropped_turn))
        asking.answering = ours

    def _tell_overheard(self, turn: Turn) -> None:
        for reply in self._overheard:
            turn.publish(reply)
        self._overheard.clear()

    def _conclude(self, result: Result) -> None:
        asking = self._asking
        cost_usd = max(0.0, result.total_cost_usd - self._counted_usd)
        self._counted_usd = result.total_cost_usd
        # An interrupted turn may name no prompt; then it is ours if we were being answered.
        interrupted = self.status.state is SessionState.INTERRUPTING
        ours = asking is not None and (
            asking.prompt_id in result.prompts
            or (not result.prompts and not result.unasked and (asking.answering or interrupted))
        )
        overheard = self._background.conclude()
        if result.unasked and not ours and overheard != BackgroundReply(""):
            self._overheard.append(overheard)
            if asking is not None and asking.wanted:
                self._tell_overheard(asking.turn)
        answered = ours and result.error is None and asking is not None and asking.wanted
        self._tell(
            replace(
                self.status,
                turns=self.status.turns + answered,
                usage=self.status.usage + result.usage,
                cost_usd=self.status.cost_usd + cost_usd,
                used_s=time.time() if ours else self.status.used_s,
                context_tokens=result.context_tokens or self.status.context_tokens,
                window_tokens=self._window_tokens(result),
            ),
        )
        if ours and asking is not None and not asking.outcome.done():
            error = result.error
            if isinstance(error, TurnLimitError):
                error = self._over_budget("the answer was stopped") or error
            if asking.limited:
                result = replace(result, stop_reason="max_tokens")
                error = None
            self._settle(asking, replace(result, error=asking.failure(error)), cost_usd)

    def _window_tokens(self, result: Result) -> int | None:
        """Return how much the model of the conversation can read; a subagent's is another one."""
        told = result.windows_tokens.get(self.status.model or "")
        return told if told is not None else self.status.window_tokens

    def _settle(self, asking: Asking, result: Result, cost_usd: float) -> None:
        asking.cost_usd = cost_usd
        if asking.wanted:
            # Whoever waits for the result finds the session ready for the next turn.
            self._asking = None
            asking.turn.answered = True
            self._continuity.answered(complete=result.error is None)
            failed = isinstance(result.error, (ApiError, NotLoggedInError))
            self._move(SessionState.READY, _first_line(result.error) if failed else "")
            self._start(self._continuity.note(asking.turn.prompt, self.status))
        asking.outcome.set_result(result)

    def _lose(self, client: Client, reason: str) -> None:
        """Take note that the process is gone, and clear up after it."""
        if self._client is not client:
            return  # it was closed on purpose, or this is known
        self._client = None
        said = client.stderr.splitlines()
        full_reason = f"{reason}; it said: {said[-1]}" if said else reason
        interrupted = self.status.state is SessionState.INTERRUPTING
        self._move(SessionState.LOST, full_reason)
        self._leave_room()
        self._start(client.disconnect())
        if self._asking is not None and not self._asking.outcome.done():
            lost = TurnInterruptedError() if interrupted else ConnectionLostError(full_reason)
            self._asking.outcome.set_exception(self._asking.failure(lost) or lost)

    # -- permission ----------------------------------------------------------------------------

    def _needs_consent(self, request: PermissionRequest) -> bool:
        """Tell whether a call is to be decided about that Claude Code might run unasked."""
        asks = self._caller.consent_for
        return asks is not None and asks(replace(request, turn=self._answered_turn))

    @property
    def _answered_turn(self) -> Turn | None:
        asking = self._asking
        return asking.turn if asking is not None and asking.answering else None

    async def _decide(self, request: PermissionRequest) -> PermissionAnswer:
        """Have a tool call decided; whatever goes wrong denies it."""
        turn = self._answered_turn
        decide = self._caller.decide
        if decide is None:
            answer: PermissionAnswer = nobody_to_ask(request)
        else:
            try:
                question = asyncio.ensure_future(decide(replace(request, turn=turn)))
                # What nobody has to be asked about is decided at once.
                await asyncio.wait([question], timeout=0)
                if turn is not None and not question.done():
                    turn.publish(PermissionAsked(request.name, request.arguments))
                answer = checked(await _answer_of(question))
            except ClaudeMagicError as error:
                answer = Deny(f"The question failed: {error}")
            except Exception as error:
                _logger.exception("The permission callback raised; the tool is not run.")
                answer = Deny(f"The question failed: {type(error).__name__}: {error}")
        if turn is not None and isinstance(answer, Deny):
            turn.publish(
                PermissionDenied(request.name, request.arguments, answer.reason, answer.asked),
            )
        return answer

    # -- ending --------------------------------------------------------------------------------

    def park(self, asked_s: float) -> asyncio.Task[None]:
        """Close the process and keep the conversation; the next prompt resumes it.

        An end is carried through, whoever waits for it or leaves.

        Parameters
        ----------
        asked_s
            When it was asked for, by `time.monotonic()`: turns made before that are stopped, those
            made after it wait for the end.
        """
        return asyncio.create_task(self._end(SessionState.PARKED, asked_s))

    def close(self, asked_s: float) -> asyncio.Task[None]:
        """End the session for good, as `park` does; doing it again is harmless."""
        return asyncio.create_task(self._end(SessionState.CLOSED, asked_s))

    def clear(self) -> asyncio.Task[None]:
        """Forget what was said; the turns that come from now on begin a new conversation.

        The turns before that are waited for. The process goes on where Claude Code can forget, and
        is closed where it cannot. It is carried through as an end is.
        """
        return asyncio.create_task(self._clear())

    async def _clear(self) -> None:
        async with self._line.gap, self._lifecycle:
            if self.status.state is SessionState.CLOSED or not self._continuity.begun:
                return
            forgotten = False
            try:
                forgotten = await self._forgotten()
            finally:
                # Whatever went wrong: nobody talks to this process any more.
                if not forgotten:
                    await self._shut(SessionState.PARKED)
                self._continuity.forget(same_process=forgotten)
                self._overheard.clear()
                session_id = self._continuity.session_id
                self._tell(replace(self.status, session_id=session_id, context_tokens=0))

    async def _forgotten(self) -> bool:
        """Have Claude Code forget the whole conversation, and return whether it did."""
        ends, client = self._continuity.ends, self._client
        ready = self.status.state is SessionState.READY and not self._background.busy
        return client is not None and ready and ends is not None and await client.forget(*ends)

    @property
    def idle(self) -> bool:
        """Whether a process runs that nobody uses: no turn in the line, no background task."""
        ready = self.status.state is SessionState.READY
        # Another process would not know what is in no transcript.
        kept = not self._continuity.unwritten
        return ready and kept and self._line.empty and not self._background.busy

    async def rest(self) -> bool:
        """Park the conversation if it is idle, and return whether it was; stops no turn."""
        return await self._carry(self._rest())

    async def _rest(self) -> bool:
        # Whoever has the lifecycle may be waiting for room, and so for the one that calls here.
        if self._lifecycle.locked() or not self.idle:
            return False
        async with self._lifecycle:  # without it no turn begins
            await self._shut(SessionState.PARKED)
            return True

    async def _end(self, state: SessionState, asked_s: float) -> None:
        turns = self._line.until(asked_s)
        for turn in turns:
            self.interrupt(turn)
        connecting = self._connecting
        if connecting is not None:
            connecting.cancel()
        async with self._lifecycle:
            if connecting is not None:
                await asyncio.wait([connecting])
            # The SDK needs five seconds to disconnect in the middle of a turn, 60 ms between turns.
            if turns:
                await asyncio.wait(turns.values())
            await self._shut(state)
            while self._unwatched:
                await asyncio.wait(self._unwatched)
            # Whoever takes it next finds what was noted last.
            await self._continuity.let_go()
            self._look_at_store()

    async def _shut(self, state: SessionState) -> None:
        """Close the process. The caller holds the lifecycle."""
        connecting = self._connecting
        if connecting is not None:  # for a turn that was stopped meanwhile
            connecting.cancel()
            await asyncio.wait([connecting])
        client, self._client = self._client, None
        if state in TRANSITIONS[self.status.state]:
            self._move(state)
        try:
            if client is not None:
                # Claude Code may be in a turn of its own making.
                with suppress(asyncio.TimeoutError, ConnectionLostError):
                    await asyncio.wait_for(client.interrupt(), INTERRUPT_EVERY_S)
                await client.disconnect()
            if self._reader is not None:
                await asyncio.wait([self._reader])
        finally:
            self._leave_room()


async def _answer_of(question: Awaitable[T]) -> T:
    """Wait for a question, which may be cancelled by itself: by a dialog that was closed."""
    task = asyncio.ensure_future(question)
    try:
        await asyncio.wait([task])
    except asyncio.CancelledError:
        task.cancel()
        raise
    if task.cancelled():
        raise SessionError("it was cancelled")
    return task.result()


def _first_line(error: Exception | None) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


def _import_sdk() -> ModuleType:
    if "claude_magic.session.sdk" not in sys.modules:
        # The working directory and what is in it may have changed since the extension was loaded.
        refuse_shadowed()
    return importlib.import_module("claude_magic.session.sdk")
