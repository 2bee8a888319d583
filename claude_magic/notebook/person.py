"""The user in front of the kernel, and the way of a permission request to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from IPython.display import display

from . import permission, renderers
from .front_end import FrontEnd
from .interrupts import Interrupts
from .pump import WAKE_EVERY_S
from .screen import KernelScreen, captures_displays, user_terminal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from IPython.core.interactiveshell import InteractiveShell

    from claude_magic.widgets import ControlChannel, PermissionQuestion

    from .permission import Choice, Question, Rule
    from .presence import Presence

#: Time for a page to report that it has the first request, in seconds. It takes 0.1 in JupyterLab
#: on this machine; a slow line is slower.
HANDSHAKE_S = 3.0

#: The same for a kernel in which a page has reported before.
PATIENT_HANDSHAKE_S = 15.0

#: So much of what was asked stays in the notebook with the answer, in characters.
MOST_KEPT = 20_000

#: What is kept of an answer, by the value of the `Choice`.
_ANSWERED = {
    "once": "✓ You allowed this once:",
    "session": "✓ You allowed this in this session:",
    "no": "✗ You said no:",
    "stop": "✗ You stopped here:",
}
_UNANSWERED = "✗ Nobody answered:"

#: Shown in the cell while the request waits in the browser's top layer.
_WAITING = {"text/plain": "Waiting for your decision …"}


class Person:
    """Asks the user in front of the kernel, with buttons if a page has the JupyterLab extension.

    The extension shows the request in the browser's top layer. Without it, or if no page reports
    in time, the request is shown as text with a field for the answer, until a page greets again.
    A cell that captures its output does not capture a request. Main thread only.

    Parameters
    ----------
    shell
        The kernel's shell.
    control
        The way from the front end to the kernel while a cell is running.
    presence
        Tells whether a page has the extension.
    handshake_s
        Time for a page to report that it has the first request, in seconds.
    """

    def __init__(
        self,
        shell: InteractiveShell,
        control: ControlChannel,
        presence: Presence,
        handshake_s: float = HANDSHAKE_S,
    ) -> None:
        self._shell = shell
        self._control = control
        self._presence = presence
        self._open: PermissionQuestion | None = None
        self._listeners: list[Callable[[], object]] = []
        self._handshake_s = handshake_s

    @property
    def shown(self) -> Mapping[str, Any] | None:
        """The contents of the request that waits for a decision, if one does. Any thread."""
        question = self._open
        return question.shown if question is not None else None

    def subscribe(self, listener: Callable[[], object]) -> Callable[[], None]:
        """Call `listener` on the main thread when `shown` changes; it must not raise.

        Returns
        -------
        Callable
            Ends the subscription.
        """
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def ask(self, question: Question, rule: Rule | None, front_end: FrontEnd) -> tuple[Choice, str]:
        """Ask a question and wait for the answer; a KeyboardInterrupt passes through.

        Parameters
        ----------
        question
            What is asked; all of it is shown.
        rule
            What "for this session" stands for; None offers no such choice.
        front_end
            What shows it.

        Returns
        -------
        tuple of Choice and str
            The choice, and the reason for a no.

        Raises
        ------
        UnseenError
            If the user could not see all of the question; nothing was asked.
        """
        if front_end is FrontEnd.CONSOLE:
            with user_terminal() as (read, write):
                return permission.ask_in_text(question, read, write, rule)
        if front_end is FrontEnd.STREAM:
            return self._ask_in_stream(question, rule)
        if self._control.available and self._presence.wait():
            return self._ask_with_buttons(question, rule)
        if captures_displays(self._shell):
            return self._ask_in_stream(question, rule)
        display(_question_bundle(question), raw=True)
        return permission.choose(input, print, rule)

    def _ask_in_stream(self, question: Question, rule: Rule | None) -> tuple[Choice, str]:
        screen = KernelScreen(self._shell)
        return permission.ask_in_text(question, screen.read, screen.write, rule)

    def _ask_with_buttons(self, question: Question, rule: Rule | None) -> tuple[Choice, str]:
        from claude_magic.widgets import PermissionQuestion  # noqa: PLC0415 - loads pygments

        with Interrupts() as interrupts:
            asked = PermissionQuestion(
                self._control,
                question.title,
                question.body,
                question.language,
                question.note,
                permission.visible(str(rule), one_line=True) if rule is not None else None,
            )
            place = display(_WAITING, raw=True, display_id=True)
            kept = _record_bundle(_UNANSWERED, question)
            self._note_open(asked)
            try:
                with interrupts.raised():
                    verdict = asked.wait(self._handshake_s, WAKE_EVERY_S)
                    if verdict is None:
                        if captures_displays(self._shell):
                            return self._ask_in_stream(question, rule)
                        kept = _question_bundle(question)
                        place.update(kept, raw=True)
                        return permission.choose(input, print, rule)
                choice, reason = permission.Choice(verdict.choice), verdict.reason.strip()
                kept = _record_bundle(_ANSWERED[choice.value], question, reason)
            finally:
                self._note_open(None)
                # A report that comes too late counts as well: the next request waits for it.
                if asked.reached:
                    self._handshake_s = PATIENT_HANDSHAKE_S
                else:
                    self._presence.forget()
                # Saved with the notebook.
                place.update(kept, raw=True)
                asked.close()
            if interrupts.arrived:
                raise KeyboardInterrupt  # a moment after the answer
            return choice, reason

    def _note_open(self, question: PermissionQuestion | None) -> None:
        self._open = question
        for listener in list(self._listeners):
            listener()


def _question_bundle(question: Question) -> dict[str, str]:
    """Return a question as Markdown, to stand above the field for the answer."""
    parts = [
        f"**{renderers.gate.line(question.title)}**",
        permission.fenced(question.body, question.language),
    ]
    if question.note:
        parts.append(permission.fenced(question.note, None))
    return renderers.words.text_bundle("\n\n".join(parts))


def _record_bundle(answered: str, question: Question, reason: str = "") -> dict[str, str]:
    """Return what was asked and answered as a line that unfolds."""
    said = f"Your reason: {reason}" if reason else ""
    details = (said, renderers.folds.bounded(question.body, MOST_KEPT), question.note or "")
    return renderers.folds.fold(answered, question.title, *details)
