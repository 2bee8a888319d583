"""One conversation: its state, its process, its turns. Everything here runs on the loop thread."""

from __future__ import annotations

import asyncio
import importlib
import logging
import os
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

from claude_magic.errors import (
    ApiError,
    AuthenticationError,
    ClaudeMagicError,
    ConnectionLostError,
    NotLoggedInError,
    SessionClosedError,
    SessionError,
    StartError,
    TurnError,
    TurnInterruptedError,
    TurnTimeoutError,
)

from .events import TurnFailed, TurnFinished, TurnStarted, Usage
from .loop import loop_thread
from .restarts import RestartBudget
from .state import TRANSITIONS, SessionState, SessionStatus
from .transcript import Transcript

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from .options import SessionOptions
    from .sdk import Client, Observation, Result
    from .turn import Prompt, Turn

T = TypeVar("T")

_logger = logging.getLogger(__name__)

#: An interrupt is repeated this often until the turn ends, in seconds: one that comes within a
#: millisecond of its prompt is lost.
INTERRUPT_EVERY_S = 0.25

#: A turn that has not ended this long after its interrupt is ended with its process, in seconds.
INTERRUPT_GRACE_S = 5.0

#: While a turn is under way its process is asked for a sign of life this often, in seconds.
PING_EVERY_S = 1.0

#: A sign of life takes a millisecond, also while the API is silent or a tool runs; a process that
#: gave none within `PING_TIMEOUT_S` seconds so many times in a row is taken for frozen.
PING_TIMEOUT_S = 2.0
PINGS_MISSED = 3


@dataclass(eq=False)
class _Asking:
    """The wait for the result of one prompt that Claude Code was sent.

    Attributes
    ----------
    turn
        The turn that it belongs to.
    prompt_id
        The id under which it was sent.
    wanted
        Whether it is the turn's own prompt, which is to be answered; else it is only told.
    recovered, dropped_turn
        What the turn is told of the way here.
    outcome
        The result, or why there is none.
    began
        Set when Claude Code has set out on it; before that an interrupt finds nothing to stop.
    answering
        Whether what is being said belongs to this prompt.
    """

    turn: Turn
    prompt_id: str
    wanted: bool = False
    recovered: bool = False
    dropped_turn: bool = False
    outcome: asyncio.Future[Result] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future(),
    )
    began: asyncio.Event = field(default_factory=asyncio.Event)
    answering: bool = False
    timed_out: bool = False
    refused: int | None = None
    cost_usd: float = 0.0


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
    """

    def __init__(self, options: SessionOptions) -> None:
        self.options = options
        #: The latest snapshot. Any thread may read it: it is replaced, never changed.
        self.status = SessionStatus(
            SessionState.NEW,
            session_id=str(uuid.uuid4()),
            usage=Usage(),
            model=options.model,
            label=options.label or os.environ.get("CLAUDE_MAGIC_LABEL") or None,
            tools=options.tools,
            cwd=str(options.cwd) if options.cwd is not None else None,
        )
        self.listeners: list[Callable[[SessionStatus], object]] = []
        self._client: Client | None = None
        self._reader: asyncio.Task[None] | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._lifecycle = asyncio.Lock()
        self._one_at_a_time = asyncio.Lock()
        self._tasks: dict[Turn, asyncio.Task[None]] = {}
        self._stopped: set[Turn] = set()
        self._background: set[asyncio.Task[Any]] = set()
        self._asking: _Asking | None = None
        self._restarts = RestartBudget()
        # Whether Claude Code has heard anything in this conversation.
        self._spoken = False
        # The prompt that was under way when the process went away.
        self._cut_off: str | None = None
        self._dropped_turn = False
        # Claude Code counts the cost of the whole conversation and saves its count when it ends in
        # good order; a resumed process goes on from the saved count.
        self._counted_usd = 0.0
        self._saved_usd = 0.0

    @property
    def pids(self) -> tuple[int, int] | None:
        """The process ids of the supervisor and of Claude Code while they run."""
        return self._client.pids if self._client is not None else None

    # -- state ---------------------------------------------------------------------------------

    def _move(self, state: SessionState, reason: str = "") -> None:
        if state not in TRANSITIONS[self.status.state]:
            raise AssertionError(f"no way from {self.status.state} to {state}")
        self._tell(replace(self.status, state=state, reason=reason))

    def _tell(self, status: SessionStatus) -> None:
        self.status = status
        for listener in list(self.listeners):
            self._call(listener)

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
                "This session was closed and its context is gone; start a new one.",
            )

    # -- connecting ----------------------------------------------------------------------------

    async def connect(self) -> None:
        """Start Claude Code, or resume the conversation; nothing to do where it runs.

        Raises
        ------
        StartError
            If the process does not come up.
        RestartLimitError
            If it went away too often of late.
        SessionClosedError
            If the session was closed.
        """
        async with self._lifecycle:
            await self._connected()

    async def _connected(self) -> Client:
        """Return the client of a process that runs. The caller holds the lifecycle."""
        self.check_open()
        if self._client is None:
            if self._connecting is None:
                if self.status.state is SessionState.LOST and self._spoken:
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
            async with loop_thread().starts:
                # Importing the SDK takes a second or two; other sessions go on meanwhile.
                sdk = await asyncio.to_thread(importlib.import_module, "claude_magic.session.sdk")
                resume, resume_at = await self._find_place()
                session_id = self.status.session_id
                client = sdk.Client(self.options, session_id, resume=resume, resume_at=resume_at)
                await client.connect()
            self._client = client
            self._counted_usd = self._saved_usd if resume else 0.0
            self._reader = asyncio.create_task(self._read(client))
            self._move(SessionState.READY)
        except asyncio.CancelledError:
            if client is not None:
                await client.disconnect()
            raise
        except Exception as error:
            self._move(SessionState.LOST, _first_line(error))
            raise

    def _opened(self, connecting: asyncio.Task[None]) -> None:
        self._connecting = None
        if connecting.cancelled():  # perhaps before its first step
            self._move(SessionState.PARKED)

    async def _find_place(self) -> tuple[bool, str | None]:
        """Return whether there is a conversation to resume, and where if not at its end.

        A turn that was cut off is dropped: whoever asks again must not find the prompt there twice.
        """
        if not self._spoken:
            return False, None
        transcript = Transcript(self.status.session_id, self.options.environment)
        resume = self.options.keep_transcript and await asyncio.to_thread(transcript.exists)
        resume_at: str | None = None
        cut_off = self._cut_off
        if resume and cut_off and await asyncio.to_thread(transcript.holds, cut_off):
            self._dropped_turn = True
            resume_at = await asyncio.to_thread(transcript.answer_before, cut_off)
            resume = resume_at is not None
        if not resume:
            # Nothing of the conversation was written, or nothing is to be kept of it.
            self._spoken = False
            self._tell(replace(self.status, session_id=str(uuid.uuid4())))
        return resume, resume_at

    # -- turns ---------------------------------------------------------------------------------

    def perform(self, turn: Turn) -> None:
        """Put a turn in the line; its events tell the rest."""
        task = asyncio.create_task(self._perform(turn))
        self._tasks[turn] = task
        task.add_done_callback(lambda done: self._performed(turn, done))

    async def _perform(self, turn: Turn) -> None:
        try:
            async with self._one_at_a_time:
                turn.publish(await self._exchange(turn))
        except ClaudeMagicError as error:
            turn.publish(TurnFailed(error))
        except Exception as error:  # noqa: BLE001 - whoever waits for the turn must hear of it
            failure = SessionError(f"claude-magic failed: {type(error).__name__}: {error}")
            failure.__cause__ = error
            turn.publish(TurnFailed(failure))

    def _performed(self, turn: Turn, task: asyncio.Task[None]) -> None:
        del self._tasks[turn]
        self._stopped.discard(turn)
        if task.cancelled():  # perhaps before its first step
            turn.publish(TurnFailed(TurnInterruptedError(sent=False)))

    async def _exchange(self, turn: Turn) -> TurnFinished:
        """Ask until there is a result, and make the turn's last event of it."""
        recovered = False
        while True:
            recovered |= self._spoken and self.status.state is SessionState.LOST
            try:
                asking, result = await self._ask(turn, recovered=recovered)
                break
            except ConnectionLostError as error:
                # Text can be withdrawn and said again. What a tool has done cannot be undone, and
                # must not be done twice.
                if turn in self._stopped:
                    raise TurnInterruptedError(turn.text) from error
                if turn.acted:
                    error.partial_text = turn.text
                    raise
                turn.withdraw()
        if result.error is not None:
            raise result.error
        return TurnFinished(
            text=turn.text,
            usage=result.usage,
            cost_usd=asking.cost_usd,
            elapsed_s=time.monotonic() - turn.created_s,
            model=self.status.model or "",
            session_id=self.status.session_id,
            stop_reason=result.stop_reason,
            recovered=recovered,
        )

    def _failure(self, asking: _Asking, error: ClaudeMagicError | None) -> ClaudeMagicError | None:
        """Say why a turn has no complete answer: an interrupt may have been of our own making."""
        turn = asking.turn
        if isinstance(error, TurnInterruptedError):
            if asking.refused is not None:
                error = AuthenticationError("the credential was not accepted", asking.refused)
            elif asking.timed_out:
                error = TurnTimeoutError(self.options.deadline_s or 0.0)
            else:
                error = TurnInterruptedError(turn.text)
        if isinstance(error, TurnError):
            error.partial_text = turn.text
        return error

    async def _ask(self, turn: Turn, *, recovered: bool) -> tuple[_Asking, Result]:
        """Tell the turn's history, send its prompt and wait for the result."""
        async with self._lifecycle:
            client = await self._connected()
            self._move(SessionState.BUSY)
            self._asking = asking = _Asking(turn, str(uuid.uuid4()))
        watch = self._start(self._watch(client))
        try:
            # Claude Code takes a told answer together with the prompt after it, and reorders told
            # prompts whose empty results are not awaited.
            answers: list[Prompt] = []
            for told in turn.history:
                if told.role == "assistant":
                    answers.append(told.content)
                else:
                    await self._send(client, asking, told.content, answers)
                    answers = []
                    self._asking = asking = _Asking(turn, str(uuid.uuid4()))
            if turn in self._stopped:
                raise TurnInterruptedError(sent=False)
            dropped, self._dropped_turn = self._dropped_turn, False
            self._cut_off = str(uuid.uuid4())
            self._asking = asking = _Asking(turn, self._cut_off, True, recovered, dropped)  # noqa: FBT003
            self._set_deadline(asking)
            result = await self._send(client, asking, turn.prompt, answers)
            self._cut_off = None
        finally:
            watch.cancel()
            self._asking = None
            if self.status.state in {SessionState.BUSY, SessionState.INTERRUPTING}:
                self._move(SessionState.READY)
        return asking, result

    async def _send(
        self,
        client: Client,
        asking: _Asking,
        prompt: Prompt,
        answers_before: list[Prompt],
    ) -> Result:
        self._spoken = True
        try:
            await client.send(asking.prompt_id, prompt, answers_before, wanted=asking.wanted)
        except ConnectionLostError as error:
            self._lose(client, error.reason)  # before the reader has noticed
            raise
        return await asking.outcome

    def _set_deadline(self, asking: _Asking) -> None:
        if self.options.deadline_s is not None:
            expiry = asyncio.get_running_loop().call_later(
                self.options.deadline_s,
                self._expire,
                asking,
            )
            asking.outcome.add_done_callback(lambda _: expiry.cancel())

    def _expire(self, asking: _Asking) -> None:
        if asking is self._asking:
            asking.timed_out = True
            self.interrupt(asking.turn)

    def interrupt(self, turn: Turn) -> None:
        """Stop a turn wherever it is on its way: in the line, connecting, or under way."""
        if turn not in self._tasks:
            return
        self._stopped.add(turn)
        if self._asking is None or self._asking.turn is not turn:
            self._tasks[turn].cancel()
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
        """End a process that gives no sign of life while a turn is under way."""
        missed = 0
        while missed < PINGS_MISSED:
            await asyncio.sleep(PING_EVERY_S if not missed else 0)
            try:
                await asyncio.wait_for(client.ping(), PING_TIMEOUT_S)
                missed = 0
            except asyncio.TimeoutError:
                missed += 1
            except ConnectionLostError:
                return  # the reader sees to that
        self._start(self._end_process(client))

    async def _end_process(self, client: Client) -> None:
        """End a process that does not listen any more; the reader then takes note of it."""
        if not client.kill():
            await client.disconnect()

    def _start(self, coroutine: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Run something that nobody may be waiting for."""
        task = asyncio.create_task(coroutine)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        # Callers may have left; then nobody else takes the exception.
        task.add_done_callback(lambda done: done.cancelled() or done.exception())
        return task

    # -- reading -------------------------------------------------------------------------------

    async def _read(self, client: Client) -> None:
        """Read all that the process says, for as long as it lives."""
        reason = "its output ended"
        try:
            async for observation in client.observe():
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
        """Take one observation; what belongs to no turn of ours is left alone."""
        from .sdk import Answering, Began, Result  # noqa: PLC0415 - loaded by _open

        asking = self._asking
        match observation:
            case Began():
                if self.status.model != observation.model:
                    self._tell(replace(self.status, model=observation.model))
                if asking is not None:
                    asking.began.set()
            case Answering():
                if asking is not None:
                    self._attribute(asking, ours=asking.prompt_id in observation.prompts)
            case Result():
                self._conclude(observation)
            case _:
                if asking is not None and asking.answering and asking.wanted:
                    asking.turn.publish(observation)
                    self._stop_if_refused(asking, observation)

    def _stop_if_refused(self, asking: _Asking, observation: Observation) -> None:
        # Claude Code asks ten times, for three minutes, whether the credential is good by now.
        status = getattr(observation, "status", None)
        if asking.refused is None and status in {401, 403}:
            asking.refused = status
            self.interrupt(asking.turn)

    def _attribute(self, asking: _Asking, *, ours: bool) -> None:
        if ours and not asking.answering and asking.wanted:
            model = self.status.model or ""
            asking.turn.publish(TurnStarted(model, asking.recovered, asking.dropped_turn))
        asking.answering = ours

    def _conclude(self, result: Result) -> None:
        asking = self._asking
        cost_usd = max(0.0, result.total_cost_usd - self._counted_usd)
        self._counted_usd = result.total_cost_usd
        # An interrupted turn may name no prompt; then it is ours if we were being answered.
        interrupted = self.status.state is SessionState.INTERRUPTING
        ours = asking is not None and (
            asking.prompt_id in result.prompts
            or (not result.prompts and (asking.answering or interrupted))
        )
        answered = ours and result.error is None and asking is not None and asking.wanted
        self._tell(
            replace(
                self.status,
                turns=self.status.turns + answered,
                usage=self.status.usage + result.usage,
                cost_usd=self.status.cost_usd + cost_usd,
            ),
        )
        if ours and asking is not None and not asking.outcome.done():
            asking.cost_usd = cost_usd
            if asking.wanted:
                # Whoever waits for the result finds the session ready for the next turn.
                self._asking = None
                error = self._failure(asking, result.error)
                result = replace(result, error=error)
                failed = isinstance(error, (ApiError, NotLoggedInError))
                self._move(SessionState.READY, _first_line(error) if failed else "")
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
        self._start(client.disconnect())
        if self._asking is not None and not self._asking.outcome.done():
            self._asking.outcome.set_exception(
                TurnInterruptedError() if interrupted else ConnectionLostError(full_reason),
            )

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

    async def _end(self, state: SessionState, asked_s: float) -> None:
        turns = [turn for turn in self._tasks if turn.created_s <= asked_s]
        tasks = [self._tasks[turn] for turn in turns]
        for turn in turns:
            self.interrupt(turn)
        connecting = self._connecting
        if connecting is not None:
            connecting.cancel()
        async with self._lifecycle:
            if connecting is not None:
                await asyncio.wait([connecting])
            # The SDK needs five seconds to disconnect in the middle of a turn, 60 ms between turns.
            if tasks:
                await asyncio.wait(tasks)
            client, self._client = self._client, None
            if state in TRANSITIONS[self.status.state]:
                self._move(state)
            if client is not None:
                # Claude Code may be in a turn of its own making.
                with suppress(asyncio.TimeoutError, ConnectionLostError):
                    await asyncio.wait_for(client.interrupt(), INTERRUPT_EVERY_S)
                await client.disconnect()
                self._saved_usd = self._counted_usd
            if self._reader is not None:
                await asyncio.wait([self._reader])
            while self._background:
                await asyncio.wait(self._background)


def _first_line(error: Exception | None) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
