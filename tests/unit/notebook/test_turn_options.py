from __future__ import annotations

from claude_magic import ClaudeSession
from claude_magic.notebook.turn_options import TurnOptions


def test_a_turn_without_options_of_its_own_changes_nothing() -> None:
    assert TurnOptions().of(ClaudeSession(), {}) is None


def test_the_turn_behind_one_with_options_of_its_own_goes_back() -> None:
    session, options = ClaudeSession(model="a", effort="low"), TurnOptions()
    assert options.of(session, {"model": "b"}) == session.options.but(model="b")
    assert options.of(session, {}) == session.options
    assert options.of(session, {"effort": "high"}) == session.options.but(effort="high")


def test_a_sessions_own_options_are_those_behind_the_turn() -> None:
    session, options = ClaudeSession(model="a"), TurnOptions()
    assert options.own(session) == session.options
    options.of(session, {"model": "b"})
    assert options.own(session).model == "a"


def test_what_is_forgotten_is_let_go() -> None:
    options = TurnOptions()
    session = ClaudeSession()
    options.of(session, {"model": "b"})
    del session
    assert not options._own  # noqa: SLF001 - that it is empty shows nowhere else
