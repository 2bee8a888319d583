"""One prompt and what becomes of it."""

from __future__ import annotations

import asyncio
import queue
import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

from claude_magic.errors import SessionError

from .events import TextDelta, TextWithdrawn, TurnFailed, TurnFinished
from .loop import loop_thread

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence

    from .events import Event

Prompt: TypeAlias = "str | Sequence[Mapping[str, Any]]"


@dataclass(frozen=True, slots=True)
class Told:
    """A message that is part of the conversation because the caller says so.

    Attributes
    ----------
    role
        Who said it.
    content
        Text, or content blocks as the Messages API takes them.
    """

    role: Literal["user", "assistant"]
    content: Prompt


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
    """

    def __init__(self, prompt: Prompt, owner: TurnOwner, history: Sequence[Told] = ()) -> None:
        self.prompt = prompt
        self.history = tuple(history)
        #: The id under which Claude Code knows the prompt.
        self.id = str(uuid.uuid4())
        #: `time.monotonic()` when the turn was made.
        self.created_s = time.monotonic()
        self._owner = owner
        self._events: list[Event] = []
        self._listeners: list[Callable[[Event], object]] = []
        self._blocks: dict[int, str] = {}

    @property
    def text(self) -> str:
        """The answer so far: its text blocks, with an empty line between them."""
        return "\n\n".join(text for text in self._blocks.copy().values() if text)

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
        for event in self._events:
            listener(event)
        self._listeners.append(listener)

    def publish(self, event: Event) -> None:
        """Record an event and tell the listeners. Loop thread only; nothing follows the last."""
        if isinstance(event, TextDelta):
            self._blocks[event.block] = self._blocks.get(event.block, "") + event.text
        elif isinstance(event, TextWithdrawn):
            self._blocks[event.block] = ""
        self._events.append(event)
        for listener in self._listeners:
            listener(event)

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
        for event in self:
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
        async for event in self:
            if isinstance(event, TurnFinished):
                return event
        raise SessionError("The turn ended without a result.")

    def __iter__(self) -> Iterator[Event]:
        # A KeyboardInterrupt can break SimpleQueue.get and nothing of it needs a lock.
        arrivals: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self.subscribe(arrivals.put)
        try:
            while True:
                event = arrivals.get()
                if isinstance(event, TurnFailed):
                    raise event.error
                yield event
                if isinstance(event, TurnFinished):
                    return
        finally:
            if not self.settled:
                self.interrupt()

    async def __aiter__(self) -> AsyncIterator[Event]:
        loop = asyncio.get_running_loop()
        arrivals: asyncio.Queue[Event] = asyncio.Queue()

        def forward(event: Event) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(arrivals.put_nowait, event)

        self.subscribe(forward)
        try:
            while True:
                event = await arrivals.get()
                if isinstance(event, TurnFailed):
                    raise event.error
                yield event
                if isinstance(event, TurnFinished):
                    return
        finally:
            if not self.settled:
                self.interrupt()
