"""A session as the status panel's front end gets it: every word and every choice, as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias, TypedDict, get_args

from claude_magic.session import Effort, PermissionMode, SessionState

from .status_text import MODES, tools_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from claude_magic.session import NamedSession

Action: TypeAlias = Literal["connect", "stop", "disconnect", "fork", "reset"]

#: What stands for "as Claude Code would have it".
DEFAULT = "default"

_CONNECTABLE = frozenset({SessionState.NEW, SessionState.LOST, SessionState.PARKED})


class Choice(TypedDict):
    """One of the things that can be chosen with a turn: what there is, and what holds."""

    value: str
    values: list[tuple[str, str]]


class SessionView(TypedDict):
    """All that the panel shows of the session that was chosen."""

    name: str
    state: str
    sentence: str
    reason: str
    label: str | None
    model: str | None
    session_id: str
    turns: int
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    cost_usd: float
    context_tokens: int
    window_tokens: int | None
    memory_bytes: int | None
    tools: str
    granted: list[str]
    widened: str
    restarts: bool
    choices: dict[str, Choice]
    actions: list[Action]


def possible_actions(state: SessionState, *, begun: bool, kept: bool) -> list[Action]:
    """Return what the panel's buttons can do.

    Parameters
    ----------
    state
        Where the session stands.
    begun
        Whether anything was said in it.
    kept
        Whether its conversation is kept, so that it can be branched.
    """
    actions: list[Action] = []
    if state in _CONNECTABLE:
        actions.append("connect")
    if state is SessionState.BUSY:
        actions.append("stop")
    if state.live:
        actions.append("disconnect")
    if begun and kept:
        actions.append("fork")
    if state is not SessionState.CLOSED:
        actions.append("reset")
    return actions


def session_view(
    name: str,
    named: NamedSession,
    models: Iterable[str] = (),
    memory_bytes: int | None = None,
) -> SessionView:
    """Return what the panel shows of a session. Any thread.

    Parameters
    ----------
    name
        What the session is called in its kernel.
    named
        The session.
    models
        The models that Claude Code is known to offer, by name.
    memory_bytes
        How much memory its processes occupy; None where that is not known.
    """
    session = named.session
    status = session.status
    model = status.chosen_model or DEFAULT
    return SessionView(
        name=name,
        state=status.state.value,
        sentence=status.state.sentence,
        reason="; ".join(filter(None, (status.reason, status.unwritten, status.store_behind))),
        label=status.label,
        model=status.model,
        session_id=status.session_id,
        turns=status.turns,
        input_tokens=status.usage.input_tokens,
        output_tokens=status.usage.output_tokens,
        cached_tokens=status.usage.cache_read_tokens,
        cost_usd=status.paid_usd,
        context_tokens=status.context_tokens,
        window_tokens=status.window_tokens,
        memory_bytes=memory_bytes if status.state.live else None,
        tools=tools_text(status),
        granted=list(status.granted),
        widened=MODES[status.permission_mode] if status.permission_mode == "acceptEdits" else "",
        restarts=status.restarts,
        choices={
            "model": Choice(
                value=model,
                values=[(each, each) for each in dict.fromkeys([DEFAULT, *models, model])],
            ),
            "effort": Choice(
                value=status.effort or DEFAULT,
                values=[(each, each) for each in (DEFAULT, *get_args(Effort))],
            ),
            "permission_mode": Choice(
                value=status.permission_mode,
                values=[(each, MODES[each]) for each in get_args(PermissionMode)],
            ),
        },
        actions=possible_actions(
            status.state,
            begun=session.begun,
            kept=session.options.keep_transcript,
        ),
    )
