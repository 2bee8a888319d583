from __future__ import annotations

import pytest

from claude_magic import ClaudeSession
from claude_magic.errors import OptionError, SessionClosedError, UsageError


def test_what_is_chosen_holds_for_what_comes_and_starts_nothing() -> None:
    with_choice = ClaudeSession(model="a")
    with_choice.choose(model="b", effort="low")
    assert (with_choice.chosen.model, with_choice.chosen.effort) == ("b", "low")
    assert with_choice.state.value == "new"


def test_what_is_impossible_changes_nothing() -> None:
    session = ClaudeSession(model="a")
    with pytest.raises(OptionError):
        session.choose(model="b", effort="huge")
    with pytest.raises(UsageError, match="another environment"):
        session.choose(model="b", environment={"A": "b"})
    assert session.chosen.model == "a"


def test_a_conversation_that_is_not_kept_cannot_go_on_with_other_options() -> None:
    with pytest.raises(UsageError, match="keeps no transcript"):
        ClaudeSession(keep_transcript=False).choose(model="b")


def test_nothing_can_be_chosen_for_what_is_over() -> None:
    session = ClaudeSession()
    session.close()
    with pytest.raises(SessionClosedError):
        session.choose(model="b")
