from __future__ import annotations

from claude_magic import ClaudeSession
from claude_magic.notebook.turn_options import options_for_turn


def test_a_turn_without_options_of_its_own_has_those_of_the_session() -> None:
    assert options_for_turn(ClaudeSession(), {}) is None


def test_the_turn_behind_one_with_options_of_its_own_goes_back() -> None:
    session = ClaudeSession(model="a", effort="low")
    assert options_for_turn(session, {"model": "b"}) == session.options.but(model="b")
    assert options_for_turn(session, {"effort": "high"}) == session.options.but(effort="high")
    assert session.chosen == session.options


def test_behind_a_turn_with_another_model_the_one_before_is_asked_for_by_name() -> None:
    session = ClaudeSession()
    options_for_turn(session, {"model": "b"})
    assert session.chosen.model == "default"
