from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING

import pytest

from claude_magic import widgets
from claude_magic.session import (
    NamedSession,
    SessionOptions,
    SessionRegistry,
    SessionState,
    SessionStatus,
    Usage,
)
from claude_magic.tape import offline_demo
from claude_magic.widgets import StatusPanel, status_text
from claude_magic.widgets.status_panel import panel_state, possible_actions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

START_TIMEOUT_S = 60


@pytest.fixture
def named(tmp_path: Path) -> Iterator[NamedSession]:
    """A name whose sessions cannot start, so that connecting ends in `lost` at once."""
    folder = tmp_path / "gone"
    folder.mkdir()
    sessions = SessionRegistry(SessionOptions(cwd=folder))
    folder.rmdir()
    yield sessions.main
    sessions.close()


@pytest.fixture
def panel(named: NamedSession) -> Iterator[StatusPanel]:
    panel = StatusPanel(named)
    yield panel
    panel.close()


class States:
    """The states that a name tells of; made after a panel, it hears of each after it."""

    def __init__(self, named: NamedSession) -> None:
        self._news = threading.Condition()
        self._states: list[SessionState] = []
        named.subscribe(self._note)

    def _note(self, status: SessionStatus) -> None:
        with self._news:
            self._states.append(status.state)
            self._news.notify_all()

    def wait_for(self, state: SessionState) -> None:
        with self._news:
            assert self._news.wait_for(lambda: state in self._states, START_TIMEOUT_S)


def press(panel: StatusPanel, action: object) -> None:
    """Send what the front end sends when a button is pressed."""
    data = {"method": "custom", "content": {"action": action}}
    panel.comm.handle_msg({"content": {"data": data}, "buffers": []})


@pytest.mark.parametrize(
    ("state", "actions"),
    [
        (SessionState.NEW, ["connect", "reset"]),
        (SessionState.CONNECTING, ["disconnect", "reset"]),
        (SessionState.READY, ["disconnect", "reset"]),
        (SessionState.BUSY, ["disconnect", "reset"]),
        (SessionState.INTERRUPTING, ["disconnect", "reset"]),
        (SessionState.LOST, ["connect", "reset"]),
        (SessionState.PARKED, ["connect", "reset"]),
        (SessionState.CLOSED, []),
    ],
)
def test_buttons_do_what_the_state_allows(state: SessionState, actions: list[str]) -> None:
    assert possible_actions(state) == actions


def test_the_front_end_gets_everything_as_json() -> None:
    status = SessionStatus(
        SessionState.READY,
        "5f1c0a52",
        Usage(input_tokens=12345, output_tokens=678, cache_read_tokens=9000),
        model="claude-opus-5",
        turns=3,
        cost_usd=0.25,
    )
    assert json.loads(json.dumps(panel_state(status))) == {
        "state": "ready",
        "sentence": "Waiting for a prompt.",
        "reason": "",
        "label": None,
        "name": None,
        "model": "claude-opus-5",
        "session_id": "5f1c0a52",
        "turns": 3,
        "input_tokens": 12345,
        "output_tokens": 678,
        "cached_tokens": 9000,
        "cost_usd": 0.25,
        "permissions": "no tools",
        "actions": ["disconnect", "reset"],
    }


def test_a_new_panel_shows_the_present_status(
    named: NamedSession,
    panel: StatusPanel,
) -> None:
    assert panel.status == panel_state(named.status)
    assert panel.error == ""


def test_a_saved_notebook_keeps_the_status_as_text(
    named: NamedSession,
    panel: StatusPanel,
) -> None:
    # What IPython's display calls.
    bundle = panel._repr_mimebundle_()
    assert bundle is not None
    data, _ = bundle
    assert data["text/plain"] == status_text(named.status)
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == panel.model_id


def test_connect_is_performed_and_its_failure_shows(
    named: NamedSession,
    panel: StatusPanel,
) -> None:
    states = States(named)
    press(panel, "connect")
    states.wait_for(SessionState.LOST)
    assert panel.status["state"] == "lost"
    assert "gone" in panel.status["reason"]
    assert panel.status["actions"] == ["connect", "reset"]


def test_reset_shows_the_new_session(
    named: NamedSession,
    panel: StatusPanel,
    tmp_path: Path,
) -> None:
    before = panel.status["session_id"]
    states = States(named)
    press(panel, "connect")
    states.wait_for(SessionState.LOST)
    (tmp_path / "gone").mkdir()
    states = States(named)
    press(panel, "reset")
    states.wait_for(SessionState.NEW)
    assert panel.status["session_id"] == named.session.session_id != before
    assert panel.error == ""


def test_an_error_of_the_registry_is_shown(panel: StatusPanel) -> None:
    # The new session would work in a directory that does not exist any more.
    press(panel, "reset")
    assert panel.error.startswith("cwd=")
    assert panel.error.endswith("must be a directory that exists")


@pytest.mark.parametrize("action", ["dance", None, ["connect"]])
def test_what_cannot_be_done_is_shown_until_something_is_done(
    panel: StatusPanel,
    action: object,
) -> None:
    press(panel, action)
    assert panel.error != ""
    press(panel, "disconnect")
    assert panel.error == ""


def test_an_unknown_action_is_named_with_the_known_ones(panel: StatusPanel) -> None:
    press(panel, "dance")
    assert panel.error == (
        "The panel was asked for 'dance'; it knows 'connect', 'disconnect', 'reset'."
    )


def test_a_closed_panel_follows_no_more(named: NamedSession, panel: StatusPanel) -> None:
    panel.close()
    panel.close()
    states = States(named)
    named.connect()
    states.wait_for(SessionState.LOST)
    assert panel.status["state"] == "new"


def test_a_comm_that_fails_does_not_fail_the_session(
    named: NamedSession,
    panel: StatusPanel,
) -> None:
    class FailingComm:
        """The wire when the kernel is shutting down."""

        comm_id = panel.comm.comm_id

        def on_msg(self, callback: Callable[..., object]) -> None: ...

        def close(self) -> None: ...

        def send(self, **_message: object) -> None:
            raise OSError("Socket operation on non-socket")

    panel.comm.close()
    panel.comm = FailingComm()
    states = States(named)
    named.connect()
    states.wait_for(SessionState.LOST)
    assert panel.status["state"] == "lost"


def test_a_real_conversation_is_followed() -> None:
    with offline_demo() as demo:
        sessions = SessionRegistry(
            SessionOptions(environment=demo.environment, label=demo.label),
        )
        named = sessions.main
        panel = StatusPanel(named)
        try:
            states = States(named)
            press(panel, "connect")
            states.wait_for(SessionState.READY)
            named.session.ask("What is my name?")
            assert panel.status["turns"] == 1
            assert panel.status["input_tokens"] > 0
            assert panel.status["label"] == "scripted replies"
            press(panel, "disconnect")
            states.wait_for(SessionState.PARKED)
            assert panel.status["actions"] == ["connect", "reset"]
        finally:
            panel.close()
            sessions.close()


def test_the_package_names_nothing_else() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Panel'"):
        _ = widgets.Panel
