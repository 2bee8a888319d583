"""The contents of the status panel and the actions of its buttons, without any widget."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from claude_magic.errors import UsageError
from claude_magic.session import MAIN, loop_thread

from .status_text import aligned, status_text
from .status_view import DEFAULT, session_view

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from concurrent.futures import Future

    from claude_magic.session import ClaudeSession, NamedSession, SessionRegistry

#: Memory is told in steps of so many bytes; a change below that is none.
MEMORY_STEP_BYTES = 2**20


class PanelState:
    """The sessions of a kernel as a panel shows them: one in full, with its actions. Any thread.

    Changes are published on the thread that causes them, mostly the loop's. Memory is read when a
    session changes and when the front end asks for it.

    Parameters
    ----------
    sessions
        The sessions to show.
    publish
        Called with the new contents after each change. The lock is held, so calls do not overlap;
        exceptions are not handled here.

    Attributes
    ----------
    shown
        The contents published last, with a revision number that grows with every change.
    """

    def __init__(
        self,
        sessions: SessionRegistry,
        publish: Callable[[dict[str, Any]], object],
    ) -> None:
        self._sessions = sessions
        self._publish_to = publish
        self._current = MAIN
        # Held while anything is published, so that no comm is closed under a message. Re-entrant
        # because the garbage collector may call `close` in the middle of a message.
        self.publishing = threading.RLock()
        self._closed = False
        self._memory: tuple[str, int | None] = ("", None)
        # The session, state and turn that the memory was last read for.
        self._read_for: object = None
        self._end: Callable[[], object] = lambda: None
        self.shown: dict[str, Any] = {"revision": 0, **self._compose()}

    def open(self) -> None:
        """Follow the sessions from now on; the receiver of the contents is ready."""
        self._end = self._sessions.subscribe(self._follow)

    def close(self) -> None:
        """Stop following the sessions; twice is harmless."""
        self._end()
        with self.publishing:
            self._closed = True

    def look_at(self, name: str) -> None:
        """Show the session of a name in full.

        Raises
        ------
        UsageError
            If there is none.
        """
        self._sessions.find(name)
        self._current = name
        self._follow()

    def answer(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Perform a request of the front end and return the new contents; does not wait.

        Raises
        ------
        UsageError
            If the request is unknown or its session has ended.
        ClaudeMagicError
            If the session refuses the action.
        """
        performers: dict[object, Callable[[NamedSession, Mapping[str, Any]], object]] = {
            "connect": lambda named, _: named.connect(),
            "stop": lambda named, _: named.stop(),
            "disconnect": lambda named, _: named.disconnect(),
            "reset": lambda named, _: named.reset(),
            "fork": lambda _, request: self._fork(str(request["session"])),
            "view": lambda _, request: self.look_at(str(request["session"])),
            "choose": _choose,
            "revoke": lambda named, request: named.session.revoke(str(request.get("rule"))),
        }
        action = request.get("do")
        if action == "look":
            self._read_memory()
        elif action in performers:
            # The very one that the view showed when it was asked.
            named = self._sessions.find(str(request.get("session")))
            performers[action](named, request)
        else:
            known = ", ".join(map(repr, performers))
            raise UsageError(f"The panel was asked for {action!r}; it knows {known}.")
        return {"shown": self.publish()}

    def publish(self) -> dict[str, Any]:
        """Publish the present contents if they have changed, and return them."""
        with self.publishing:
            shown = {"revision": self.shown["revision"], **self._compose()}
            if not self._closed and shown != self.shown:
                shown["revision"] += 1
                self.shown = shown
                self._publish_to(shown)
            return shown

    def text(self) -> str:
        """Return the present contents as plain text, for saved notebooks and plain front ends."""
        name, named = self._chosen
        others = [
            f"{other} ({each.status.state.value})"
            for other, each in self._sessions.all.items()
            if other != name
        ]
        # With the date: it may be read a year later.
        now = time.strftime("%Y-%m-%d %H:%M")
        rows = [("others", ", ".join(others)), ("as of", now)]
        return f"{status_text(named.status)}\n{aligned(rows)}"

    @property
    def _chosen(self) -> tuple[str, NamedSession]:
        """The session that is shown in full; the kernel's own if that one has ended."""
        known = self._sessions.all
        name = self._current if self._current in known else MAIN
        return name, known[name]

    def _compose(self) -> dict[str, Any]:
        """Return the present contents, without a revision number."""
        name, named = self._chosen
        known = self._sessions.all
        session_id, memory_bytes = self._memory
        models = [model for each in known.values() for model in each.status.models]
        return {
            "sessions": [(each, known[each].status.state.value) for each in known],
            "session": session_view(
                name,
                named,
                models,
                memory_bytes if session_id == named.status.session_id else None,
            ),
        }

    def _follow(self) -> None:
        """Publish a change of a session. Mostly on the loop thread."""
        _, named = self._chosen
        status = named.status
        occasion = (status.session_id, status.state, status.turns)
        if occasion != self._read_for and named.session.pids is not None:
            self._read_for = occasion
            self._read_memory()
        self.publish()

    def _read_memory(self) -> None:
        session = self._chosen[1].session

        def note(reading: Future[int | None]) -> None:
            if not reading.cancelled() and reading.exception() is None:
                self._note_memory(session, reading.result())

        # Not here: it takes milliseconds, in which neither the loop nor the front end can wait.
        loop_thread().submit(session.aresident_bytes()).add_done_callback(note)

    def _note_memory(self, session: ClaudeSession, memory_bytes: int | None) -> None:
        if memory_bytes is not None:
            memory_bytes -= memory_bytes % MEMORY_STEP_BYTES
        self._memory = (session.session_id, memory_bytes)
        self.publish()

    def _fork(self, of: str) -> None:
        known = self._sessions.all
        number = next(n for n in range(2, len(known) + 3) if f"{of}-{n}" not in known)
        self._sessions.fork(f"{of}-{number}", of)
        self.look_at(f"{of}-{number}")


def _choose(named: NamedSession, request: Mapping[str, Any]) -> None:
    field, value = request.get("field"), request.get("value")
    if field not in {"model", "effort", "permission_mode"}:
        raise UsageError(f"The panel was asked to choose {field!r}, which it does not offer.")
    # A model of this name is Claude Code's own choice: left out, the one that answered last stays.
    unset = field == "effort" and value == DEFAULT
    named.choose(**{str(field): None if unset else value})
