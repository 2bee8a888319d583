"""What the JupyterLab extension knows of this kernel, and what it asks of it."""

from __future__ import annotations

import logging
import threading
import uuid
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from claude_magic._version import __version__
from claude_magic.errors import UsageError
from claude_magic.session import MAIN, loop_thread

from .completion import variable_names
from .wire import (
    ADDRESS,
    TARGET,
    CellsProposed,
    Completions,
    Done,
    Greeting,
    KernelState,
    OpenQuestion,
    SessionView,
    StateTold,
    WireCell,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from IPython.core.interactiveshell import InteractiveShell

    from claude_magic.session import SessionRegistry, SessionStatus
    from claude_magic.widgets import ControlChannel

    from .kernel.history import CellHistory
    from .person import Person
    from .presence import Presence

# In a kernel, warnings that nobody handles are shown in whichever cell runs; so all is "debug".
_logger = logging.getLogger(__name__)

#: So long a front end may take to say that it puts proposed cells into the notebook, in seconds.
#: Measured: 0.05 while the page is busy.
TAKE_TIMEOUT_S = 2.0

#: So many of the last cells are looked through for one that was run again.
MAX_RUNS = 50

#: So many proposals can still be decided on.
MAX_OFFERS = 50


_MOMENTS = ("pre_run_cell", "post_run_cell")


@dataclass(frozen=True, slots=True)
class _Offer:
    """Cells that a front end may take, once."""

    proposal: str
    on_settled: Callable[[int, bool], object]
    taken: threading.Event = field(default_factory=threading.Event)


class Link:
    """The kernel's side of the JupyterLab extension.

    Tells each change by a comm and nothing while nothing changes; answers what is asked on the
    control channel, where requests are heard while a cell is running. Where there is no kernel, or
    no front end that knows of it, all of it is silent.

    Parameters
    ----------
    shell
        The shell whose kernel it is.
    history
        Knows which cell has failed.
    control
        Where the front end is heard.
    person
        Holds the open permission request, which the page shows.
    presence
        Notes that a page has greeted.
    """

    def __init__(
        self,
        shell: InteractiveShell,
        history: CellHistory,
        control: ControlChannel,
        person: Person,
        presence: Presence,
    ) -> None:
        self._shell = shell
        self._sessions: SessionRegistry
        self._history = history
        self._control = control
        self._person = person
        self._presence = presence
        self._current = MAIN
        self._failed: str | None = None
        # Held while anything is told, so that no comm is closed under a message.
        self._telling = threading.RLock()
        self._comm: Any = None
        self._told: KernelState | None = None
        # Whether a front end with the extension was ever there.
        self._greeted = False
        # Held while an offer is taken or withdrawn.
        self._taking = threading.Lock()
        self._offers: deque[_Offer] = deque(maxlen=MAX_OFFERS)
        self._ends: list[Callable[[], object]] = []

    # -- on the main thread --------------------------------------------------------------------

    def open(self, sessions: SessionRegistry) -> None:
        """Say that this kernel is there; nothing where it cannot be asked. Main thread only.

        Parameters
        ----------
        sessions
            The kernel's conversations.
        """
        self._sessions = sessions
        if self._comm is not None or not self._control.available:
            return
        from comm import create_comm  # noqa: PLC0415 - ipykernel's, so only in a kernel

        # A page greets as soon as it hears of the comm, so it must be heard by then, and answered
        # when the comm is there.
        with self._telling:
            end = self._control.open(ADDRESS, self._answer)
            self._comm = create_comm(target_name=TARGET)
        self._comm.on_close(self._keep_comm)
        for moment in _MOMENTS:
            self._shell.events.register(moment, self._note_failure)
        self._ends = [
            end,
            sessions.subscribe(self._tell_state),
            self._person.subscribe(self._tell_state),
        ]

    def close(self) -> None:
        """Say no more, and that there is nothing to ask; twice is harmless. Main thread only."""
        ends, self._ends = self._ends, []
        for end in ends:
            end()
        if ends:
            for moment in _MOMENTS:
                self._shell.events.unregister(moment, self._note_failure)
        with self._telling:
            comm, self._comm = self._comm, None
            if comm is not None:
                with suppress(Exception):  # a kernel that shuts down has closed its sockets
                    comm.close()
                    _comms().pop(comm.comm_id, None)

    def _keep_comm(self, _message: object) -> None:
        """Stay in the kernel's list of comms, where a page that is loaded later looks for us.

        A front end without our extension closes a comm that it does not know.
        """
        if self._comm is not None:
            _comms()[self._comm.comm_id] = self._comm

    def offer(self, cells: Sequence[WireCell], on_settled: Callable[[int, bool], object]) -> bool:
        """Have the front end put cells below the one that is running. Main thread only.

        Parameters
        ----------
        cells
            What is proposed.
        on_settled
            Called on the control thread with the number of a cell, from 0, and whether a person
            accepted it.

        Returns
        -------
        bool
            Whether a front end has taken them. It is waited for only where one was there before.
        """
        below = self._cell_id()
        if not self._greeted or below is None:
            return False
        offer = _Offer(uuid.uuid4().hex, on_settled)
        self._offers.append(offer)
        self._tell(
            CellsProposed(told="cells", proposal=offer.proposal, below=below, cells=list(cells))
        )
        offer.taken.wait(TAKE_TIMEOUT_S)
        with self._taking:
            if not offer.taken.is_set():
                self._offers.remove(offer)
            return offer.taken.is_set()

    def _cell_id(self) -> str | None:
        kernel: Any = getattr(self._shell, "kernel", None)
        request = (kernel.get_parent("shell") if kernel is not None else None) or {}
        told = (request.get("metadata") or {}).get("cellId")
        return str(told) if told is not None else None

    def _note_failure(self, _told: object = None) -> None:
        """Note which cell failed last, until it is run again."""
        failure = self._history.last_failure()
        self._failed = failure.cell_id if failure is not None else None
        for run in self._history.recent(MAX_RUNS):
            if (
                failure is not None
                and run.cell_id == failure.cell_id
                and run.started_s > failure.started_s
            ):
                self._failed = None
        self._tell_state()

    # -- telling, on any thread ----------------------------------------------------------------

    def _tell_state(self) -> None:
        """Tell the front end what has changed, if anything."""
        with self._telling:
            state = self._state()
            if state != self._told:
                self._told = state
                self._tell(StateTold(told="state", state=state))

    def _tell(self, message: StateTold | CellsProposed) -> None:
        """Send a message by the comm.

        Any thread may: see `widgets.StatusPanel._publish`.
        """
        with self._telling:
            if self._comm is None:
                return
            try:
                self._comm.send(cast("dict[str, Any]", message))
            except Exception:
                # A kernel that is shutting down has closed its sockets. Whoever raised here would
                # stop the session's own work.
                _logger.debug("the front end was not told", exc_info=True)

    def _state(self) -> KernelState:
        sessions = self._sessions.all
        current = self._current if self._current in sessions else MAIN
        views = [_view(name, named.status) for name, named in sessions.items()]
        shown = self._person.shown
        return KernelState(
            current=current,
            sessions=views,
            failed=self._failed,
            question=shown["address"] if shown is not None else None,
        )

    # -- answering, on the control thread ------------------------------------------------------

    def _answer(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Answer a request; nothing here may wait."""
        answers: dict[object, Callable[[Mapping[str, Any]], object]] = {
            "hello": self._greet,
            "connect": self._act,
            "disconnect": self._act,
            "reset": self._act,
            "stop": self._act,
            "switch": self._switch,
            "complete": self._complete,
            "take": self._take,
            "settle": self._settle,
            "question": self._show_question,
        }
        answer = answers.get(request.get("do"))
        if answer is None:
            raise UsageError(
                f"claude-magic {__version__} in this kernel does not know {request.get('do')!r}.",
            )
        return cast("Mapping[str, Any]", answer(request))

    def _greet(self, _request: Mapping[str, Any]) -> Greeting:
        self._greeted = True
        self._presence.note()
        with self._telling:
            comm = self._comm
            if comm is None:
                raise UsageError("The extension was unloaded from this kernel.")
            return Greeting(version=__version__, comm=comm.comm_id, state=self._state())

    def _act(self, request: Mapping[str, Any]) -> Done:
        named = self._sessions.find(str(request.get("session")))
        match request["do"]:
            case "connect":
                named.connect()
            case "disconnect":
                named.disconnect()
            case "reset":
                named.reset()
            case "stop":
                named.stop()
        return Done()

    def _switch(self, request: Mapping[str, Any]) -> Done:
        name = str(request.get("session"))
        self._sessions.find(name)
        self._current = name
        loop_thread().call_soon(self._tell_state)
        return Done()

    def _complete(self, request: Mapping[str, Any]) -> Completions:
        start = str(request.get("text", "")).removeprefix("@")
        names = [name for name in variable_names(self._shell) if name.startswith(start)]
        return Completions(names=names)

    def _show_question(self, _request: Mapping[str, Any]) -> OpenQuestion:
        shown = self._person.shown
        if shown is None:
            raise UsageError("No permission request is open any more.")
        return cast("OpenQuestion", shown)

    def _take(self, request: Mapping[str, Any]) -> Done:
        with self._taking:
            offer = self._find_offer(request)
            if offer.taken.is_set():
                raise UsageError("Another page has taken these cells.")
            offer.taken.set()
        return Done()

    def _settle(self, request: Mapping[str, Any]) -> Done:
        cell = request.get("cell")
        if isinstance(cell, int):
            self._find_offer(request).on_settled(cell, bool(request.get("accepted")))
        return Done()

    def _find_offer(self, request: Mapping[str, Any]) -> _Offer:
        for offer in list(self._offers):
            if offer.proposal == request.get("proposal"):
                return offer
        raise UsageError("There are no such cells.")


def _comms() -> dict[str, Any]:
    """Return the kernel's open comms by id."""
    from comm import get_comm_manager  # noqa: PLC0415 - as in `open`

    return cast("dict[str, Any]", get_comm_manager().comms)


def _view(name: str, status: SessionStatus) -> SessionView:
    return SessionView(
        name=name,
        state=status.state.value,
        sentence=status.state.sentence,
        reason=status.reason,
        label=status.label,
        model=status.model,
        turns=status.turns,
    )
