"""The status panel made of ipywidgets' own widgets, for front ends without the extension."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

import ipywidgets

from claude_magic.errors import ClaudeMagicError

from .panel_state import PanelState
from .status_panel import keep_off_the_busy_shell
from .status_text import one_line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from claude_magic.session import SessionRegistry

_BUTTONS = {
    "connect": ("Connect", "Start Claude Code, or resume the conversation"),
    "stop": ("Stop", "Stop the answer; the partial answer is kept"),
    "disconnect": ("Disconnect", "Close Claude Code and keep the conversation"),
    "fork": ("Fork", "Continue a copy of this conversation under another name"),
    "reset": ("Reset", "Begin a new conversation; this one's context is lost"),
}
_RESET_QUESTION = "Really? Context is lost"
_CHOICES = {"model": "Model", "effort": "Effort", "permission_mode": "Permissions"}

#: The first entry of the list of rules that can be revoked.
_NO_RULE = "Revoke …"


class CorePanel(ipywidgets.VBox):  # type: ignore[misc]  # no types
    """A panel like `StatusPanel` for VS Code, Colab and a JupyterLab without the extension.

    Its buttons work between cells, as all of ipywidgets' do there. All text of others is escaped;
    none of these widgets renders Markdown or math.

    Make, display and close it on the main thread.

    Parameters
    ----------
    sessions
        The sessions to show.
    """

    def __init__(self, sessions: SessionRegistry) -> None:
        self._state = PanelState(sessions, self._publish)
        # Set while the panel sets its own lists, which must not count as the user's choice.
        self._updating = False
        self._text = ipywidgets.HTML()
        self._error = ipywidgets.HTML()
        self._session = _dropdown("Session")
        self._choices = {field: _dropdown(label) for field, label in _CHOICES.items()}
        self._rules = _dropdown("Allowed")
        self._buttons = {
            action: ipywidgets.Button(description=label, tooltip=tooltip)
            for action, (label, tooltip) in _BUTTONS.items()
        }
        super().__init__(
            [
                self._text,
                ipywidgets.HBox([self._session, *self._choices.values()], layout=_wrapping()),
                self._rules,
                ipywidgets.HBox([*self._buttons.values()], layout=_wrapping()),
                self._error,
            ],
        )
        self._session.observe(self._on_session, "value")
        self._rules.observe(self._on_rule, "value")
        for field, dropdown in self._choices.items():
            dropdown.observe(lambda change, field=field: self._on_choice(field, change), "value")
        for action, button in self._buttons.items():
            button.on_click(lambda _, action=action: self._on_click(action))
        for each in (self, self._session, self._rules, *self._choices.values()):
            keep_off_the_busy_shell(each.comm)
        for button in self._buttons.values():
            keep_off_the_busy_shell(button.comm)
        self._update(self._state.shown)
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
        if hasattr(self, "_buttons"):
            self._state.close()
            for each in (self._text, self._error, self._session, self._rules):
                each.close()
            for each in (*self._choices.values(), *self._buttons.values()):
                each.close()
        super().close()

    def _publish(self, shown: dict[str, Any]) -> None:
        """Send new contents to the views. Any thread: see `StatusPanel._publish`."""
        try:
            self._update(shown)
        except Exception:
            # A kernel that is shutting down has closed its sockets.
            self.log.debug("The status panel was not updated.", exc_info=True)

    def _update(self, shown: Mapping[str, Any]) -> None:
        session = shown["session"]
        with self._state.publishing:
            self._updating = True
            try:
                text = self._state.text()
                self._text.value = f"<pre>{html.escape(text)}</pre>"
                names = [(f"{name} · {state}", name) for name, state in shown["sessions"]]
                _offer(self._session, names, session["name"])
                for field, dropdown in self._choices.items():
                    choice = session["choices"][field]
                    offered = [(one_line(label), value) for value, label in choice["values"]]
                    _offer(dropdown, offered, choice["value"])
                rules = [(one_line(rule), rule) for rule in session["granted"]]
                _offer(self._rules, [(_NO_RULE, ""), *rules], "")
                self._rules.layout.display = None if rules else "none"
                for action, button in self._buttons.items():
                    button.disabled = action not in session["actions"]
                self._buttons["reset"].description = _BUTTONS["reset"][0]
            finally:
                self._updating = False

    def _ask(self, **request: Any) -> None:
        """Perform a request and show an error, if any."""
        try:
            self._state.answer({"session": self._state.shown["session"]["name"], **request})
        except ClaudeMagicError as error:
            self._error.value = f"<pre>{html.escape(str(error))}</pre>"
        else:
            self._error.value = ""

    def _by_user(self) -> bool:
        """Tell whether a list was set by the user and not by an update on any thread."""
        with self._state.publishing:
            return not self._updating

    def _on_click(self, action: str) -> None:
        button = self._buttons[action]
        if action == "reset" and button.description != _RESET_QUESTION:
            button.description = _RESET_QUESTION
        else:
            self._buttons["reset"].description = _BUTTONS["reset"][0]
            self._ask(do=action)

    def _on_session(self, change: Mapping[str, Any]) -> None:
        if self._by_user():
            self._ask(do="view", session=change["new"])

    def _on_choice(self, field: str, change: Mapping[str, Any]) -> None:
        if self._by_user():
            self._ask(do="choose", field=field, value=change["new"])

    def _on_rule(self, change: Mapping[str, Any]) -> None:
        if self._by_user() and change["new"]:
            self._ask(do="revoke", rule=change["new"])

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any] | None:
        bundle: dict[str, Any] | None = super()._repr_mimebundle_(**kwargs)
        if bundle is not None:
            bundle["text/plain"] = self._state.text()
        return bundle


def _dropdown(label: str) -> Any:
    return ipywidgets.Dropdown(description=label, layout={"width": "auto"})


def _wrapping() -> Any:
    return ipywidgets.Layout(flex_flow="row wrap")


def _offer(dropdown: Any, options: list[tuple[str, str]], value: str) -> None:
    """Set a list's entries and its value, each only if it changes."""
    if tuple(options) != tuple(dropdown.options):
        dropdown.options = options
    if dropdown.value != value:
        dropdown.value = value
