"""One conversation: its state, its process, its turns. Everything here runs on the loop thread."""

from __future__ import annotations

import asyncio
import importlib
import os
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from claude_magic.errors import (
    ClaudeMagicError,
    ConnectionLostError,
    SessionClosedError,
    SessionError,
    TurnError,
    TurnInterruptedError,
)

from .events import TurnFailed, TurnFinished, TurnStarted, Usage
from .state import TRANSITIONS, SessionState, SessionStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    from .options import SessionOptions
    from .sdk import Client, Observation, Result
    from .turn import Prompt, Turn

#: An interrupt is repeated this often until the turn ends, in seconds: one that comes within a
#: millisecond of its prompt is lost.
INTERRUPT_EVERY_S = 0.25

#: A turn that has not ended this long after its interrupt is ended with its process, in seconds.
INTERRUPT_GRACE_S = 5.0


@dataclass(eq=False)
class _Performance:
    """A turn that Claude Code has been sent, until its result comes."""

    turn: Turn
    recovered: bool
    model: str
    awaited_id: str = ""
    outcome: asyncio.Future[Result] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future(),
    )
    began: asyncio.Event = field(default_factory=asyncio.Event)
    answering: bool = False
    cost_usd: float = 0.0


class Conversation:
    """One conversation with Claude Code and the one process that carries it at a time.

    Owns the session's state, the client and its reader, and the order of its turns: one after
    another, in the order of `perform`. It may be made on any thread and is then used on the loop
    thread only; `ClaudeSession` is the face for others.

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
        )
        self.listeners: list[Callable[[SessionStatus], object]] = []
        self._client: Client | None = None
        self._reader: asyncio.Task[None] | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._one_at_a_time = asyncio.Lock()
        self._tasks: dict[Turn, asyncio.Task[None]] = {}
        self._background: set[asyncio.Task[None]] = set()
        self._performing: _Performance | None = None
        self._spoken = False
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
            listener(status)

    # -- connecting ----------------------------------------------------------------------------

    async def connect(self) -> None:
        """Start Claude Code, or resume the conversation; nothing to do where it runs.

        Raises
        ------
        StartError
            If the process does not come up.
        SessionClosedError
            If the session was closed.
        """
        if self.status.state is SessionState.CLOSED:
            raise SessionClosedError(
                "This session was closed and its context is gone; start a new one.",
            )
        if self._connecting is None and not self.status.state.live:
            self._move(SessionState.CONNECTING)
            self._connecting = asyncio.create_task(self._connect())
            # Callers may all have left (an interrupt); then nobody else takes the exception.
            self._connecting.add_done_callback(lambda task: task.cancelled() or task.exception())
        if self._connecting is not None:
            # One caller's cancellation must not take the connection from the others.
            await asyncio.shield(self._connecting)

    async def _connect(self) -> None:
        client: Client | None = None
        try:
            # Importing the SDK takes a second or two; other sessions go on meanwhile.
            sdk = await asyncio.to_thread(importlib.import_module, "claude_magic.session.sdk")
            client = sdk.Client(self.options, self.status.session_id, resume=self._spoken)
            await client.connect()
            self._client = client
            self._counted_usd = self._saved_usd
            self._reader = asyncio.create_task(self._read(client))
            self._move(SessionState.READY)
        except asyncio.CancelledError:
            if client is not None:
                await client.disconnect()
            raise
        except Exception as error:
            self._move(SessionState.LOST, str(error).splitlines()[0])
            raise
        finally:
            self._connecting = None

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
        if task.cancelled():  # perhaps before its first step
            turn.publish(TurnFailed(TurnInterruptedError(sent=False)))

    async def _exchange(self, turn: Turn) -> TurnFinished:
        """Send the prompt, wait for its result, and make the turn's last event of it."""
        recovered = self.status.state is SessionState.LOST
        while True:
            await self.connect()
            performance = _Performance(turn, recovered, self.status.model or "")
            try:
                result = await self._answer(performance)
                break
            except ConnectionLostError as error:
                # A process that had gone before the turn began never took the prompt.
                if recovered or performance.began.is_set():
                    error.partial_text = turn.text
                    raise
                recovered = True
        if result.error is not None:
            if isinstance(result.error, TurnError):
                result.error.partial_text = turn.text
            raise result.error
        return TurnFinished(
            text=turn.text,
            usage=result.usage,
            cost_usd=performance.cost_usd,
            elapsed_s=time.monotonic() - turn.created_s,
            model=performance.model,
            session_id=self.status.session_id,
            stop_reason=result.stop_reason,
            recovered=recovered,
        )

    async def _answer(self, performance: _Performance) -> Result:
        """Wait for a turn's result; it is ended by that alone, never by cancelling the waiter."""
        client = self._client
        if client is None:
            raise ConnectionLostError(self.status.reason)
        self._performing = performance
        self._move(SessionState.BUSY)
        self._spoken = True
        try:
            answers = await self._tell_history(client, performance)
            if self._interrupting:
                self._move(SessionState.READY)
                raise TurnInterruptedError(sent=False)
            await client.send(performance.turn.id, performance.turn.prompt, answers)
            return await performance.outcome
        finally:
            self._performing = None

    async def _tell_history(self, client: Client, performance: _Performance) -> list[Prompt]:
        """Make what was said before part of the conversation; return the answers that are left.

        Claude Code takes a told answer together with the prompt after it, and reorders prompts
        whose empty results are not awaited.
        """
        answers: list[Prompt] = []
        for told in performance.turn.history:
            if told.role == "assistant":
                answers.append(told.content)
                continue
            performance.awaited_id = str(uuid.uuid4())
            await client.send(performance.awaited_id, told.content, answers, wanted=False)
            await performance.outcome
            performance.outcome = asyncio.get_running_loop().create_future()
            answers = []
        performance.awaited_id = performance.turn.id
        return answers

    def interrupt(self, turn: Turn) -> None:
        """Stop a turn wherever it is on its way: in the line, connecting, or under way."""
        performance = self._performing
        if performance is not None and performance.turn is turn:
            if self.status.state is SessionState.BUSY:
                self._move(SessionState.INTERRUPTING)
                self._start(self._interrupt(performance))
        elif turn in self._tasks:
            self._tasks[turn].cancel()

    async def _interrupt(self, performance: _Performance) -> None:
        """Repeat the interrupt until the turn ends; give up on the process if it does not."""
        client = self._client
        deadline = time.monotonic() + INTERRUPT_GRACE_S
        # Before the turn has begun there is nothing that an interrupt would stop.
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(performance.began.wait(), INTERRUPT_EVERY_S)
        while client is not None and self._performing is performance:
            if time.monotonic() > deadline:
                client.kill()
                return
            with suppress(asyncio.TimeoutError, ConnectionLostError):
                await asyncio.wait_for(client.interrupt(), INTERRUPT_EVERY_S)
            await asyncio.wait([performance.outcome], timeout=INTERRUPT_EVERY_S)

    def _start(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(coroutine)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    # -- reading -------------------------------------------------------------------------------

    async def _read(self, client: Client) -> None:
        """Read all that the process says, for as long as it lives."""
        reason = "its output ended"
        try:
            async for observation in client.observe():
                self._receive(observation)
        except ConnectionLostError as error:
            reason = error.reason
        if self._client is client:
            self._lose(client, reason)

    def _receive(self, observation: Observation) -> None:
        """Take one observation; what belongs to no turn of ours is left alone."""
        from .sdk import Answering, Began, Result  # noqa: PLC0415 - loaded by _connect

        performance = self._performing
        match observation:
            case Began():
                if self.status.model != observation.model:
                    self._tell(replace(self.status, model=observation.model))
                if performance is not None:
                    performance.model = observation.model
                    performance.began.set()
            case Answering():
                if performance is not None:
                    ours = performance.awaited_id in observation.prompts
                    self._attribute(performance, ours=ours)
            case Result():
                self._conclude(observation)
            case _:
                if performance is not None and performance.answering:
                    performance.turn.publish(observation)

    def _attribute(self, performance: _Performance, *, ours: bool) -> None:
        if ours and not performance.answering and performance.awaited_id == performance.turn.id:
            performance.turn.publish(TurnStarted(performance.model, performance.recovered))
        performance.answering = ours

    def _conclude(self, result: Result) -> None:
        performance = self._performing
        cost_usd = max(0.0, result.total_cost_usd - self._counted_usd)
        self._counted_usd = result.total_cost_usd
        self._tell(
            replace(
                self.status,
                usage=self.status.usage + result.usage,
                cost_usd=self.status.cost_usd + cost_usd,
            ),
        )
        # An interrupted turn may name no prompt; then it is ours if we were being answered.
        if performance is None or not (
            performance.awaited_id in result.prompts
            or (not result.prompts and (performance.answering or self._interrupting))
        ):
            return
        if performance.awaited_id == performance.turn.id:
            performance.cost_usd = cost_usd
            answered = self.status.turns + (result.error is None)
            self._tell(replace(self.status, turns=answered))
            self._move(SessionState.READY)
        if not performance.outcome.done():
            performance.outcome.set_result(result)

    @property
    def _interrupting(self) -> bool:
        return self.status.state is SessionState.INTERRUPTING

    def _lose(self, client: Client, reason: str) -> None:
        """Take note that the process is gone, and clear up after it."""
        self._client = None
        said = client.stderr.splitlines()
        full_reason = f"{reason}; it said: {said[-1]}" if said else reason
        interrupted = self._interrupting
        self._move(SessionState.LOST, full_reason)
        self._start(client.disconnect())
        performance = self._performing
        if performance is not None and not performance.outcome.done():
            performance.outcome.set_exception(
                TurnInterruptedError() if interrupted else ConnectionLostError(full_reason),
            )

    # -- ending --------------------------------------------------------------------------------

    async def park(self) -> None:
        """Close the process and keep the conversation; the next prompt resumes it."""
        await self._end(SessionState.PARKED)

    async def close(self) -> None:
        """End the session for good; doing it again is harmless."""
        await self._end(SessionState.CLOSED)

    async def _end(self, state: SessionState) -> None:
        for turn in list(self._tasks):
            self.interrupt(turn)
        # The SDK needs five seconds to disconnect in the middle of a turn, 60 ms between turns.
        while self._tasks:
            await asyncio.wait(self._tasks.values())
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.wait([self._connecting])
        client, self._client = self._client, None
        if client is not None:
            # Claude Code may be in a turn of its own making; a client that is not is not harmed.
            with suppress(asyncio.TimeoutError, ConnectionLostError):
                await asyncio.wait_for(client.interrupt(), INTERRUPT_EVERY_S)
        if state in TRANSITIONS[self.status.state]:
            self._move(state)
        if client is not None:
            await client.disconnect()
            self._saved_usd = self._counted_usd
        if self._reader is not None:
            await asyncio.wait([self._reader])
        while self._background:
            await asyncio.wait(self._background)
