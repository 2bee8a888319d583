"""Ends that are left by whoever wanted them, and turns that are stopped at odd moments."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from typing import TYPE_CHECKING, Any

import pytest
from support.processes import wait_until_gone

from claude_magic import Allow, ClaudeSession
from claude_magic.errors import StartError, TurnInterruptedError, TurnTimeoutError
from claude_magic.session import (
    PermissionDenied,
    RoomAwaited,
    SessionRegistry,
    SessionState,
    TextDelta,
)
from claude_magic.session.loop import loop_thread
from claude_magic.tape import Hold, Reply, Text, ToolUse

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from claude_magic import PermissionRequest, SessionStatus

#: Whatever is waited for here takes a second; what hangs takes longer.
SOON_S = 20.0


@pytest.fixture
def sessions(connected: Any) -> Iterator[SessionRegistry]:
    sessions = SessionRegistry(max_live=1)
    yield sessions
    sessions.close()


def _wait_for(session: ClaudeSession, state: SessionState) -> None:
    reached = threading.Event()
    end = session.subscribe(lambda status: reached.set() if status.state is state else None)
    assert reached.wait(SOON_S), session.status
    end()


def test_a_parking_is_carried_through_where_the_room_is_not_wanted_any_more(
    sessions: SessionRegistry,
) -> None:
    main = sessions.main.session
    main.ask("I am main.")
    pids = list(main.pids or ())
    other = sessions.get("other").session
    other.start_connecting()
    _wait_for(main, SessionState.PARKED)
    other.disconnect()
    assert wait_until_gone(pids, within_s=5) == []
    assert sessions.get("third").session.send("Who?").result().text == "You said: Who?"
    assert main.ask("And I?").text == "You said: I am main. / And I?"


def test_a_turn_with_other_options_that_is_stopped_leaves_no_process(connected: Any) -> None:
    with ClaudeSession() as session:
        session.ask("a")
        pids = list(session.pids or ())
        session.choose(system_prompt="Other.")
        turn = session.send("b")
        _wait_for(session, SessionState.PARKED)
        turn.interrupt()
        with pytest.raises(TurnInterruptedError):
            turn.result()
        assert wait_until_gone(pids, within_s=5) == []
        assert session.ask("c").text == "You said: a / c"
        assert "Other." in connected.requests[-1].system


def test_what_claude_says_by_itself_is_not_cut_off_by_parking(
    connected: Any,
    tmp_path: Path,
) -> None:
    pipe, gate, speaking = tmp_path / "pipe", threading.Event(), threading.Event()
    os.mkfifo(pipe)

    def answer(request: Any) -> Reply:
        if "task-notification" in str(request.messages[-1]):
            speaking.set()
            return Reply.of(Text("The job "), Hold(gate), Text("is done."))
        if request.prompt == "Start it." and not request.tool_result_count:
            command = {"command": f"read x < {pipe}", "run_in_background": True}
            return Reply.of(ToolUse("Bash", command))
        return Reply.of("ok")

    connected.otherwise = answer
    sessions = SessionRegistry(max_live=1)
    options = sessions.options.but(tools=("Bash",), allowed_tools=("Bash",), name="main")
    main = sessions.main.reset(options)
    main.ask("Start it.")
    pipe.write_text("x\n")
    assert speaking.wait(SOON_S)
    other = sessions.get("other").session.send("Hello")
    gate.set()
    assert other.result().text == "ok"
    events = list(main.send("Well?"))
    assert any(getattr(event, "text", "") == "The job is done." for event in events)
    sessions.close()


def test_raising_the_number_of_processes_lets_in_who_waits(
    sessions: SessionRegistry,
    connected: Any,
) -> None:
    connected.replies.append(Reply.of(Text("Once "), Hold(threading.Event())))
    busy = sessions.main.session.send("Tell me.")
    next(iter(event for event in _events(busy) if isinstance(event, TextDelta)))
    waiting = sessions.get("other").session.send("Hello")
    _wait_for(sessions.get("other").session, SessionState.CONNECTING)
    sessions.max_live = 2
    assert waiting.result().text == "You said: Hello"
    busy.interrupt()


def test_a_turn_that_waits_for_room_says_so(sessions: SessionRegistry, connected: Any) -> None:
    gate = threading.Event()
    connected.replies.append(Reply.of(Text("Once "), Hold(gate)))
    busy = sessions.main.session.send("Tell me.")
    list(_events(busy))
    other = sessions.get("other").session
    turn = other.send("Hello")
    said = threading.Event()
    turn.subscribe(lambda event: said.set() if event == RoomAwaited(1) else None)
    assert said.wait(SOON_S)
    assert other.status.state is SessionState.CONNECTING
    assert "waits until another conversation is idle" in other.status.reason
    gate.set()
    assert turn.result().text == "You said: Hello"
    assert other.status.reason == ""


def test_a_turn_that_waits_for_room_can_be_stopped(
    sessions: SessionRegistry,
    connected: Any,
) -> None:
    gate = threading.Event()
    connected.replies.append(Reply.of(Text("Once "), Hold(gate)))
    busy = sessions.main.session.send("Tell me.")
    list(_events(busy))
    other = sessions.get("other").session
    turn = other.send("Hello")
    _wait_for(other, SessionState.CONNECTING)
    turn.interrupt()
    with pytest.raises(TurnInterruptedError) as caught:
        turn.result()
    assert not caught.value.sent
    gate.set()
    busy.result()
    assert other.ask("Again.").text == "You said: Again."


def test_a_parking_does_not_wait_for_who_waits_for_room(
    sessions: SessionRegistry,
) -> None:
    # Whoever makes room must not wait for a conversation that is about to want some itself: that
    # one may wait for it in turn.
    main = sessions.main.session
    main.ask("a")
    conversation = main._conversation  # noqa: SLF001 - the moment is too short to be met from outside

    async def rest_while_it_connects() -> bool:
        async with conversation._lifecycle:  # noqa: SLF001
            return await asyncio.wait_for(conversation.rest(), SOON_S)

    assert loop_thread().run(rest_while_it_connects()) is False
    assert main.state is SessionState.READY


def _events(turn: Any) -> Iterator[Any]:
    """Look at a turn without stopping it when nobody looks any more."""
    arrived = threading.Event()
    events: list[Any] = []

    def note(event: Any) -> None:
        events.append(event)
        if isinstance(event, TextDelta):
            arrived.set()

    turn.subscribe(note)
    assert arrived.wait(SOON_S)
    yield from events


def test_lowering_it_parks_those_who_were_busy_once_they_are_idle(connected: Any) -> None:
    gate = threading.Event()
    connected.replies[:] = [Reply.of(Text("Once "), Hold(gate))] * 3
    sessions = SessionRegistry(max_live=3)
    all_of_them = [sessions.get(name).session for name in ("main", "a", "b")]
    turns = [session.send("Tell me.") for session in all_of_them]
    for turn in turns:
        list(_events(turn))
    sessions.max_live = 1
    gate.set()
    for turn in turns:
        turn.result()
    parked = threading.Semaphore(0)
    for session in all_of_them:
        session.subscribe(
            lambda status: parked.release() if status.state is SessionState.PARKED else None,
        )
    for _ in range(2):
        assert parked.acquire(timeout=SOON_S)
    sessions.close()


def test_a_question_that_is_cancelled_by_itself_denies(connected: Any, tmp_path: Path) -> None:
    async def closed(_request: PermissionRequest) -> Allow:
        raise asyncio.CancelledError

    connected.replies[:] = [
        Reply.of(ToolUse("Write", {"file_path": str(tmp_path / "x"), "content": "x"})),
    ]
    with ClaudeSession(tools=["Write"], cwd=tmp_path, on_permission=closed) as session:
        events = list(session.send("Write it."))
    assert any(isinstance(event, PermissionDenied) for event in events)
    assert not (tmp_path / "x").exists()


def test_a_deadline_that_ends_the_process_is_still_a_deadline(connected: Any) -> None:
    connected.replies.append(Reply.of(Text("Once "), Hold(threading.Event())))
    with ClaudeSession(deadline_s=1.0) as session:
        turn = session.send("Tell me.")
        list(_events(turn))
        assert session.pids is not None
        os.kill(session.pids[1], signal.SIGSTOP)
        with pytest.raises(TurnTimeoutError) as caught:
            turn.result()
        assert caught.value.partial_text == "Once "
        assert session.ask("b").text == "You said: b"


def _is_done(status: SessionStatus) -> bool:
    return status.turns > 0 and status.state is SessionState.READY


def test_an_interrupt_behind_the_result_does_not_take_it_back(connected: Any) -> None:
    with ClaudeSession() as session:
        session.connect()
        turn = session.send("a")
        session.subscribe(
            lambda status: turn.interrupt() if _is_done(status) else None,
        )
        assert turn.result().text == "You said: a"


def test_a_context_that_is_gone_is_not_passed_over(connected: Any, sterile: dict[str, str]) -> None:
    from pathlib import Path  # noqa: PLC0415

    with ClaudeSession() as session:
        session.ask("My name is Ada.")
        session.disconnect()
        for path in Path(sterile["CLAUDE_CONFIG_DIR"]).rglob(f"{session.session_id}.jsonl"):
            path.unlink()
        with pytest.raises(StartError, match="the transcript of this conversation is gone"):
            session.ask("What is my name?")


def test_a_prompt_on_its_way_is_not_ended_by_a_new_option(connected: Any) -> None:
    sessions = SessionRegistry()
    turn = sessions.main.session.send("Hello")
    assert not sessions.change(effort="high")
    assert turn.result().text == "You said: Hello"
    sessions.close()
