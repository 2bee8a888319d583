"""A permission request that the JupyterLab extension shows while the cell waits."""

from __future__ import annotations

import queue
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast, get_args

from claude_magic.errors import UsageError

from .highlighting import coloured

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .control import ControlChannel

Choice: TypeAlias = Literal["once", "session", "no", "stop"]

#: Longer reasons are cut, in characters; the model reads them.
MAX_REASON = 4_000


@dataclass(frozen=True, slots=True)
class Verdict:
    """The user's decision.

    Attributes
    ----------
    choice
        The button that was pressed.
    reason
        The text given with a no.
    """

    choice: Choice
    reason: str = ""


class PermissionQuestion:
    """A permission request with buttons, for a cell that waits for the decision.

    The JupyterLab extension shows it in the browser's top layer and reaches the kernel over its
    control channel, because comm messages would wait until the cell has ended. A decision needs the
    request's address, which cannot be guessed and is in no output: nothing else on the page can
    decide. No widget model is involved, so nothing of it is saved with a notebook.

    Make, await and close it on the main thread.

    Parameters
    ----------
    control
        The way from the front end to this kernel.
    title
        The action, in one line.
    body
        The complete code, text or change that would run or be written.
    language
        The language of the body, such as ``"diff"``.
    note
        Further facts, one per line.
    rule
        The rule that "Allow in this session" grants; None offers no such button.

    Attributes
    ----------
    shown
        The contents of the request as JSON, for the front end.
    reached
        True once a front end has the request and can answer it.

    Examples
    --------
    >>> question = PermissionQuestion(control, "Run a command", "ls", "bash")  # doctest: +SKIP
    >>> question.wait(handshake_s=3)  # doctest: +SKIP
    Verdict(choice='once', reason='')
    """

    def __init__(  # noqa: PLR0913, PLR0917 - the parts of a request
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
        self.reached = False
        address = secrets.token_urlsafe(24)
        self.shown: dict[str, Any] = {
            "address": address,
            "title": title,
            "body": coloured(body, language),
            "lines": body.count("\n") + (not body.endswith("\n")),
            "note": note,
            "rule": rule,
        }
        self._close_address = control.open(address, self._answer)

    def wait(self, handshake_s: float, wake_every_s: float | None = None) -> Verdict | None:
        """Wait for the user, for ever. Main thread only; a KeyboardInterrupt passes through.

        Parameters
        ----------
        handshake_s
            Time for the front end to report that it has the request, in seconds.
        wake_every_s
            Length of one wait, in seconds, on systems where a wait blocks interrupts.

        Returns
        -------
        Verdict or None
            None if no front end has reported in time.
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
        """Accept no decision any more; twice is harmless."""
        self._over = True
        self._close_address()

    def _answer(self, content: Mapping[str, Any]) -> Mapping[str, Any]:
        """Handle a message of the front end. Control thread only."""
        match content.get("do"):
            case "ready":
                self.reached = True
                self._arrivals.put(None)
            case "answer":
                choice, reason = _choice(content.get("choice")), content.get("reason")
                if choice == "session" and self.shown["rule"] is None:
                    raise UsageError("This request cannot be allowed for the session, only once.")
                if self._over:
                    raise UsageError("This request is answered already.")
                self._over = True
                self._arrivals.put(Verdict(choice, str(reason or "")[:MAX_REASON]))
            case other:
                raise UsageError(f"Unknown message {other!r} to a permission request.")
        return {"over": self._over}


def _choice(value: object) -> Choice:
    for choice in get_args(Choice):
        if value == choice:
            return cast("Choice", choice)
    raise UsageError(f"Unknown decision {value!r}.")
