"""The status panel: the kernel's sessions as a card in the notebook, with buttons and choices."""

from __future__ import annotations

import secrets
import threading
import time
from typing import TYPE_CHECKING, Any

import anywidget
import traitlets

from claude_magic.errors import ClaudeMagicError, UsageError
from claude_magic.session import MAIN, loop_thread

from .front_end import script, style
from .status_text import aligned, status_text
from .status_view import DEFAULT, session_view

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from concurrent.futures import Future

    from claude_magic.session import ClaudeSession, NamedSession, SessionRegistry

    from .control import ControlChannel

#: Memory is told in steps of so many bytes; a change below that is none.
MEMORY_STEP_BYTES = 2**20


class StatusPanel(anywidget.AnyWidget):
    """A card that shows the sessions of a kernel, one of them in full, and steers that one.

    It follows the sessions from when it is made until it is closed, also while a cell is running,
    and shows any number of views that stay in step. Make, display and close it on the main thread.

    What its views ask comes by the kernel's control channel, or by the widget's comm where the
    front end has no way to that; it is answered on the thread that hears it. What they show comes
    from the loop thread. Memory is read when something changes and when a view comes into sight.

    Parameters
    ----------
    sessions
        What is shown.
    control
        How the front end reaches this kernel while a cell is running; None for the comm alone.

    Attributes
    ----------
    shown
        What is shown, with a number that grows with every change.

    Examples
    --------
    >>> StatusPanel(SessionRegistry())  # doctest: +SKIP
    """

    _esm = script("control.js", "elements.js", "status_panel.js")
    _css = style("status_panel.css")

    shown = traitlets.Dict().tag(sync=True)

    def __init__(self, sessions: SessionRegistry, control: ControlChannel | None = None) -> None:
        self._sessions = sessions
        self._current = MAIN
        # Held while anything is published, so that no comm is closed under a message. Re-entrant
        # because the garbage collector may call `close` in the middle of a message.
        self._publishing = threading.RLock()
        self._address = secrets.token_urlsafe(24)
        self._by_control = control is not None and control.available
        self._revision = 0
        self._memory: tuple[str, int | None] = ("", None)
        # What the memory was last read for.
        self._read_for: object = None
        self._ends: list[Callable[[], object]] = []
        super().__init__(shown=self._compose())
        _keep_off_the_busy_shell(self.comm)
        self.on_msg(self._receive)
        if control is not None:
            self._ends.append(control.open(self._address, self._answer))
        self._ends.append(sessions.subscribe(self._follow))

    def look_at(self, name: str) -> None:
        """Show the session of a name in full. Any thread.

        Raises
        ------
        UsageError
            If there is none.
        """
        self._sessions.find(name)
        self._current = name
        self._follow()

    def close(self) -> None:
        """Take the panel's views away and stop following the sessions; twice is harmless."""
        ends, self._ends = self._ends, []
        for end in ends:
            end()
        with self._publishing:
            super().close()

    # -- showing -------------------------------------------------------------------------------

    @property
    def _chosen(self) -> tuple[str, NamedSession]:
        """The session that is shown in full; the kernel's own where that one has ended."""
        known = self._sessions.all
        name = self._current if self._current in known else MAIN
        return name, known[name]

    def _compose(self) -> dict[str, Any]:
        """Return what is to be shown now, but for its number."""
        name, named = self._chosen
        known = self._sessions.all
        session_id, memory_bytes = self._memory
        models = [model for each in known.values() for model in each.status.models]
        return {
            "address": self._address,
            "control": self._by_control,
            "revision": self._revision,
            "sessions": [(each, known[each].status.state.value) for each in known],
            "session": session_view(
                name,
                named,
                models,
                memory_bytes if session_id == named.status.session_id else None,
            ),
        }

    def _follow(self) -> None:
        """Show how the sessions stand now. Any thread; mostly the loop's."""
        _, named = self._chosen
        status = named.status
        occasion = (status.session_id, status.state, status.turns)
        if occasion != self._read_for and named.session.pids is not None:
            self._read_for = occasion
            self._read_memory()
        self._publish()

    def _publish(self) -> dict[str, Any]:
        """Have the views show how the sessions stand now, and return what they show. Any thread.

        The trait is set here and not handed to the main thread, which is not free while a cell is
        running. ipykernel's way out is made for any thread: `Session.send` is what its own IOPub
        thread calls for the output of threads, and the socket behind it only queues for that
        thread. traitlets is not made for two threads at once, which the lock sees to; nothing else
        sets this trait, because the front end never sends it.
        """
        with self._publishing:
            shown = self._compose()
            if self.comm is not None and shown != self.shown:
                self._revision += 1
                shown["revision"] = self._revision
                try:
                    self.shown = shown
                except Exception:
                    # A kernel that is shutting down has closed its sockets. Nobody sees the panel
                    # then, and a listener that raised would stop the session's own work.
                    self.log.debug("The status panel was not updated.", exc_info=True)
            return shown

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
        self._publish()

    # -- answering -----------------------------------------------------------------------------

    def _answer(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Do what a view asks, and return what it has to show. Any thread; nothing here waits."""
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
        return {"shown": self._publish()}

    def _fork(self, of: str) -> None:
        known = self._sessions.all
        number = next(n for n in range(2, len(known) + 3) if f"{of}-{n}" not in known)
        self._sessions.fork(f"{of}-{number}", of)
        self.look_at(f"{of}-{number}")

    def _receive(self, _panel: object, content: object, _buffers: object) -> None:
        """Answer what came by the comm. The main thread, or the one of the front end's subshell."""
        request = content if isinstance(content, dict) else {}
        try:
            reply = {"status": "ok", **self._answer(request)}
        except ClaudeMagicError as error:
            reply = {"status": "error", "reason": str(error)}
        except Exception as error:  # noqa: BLE001 - ipywidgets would log it where nobody looks
            reply = {"status": "error", "reason": f"{type(error).__name__}: {error}"}
        with self._publishing:
            if self.comm is not None:
                self.send({"answers": request.get("id"), **reply})

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]] | None:
        bundle: tuple[dict[str, Any], dict[str, Any]] | None = super()._repr_mimebundle_(**kwargs)
        if bundle is not None:
            # What a saved notebook shows where there is no kernel, such as on GitHub.
            bundle[0]["text/plain"] = self._text()
        return bundle

    def _text(self) -> str:
        name, named = self._chosen
        others = [
            f"{other} ({each.status.state.value})"
            for other, each in self._sessions.all.items()
            if other != name
        ]
        # With the date: whoever reads it may do so in a year.
        now = time.strftime("%Y-%m-%d %H:%M")
        rows = [("others", ", ".join(others)), ("as of", now)]
        return f"{status_text(named.status)}\n{aligned(rows)}"


def _choose(named: NamedSession, request: Mapping[str, Any]) -> None:
    field, value = request.get("field"), request.get("value")
    if field not in {"model", "effort", "permission_mode"}:
        raise UsageError(f"The panel was asked to choose {field!r}, which it does not offer.")
    # A model of this name is Claude Code's own choice: left out, the one that answered last stays.
    unset = field == "effort" and value == DEFAULT
    named.choose(**{str(field): None if unset else value})


def _keep_off_the_busy_shell(comm: Any) -> None:
    """Have the comm's messages handled on the subshell that the front end sends them to.

    JupyterLab sends them to a subshell, so that a button works while a cell is running. ipykernel
    7.4 sends them on to the shell that published on this comm last, which for a panel that a cell
    displays is the one that is running the cell. That is meant for widgets that a cell waits for;
    nothing waits for this one, and every thread may answer it. The method is private and in no
    other version (7.0 to 7.3 do as the front end says, 6 has no subshells), hence the guard;
    tests/browser/test_status_panel.py tells when it no longer works.
    """
    if hasattr(comm, "_reply_subshell_for"):
        comm._reply_subshell_for = lambda _data, subshell_id: subshell_id  # noqa: SLF001
