from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from claude_magic import widgets
from claude_magic.session import (
    Caller,
    NamedSession,
    SessionOptions,
    SessionRegistry,
    SessionState,
    SessionStatus,
)
from claude_magic.widgets import ControlChannel, StatusPanel, status_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from .conftest import Wire

START_TIMEOUT_S = 60


@pytest.fixture
def sessions(tmp_path: Path) -> Iterator[SessionRegistry]:
    """A kernel's sessions that cannot start, so that connecting ends in `lost` at once."""
    folder = tmp_path / "gone"
    folder.mkdir()
    sessions = SessionRegistry(SessionOptions(cwd=folder))
    folder.rmdir()
    yield sessions
    sessions.close()


@pytest.fixture
def panel(sessions: SessionRegistry, wire: Wire) -> Iterator[StatusPanel]:
    panel = StatusPanel(sessions, ControlChannel(wire))
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


def wait_until_shown(panel: StatusPanel, shows: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Wait until what the panel shows of its session is as it should be, and return that."""
    news = threading.Event()
    panel.observe(lambda _: news.set(), "shown")
    deadline_s = time.monotonic() + START_TIMEOUT_S
    while not shows(view := panel.shown["session"]):
        assert news.wait(deadline_s - time.monotonic()), view
        news.clear()
    assert isinstance(view, dict)
    return view


def press(panel: StatusPanel, wire: Wire, do: object, **more: object) -> Mapping[str, Any]:
    """Send what the front end sends when something is pressed, and return the reply."""
    request = {"session": panel.shown["session"]["name"], **more}
    return wire.request(to=panel.shown["address"], do=do, **request)


def test_a_new_panel_shows_the_kernels_own_session(
    sessions: SessionRegistry,
    panel: StatusPanel,
) -> None:
    assert panel.shown["session"]["session_id"] == sessions.main.status.session_id
    assert panel.shown["sessions"] == [("main", "new")]
    assert panel.shown["control"] is True


def test_a_saved_notebook_keeps_the_status_as_text_with_its_date(
    sessions: SessionRegistry,
    panel: StatusPanel,
    tmp_path: Path,
) -> None:
    (tmp_path / "gone").mkdir()
    sessions.get("aside")
    # What IPython's display calls.
    data = panel._repr_mimebundle_()
    assert data is not None
    text = status_text(sessions.main.status)
    assert data["text/plain"].startswith(f"{text}\nothers       aside (new)\nas of        20")
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == panel.model_id


def test_connect_is_performed_and_its_failure_shows(panel: StatusPanel, wire: Wire) -> None:
    assert press(panel, wire, "connect")["status"] == "ok"
    view = wait_until_shown(panel, lambda view: view["state"] == "lost")
    assert "gone" in view["reason"]
    assert view["actions"] == ["connect", "reset"]


def test_reset_shows_the_new_session(
    sessions: SessionRegistry,
    panel: StatusPanel,
    wire: Wire,
    tmp_path: Path,
) -> None:
    before = panel.shown["session"]["session_id"]
    (tmp_path / "gone").mkdir()
    reply = press(panel, wire, "reset")
    assert reply["shown"]["session"]["session_id"] == sessions.main.status.session_id != before
    assert panel.shown == reply["shown"]


def test_what_the_session_refuses_is_said(panel: StatusPanel, wire: Wire) -> None:
    # The new session would work in a directory that does not exist any more.
    reply = press(panel, wire, "reset")
    assert reply["status"] == "error"
    assert reply["reason"].endswith("must be a directory that exists")


@pytest.mark.parametrize("action", ["dance", None, ["connect"]])
def test_what_cannot_be_done_is_said_with_what_can(
    panel: StatusPanel,
    wire: Wire,
    action: object,
) -> None:
    reply = press(panel, wire, action)
    assert reply["status"] == "error"
    if action == "dance":
        assert reply["reason"] == (
            "The panel was asked for 'dance'; it knows 'connect', 'stop', 'disconnect', 'reset', "
            "'fork', 'view', 'choose', 'revoke'."
        )


def test_the_comm_answers_where_there_is_no_other_way(sessions: SessionRegistry) -> None:
    panel = StatusPanel(sessions)
    assert panel.shown["control"] is False
    sent: list[Any] = []
    panel.comm.send = lambda data=None, **_: sent.append(data)
    for content in ({"do": "look", "id": "a"}, {"do": "dance", "id": "b"}):
        data = {"method": "custom", "content": content}
        panel.comm.handle_msg({"content": {"data": data}, "buffers": []})
    told = [data["content"] for data in sent if data["method"] == "custom"]
    assert [(reply["answers"], reply["status"]) for reply in told] == [("a", "ok"), ("b", "error")]
    assert told[0]["shown"]["session"]["state"] == "new"
    panel.close()


def test_another_session_is_shown_and_the_own_one_when_it_has_ended(
    sessions: SessionRegistry,
    panel: StatusPanel,
    wire: Wire,
    tmp_path: Path,
) -> None:
    (tmp_path / "gone").mkdir()
    sessions.get("aside")
    assert press(panel, wire, "view", session="aside")["shown"]["session"]["name"] == "aside"
    assert press(panel, wire, "view", session="none")["status"] == "error"
    before = panel.shown["revision"]
    sessions.end("aside")
    wait_until_shown(panel, lambda view: view["name"] == "main")
    assert panel.shown["revision"] > before
    assert [name for name, _ in panel.shown["sessions"]] == ["main"]


def test_a_press_reaches_the_session_that_was_shown_when_it_came(
    sessions: SessionRegistry,
    panel: StatusPanel,
    wire: Wire,
    tmp_path: Path,
) -> None:
    (tmp_path / "gone").mkdir()
    main, aside = sessions.main.session, sessions.get("aside").session
    press(panel, wire, "reset", session="aside")
    assert sessions.main.session is main
    assert sessions.get("aside").session is not aside


def test_choices_hold_for_the_turns_to_come_and_impossible_ones_are_refused(
    sessions: SessionRegistry,
    panel: StatusPanel,
    wire: Wire,
    tmp_path: Path,
) -> None:
    (tmp_path / "gone").mkdir()
    press(panel, wire, "choose", field="model", value="haiku")
    press(panel, wire, "choose", field="effort", value="low")
    press(panel, wire, "choose", field="permission_mode", value="plan")
    chosen = sessions.main.session.chosen
    assert (chosen.model, chosen.effort, chosen.permission_mode) == ("haiku", "low", "plan")
    assert sessions.main.options == chosen
    view = wait_until_shown(panel, lambda view: view["choices"]["effort"]["value"] == "low")
    assert view["choices"]["model"]["value"] == "haiku"
    press(panel, wire, "choose", field="effort", value="default")
    assert sessions.main.session.chosen.effort is None
    for field, value in (("effort", "huge"), ("cwd", "/"), (["model"], "x"), ("model", 1)):
        assert press(panel, wire, "choose", field=field, value=value)["status"] == "error"
    assert sessions.main.session.chosen.model == "haiku"


def test_what_was_allowed_is_revoked(wire: Wire) -> None:
    allowed = ["kernel", "edit:src/**"]

    def revoke(rule: str) -> list[str]:
        allowed.remove(rule)
        return allowed

    sessions = SessionRegistry(caller=lambda _: Caller(revoke=revoke))
    panel = StatusPanel(sessions, ControlChannel(wire))
    sessions.main.session.tell_granted(allowed)
    wait_until_shown(panel, lambda view: view["granted"] == ["kernel", "edit:src/**"])
    press(panel, wire, "revoke", rule="kernel")
    wait_until_shown(panel, lambda view: view["granted"] == ["edit:src/**"])
    panel.close()


def test_where_nothing_can_be_allowed_nothing_can_be_revoked(
    panel: StatusPanel,
    wire: Wire,
) -> None:
    assert "Somebody else decides" in press(panel, wire, "revoke", rule="kernel")["reason"]


def test_what_does_not_change_is_not_told(panel: StatusPanel, wire: Wire) -> None:
    told: list[object] = []
    panel.observe(told.append, "shown")
    first, second = press(panel, wire, "look"), press(panel, wire, "look")
    assert first["shown"] == second["shown"]
    assert told == []


def test_a_closed_panel_follows_no_more_and_is_not_to_be_asked(
    sessions: SessionRegistry,
    panel: StatusPanel,
    wire: Wire,
) -> None:
    panel.close()
    panel.close()
    states = States(sessions.main)
    sessions.main.connect()
    states.wait_for(SessionState.LOST)
    assert panel.shown["session"]["state"] == "new"
    assert "over by now" in press(panel, wire, "connect")["reason"]


def test_a_comm_that_fails_does_not_fail_the_session(
    sessions: SessionRegistry,
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
    states = States(sessions.main)
    sessions.main.connect()
    states.wait_for(SessionState.LOST)
    assert panel.shown["session"]["state"] == "lost"


def test_a_real_conversation_is_followed_chosen_for_and_forked(connected: Any, wire: Wire) -> None:
    sessions = SessionRegistry(SessionOptions(label="made up"))
    panel = StatusPanel(sessions, ControlChannel(wire))
    try:
        press(panel, wire, "connect")
        view = wait_until_shown(panel, lambda view: bool(view["memory_bytes"]))
        assert view["state"] == "ready"
        assert view["memory_bytes"] > 50 * 2**20
        assert "opus" in dict(view["choices"]["model"]["values"])

        sessions.main.session.ask("a")
        view = wait_until_shown(panel, lambda view: view["turns"] == 1)
        assert view["label"] == "made up"
        assert view["input_tokens"] >= view["context_tokens"] > 0
        assert view["window_tokens"] > view["context_tokens"]

        press(panel, wire, "choose", field="model", value="haiku")
        wait_until_shown(panel, lambda view: view["restarts"])
        sessions.main.session.ask("b")
        view = wait_until_shown(panel, lambda view: view["turns"] == 2)
        assert "haiku" in view["model"]
        assert "haiku" in connected.requests[-1].model
        assert view["restarts"] is False

        view = press(panel, wire, "fork")["shown"]["session"]
        assert (view["name"], view["state"]) == ("main-2", "parked")
        assert press(panel, wire, "fork", session="main")["shown"]["session"]["name"] == "main-3"
        assert sessions.find("main-2").session.chosen.model == "haiku"
        press(panel, wire, "view", session="main")
        press(panel, wire, "disconnect")
        view = wait_until_shown(panel, lambda view: view["state"] == "parked")
        assert view["memory_bytes"] is None
    finally:
        panel.close()
        sessions.close()


def test_the_package_names_nothing_else() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Panel'"):
        _ = widgets.Panel
