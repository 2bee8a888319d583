"""The status panel of the JupyterLab extension: the kernel's sessions as a card with buttons."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

import ipywidgets
import traitlets

from claude_magic.errors import ClaudeMagicError

from .panel_state import PanelState

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from claude_magic.session import SessionRegistry

    from .control import ControlChannel

#: The name under which the extension registers the panel's view. Front ends that do not know a
#: module ask npm's mirrors for it, and nobody can publish a name that begins so.
MODULE = "_claude-magic"

#: The protocol between this model and its view; the extension has the same.
MODULE_VERSION = "1.0.0"


class StatusPanel(ipywidgets.DOMWidget):  # type: ignore[misc]  # no types
    """A card that shows the sessions of a kernel, one of them in full, and its buttons.

    Its view comes from the JupyterLab extension: neither the kernel nor a notebook supplies code.
    Without the extension, use `CorePanel`.

    It follows the sessions from when it is made until it is closed, also while a cell is running,
    and shows any number of views that stay in step. Make, display and close it on the main thread.

    Requests of its views arrive by the kernel's control channel, or by the widget's comm if the
    kernel has no such channel; they are answered on the thread that receives them.

    Parameters
    ----------
    sessions
        The sessions to show.
    control
        The way from the front end to this kernel while a cell is running; None for the comm alone.

    Attributes
    ----------
    shown
        The contents, with a revision number that grows with every change.

    Examples
    --------
    >>> StatusPanel(SessionRegistry())  # doctest: +SKIP
    """

    _model_name = traitlets.Unicode("StatusPanelModel").tag(sync=True)
    _model_module = traitlets.Unicode(MODULE).tag(sync=True)
    _model_module_version = traitlets.Unicode(MODULE_VERSION).tag(sync=True)
    _view_name = traitlets.Unicode("StatusPanelView").tag(sync=True)
    _view_module = traitlets.Unicode(MODULE).tag(sync=True)
    _view_module_version = traitlets.Unicode(MODULE_VERSION).tag(sync=True)

    shown = traitlets.Dict().tag(sync=True)

    def __init__(self, sessions: SessionRegistry, control: ControlChannel | None = None) -> None:
        self._state = PanelState(sessions, self._publish)
        address = secrets.token_urlsafe(24)
        self._way = {
            "address": address,
            "control": control is not None and control.available,
        }
        self._close_address: Callable[[], object] = lambda: None
        super().__init__(shown={**self._way, **self._state.shown})
        keep_off_the_busy_shell(self.comm)
        self.on_msg(self._receive)
        if control is not None:
            self._close_address = control.open(address, self._answer)
        self._state.open()

    def look_at(self, name: str) -> None:
        """Show the session of a name in full. Any thread.

        Raises
        ------
        UsageError
            If there is none.
        """
        self._state.look_at(name)

    def close(self) -> None:
        """Remove the panel's views and stop following the sessions; twice is harmless."""
        # ipywidgets closes a widget that was never made as well.
        if hasattr(self, "_close_address"):
            self._close_address()
            self._state.close()
        super().close()

    def _publish(self, shown: dict[str, Any]) -> None:
        """Send new contents to the views. Any thread.

        The trait is set here and not handed to the main thread, which is not free while a cell is
        running. ipykernel's way out is made for any thread: `Session.send` is what its own IOPub
        thread calls for the output of threads, and the socket behind it only queues for that
        thread. traitlets is not made for two threads at once, which the state's lock sees to;
        nothing else sets this trait, because the front end never sends it.
        """
        try:
            self.shown = {**self._way, **shown}
        except Exception:
            # A kernel that is shutting down has closed its sockets. Nobody sees the panel then,
            # and a listener that raised would stop the session's own work.
            self.log.debug("The status panel was not updated.", exc_info=True)

    def _answer(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Perform a view's request and return the contents. Any thread; nothing here waits."""
        answer = self._state.answer(request)
        return {"shown": {**self._way, **answer["shown"]}}

    def _receive(self, _panel: object, content: object, _buffers: object) -> None:
        """Answer a message of the comm. The main thread, or the one of the front end's subshell."""
        request = content if isinstance(content, dict) else {}
        try:
            reply = {"status": "ok", **self._answer(request)}
        except ClaudeMagicError as error:
            reply = {"status": "error", "reason": str(error)}
        except Exception as error:  # noqa: BLE001 - ipywidgets would log it where nobody looks
            reply = {"status": "error", "reason": f"{type(error).__name__}: {error}"}
        with self._state.publishing:
            if self.comm is not None:
                self.send({"answers": request.get("id"), **reply})

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any] | None:
        bundle: dict[str, Any] | None = super()._repr_mimebundle_(**kwargs)
        if bundle is not None:
            # Shown without a kernel or the extension, such as on GitHub.
            bundle["text/plain"] = self._state.text()
        return bundle


def keep_off_the_busy_shell(comm: Any) -> None:
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
