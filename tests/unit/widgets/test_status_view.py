from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from claude_magic.session import SessionOptions, SessionRegistry, SessionState
from claude_magic.widgets.status_view import possible_actions, session_view

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("state", "actions"),
    [
        (SessionState.NEW, ["connect", "reset"]),
        (SessionState.CONNECTING, ["disconnect", "reset"]),
        (SessionState.READY, ["disconnect", "reset"]),
        (SessionState.BUSY, ["stop", "disconnect", "reset"]),
        (SessionState.INTERRUPTING, ["disconnect", "reset"]),
        (SessionState.LOST, ["connect", "reset"]),
        (SessionState.PARKED, ["connect", "reset"]),
        (SessionState.CLOSED, []),
    ],
)
def test_buttons_do_what_the_state_allows(state: SessionState, actions: list[str]) -> None:
    assert possible_actions(state, begun=False, kept=True) == actions


@pytest.mark.parametrize(
    ("begun", "kept", "possible"),
    [(True, True, True), (False, True, False), (True, False, False)],
)
def test_what_was_said_and_is_kept_can_be_forked(
    begun: bool,  # noqa: FBT001
    kept: bool,  # noqa: FBT001
    possible: bool,  # noqa: FBT001
) -> None:
    actions = possible_actions(SessionState.READY, begun=begun, kept=kept)
    assert ("fork" in actions) is possible


def test_the_front_end_gets_every_word_and_choice_as_json(tmp_path: Path) -> None:
    sessions = SessionRegistry(
        SessionOptions(model="mine", effort="high", permission_mode="acceptEdits", cwd=tmp_path),
    )
    view = json.loads(json.dumps(session_view("main", sessions.main, ["default", "opus"], 2**20)))
    assert view == {
        "name": "main",
        "state": "new",
        "sentence": "Not connected yet; the first prompt connects.",
        "reason": "",
        "label": None,
        "model": "mine",
        "session_id": sessions.main.status.session_id,
        "turns": 0,
        "input_tokens": 0,
        "output_tokens": 0,
        "cached_tokens": 0,
        "cost_usd": 0.0,
        "context_tokens": 0,
        "window_tokens": None,
        # Nothing runs that could occupy any.
        "memory_bytes": None,
        "tools": "no tools",
        "granted": [],
        "widened": "edits files unasked",
        "restarts": False,
        "choices": {
            "model": {
                "value": "mine",
                "values": [["default", "default"], ["opus", "opus"], ["mine", "mine"]],
            },
            "effort": {
                "value": "high",
                "values": [
                    [each, each] for each in ("default", "low", "medium", "high", "xhigh", "max")
                ],
            },
            "permission_mode": {
                "value": "acceptEdits",
                "values": [
                    ["default", "asks before it writes or runs"],
                    ["acceptEdits", "edits files unasked"],
                    ["plan", "plans and changes nothing"],
                    ["dontAsk", "does nothing that it would ask for"],
                ],
            },
        },
        "actions": ["connect", "reset"],
    }
