"""The question whether a tool may run, with buttons that work while the cell waits."""

from __future__ import annotations

import queue
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast, get_args

import anywidget
import traitlets

from claude_magic.errors import UsageError

from .front_end import script, style
from .highlighting import coloured

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .control import ControlChannel

Choice: TypeAlias = Literal["once", "session", "no", "stop"]

#: Longer reasons are cut, in characters; the model reads them.
MAX_REASON = 4_000


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a person answered.

    Attributes
    ----------
    choice
        Which button was pressed.
    reason
        What was written beside a no.
    """

    choice: Choice
    reason: str = ""


class PermissionQuestion(anywidget.AnyWidget):
    """A question with four buttons, for a cell that waits for the answer.

    The buttons reach the kernel over its control channel, because comm messages would wait until
    the cell has ended. Whoever answers has to know the question's id, which nobody can guess and
    which is in no text: another output of the notebook cannot press a button in somebody's name.

    Make, display, await and close it on the main thread.

    Parameters
    ----------
    control
        How the front end reaches this kernel.
    title
        What would be done, in a line.
    body
        What exactly would run or be written, complete.
    language
        What the body is written in, such as ``"diff"``.
    note
        What else there is to know.
    rule
        What "in this session" would allow; None offers no such button.

    Attributes
    ----------
    shown
        What is shown.
    reached
        Whether a front end has shown the question and can answer it.

    Examples
    --------
    >>> question = PermissionQuestion(control, "Run a command", "ls", "bash")  # doctest: +SKIP
    >>> display(question)  # doctest: +SKIP
    >>> question.wait(handshake_s=3)  # doctest: +SKIP
    Verdict(choice='once', reason='')
    """

    _esm = script("control.js", "elements.js", "permission_question.js")
    _css = style("permission_question.css")

    shown = traitlets.Dict().tag(sync=True)

    def __init__(  # noqa: PLR0913, PLR0917 - what a question consists of
        self,
        control: ControlChannel,
        title: str,
        body: str,
        language: str | None = None,
        note: str | None = None,
        rule: str | None = None,
    ) -> None:
        # The one queue that code which a signal interrupts may be putting into.
        self._arrivals: queue.SimpleQueue[Verdict | None] = queue.SimpleQueue()
        self._over = False
        self._title = title
        self.reached = False
        address = secrets.token_urlsafe(24)
        self._close_address = control.open(address, self._answer)
        super().__init__(
            shown={
                "address": address,
                "title": title,
                "body": coloured(body, language),
                "lines": body.count("\n") + (not body.endswith("\n")),
                "note": note,
                "rule": rule,
            },
        )

    def wait(self, handshake_s: float, wake_every_s: float | None = None) -> Verdict | None:
        """Wait for a person, for ever. Main thread only; a KeyboardInterrupt passes through.

        Parameters
        ----------
        handshake_s
            How long the front end may take to say that it shows the question, in seconds.
        wake_every_s
            After how long a wait is begun anew, in seconds, where nothing else lets an interrupt
            through.

        Returns
        -------
        Verdict or None
            None if no front end has shown the question in time.
        """
        deadline_s = time.monotonic() + handshake_s
        while True:
            left_s = None if self.reached else deadline_s - time.monotonic()
            if left_s is not None and left_s <= 0:
                self._over = True
                return None
            waits_s = [wait_s for wait_s in (left_s, wake_every_s) if wait_s is not None]
            try:
                verdict = self._arrivals.get(timeout=min(waits_s, default=None))
            except queue.Empty:
                continue
            if verdict is not None:
                return verdict

    def close(self) -> None:
        """Take the question's views away and hear no answer any more; twice is harmless."""
        self._over = True
        self._close_address()
        super().close()

    def _answer(self, content: Mapping[str, Any]) -> Mapping[str, Any]:
        """Take what the front end says. Control thread only."""
        match content.get("do"):
            case "ready":
                self.reached = True
                self._arrivals.put(None)
            case "answer":
                choice, reason = _choice(content.get("choice")), content.get("reason")
                if choice == "session" and self.shown["rule"] is None:
                    raise UsageError("Each of these has to be allowed by itself.")
                if self._over:
                    raise UsageError("The question is answered already.")
                self._over = True
                self._arrivals.put(Verdict(choice, str(reason or "")[:MAX_REASON]))
            case other:
                raise UsageError(f"A question was asked for {other!r}, which it does not know.")
        return {"over": self._over}

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]] | None:
        bundle: tuple[dict[str, Any], dict[str, Any]] | None = super()._repr_mimebundle_(**kwargs)
        if bundle is not None:
            bundle[0]["text/plain"] = f"Claude asks for your consent: {self._title}"
        return bundle


def _choice(value: object) -> Choice:
    for choice in get_args(Choice):
        if value == choice:
            return cast("Choice", choice)
    raise UsageError(f"A question was answered {value!r}, which is no answer.")
