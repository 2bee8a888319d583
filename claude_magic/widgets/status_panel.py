"""The status panel: the session's one value as a card in the notebook, with three buttons."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import anywidget
import traitlets

from claude_magic.errors import ClaudeMagicError, UsageError
from claude_magic.session import MAIN, SessionState

from .front_end import script, style
from .status_text import permissions, status_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from claude_magic.session import NamedSession, SessionStatus

Action: TypeAlias = Literal["connect", "disconnect", "reset"]

_CONNECTABLE = frozenset({SessionState.NEW, SessionState.LOST, SessionState.PARKED})


def possible_actions(state: SessionState) -> list[Action]:
    """Return what the panel's buttons can do in a state.

    Parameters
    ----------
    state
        Where the session stands.
    """
    actions: list[Action] = []
    if state in _CONNECTABLE:
        actions.append("connect")
    if state.live:
        actions.append("disconnect")
    if state is not SessionState.CLOSED:
        actions.append("reset")
    return actions


def panel_state(status: SessionStatus) -> dict[str, Any]:
    """Return what the front end needs of a status, as JSON.

    Parameters
    ----------
    status
        The snapshot to show.
    """
    return {
        "state": status.state.value,
        "sentence": status.state.sentence,
        "reason": status.reason,
        "label": status.label,
        "name": None if status.name == MAIN else status.name,
        "model": status.model,
        "session_id": status.session_id,
        "turns": status.turns,
        "input_tokens": status.usage.input_tokens,
        "output_tokens": status.usage.output_tokens,
        "cached_tokens": status.usage.cache_read_tokens,
        "cost_usd": status.paid_usd,
        "permissions": permissions(status),
        "actions": possible_actions(status.state),
    }


class StatusPanel(anywidget.AnyWidget):
    """A card that shows the session of a name and connects, disconnects or resets it.

    It follows the name from when it is made until it is closed, also while a cell is running,
    and shows any number of views that stay in step. Make, display and close it on the main thread.
    Its buttons are answered on the thread that ipykernel chooses, its status comes from the loop
    thread.

    Parameters
    ----------
    named
        Whose present session is shown.

    Attributes
    ----------
    status
        What is shown, as `panel_state` makes it.
    error
        Why the last button did nothing, or an empty text.

    Examples
    --------
    >>> StatusPanel(SessionRegistry().main)  # doctest: +SKIP
    """

    _esm = script("status_panel.js")
    _css = style("status_panel.css")

    status = traitlets.Dict().tag(sync=True)
    error = traitlets.Unicode().tag(sync=True)

    def __init__(self, named: NamedSession) -> None:
        self._named = named
        # Held while anything is published, so that no comm is closed under a message. Re-entrant
        # because the garbage collector may call `close` in the middle of a message.
        self._publishing = threading.RLock()
        self._unsubscribe: Callable[[], None] | None = None
        super().__init__(status=panel_state(named.status))
        _keep_off_the_busy_shell(self.comm)
        self.on_msg(self._receive)
        self._unsubscribe = named.subscribe(self._follow)

    def close(self) -> None:
        """Take the panel's views away and stop following the name; twice is harmless."""
        unsubscribe, self._unsubscribe = self._unsubscribe, None
        if unsubscribe is not None:
            unsubscribe()
        with self._publishing:
            super().close()

    def _follow(self, _status: SessionStatus) -> None:
        """Show the present status. Loop thread, and once the thread that subscribed.

        The trait is set here and not handed to the main thread, which is not free while a cell is
        running. ipykernel's way out is made for any thread: `Session.send` is what its own IOPub
        thread calls for the output of threads, and the socket behind it only queues for that
        thread. traitlets is not made for two threads at once, which the lock sees to; nothing else
        sets this trait, because the front end never sends it.
        """
        with self._publishing:
            if self.comm is None:
                return
            try:
                # Two threads may come here in either order, so the argument may be the older one.
                self.status = panel_state(self._named.status)
            except Exception:
                # A kernel that is shutting down has closed its sockets. Nobody sees the panel then,
                # and a listener that raised would stop the session's own work.
                self.log.debug("The status panel was not updated.", exc_info=True)

    def _receive(self, _panel: object, content: object, _buffers: object) -> None:
        """Do what a button asks. The main thread, or the one of the front end's subshell."""
        try:
            self._perform(content)
        except ClaudeMagicError as error:
            self._show_error(str(error))
        except Exception as error:  # noqa: BLE001 - ipywidgets would log it where nobody looks
            self._show_error(f"{type(error).__name__}: {error}")
        else:
            self._show_error("")

    def _perform(self, content: object) -> None:
        performers: dict[object, Callable[[], object]] = {
            "connect": self._named.connect,
            "disconnect": self._named.disconnect,
            "reset": self._named.reset,
        }
        action = content.get("action") if isinstance(content, dict) else None
        if action not in performers:
            known = ", ".join(map(repr, performers))
            raise UsageError(f"The panel was asked for {action!r}; it knows {known}.")
        performers[action]()

    def _show_error(self, text: str) -> None:
        with self._publishing:
            self.error = text

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]] | None:
        bundle: tuple[dict[str, Any], dict[str, Any]] | None = super()._repr_mimebundle_(**kwargs)
        if bundle is not None:
            # What a saved notebook shows where there is no kernel, such as on GitHub.
            bundle[0]["text/plain"] = status_text(self._named.status)
        return bundle


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
