"""Turns that go on in their cell's output while other cells run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

from IPython.display import display

from claude_magic.errors import ClaudeMagicError, UsageError
from claude_magic.session import (
    BackgroundReply,
    PermissionDenied,
    TextDelta,
    TextWithdrawn,
    ToolFinished,
    ToolStarted,
    TurnFailed,
    TurnFinished,
    loop_thread,
)

from .front_end import FrontEnd, front_end
from .renderers import gate, words
from .renderers.segments import joined

if TYPE_CHECKING:
    from collections.abc import Callable

    from IPython.core.interactiveshell import InteractiveShell

    from claude_magic.session import Event, SessionStatus, Turn

#: The output is written anew at most so often, in seconds; longer texts less often, so many seconds
#: for each character.
INTERVAL_S = 0.1
INTERVAL_S_PER_CHARACTER = 1e-5


class LastingOutput:
    """One output of a cell, which can be written to when the cell has ended. Any thread.

    Made on the main thread, while the cell runs.

    Parameters
    ----------
    shell
        The shell of a Jupyter kernel.
    """

    def __init__(self, shell: InteractiveShell) -> None:
        self._publisher: Any = shell.display_pub
        self._parent = shell.kernel.get_parent("shell")  # type: ignore[attr-defined]
        self._display_id = uuid4().hex

    def show(self, bundle: dict[str, str]) -> None:
        """Show it for the first time. Main thread only."""
        display(bundle, raw=True, display_id=self._display_id)

    def write(self, bundle: dict[str, str]) -> None:
        """Show something else in its place."""
        # IPython's own way would write to whichever cell runs by then.
        self._publisher.session.send(
            self._publisher.pub_socket,
            "update_display_data",
            {"data": bundle, "metadata": {}, "transient": {"display_id": self._display_id}},
            parent=self._parent,
            ident=self._publisher.topic,
        )


class LastingTurn:
    """A turn whose answer appears in its cell while other cells run.

    Parameters
    ----------
    shell
        The shell of a Jupyter kernel.
    turn
        The turn, from its first event on.
    status
        The session's, before the turn.
    on_finished
        Called on the main thread, between cells, with the answer.

    Raises
    ------
    UsageError
        If the front end shows no updates of outputs.
    """

    def __init__(
        self,
        shell: InteractiveShell,
        turn: Turn,
        status: SessionStatus,
        on_finished: Callable[[TurnFinished], object],
    ) -> None:
        check_lasting(shell)
        self.turn = turn
        self._status = status
        self._on_finished = on_finished
        self._kernel: Any = shell.kernel  # type: ignore[attr-defined]
        self._output = LastingOutput(shell)
        # Markdown that has passed the gate, in order; a text of the model is in `_texts` instead.
        self._parts: dict[object, str] = {}
        self._texts: dict[object, str] = {}
        self._last_line = "Waiting for Claude …"
        self._due = False
        self._output.show(self._bundle())
        turn.subscribe(self._take)

    def _take(self, event: Event) -> None:
        """Take one event, on the loop thread."""
        match event:
            case TextDelta():
                self._texts[event.block] = self._texts.get(event.block, "") + event.text
                self._parts.setdefault(event.block, "")
            case TextWithdrawn():
                self._texts.pop(event.block, None)
                self._parts.pop(event.block, None)
            case ToolStarted():
                self._parts[event.tool_id] = f"⋯ {_code(event)}"
            case ToolFinished():
                begun = self._parts.get(event.tool_id, "")
                self._parts[event.tool_id] = f"{'✗' if event.is_error else '✓'}{begun[1:]}"
            case PermissionDenied():
                self._parts[id(event)] = words.denied(event, _code(event))
            case BackgroundReply():
                self._parts[id(event)] = words.quote_bundle(words.background(event), event.text)[
                    "text/markdown"
                ]
            case TurnFailed():
                self._last_line = f"{type(event.error).__name__}: {event.error}"
            case TurnFinished():
                self._last_line = words.footer(event, self._status)
                self._kernel.io_loop.add_callback(self._finish, event)
        self._refresh_soon()

    def _finish(self, finished: TurnFinished) -> None:
        """Do what is left on the main thread, between cells."""
        try:
            self._on_finished(finished)
        except ClaudeMagicError as error:
            self._last_line = f"{type(error).__name__}: {error}"
            self._output.write(self._bundle())

    def _refresh_soon(self) -> None:
        if self._due:
            return
        self._due = True
        length = sum(map(len, (*self._parts.values(), *self._texts.values())))
        delay_s = 0.0 if self.turn.settled else INTERVAL_S + length * INTERVAL_S_PER_CHARACTER
        loop_thread().call_later(delay_s, self._refresh)

    def _refresh(self) -> None:
        self._due = False
        self._output.write(self._bundle())

    def _bundle(self) -> dict[str, str]:
        passed = {block: gate.markdown(text) for block, text in self._texts.items()}
        parts = [*({**self._parts, **passed}.values()), words.aside(self._last_line)]
        plain = [*({**self._parts, **self._texts}.values()), self._last_line]
        return {
            "text/markdown": joined(parts),
            "text/plain": joined(plain),
        }


def _code(event: ToolStarted | PermissionDenied) -> str:
    return f"<code>{gate.code(words.tool_call(event.name, event.arguments))}</code>"


def check_lasting(shell: InteractiveShell) -> None:
    """Refuse where outputs do not last.

    Raises
    ------
    UsageError
        If the front end shows no updates of outputs.
    """
    if front_end(shell) in {FrontEnd.STREAM, FrontEnd.CONSOLE}:
        raise UsageError("--bg needs a notebook: here, outputs do not change once they are shown.")
