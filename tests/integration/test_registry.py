"""The kernel's sessions, from one to the next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from claude_magic.errors import OptionError
from claude_magic.session import SessionOptions, SessionRegistry, SessionState

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from claude_magic import SessionStatus


@pytest.fixture
def sessions(connected: Any) -> Iterator[SessionRegistry]:
    sessions = SessionRegistry()
    yield sessions
    sessions.close()


def test_a_reset_puts_a_new_conversation_in_the_place_of_the_old(sessions: SessionRegistry) -> None:
    before = sessions.main.session
    before.ask("My name is Ada.")
    assert sessions.main.reset().ask("What is my name?").text == "You said: What is my name?"
    before.close()  # waits for the end that the reset began
    assert before.state is SessionState.CLOSED


def test_resets_while_states_change_do_not_wait_for_each_other(sessions: SessionRegistry) -> None:
    # A reset that held the registry's lock while it waited for the loop thread stopped both.
    told: list[SessionStatus] = []
    sessions.main.subscribe(told.append)
    for _ in range(50):
        sessions.main.connect()
        sessions.main.reset()
    sessions.main.session.connect()
    assert told[-1].session_id == sessions.main.session.session_id
    assert told[-1].state is SessionState.READY


def test_a_reset_that_cannot_be_changes_nothing(
    connected: Any,
    tmp_path: Path,
) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    sessions = SessionRegistry(SessionOptions(cwd=folder))
    session = sessions.main.session
    told: list[SessionStatus] = []
    sessions.main.subscribe(told.append)
    folder.rmdir()
    with pytest.raises(OptionError, match="exists"):
        sessions.main.reset()
    assert sessions.main.session is session
    sessions.close()
    assert told[-1].state is SessionState.CLOSED


def test_a_listener_that_left_hears_nothing(sessions: SessionRegistry) -> None:
    told: list[SessionStatus] = []
    leave = sessions.main.subscribe(told.append)
    leave()
    leave()
    sessions.main.session.connect()
    assert [status.state for status in told] == [SessionState.NEW]
