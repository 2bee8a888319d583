"""Options for one turn, and the way back to those of the session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from claude_magic.session import ClaudeSession, SessionOptions


#: Claude Code's name for its own choice.
DEFAULT_MODEL = "default"


def options_for_turn(
    session: ClaudeSession,
    changes: Mapping[str, Any],
) -> SessionOptions | None:
    """Return the options for a session's next turn; None for those that it has chosen. Any thread.

    Options belong to a process, so that a turn with others takes another one, and so does the turn
    after it.

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
    if not changes:
        return None
    changed = session.chosen.but(**changes)
    if "model" in changes and session.chosen.model is None:
        # A conversation that goes on keeps the model that answered last.
        session.choose(model=session.status.model or DEFAULT_MODEL)
    return changed
