"""Calls that share a process: what reaches the API is what a process of their own would send."""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from claude_agent_sdk import ClaudeSDKClient
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from pydantic import BaseModel
from support.processes import wait_until_gone

from claude_magic import ClaudeCodeChatModel, ClaudeSession
from claude_magic.chat_model import spare as spare_module
from claude_magic.chat_model.places import MAX_PROCESSES
from claude_magic.errors import RateLimitError, UsageError
from claude_magic.session import SessionState
from claude_magic.tape import Failure, Hold, Reply, Text, Thinking, ToolUse

from .conftest import IMAGE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from langchain_core.runnables import Runnable

_TOLD = [SystemMessage("Be brief."), HumanMessage("a"), AIMessage("b"), HumanMessage("c")]

_CALLS: dict[str, tuple[dict[str, Any], Any]] = {
    "prompt": ({}, "Hello"),
    "system prompt": ({"system_prompt": "Be kind."}, "Hello"),
    "history": ({}, _TOLD),
    "image": ({}, [HumanMessage([{"type": "text", "text": "What is it?"}, IMAGE])]),
    "sampling": ({"temperature": 0.3, "stop": ["END"], "max_tokens": 321}, "Hello"),
    "effort": ({"effort": "low"}, "Hello"),
    "thinking": ({"thinking": {"type": "enabled", "budget_tokens": 2048}}, "Hello"),
}


@pytest.fixture
def model(connected: Any) -> Iterator[ClaudeCodeChatModel]:
    model = ClaudeCodeChatModel(reuse_processes=True)
    yield model
    model._spares.close()  # noqa: SLF001 - nobody else sees them


def _until(look: Callable[[], Sequence[ClaudeSession]], count: int) -> Sequence[ClaudeSession]:
    deadline_s = time.monotonic() + 20
    while len(seen := look()) != count:
        assert time.monotonic() < deadline_s, seen
        time.sleep(0.05)
    return seen


def _assert_alike(connected: Any) -> None:
    """Check that the process which served before asked as the new one did."""
    *_, again, new = connected.requests
    assert connected.requests[0].session_id == again.session_id != new.session_id
    again.body["metadata"] = new.body["metadata"] = None
    assert again.body == new.body
    assert "wombat" not in str(again.body)


@pytest.mark.parametrize("call", _CALLS)
def test_a_process_that_served_asks_as_a_new_one_does(connected: Any, call: str) -> None:
    """Byte for byte; only the session's id, by which the API tells who asks, stays the same."""
    parameters, messages = _CALLS[call]
    model = ClaudeCodeChatModel(reuse_processes=True, **parameters)
    connected.replies.append(Reply.of(Thinking("The wombat is 7.", "c2ln"), "A wombat is 7."))
    system = messages[:1] if messages is _TOLD else []
    model.invoke([*system, *_TOLD[1:3], HumanMessage("Remember that the wombat is 7.")])
    model.invoke(messages)
    model._spares.close()  # noqa: SLF001
    ClaudeCodeChatModel(**parameters, warm_spare=False).invoke(messages)
    _assert_alike(connected)


def weather(city: str) -> str:
    """Tell the weather of a city."""
    return city


class Animal(BaseModel):
    """An animal."""

    name: str


_BOUND: dict[str, Callable[[ClaudeCodeChatModel], Runnable[Any, Any]]] = {
    "tools": lambda model: model.bind_tools([weather]),
    "json_schema": lambda model: model.with_structured_output(Animal),
    "function_calling": lambda model: model.with_structured_output(
        Animal, method="function_calling"
    ),
}


@pytest.mark.parametrize("bound", _BOUND)
def test_so_it_does_with_tools_and_schemas(cooperative: Any, bound: str) -> None:
    model = ClaudeCodeChatModel(reuse_processes=True)
    for prompt in ("Remember the wombat.", "Hello"):
        assert _BOUND[bound](model).invoke(prompt)
    model._spares.close()  # noqa: SLF001
    assert _BOUND[bound](ClaudeCodeChatModel(warm_spare=False)).invoke("Hello")
    _assert_alike(cooperative)


def test_the_answers_that_do_not_meet_a_schema_are_counted_for_each_call(cooperative: Any) -> None:
    model = ClaudeCodeChatModel(reuse_processes=True).with_structured_output(Animal)
    for number in range(12):
        cooperative.replies.append(Reply.of(ToolUse("StructuredOutput", {"wrong": number})))
        assert model.invoke("Hello") == Animal(name="a name")
    assert len({request.session_id for request in cooperative.requests}) == 1


def test_a_batch_takes_as_many_processes_as_answer_at_a_time(
    model: ClaudeCodeChatModel, connected: Any
) -> None:
    prompts = [f"Number {number} is secret." for number in range(24)]
    answers = model.batch([*prompts], config={"max_concurrency": 3})
    assert [answer.text for answer in answers] == [f"You said: {prompt}" for prompt in prompts]
    assert len({request.session_id for request in connected.requests}) <= 3
    for request in connected.requests:
        assert str(request.body).count("is secret") == 1


@pytest.mark.parametrize("how", ["invoke", "ainvoke", "stream"])
async def test_calls_in_a_row_have_one_process(
    model: ClaudeCodeChatModel, connected: Any, how: str
) -> None:
    for prompt in ("a", "b", "c"):
        if how == "invoke":
            model.invoke(prompt)
        elif how == "ainvoke":
            await model.ainvoke(prompt)
        else:
            assert "".join(chunk.text for chunk in model.stream(prompt)) == f"You said: {prompt}"
    assert [request.prompt for request in connected.requests] == ["a", "b", "c"]
    assert len({request.session_id for request in connected.requests}) == 1


def test_the_steps_of_a_chain_keep_a_process_each(
    model: ClaudeCodeChatModel, connected: Any
) -> None:
    for number in range(3):
        for system in ("Draw up.", "Check."):
            model.invoke([SystemMessage(system), HumanMessage(f"{number}")])
    assert len({request.session_id for request in connected.requests}) == 2
    for number in range(6):  # more than are kept
        model.invoke("Hello", stop=[f"{number}"])
    assert len(model._spares.ready) <= MAX_PROCESSES  # noqa: SLF001
    calls = [[SystemMessage(f"{number}"), HumanMessage("Hello")] for number in range(8)]
    model.batch([*calls], config={"max_concurrency": 4})
    assert len(model._spares.ready) <= MAX_PROCESSES  # noqa: SLF001


def test_a_call_that_went_wrong_takes_its_process_with_it(
    model: ClaudeCodeChatModel, connected: Any
) -> None:
    no_retry = {"x-should-retry": "false"}
    connected.replies.append(Failure(429, "rate_limit_error", "slow down", no_retry))
    with pytest.raises(RateLimitError):
        model.invoke("a")
    connected.replies.append(Reply((Text("one two"),), stop_reason="max_tokens"))
    model.invoke("b", max_tokens=2)
    for chunk in model.stream("c"):
        if chunk.text:
            break  # a stream that is left
    model.invoke("d")
    sessions = {request.prompt: request.session_id for request in connected.requests}
    assert len(set(sessions.values())) == 4


def test_a_process_with_tools_serves_once(connected: Any) -> None:
    model = ClaudeCodeChatModel(reuse_processes=True, tools=["Read"], warm_spare=False)
    for prompt in ("a", "b"):
        model.invoke(prompt)
        assert model._spares.ready == ()  # noqa: SLF001
    first, second = connected.requests
    assert first.session_id != second.session_id


def test_claude_code_that_cannot_forget_is_replaced(
    model: ClaudeCodeChatModel, connected: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = ClaudeSDKClient.connect

    async def without_rewind(client: Any, *arguments: Any) -> None:
        await connect(client, *arguments)
        ask = client._query._send_control_request  # noqa: SLF001

        async def refuse(request: dict[str, Any], *arguments: Any) -> Any:
            if request["subtype"] == "rewind_conversation":
                raise Exception("Unsupported control request")  # noqa: TRY002 - as the SDK does
            return await ask(request, *arguments)

        client._query._send_control_request = refuse  # noqa: SLF001

    monkeypatch.setattr(ClaudeSDKClient, "connect", without_rewind)
    model.invoke("My name is Ada.")
    assert model.invoke("What is my name?").text == "You said: What is my name?"
    first, second = connected.requests
    assert first.session_id != second.session_id
    assert "Ada" not in str(second.body)


def test_whatever_goes_wrong_with_forgetting_nothing_is_told(
    model: ClaudeCodeChatModel, connected: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from claude_magic.session.sdk import Client  # noqa: PLC0415 - loads the SDK

    async def fail(*_: object) -> bool:
        raise AttributeError("not what was expected")

    monkeypatch.setattr(Client, "forget", fail)
    model.invoke("My name is Ada.")
    assert model.invoke("What is my name?").text == "You said: What is my name?"
    assert "Ada" not in str(connected.requests[1].body)


def test_claude_code_that_does_not_answer_is_replaced(
    model: ClaudeCodeChatModel, connected: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from claude_magic.session.sdk import Client  # noqa: PLC0415 - loads the SDK

    forget = Client.forget

    async def freeze(client: Client, *prompts: str) -> bool:
        assert client.pids is not None
        os.kill(client.pids[1], signal.SIGSTOP)
        return await forget(client, *prompts)

    monkeypatch.setattr("claude_magic.session.sdk.client.FORGET_TIMEOUT_S", 0.2)
    monkeypatch.setattr(Client, "forget", freeze)
    model.invoke("My name is Ada.")
    (session,) = model._spares.ready  # noqa: SLF001
    pids = session.pids
    assert model.invoke("What is my name?").text == "You said: What is my name?"
    assert "Ada" not in str(connected.requests[1].body)
    assert pids is not None
    assert wait_until_gone(pids, within_s=20) == []


def test_a_process_serves_so_many_calls(
    model: ClaudeCodeChatModel, connected: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spare_module, "MOST_CALLS", 2)
    for prompt in "abcd":
        model.invoke(prompt)
    sessions = [request.session_id for request in connected.requests]
    assert sessions[0] == sessions[1] != sessions[2] == sessions[3]


def test_a_forked_child_begins_with_processes_of_its_own(
    model: ClaudeCodeChatModel, connected: Any
) -> None:
    model.invoke("a")
    child = os.fork()
    if child == 0:
        answered = False
        with suppress(BaseException):
            answered = model.invoke("b").text == "You said: b"
            model._spares.close()  # noqa: SLF001
        os._exit(0 if answered else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert model.invoke("c").text == "You said: c"
    first, second, third = connected.requests
    assert first.session_id == third.session_id != second.session_id


def test_a_stream_that_the_garbage_collector_ends_gives_its_process_back(
    model: ClaudeCodeChatModel,
) -> None:
    """It may do so in the middle of whatever this thread does."""
    with model._spares._held():  # noqa: SLF001
        stream = model._stream([HumanMessage("a")])  # noqa: SLF001
        while not next(stream).message.response_metadata.get("stop_reason"):
            pass
        del stream
    assert len(model._spares.ready) == 1  # noqa: SLF001


def test_a_process_that_died_meanwhile_is_replaced(
    model: ClaudeCodeChatModel, connected: Any
) -> None:
    model.invoke("a")
    (session,) = model._spares.ready  # noqa: SLF001
    assert session.pids is not None
    os.kill(session.pids[1], signal.SIGKILL)
    assert model.invoke("b").text == "You said: b"
    assert "a" not in [turn.text for turn in connected.requests[-1].visible_turns]


def test_of_several_processes_one_is_kept(
    model: ClaudeCodeChatModel, connected: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class AllAsked:
        def is_set(self) -> bool:
            return len(connected.requests) == 3

    connected.replies += [Reply.of(Hold(AllAsked()), "x")] * 3
    monkeypatch.setattr(spare_module, "CROWD_KEPT_S", 0.3)
    model.batch(list("abc"), config={"max_concurrency": 3})
    sessions = {session.pids: session for session in model._spares.ready}  # noqa: SLF001
    assert len(sessions) == 3
    (kept,) = _until(lambda: model._spares.ready, count=1)  # noqa: SLF001
    assert kept.state.live
    closed = [pids for pids, session in sessions.items() if session is not kept and pids]
    assert wait_until_gone([pid for pids in closed for pid in pids], within_s=20) == []
    assert model.invoke("d").text == "You said: d"
    assert model._spares.ready == (kept,)  # noqa: SLF001


def test_the_last_process_is_kept_for_a_while(
    model: ClaudeCodeChatModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spare_module, "KEPT_S", 0.3)
    model.invoke("a")
    (session,) = model._spares.ready  # noqa: SLF001
    assert session.pids is not None
    assert wait_until_gone(session.pids, within_s=20) == []
    assert model._spares.ready == ()  # noqa: SLF001


def test_a_session_forgets_behind_the_turns_that_were_sent_before(connected: Any) -> None:
    with ClaudeSession(keep_transcript=False) as session:
        first = session.send("My name is Ada.")
        cleared = session.start_clearing()
        second = session.send("What is my name?")
        assert first.result().text == "You said: My name is Ada."
        assert second.result().text == "You said: What is my name?"
        cleared.result()
        assert session.status.turns == 2
    assert [turn.text for turn in connected.requests[-1].visible_turns] == ["What is my name?"]
    assert connected.requests[0].session_id == connected.requests[1].session_id


def test_a_session_that_forgets_while_it_connects_goes_on(connected: Any) -> None:
    with ClaudeSession(keep_transcript=False) as session:
        session.ask("My name is Ada.")
        assert session.pids is not None
        os.kill(session.pids[1], signal.SIGKILL)
        turn = session.send("Hello")
        reached = threading.Event()
        session.subscribe(
            lambda status: reached.set() if status.state is SessionState.CONNECTING else None
        )
        assert reached.wait(20)
        turn.interrupt()
        session.start_clearing().result()
        assert session.ask("What is my name?").text == "You said: What is my name?"
    assert "Ada" not in str(connected.requests[-1].body)


def test_what_is_kept_in_a_transcript_is_not_forgotten(connected: Any) -> None:
    with ClaudeSession() as session, pytest.raises(UsageError, match="begin a new one"):
        session.start_clearing()
