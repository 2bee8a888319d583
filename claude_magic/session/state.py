"""The one value that tells everything about a session, and the moves it allows."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .events import Usage
    from .options import Effort, PermissionMode


class SessionState(Enum):
    """Where a session stands; the value is the word that people see."""

    #: Nothing was started yet; the first prompt connects.
    NEW = "new"
    #: Claude Code is starting, or resuming this conversation.
    CONNECTING = "connecting"
    #: Claude Code waits for a prompt.
    READY = "ready"
    #: A turn is under way.
    BUSY = "busy"
    #: A turn was asked to stop and has not ended yet.
    INTERRUPTING = "interrupting"
    #: The process went away unasked; the next prompt resumes the conversation.
    LOST = "lost"
    #: The process was closed on purpose; the next prompt resumes the conversation.
    PARKED = "parked"
    #: Over. Nothing can be sent any more.
    CLOSED = "closed"

    def __str__(self) -> str:
        return str(self.value)

    @property
    def sentence(self) -> str:
        """Say the state in words, for status views."""
        return _SENTENCES[self]

    @property
    def live(self) -> bool:
        """Whether a Claude Code process belongs to the session in this state."""
        return self in _LIVE


_SENTENCES = {
    SessionState.NEW: "Not connected yet; the first prompt connects.",
    SessionState.CONNECTING: "Claude Code is starting.",
    SessionState.READY: "Waiting for a prompt.",
    SessionState.BUSY: "Answering.",
    SessionState.INTERRUPTING: "Stopping the answer.",
    SessionState.LOST: "Claude Code is not running; the next prompt starts it again.",
    SessionState.PARKED: "Disconnected; the next prompt resumes the conversation.",
    SessionState.CLOSED: "Closed; its context is gone.",
}

_LIVE = frozenset(
    {
        SessionState.CONNECTING,
        SessionState.READY,
        SessionState.BUSY,
        SessionState.INTERRUPTING,
    },
)

#: Every move there is. A move that is not here is a bug, never a warning.
TRANSITIONS: dict[SessionState, frozenset[SessionState]] = {
    SessionState.NEW: frozenset({SessionState.CONNECTING, SessionState.CLOSED}),
    SessionState.CONNECTING: frozenset(
        {SessionState.READY, SessionState.LOST, SessionState.PARKED, SessionState.CLOSED},
    ),
    SessionState.READY: frozenset(
        {SessionState.BUSY, SessionState.LOST, SessionState.PARKED, SessionState.CLOSED},
    ),
    SessionState.BUSY: frozenset(
        {
            SessionState.READY,
            SessionState.INTERRUPTING,
            SessionState.LOST,
            SessionState.CLOSED,
        },
    ),
    SessionState.INTERRUPTING: frozenset(
        {SessionState.READY, SessionState.LOST, SessionState.CLOSED},
    ),
    SessionState.LOST: frozenset(
        {SessionState.CONNECTING, SessionState.PARKED, SessionState.CLOSED},
    ),
    SessionState.PARKED: frozenset({SessionState.CONNECTING, SessionState.CLOSED}),
    SessionState.CLOSED: frozenset(),
}


@dataclass(frozen=True, slots=True)
class SessionStatus:
    """A snapshot of a session; a new one is made at every change.

    Attributes
    ----------
    state
        Where the session stands.
    session_id
        The conversation's id, as Claude Code knows it.
    reason
        Why the session is in this state, where there is more to say than the state's sentence.
    model
        The model that answered last, or the one asked for, or None while neither is known.
    label
        What stands behind the API where it is not Claude, such as "scripted replies".
    tools
        The tools that Claude has.
    cwd
        The directory that it works in; None for that of the process.
    extra_directories
        Other directories that it may look into.
    allowed_tools
        Tools, or rules, that run without anybody being asked.
    turns
        Prompts answered so far.
    usage
        Tokens of all turns so far.
    cost_usd
        What Claude Code says that the conversation cost so far, in US dollars.
    name
        What the session is called among others.
    used_s
        When its last turn ended, by `time.time()`; None before the first.
    granted
        What a person has allowed for the rest of the session, as rules.
    context_tokens
        Tokens of the prompt that the model read last, which is the whole conversation with what
        goes before it; 0 before the first.
    window_tokens
        How many tokens that model can read; None where Claude Code does not tell.
    models
        The models that Claude Code offers, by name; empty before it was first started.
    chosen_model
        The model that the next turn asks for; None for Claude Code's own choice.
    effort
        How hard the model thinks in the next turn; None for its default.
    permission_mode
        Claude Code's permission mode in the next turn.
    restarts
        Whether the next turn takes another process, because it has other options than this one.
    store
        The store that keeps a copy of the conversation, without its password; empty for none.
    store_behind
        What of the conversation that store lacks, and since when; empty if nothing.
    unwritten
        How many turns the transcript does not hold, and why; empty if it holds all.
    """

    state: SessionState
    session_id: str
    usage: Usage = field(repr=False)
    reason: str = ""
    model: str | None = None
    label: str | None = None
    tools: tuple[str, ...] = ()
    cwd: str | None = None
    extra_directories: tuple[str, ...] = ()
    allowed_tools: tuple[str, ...] = ()
    turns: int = 0
    cost_usd: float = 0.0
    name: str | None = None
    used_s: float | None = None
    granted: tuple[str, ...] = ()
    context_tokens: int = 0
    window_tokens: int | None = None
    models: tuple[str, ...] = ()
    chosen_model: str | None = None
    effort: Effort | None = None
    permission_mode: PermissionMode = "default"
    restarts: bool = False
    store: str = ""
    store_behind: str = ""
    unwritten: str = ""

    @property
    def paid_usd(self) -> float:
        """What somebody pays for the conversation so far, in US dollars.

        Claude Code counts by Claude's prices whatever answers; where that is not Claude, nobody
        pays.
        """
        return 0.0 if self.label else self.cost_usd
