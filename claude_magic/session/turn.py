"""One prompt and what becomes of it."""

from __future__ import annotations

import asyncio
import logging
import queue
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

from claude_magic.errors import SessionError

from .events import (
    TextDelta,
    TextWithdrawn,
    ThinkingFinished,
    ToolCallDelta,
    ToolCalled,
    ToolCallWithdrawn,
    ToolStarted,
    TurnFailed,
    TurnFinished,
)
from .loop import loop_thread
from .relay import Relay

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence

    from .events import Event
    from .options import SessionOptions

_logger = logging.getLogger(__name__)

Prompt: TypeAlias = "str | Sequence[Mapping[str, Any]]"


def first_text(prompt: Prompt) -> str:
    """Return what a person wrote of a prompt: its first text block; others go along with it."""
    if isinstance(prompt, str):
        return prompt
    return next((str(block["text"]) for block in prompt if block.get("type") == "text"), "")


@dataclass(frozen=True, slots=True)
class Told:
    """A message that is part of the conversation because the caller says so.

    Attributes
    ----------
    role
        Who said it.
    content
        Text, or content blocks as the Messages API takes them.
    model
        The model that said it, which alone may be told its own signed thinking; None where that is
        not known.
    """

    role: Literal["user", "assistant"]
    content: Prompt
    model: str | None = None


class TurnOwner(Protocol):
    """What a turn needs of its conversation; loop thread only."""

    def interrupt(self, turn: Turn) -> None:
        """Stop the turn, wherever it is on its way."""


class Turn:
    """One prompt on its way through a session, and the events that come of it.

    Iterate over it, with ``for`` or ``async for``, from any thread and any event loop; leaving the
    loop early stops the turn. Every listener gets every event from the first one on, whenever it
    comes, and the last one is a `TurnFinished` or a `TurnFailed`.

    Parameters
    ----------
    prompt
        The text, or a list of content blocks as the Messages API takes them.
    owner
        The conversation that performs the turn.
    history
        What was said before, where the session itself has not heard it.
    keeper
        What must not be forgotten before the turn has settled: the session that it was sent to.
    options
        What the process must have been started with that answers it; None for as it is.
    """

    def __init__(
        self,
        prompt: Prompt,
        owner: TurnOwner,
        history: Sequence[Told] = (),
        keeper: object = None,
        options: SessionOptions | None = None,
    ) -> None:
        self.prompt = prompt
        self.options = options
        self.history = tuple(history)
        self._keeper = keeper
        #: Whether Claude Code was sent the prompt, and whether it has its result. Loop thread only.
        self.sent = self.answered = False
        #: When it must have its answer, by `time.monotonic()`; None for any time. Loop thread only.
        self.deadline_s: float | None = None
        #: `time.monotonic()` when the turn was made.
        self.created_s = time.monotonic()
        self._owner = owner
        self._events: list[Event] = []
        self._listeners: list[Callable[[Event], object]] = []
        # In pieces: to put them together each time would take the longer the more there are.
        self._blocks: dict[int, list[str]] = {}
        self._calls: dict[int, ToolCalled | None] = {}
        self._thinking: list[ThinkingFinished] = []

    @property
    def text(self) -> str:
        """The answer so far: its text blocks, with an empty line between them."""
        texts = ("".join(pieces) for pieces in self._blocks.copy().values())
        return "\n\n".join(text for text in texts if text)

    @property
    def calls(self) -> tuple[ToolCalled, ...]:
        """The complete calls of the caller's tools so far."""
        return tuple(call for call in self._calls.values() if call is not None)

    @property
    def thinking(self) -> tuple[ThinkingFinished, ...]:
        """The model's thinking since a tool acted last; what was before it explains that."""
        return tuple(self._thinking)

    @property
    def acted(self) -> bool:
        """Whether a tool was started, so that asking again might do something twice."""
        return any(isinstance(event, ToolStarted) for event in self._events)

    def withdraw(self) -> None:
        """Take back what was said, because the prompt is asked again. Loop thread only."""
        for block, pieces in list(self._blocks.items()):
            if pieces:
                self.publish(TextWithdrawn(block))
        for call in list(self._calls):
            self.publish(ToolCallWithdrawn(call))
        self._thinking.clear()

    @property
    def settled(self) -> bool:
        """Whether the turn came to its end."""
        return bool(self._events) and isinstance(self._events[-1], (TurnFinished, TurnFailed))

    def subscribe(self, listener: Callable[[Event], object]) -> None:
        """Call `listener` with every event, those that were included, on the loop thread.

        Any thread may call. The listener must return at once and must not raise.
        """
        loop_thread().call_soon(self._subscribe, listener)

    def _subscribe(self, listener: Callable[[Event], object]) -> None:
        self._listeners.append(listener)
        for event in self._events:
            self._call(listener, event)

    def publish(self, event: Event) -> None:
        """Record an event and tell the listeners. Loop thread only; nothing follows the last."""
        match event:
            case TextDelta():
                self._blocks.setdefault(event.block, []).append(event.text)
            case TextWithdrawn():
                self._blocks[event.block] = []
            case ToolCallDelta():
                self._calls.setdefault(event.call, None)
            case ToolCalled():
                self._calls[event.call] = event
            case ToolCallWithdrawn():
                self._calls.pop(event.call, None)
            case ThinkingFinished():
                self._thinking.append(event)
            case ToolStarted():
                self._thinking.clear()
        self._events.append(event)
        for listener in list(self._listeners):
            self._call(listener, event)
        if self.settled:
            self._keeper = None

    def _call(self, listener: Callable[[Event], object], event: Event) -> None:
        try:
            listener(event)
        except Exception:
            # Whoever looks on must not be able to stop the session.
            _logger.exception("A listener of the turn raised and is not called again.")
            if listener in self._listeners:
                self._listeners.remove(listener)

    def interrupt(self) -> None:
        """Stop the turn; what was answered until then stays in the conversation. Any thread."""
        loop_thread().call_soon(self._owner.interrupt, self)

    def result(self) -> TurnFinished:
        """Wait for the end of the turn and return it.

        Raises
        ------
        ClaudeMagicError
            If the turn failed or was interrupted.
        """
        for event in self._follow(_ends):
            if isinstance(event, TurnFinished):
                return event
        raise SessionError("The turn ended without a result.")

    async def aresult(self) -> TurnFinished:
        """Wait for the end of the turn and return it, on any event loop.

        Raises
        ------
        ClaudeMagicError
            If the turn failed or was interrupted.
        """
        async for event in self._afollow(_ends):
            if isinstance(event, TurnFinished):
                return event
        raise SessionError("The turn ended without a result.")

    def __iter__(self) -> Iterator[Event]:
        return self._follow(_any)

    def __aiter__(self) -> AsyncIterator[Event]:
        return self._afollow(_any)

    def _follow(self, wanted: Callable[[Event], bool]) -> Iterator[Event]:
        """Yield events as they come; what is not wanted wakes nobody."""
        # A KeyboardInterrupt can break SimpleQueue.get and nothing of it needs a lock.
        arrivals: queue.SimpleQueue[list[Event]] = queue.SimpleQueue()
        relay = Relay(arrivals.put)
        self.subscribe(lambda event: relay(event) if wanted(event) else None)
        try:
            while True:
                for event in arrivals.get():
                    if isinstance(event, TurnFailed):
                        raise event.error
                    yield event
                    if isinstance(event, TurnFinished):
                        return
        finally:
            if not self.settled:
                self.interrupt()

    async def _afollow(self, wanted: Callable[[Event], bool]) -> AsyncIterator[Event]:
        loop = asyncio.get_running_loop()
        arrivals: asyncio.Queue[list[Event]] = asyncio.Queue()

        def forward(events: list[Event]) -> None:
            with suppress(RuntimeError):  # the loop was closed with the turn still under way
                loop.call_soon_threadsafe(arrivals.put_nowait, events)

        relay = Relay(forward)
        self.subscribe(lambda event: relay(event) if wanted(event) else None)
        try:
            while True:
                for event in await arrivals.get():
                    if isinstance(event, TurnFailed):
                        raise event.error
                    yield event
                    if isinstance(event, TurnFinished):
                        return
        finally:
            if not self.settled:
                self.interrupt()


def _any(_event: Event) -> bool:
    return True


def _ends(event: Event) -> bool:
    return isinstance(event, (TurnFinished, TurnFailed))
