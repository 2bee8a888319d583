"""The sessions of one kernel."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from .session import ClaudeSession

if TYPE_CHECKING:
    from collections.abc import Callable

    from .options import SessionOptions
    from .state import SessionStatus


class SessionRegistry:
    """The kernel's conversation, and whoever follows it from one session to the next.

    A reset ends the session and puts a new one in its place; listeners stay. Any thread may call,
    and no method waits for Claude Code.

    Parameters
    ----------
    options
        What sessions are started with.
    """

    def __init__(self, options: SessionOptions | None = None) -> None:
        self._lock = threading.Lock()
        self._listeners: list[Callable[[SessionStatus], object]] = []
        self._session = ClaudeSession(options)
        self._unsubscribe = self._session.subscribe(self._tell)

    @property
    def session(self) -> ClaudeSession:
        """The session that the next prompt goes to."""
        return self._session

    @property
    def status(self) -> SessionStatus:
        """The present session's latest snapshot."""
        return self._session.status

    def subscribe(self, listener: Callable[[SessionStatus], object]) -> Callable[[], None]:
        """Call `listener` on the loop thread with every status of the present session.

        Parameters
        ----------
        listener
            Must return at once and must not raise.

        Returns
        -------
        Callable
            Ends the subscription; calling it again is harmless.
        """
        with self._lock:
            self._listeners.append(listener)
        listener(self.status)

        def end() -> None:
            with self._lock:
                if listener in self._listeners:
                    self._listeners.remove(listener)

        return end

    def _tell(self, status: SessionStatus) -> None:
        with self._lock:
            listeners = list(self._listeners)
        for listener in listeners:
            listener(status)

    def connect(self) -> None:
        """Start connecting in the background; nothing to do where it is connected."""
        self._session.start_connecting()

    def disconnect(self) -> None:
        """Close the process in the background and keep the conversation."""
        self._session.start_disconnecting()

    def reset(self, options: SessionOptions | None = None) -> ClaudeSession:
        """End the conversation in the background and put a new session in its place.

        Parameters
        ----------
        options
            What the new session is started with; None keeps those of the one before.

        Raises
        ------
        OptionError
            If they have become impossible, such as a directory that is gone; nothing changes then.
        """
        before = self._session
        after = ClaudeSession(options or before.options)
        # Whoever follows hears no word of the old session any more, and all of the new one's.
        self._unsubscribe()
        self._session = after
        self._unsubscribe = after.subscribe(self._tell)
        before.start_closing()
        return after

    def close(self) -> None:
        """End the conversation and wait until nothing is left of it."""
        self._session.close()
        self._unsubscribe()
