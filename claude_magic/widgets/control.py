"""Messages from the front end that are heard while a cell is running."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any, TypeAlias

from claude_magic.errors import ClaudeMagicError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Answer: TypeAlias = "Callable[[Mapping[str, Any]], Mapping[str, Any]]"

#: The types of the messages; the JupyterLab extension has the same.
REQUEST = "claude_magic_request"
REPLY = "claude_magic_reply"


class ControlChannel:
    """Answers what the front end asks on the kernel's control channel.

    Comm messages, which widgets use, wait in most kernels until the cell has ended. The control
    channel has a thread of its own. ipykernel documents no way to add a message there, so this one
    looks before it leaps: where a kernel has no table of handlers nothing is ever received, and
    whoever waits for a front end's first word learns that it does not come. The browser tests tell
    when the way is closed.

    Parameters
    ----------
    kernel
        The kernel of the shell; None where there is none.

    Attributes
    ----------
    available
        Whether the kernel can be asked at all.
    """

    def __init__(self, kernel: Any) -> None:
        self._kernel = kernel
        self._lock = threading.Lock()
        self._open: dict[str, Answer] = {}
        handlers: Any = getattr(kernel, "control_handlers", None)
        self.available = isinstance(handlers, dict)
        if self.available:
            handlers[REQUEST] = self._receive

    def open(self, address: str, answer: Answer) -> Callable[[], None]:
        """Answer the requests to an address. Any thread.

        Parameters
        ----------
        address
            What the front end writes into a request's ``to``.
        answer
            Called on the control thread with the content of each request. It must return at once,
            with what goes into the reply; a `ClaudeMagicError` becomes a reply that says it.

        Returns
        -------
        Callable
            Closes the address; calling it again is harmless.
        """
        with self._lock:
            self._open[address] = answer

        def close() -> None:
            with self._lock:
                if self._open.get(address) is answer:
                    del self._open[address]

        return close

    def close(self) -> None:
        """Answer nothing any more; twice is harmless. Any thread."""
        with self._lock:
            self._open.clear()
        handlers: Any = getattr(self._kernel, "control_handlers", {})
        if handlers.get(REQUEST) == self._receive:
            del handlers[REQUEST]

    def _receive(self, stream: Any, ident: Any, parent: Mapping[str, Any]) -> None:
        """Answer a request. Control thread only."""
        content = parent.get("content")
        try:
            reply = {"status": "ok", **self._answer(content if isinstance(content, dict) else {})}
        except ClaudeMagicError as error:
            reply = {"status": "error", "reason": str(error)}
        except Exception as error:
            # ipykernel would only log it, and the front end wait for a reply.
            logging.getLogger(__name__).exception("A request on the control channel failed.")
            reply = {"status": "error", "reason": f"{type(error).__name__}: {error}"}
        self._kernel.session.send(stream, REPLY, reply, parent, ident)

    def _answer(self, content: Mapping[str, Any]) -> Mapping[str, Any]:
        with self._lock:
            answer = self._open.get(str(content.get("to")))
        if answer is None:
            raise UsageError("The kernel does not know what was asked for; it is over by now.")
        return answer(content)
