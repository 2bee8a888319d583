"""A session in this process: its states, its turns, its end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest
from support.processes import alive, wait_until_gone

from claude_magic import ClaudeSession, SessionState
from claude_magic.errors import (
    ApiError,
    AuthenticationError,
    ConnectionLostError,
    OptionError,
    OverloadedError,
    RateLimitError,
    RestartLimitError,
    SessionClosedError,
    SessionError,
    StartError,
    TurnInterruptedError,
    TurnLimitError,
    TurnTimeoutError,
    UsageError,
)
from claude_magic.session import (
    TextDelta,
    TextWithdrawn,
    Told,
    TurnFinished,
    TurnStarted,
    guard,
)
from claude_magic.session.loop import loop_thread
from claude_magic.session.sdk import client
from claude_magic.session.watchdog import PING_AFTER_S
from claude_magic.tape import Cut, Failure, Hold, Pause, Reply, Text, ToolUse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from claude_magic import SessionStatus


@pytest.fixture
def session(connected: Any) -> Iterator[ClaudeSession]:
    session = ClaudeSession()
    yield session
    session.close()


def test_it_goes_through_its_states_and_says_so(session: ClaudeSession) -> None:
    told: list[SessionStatus] = []
    session.subscribe(told.append)
    session.ask("Hello")
    session.disconnect()
    session.ask("Hello again")
    session.close()
    states = [status.state for status in told]
    changes = [a for a, b in zip(states, [None, *states], strict=False) if a is not b]
    assert [state.value for state in changes] == [
        "new",
        "connecting",
        "ready",
        "busy",
        "ready",
        "parked",
        "connecting",
        "ready",
        "busy",
        "ready",
        "closed",
    ]
    assert told[-1].turns == 2
    assert len({status.session_id for status in told}) == 1


def test_a_turn_is_a_sequence_of_events(session: ClaudeSession, connected: Any) -> None:
    connected.replies.append(Reply.of("one two"))
    events = list(session.send("Count."))
    assert isinstance(events[0], TurnStarted)
    assert events[0].model
    assert all(isinstance(event, TextDelta) for event in events[1:-1])
    last = events[-1]
    assert isinstance(last, TurnFinished)
    assert last.text == "one two"
    assert last.usage.input_tokens > 0
    assert last.usage.output_tokens > 0
    assert last.session_id == session.session_id
    assert last.stop_reason == "end_turn"
    assert not last.recovered


def test_a_turn_can_be_awaited_on_any_loop(session: ClaudeSession) -> None:
    async def talk() -> list[str]:
        texts = [event.text async for event in session.send("a") if isinstance(event, TextDelta)]
        finished = await session.aask("b")
        return ["".join(texts), finished.text]

    assert asyncio.run(talk()) == ["You said: a", "You said: a / b"]
    assert asyncio.run(talk())[0] == "You said: a / b / a"


def test_turns_are_answered_one_after_another_in_their_order(session: ClaudeSession) -> None:
    turns = [session.send(str(number)) for number in range(4)]
    assert turns[3].result().text == "You said: 0 / 1 / 2 / 3"
    assert [turn.result().text[-1] for turn in turns] == ["0", "1", "2", "3"]


def test_sessions_run_in_parallel_and_never_mix(connected: Any) -> None:
    names = ["Ada", "Emmy", "Sofia"]
    with ClaudeSession() as a, ClaudeSession() as b, ClaudeSession() as c:
        first = [s.send(f"I am {name}.") for s, name in zip((a, b, c), names, strict=True)]
        for turn in first:
            turn.result()
        second = [s.send("Who am I?") for s in (a, b, c)]
        texts = [turn.result().text for turn in second]
    assert texts == [f"You said: I am {name}. / Who am I?" for name in names]
    assert len({request.session_id for request in connected.requests}) == 3


def test_what_was_said_before_can_be_told(session: ClaudeSession, connected: Any) -> None:
    history = [Told("user", "a"), Told("assistant", "b"), Told("user", "c"), Told("assistant", "d")]
    session.send("e", history).result()
    (request,) = connected.requests
    assert [(turn.role, turn.text) for turn in request.visible_turns] == [
        ("user", "a"),
        ("assistant", "b"),
        ("user", "c"),
        ("assistant", "d"),
        ("user", "e"),
    ]
    assert session.status.turns == 1


def test_leaving_the_loop_early_stops_the_turn(session: ClaudeSession, connected: Any) -> None:
    connected.replies.append(Reply.of(Text("Once "), Hold(threading.Event()), Text("more")))
    turn = session.send("Tell me.")
    for event in turn:
        if isinstance(event, TextDelta):
            break
    with pytest.raises(TurnInterruptedError):
        turn.result()
    assert session.ask("And now?").text.endswith("And now?")


def test_a_turn_in_the_line_can_be_stopped_before_it_is_sent(
    session: ClaudeSession,
    connected: Any,
) -> None:
    gate = threading.Event()
    connected.replies.append(Reply.of(Text("first"), Hold(gate)))
    first, second = session.send("1"), session.send("2")
    second.interrupt()
    with pytest.raises(TurnInterruptedError) as caught:
        second.result()
    assert not caught.value.sent
    gate.set()
    assert first.result().text == "first"
    assert len(connected.requests) == 1


def test_an_interrupt_right_behind_the_prompt_is_not_lost(
    session: ClaudeSession,
    connected: Any,
) -> None:
    session.connect()
    pids = session.pids
    for _ in range(5):
        connected.replies[:] = [Reply.of(Text("never "), Hold(threading.Event()))]
        turn = session.send("Go.")
        turn.interrupt()
        with pytest.raises(TurnInterruptedError):
            turn.result()
    connected.replies.clear()
    assert session.ask("Still there?").text.endswith("Still there?")
    assert session.pids == pids


def test_a_killed_process_is_resumed_with_its_context(session: ClaudeSession) -> None:
    session.ask("My name is Ada.")
    assert session.pids is not None
    os.kill(session.pids[1], signal.SIGKILL)
    finished = session.ask("What is my name?")
    assert finished.text == "You said: My name is Ada. / What is my name?"
    assert finished.recovered
    assert not session.ask("Sure?").recovered


def test_closing_in_the_middle_of_a_turn_is_quick_and_leaves_nothing(
    session: ClaudeSession,
    connected: Any,
) -> None:
    connected.replies.append(Reply.of(Text("Once "), Hold(threading.Event())))
    turn = session.send("Tell me.")
    for event in turn:
        if isinstance(event, TextDelta):
            break
    pids = list(session.pids or ())
    assert len(pids) == 2
    session.close()
    assert wait_until_gone(pids, within_s=2) == []
    with pytest.raises(TurnInterruptedError):
        turn.result()


def test_a_closed_session_says_so_and_closing_twice_is_harmless(session: ClaudeSession) -> None:
    session.close()
    session.close()
    assert session.state is SessionState.CLOSED
    with pytest.raises(SessionClosedError, match="start a new one"):
        session.send("Hello")
    with pytest.raises(SessionClosedError):
        session.connect()


def test_a_forgotten_session_closes_its_process(connected: Any) -> None:
    session = ClaudeSession()
    session.ask("Hello")
    pids = list(session.pids or ())
    assert all(alive(pid) for pid in pids)
    del session
    assert wait_until_gone(pids, within_s=5) == []


def test_a_forked_child_cannot_use_its_parents_session(session: ClaudeSession) -> None:
    session.ask("Hello")
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            session.ask("I am the child.")
        except SessionClosedError as error:
            os.write(writing, str(error).encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(writing)
    assert b"forked" in os.read(reading, 1000)
    os.close(reading)
    assert session.ask("Still me.").text == "You said: Hello / Still me."


@pytest.mark.parametrize("prompt", ["", "  \n"])
def test_an_empty_prompt_is_refused(session: ClaudeSession, connected: Any, prompt: str) -> None:
    with pytest.raises(UsageError, match="empty"):
        session.send(prompt)
    assert not connected.requests


@pytest.mark.parametrize(
    ("status", "kind", "error"),
    [
        (400, "invalid_request_error", ApiError),
        (401, "authentication_error", AuthenticationError),
        (403, "permission_error", AuthenticationError),
        (404, "not_found_error", ApiError),
        (429, "rate_limit_error", RateLimitError),
        (529, "overloaded_error", OverloadedError),
    ],
)
def test_an_api_error_is_typed_and_the_next_turn_works(
    session: ClaudeSession,
    connected: Any,
    status: int,
    kind: str,
    error: type[ApiError],
) -> None:
    no_retry = {"x-should-retry": "false"}
    connected.replies[:] = [Failure(status, kind, "made up", no_retry)] * 12
    with pytest.raises(error) as caught:
        session.ask("Hello")
    assert caught.value.status == status
    assert str(status) in str(caught.value)
    connected.replies.clear()
    assert session.ask("Again").text.endswith("Again")


def _cut_when_seen(session: ClaudeSession, connected: Any, before: str, *after: Any) -> list[Any]:
    """Cut a stream when its last word has been shown, and return the turn's events."""
    seen = threading.Event()
    *blocks, last = before.split("|")
    connected.replies += [Reply.of(*blocks, Text(last), Hold(seen), Cut()), Reply.of(*after)]
    events = []
    for event in session.send("Say it."):
        events.append(event)
        if isinstance(event, TextDelta) and last.endswith(event.text):
            seen.set()
    return events


def _read(events: list[Any]) -> dict[int, str]:
    """Return what a reader sees of each block in the end."""
    blocks: dict[int, str] = {}
    for event in events:
        if isinstance(event, TextDelta):
            blocks[event.block] = blocks.get(event.block, "") + event.text
        elif isinstance(event, TextWithdrawn):
            blocks.pop(event.block)
    return blocks


def test_a_cut_stream_says_each_word_once(session: ClaudeSession, connected: Any) -> None:
    events = _cut_when_seen(session, connected, "a b ", "a b c")
    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == "a b c"
    assert not any(isinstance(event, TextWithdrawn) for event in events)


def test_a_cut_stream_that_is_said_differently_is_withdrawn_first(
    session: ClaudeSession,
    connected: Any,
) -> None:
    events = _cut_when_seen(session, connected, "a b ", "x y z")
    assert _read(events) == {0: "x y z"}
    assert events[-1].text == "x y z"


def test_a_cut_behind_a_whole_block_keeps_the_block(
    session: ClaudeSession,
    connected: Any,
) -> None:
    # Claude Code lets the model go on behind what is complete, and forgets the rest.
    events = _cut_when_seen(session, connected, "A whole block.|a b ", "x y", "z")
    assert _read(events) == {0: "A whole block.", 1: "x y", 2: "z"}
    assert events[-1].text == "A whole block.\n\nx y\n\nz"


def test_a_binary_that_does_not_start_is_a_clear_error(
    connected: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    broken = tmp_path / "claude"
    broken.write_text("#!/bin/sh\necho 'no such library' >&2\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setattr(client, "claude_program", lambda: broken)
    session = ClaudeSession()
    with pytest.raises(StartError, match="did not start"):
        session.connect()
    assert session.state is SessionState.LOST
    session.close()


def test_a_blocking_call_on_the_loop_thread_is_refused(session: ClaudeSession) -> None:
    async def wrong() -> None:
        session.connect()

    with pytest.raises(SessionError, match="loop thread"):
        loop_thread().run(wrong())


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        ("effort", "huge", "'low'"),
        ("permission_mode", "yolo", "'default'"),
        ("cwd", "/does/not/exist", "exists"),
        ("tools", "Read", "list"),
        ("model", "  ", "non-empty"),
        ("modle", "x", "model"),
    ],
)
def test_an_impossible_option_is_refused_with_those_that_are_possible(
    option: str,
    value: object,
    told: str,
) -> None:
    with pytest.raises(OptionError, match=told) as caught:
        ClaudeSession(**cast("Any", {option: value}))
    assert option in str(caught.value)


def test_the_costs_of_turns_add_up_also_across_a_resume(session: ClaudeSession) -> None:
    costs = [session.ask("Hello").cost_usd, session.ask("Hello").cost_usd]
    session.disconnect()
    costs.append(session.ask("Hello").cost_usd)
    assert all(cost > 0 for cost in costs)
    assert session.status.cost_usd == pytest.approx(sum(costs))


def test_an_abandoned_disconnect_is_carried_through(session: ClaudeSession) -> None:
    session.ask("My name is Ada.")
    pids = list(session.pids or ())

    async def leave() -> None:
        leaving = asyncio.create_task(session.adisconnect())
        await asyncio.sleep(0)
        leaving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await leaving

    asyncio.run(leave())
    assert wait_until_gone(pids, within_s=5) == []
    assert session.ask("Who?").text == "You said: My name is Ada. / Who?"


def test_a_prompt_right_behind_a_disconnect_waits_for_it(session: ClaudeSession) -> None:
    for number in range(5):
        session.start_disconnecting()
        assert session.ask(str(number)).text.endswith(str(number))


def test_connecting_and_ending_at_once_leave_no_process(connected: Any) -> None:
    for _ in range(5):
        session = ClaudeSession()
        session.start_connecting()
        session.start_disconnecting()
        session.start_connecting()
        closed = session.start_closing()
        session.start_disconnecting()
        closed.result(20)
        assert session.state is SessionState.CLOSED
        assert session.pids is None


def test_a_disconnect_while_connecting_is_told_to_who_waits(connected: Any) -> None:
    async def connect() -> None:
        session = ClaudeSession()
        waiting = asyncio.create_task(session.aconnect())
        await asyncio.sleep(0)
        await session.adisconnect()
        with pytest.raises(StartError, match="disconnected"):
            await waiting
        await session.aclose()

    asyncio.run(connect())


def test_a_session_whose_transcript_is_missing_starts_again(connected: Any) -> None:
    with ClaudeSession(keep_transcript=False) as session:
        session.ask("a")
        session.disconnect()
        assert session.ask("b").text == "You said: b"
        assert session.pids is not None
        os.kill(session.pids[1], signal.SIGKILL)
        assert session.ask("c").text == "You said: c"


def test_a_prompt_killed_on_its_way_is_asked_again(session: ClaudeSession, connected: Any) -> None:
    session.ask("a")
    connected.replies.append(Reply.of(Text("half "), Hold(threading.Event())))
    turn = session.send("b")
    events: list[Any] = []
    for event in turn:
        if isinstance(event, TextDelta) and not any(isinstance(e, TextDelta) for e in events):
            assert session.pids is not None
            os.kill(session.pids[1], signal.SIGKILL)
        events.append(event)
    assert _read(events) == {0: "You said: a / b"}
    assert turn.result().recovered
    assert session.ask("c").text == "You said: a / b / c"


def _kill_in_mid_text(session: ClaudeSession, turn: Any) -> None:
    """Kill Claude Code at the turn's first word."""
    killed: list[int] = []

    def kill(event: object) -> None:
        if isinstance(event, TextDelta) and session.pids and not killed:
            killed.append(session.pids[1])
            os.kill(session.pids[1], signal.SIGKILL)

    turn.subscribe(kill)


def test_what_was_stopped_before_its_first_word_stays_behind_a_crash(
    session: ClaudeSession,
    connected: Any,
) -> None:
    session.ask("a")
    connected.replies.append(Reply.of(Hold(threading.Event()), Text("never")))
    stopped = session.send("b")
    connected.server.wait_for_requests(2)
    stopped.interrupt()
    with pytest.raises(TurnInterruptedError):
        stopped.result()
    connected.replies.append(Reply.of(Text("half "), Hold(threading.Event())))
    turn = session.send("c")
    _kill_in_mid_text(session, turn)
    # Claude Code may send two prompts with no answer between them as one message.
    assert turn.result().text.replace("\n\n", " / ") == "You said: a / b / c"


def test_what_is_told_is_told_once_behind_a_crash(session: ClaudeSession, connected: Any) -> None:
    session.ask("a")
    connected.replies.append(Reply.of(Text("half "), Hold(threading.Event())))
    turn = session.send("d", [Told("user", "b"), Told("assistant", "c")])
    _kill_in_mid_text(session, turn)
    assert turn.result().text == "You said: a / b / d"


def test_a_branch_has_what_was_said_when_it_was_made(
    session: ClaudeSession,
    connected: Any,
) -> None:
    before = session.fork()
    session.ask("a")
    with before, session.fork() as one, session.fork() as fails:
        of_branch = one.fork()
        connected.replies.append(Reply.of(Text("half "), Hold(gate := threading.Event())))
        turn = session.send("b")
        connected.server.wait_for_requests(2)
        meanwhile = session.fork()
        gate.set()
        turn.result()
        session.ask("c")
        assert before.ask("x").text == "You said: x"
        assert one.ask("x").text == "You said: a / x"
        with of_branch, meanwhile, one.fork() as another:
            assert of_branch.ask("y").text == "You said: a / y"
            assert meanwhile.ask("y").text == "You said: a / y"
            one.ask("z")
            assert another.ask("y").text == "You said: a / x / y"
        # A branch that is killed in its first turn begins at the same place again.
        connected.replies.append(Reply.of(Text("half "), Hold(threading.Event())))
        turn = fails.send("x")
        _kill_in_mid_text(fails, turn)
        assert turn.result().text == "You said: a / x"
    assert session.ask("d").text == "You said: a / b / c / d"


def test_a_branch_made_in_the_first_turn_has_nothing_of_it(
    session: ClaudeSession,
    connected: Any,
) -> None:
    connected.replies.append(Reply.of(Text("half "), Hold(gate := threading.Event())))
    turn = session.send("a")
    connected.server.wait_for_requests(1)
    with session.fork() as branch:
        assert branch.ask("x").text == "You said: x"
    gate.set()
    turn.result()


def test_a_branch_of_a_parked_conversation_goes_its_own_way(session: ClaudeSession) -> None:
    session.ask("a")
    session.disconnect()
    with session.fork() as branch:
        session.ask("b")
        assert branch.ask("x").text == "You said: a / x"
    session.disconnect()
    with ClaudeSession(resume=session.status.session_id) as again, again.fork() as branch:
        again.ask("c")
        assert branch.ask("x").text == "You said: a / b / x"


def test_what_a_tool_did_is_not_done_again(
    connected: Any,
    tmp_path: Path,
) -> None:
    (tmp_path / "notes.txt").write_text("quokka")
    with ClaudeSession(tools=["Read"], cwd=tmp_path) as session:
        session.ask("a")
        connected.replies += [
            Reply.of(ToolUse("Read", {"file_path": str(tmp_path / "notes.txt")})),
            Reply.of(Text("It says "), Hold(threading.Event())),
        ]
        turn = session.send("b")

        def kill(event: object) -> None:
            if isinstance(event, TextDelta) and session.pids:
                os.kill(session.pids[1], signal.SIGKILL)

        turn.subscribe(kill)
        with pytest.raises(ConnectionLostError, match="SIGKILL"):
            turn.result()
        started = next(iter(session.send("c")))
        assert isinstance(started, TurnStarted)
        assert started.recovered


def test_a_frozen_process_is_replaced_and_the_answer_comes(
    session: ClaudeSession,
    connected: Any,
) -> None:
    session.ask("a")
    assert session.pids is not None
    os.kill(session.pids[1], signal.SIGSTOP)
    began = time.monotonic()
    assert session.ask("b").text == "You said: a / b"
    elapsed_s = time.monotonic() - began
    print(f"frozen process: answer after {elapsed_s:.1f} s")  # noqa: T201 - the figure
    assert elapsed_s < 10


def test_only_who_is_quiet_is_asked_for_a_sign_of_life(
    session: ClaudeSession,
    connected: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    heard_s = [time.monotonic()]
    quiet_s: list[float] = []
    ping = client.Client.ping

    async def noted(asked: client.Client) -> None:
        quiet_s.append(time.monotonic() - heard_s[-1])
        await ping(asked)

    monkeypatch.setattr(client.Client, "ping", noted)
    speaking = [part for _ in range(45) for part in (Text("so "), Pause(0.05))]
    connected.replies.append(Reply.of(*speaking, Pause(1.5 * PING_AFTER_S), Text("there")))
    turn = session.send("Tell me.")
    turn.subscribe(lambda _: heard_s.append(time.monotonic()))
    turn.result()
    assert quiet_s
    assert min(quiet_s) > 0.9 * PING_AFTER_S


def test_what_always_dies_is_left_alone_in_the_end(session: ClaudeSession, connected: Any) -> None:
    session.ask("a")

    def die(request: Any) -> Reply:
        assert session.pids is not None
        os.kill(session.pids[1], signal.SIGKILL)
        return Reply.of(Hold(threading.Event()))

    connected.replies[:] = [die] * 20
    with pytest.raises(RestartLimitError, match="5 times within 3 minutes"):
        session.ask("b")
    assert len(connected.requests) == 7
    assert session.state is SessionState.LOST


def test_what_dies_before_its_first_prompt_is_left_alone_in_the_end(
    connected: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # It answers the handshake, and is gone before it can be sent anything.
    program = tmp_path / "claude"
    program.write_text(_GREETS_AND_DIES)
    program.chmod(0o755)
    monkeypatch.setattr(client, "claude_program", lambda: program)
    with ClaudeSession() as session:
        with pytest.raises(RestartLimitError):
            session.send("a").result()
        assert len((tmp_path / "starts").read_text()) == 6
    assert connected.requests == []


_GREETS_AND_DIES = f"""#!{sys.executable}
import json, pathlib, sys
with (pathlib.Path(__file__).parent / "starts").open("a") as starts:
    starts.write(".")
request = json.loads(sys.stdin.readline())
response = {{"subtype": "success", "request_id": request["request_id"], "response": {{}}}}
print(json.dumps({{"type": "control_response", "response": response}}), flush=True)
"""


def test_the_deadline_of_a_turn_that_is_asked_again_stays(connected: Any) -> None:
    with ClaudeSession(deadline_s=4.0) as session:
        session.ask("a")
        slow = Reply.of(Text("half "), Pause(2), Text("more "), Hold(threading.Event()))
        connected.replies[:] = [slow] * 2
        turn = session.send("b")
        seen = threading.Event()
        turn.subscribe(lambda event: seen.set() if event == TextDelta("more ", 0) else None)
        assert seen.wait(20)
        assert session.pids is not None
        killed_s = time.monotonic()
        os.kill(session.pids[1], signal.SIGKILL)
        with pytest.raises(TurnTimeoutError, match="within 4 s"):
            turn.result()
        assert time.monotonic() - killed_s < 3.5


def test_a_turn_may_have_a_deadline(connected: Any) -> None:
    connected.replies.append(Reply.of(Text("Well, "), Hold(threading.Event())))
    with ClaudeSession(deadline_s=1.0) as session:
        with pytest.raises(TurnTimeoutError, match="within 1 s") as caught:
            session.ask("a")
        assert caught.value.partial_text.strip() == "Well,"
        assert session.ask("b").text.endswith("b")


def test_a_budget_ends_in_a_clear_error(connected: Any) -> None:
    with ClaudeSession(budget_usd=0.000_001) as session:
        with contextlib.suppress(TurnLimitError):
            session.ask("a")
        with pytest.raises(TurnLimitError, match=r"\d"):
            session.ask("b")


def test_a_budget_holds_what_was_spent_by_earlier_processes(
    connected: Any,
    tmp_path: Path,
) -> None:
    (tmp_path / "a").write_text("x")
    call = Reply.of(ToolUse("Read", {"file_path": str(tmp_path / "a")}))
    with ClaudeSession(tools=["Read"], cwd=tmp_path) as session:
        spent_usd = session.ask("a").cost_usd
        connected.replies += [call] * 5
        with pytest.raises(TurnLimitError, match="the answer was stopped"):
            session.send(
                "b",
                options=session.options.but(budget_usd=spent_usd + 1e-6),
            ).result()
        assert len(connected.requests) == 2


def test_a_listener_that_raises_does_not_stop_the_session(
    session: ClaudeSession,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(_: object) -> None:
        raise RuntimeError("made up")

    session.subscribe(fail)
    turn = session.send("a")
    turn.subscribe(fail)
    assert turn.result().text == "You said: a"
    assert session.ask("b").text == "You said: a / b"
    assert "made up" in caplog.text


def test_a_prompt_that_is_not_json_is_refused(session: ClaudeSession, connected: Any) -> None:
    with pytest.raises(UsageError, match="not JSON"):
        session.send([{"type": "text", "text": b"x"}])
    assert session.ask("a").text == "You said: a"


def test_a_turn_keeps_its_session(connected: Any) -> None:
    assert ClaudeSession().send("a").result().text == "You said: a"


def test_a_first_start_that_failed_is_no_recovery(connected: Any, tmp_path: Path) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    session = ClaudeSession(cwd=folder)
    folder.rmdir()
    with pytest.raises(StartError):
        session.connect()
    folder.mkdir()
    assert not session.ask("a").recovered
    session.close()


def test_a_relative_directory_stays_where_it_was(
    connected: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "data" / "data").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    with ClaudeSession(cwd=Path("data")) as session:
        monkeypatch.chdir(tmp_path / "data")
        session.ask("a")
    assert f"{tmp_path / 'data'}\\n" in json.dumps(connected.requests[-1].body)


def test_a_cleared_temporary_folder_is_made_again(session: ClaudeSession) -> None:
    session.ask("a")
    assert guard._folder is not None  # noqa: SLF001 - what a cleaner of /tmp would find
    shutil.rmtree(guard._folder)  # noqa: SLF001
    session.disconnect()
    assert session.ask("b").text == "You said: a / b"


def test_a_refused_key_fails_at_once(session: ClaudeSession, connected: Any) -> None:
    refuse = Failure(401, "authentication_error", "invalid x-api-key")
    connected.replies[:] = [refuse] * 20
    with pytest.raises(AuthenticationError, match="401"):
        session.ask("Hello")
    assert len(connected.requests) <= 3
    assert "401" in session.status.reason
    connected.replies.clear()
    assert session.ask("Again").text.endswith("Again")
    assert not session.status.reason
