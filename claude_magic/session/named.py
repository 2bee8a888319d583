"""One name in a kernel, and whoever follows it from one session to the next."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from .options import SessionOptions
    from .session import ClaudeSession
    from .state import SessionStatus


class NamedSession:
    """The session that a name stands for at present.

    A reset ends the session and puts a new one in its place; listeners stay. Any thread may call,
    and no method but `close` waits for Claude Code.

    Parameters
    ----------
    session
        The first session.
    make
        Makes a session of the options that it is given.

    Attributes
    ----------
    options
        What the next session of this name is started with.
    """

    def __init__(
        self,
        session: ClaudeSession,
        make: Callable[[SessionOptions], ClaudeSession],
    ) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._listeners: list[Callable[[SessionStatus], object]] = []
        # Held while one session takes another's place; never while a listener is called.
        self._replacing = threading.Lock()
        self._session = session
        self.options = session.options
        self._unsubscribe = session.subscribe(self._tell)

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
        """Start connecting in the background, by hand; nothing to do where it is connected."""
        self._session.start_connecting(by_hand=True)

    def disconnect(self) -> None:
        """Close the process in the background and keep the conversation."""
        self._session.start_disconnecting()

    def stop(self) -> None:
        """Stop the turn that is under way, if one is, in the background."""
        self._session.stop()

    def choose(self, **changes: Any) -> None:
        """Have the turns from now on, and the next session, go on with other options.

        Parameters
        ----------
        **changes
            As of `ClaudeSession.choose`.

        Raises
        ------
        OptionError
            If a value is impossible; nothing changes then.
        UsageError
            If the conversation cannot go on with it; nothing changes then.
        """
        with self._replacing:
            options = self.options.but(**changes)
            self._session.choose(**changes)
            self.options = options

    def reset(self, options: SessionOptions | None = None) -> ClaudeSession:
        """End the conversation in the background and put a new session in its place.

        Parameters
        ----------
        options
            What the new session is started with; None for `options` as they are.

        Raises
        ------
        OptionError
            If they have become impossible, such as a directory that is gone; nothing changes then.
        """
        return self.put(self._make((options or self.options).but()))

    def put(self, session: ClaudeSession) -> ClaudeSession:
        """End the conversation in the background and put this session in its place."""
        with self._replacing:
            # Whoever follows hears no word of the old session any more, and all of the new one's.
            self._unsubscribe()
            self._session.start_closing()
            self._session = session
            self.options = session.options
            self._unsubscribe = session.subscribe(self._tell)
        return session

    def close(self) -> None:
        """End the conversation and wait until nothing is left of it; twice is harmless."""
        self._session.close()
        self._unsubscribe()
