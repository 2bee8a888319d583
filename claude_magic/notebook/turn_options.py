"""Options for one turn, and the way back to those of the session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from collections.abc import Mapping

    from claude_magic.session import ClaudeSession, SessionOptions


#: Claude Code's name for its own choice.
DEFAULT_MODEL = "default"


class TurnOptions:
    """What sessions go back to behind a turn with options of its own.

    Options belong to a process, so that a turn with others takes another one, and so does the turn
    after it. Main thread only.
    """

    def __init__(self) -> None:
        self._own: WeakKeyDictionary[ClaudeSession, SessionOptions] = WeakKeyDictionary()

    def of(self, session: ClaudeSession, changes: Mapping[str, Any]) -> SessionOptions | None:
        """Return the options for a session's next turn; None for those that it has.

        Parameters
        ----------
        session
            The session.
        changes
            Fields of `SessionOptions` that are to differ for the turn.

        Raises
        ------
        OptionError
            If a value is impossible.
        """
        own = self._own.get(session)
        if not changes:
            return own
        own = own or session.options
        changed = own.but(**changes)
        if "model" in changes and own.model is None:
            # A conversation that goes on keeps the model that answered last.
            own = own.but(model=session.status.model or DEFAULT_MODEL)
        self._own.setdefault(session, own)
        return changed

    def own(self, session: ClaudeSession) -> SessionOptions:
        """Return the options that a session goes back to."""
        return self._own.get(session, session.options)
