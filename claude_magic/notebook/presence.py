"""Presence of the JupyterLab extension in the pages that show this kernel's notebook."""

from __future__ import annotations

import threading
import time

#: Time for a page to greet after claude_magic was loaded, in seconds. JupyterLab takes 0.1.
GREETING_S = 3.0


class Presence:
    """Tells whether a page with the JupyterLab extension follows this kernel.

    A page greets when claude_magic is loaded into the kernel, and again when it is loaded anew. A
    page that is closed says nothing, so `forget` takes a greeting back that led to nothing.

    Parameters
    ----------
    patience_s
        Time for the first greeting, in seconds from now.
    """

    def __init__(self, patience_s: float = GREETING_S) -> None:
        self._greeted = threading.Event()
        self._deadline_s = time.monotonic() + patience_s

    def note(self) -> None:
        """Note the greeting of a page. Any thread."""
        self._greeted.set()

    def forget(self) -> None:
        """Assume that no page follows, until the next greeting. Any thread."""
        self._greeted.clear()

    def wait(self) -> bool:
        """Return whether a page has greeted, after waiting if claude_magic was just loaded.

        Main thread only, so that a KeyboardInterrupt ends the wait.
        """
        return self._greeted.wait(max(0.0, self._deadline_s - time.monotonic()))
