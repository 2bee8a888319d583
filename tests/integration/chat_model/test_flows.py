"""The chat model through the real Claude Code; what counts is the body that reaches the API."""

from __future__ import annotations

import asyncio
import copy
import gc
import os
import pickle
import re
import signal
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from pydantic import ValidationError
from support.processes import carriers, claude_codes, wait_until_gone

from claude_magic import ClaudeCodeChatModel, ClaudeSession
from claude_magic.chat_model.places import MAX_PROCESSES
from claude_magic.chat_model.settings import INSTEAD
from claude_magic.errors import NotLoggedInError, RateLimitError, UsageError
from claude_magic.tape import Failure, Reply

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def continuous(connected: Any) -> Iterator[ClaudeCodeChatModel]:
    with ClaudeCodeChatModel(use_continuous_session=True) as model:
        yield model


def _said(request: Any) -> list[tuple[str, str]]:
    return [(turn.role, turn.text) for turn in request.visible_turns]


def test_calls_know_nothing_of_each_other(connected: Any) -> None:
    model = ClaudeCodeChatModel()
    assert model.invoke("My name is Ada.").text == "You said: My name is Ada."
    assert model.invoke("What is my name?").text == "You said: What is my name?"
    first, second = connected.requests
    assert "Ada" not in str(second.body)
    assert first.session_id != second.session_id


def test_a_conversation_is_sent_in_its_own_roles(connected: Any) -> None:
    ClaudeCodeChatModel(system_prompt="Be kind.").invoke(
        [
            SystemMessage("Be brief."),
            HumanMessage("a"),
            AIMessage("b"),
            HumanMessage("c"),
        ],
    )
    (request,) = connected.requests
    assert _said(request) == [("user", "a"), ("assistant", "b"), ("user", "c")]
    assert "Be brief.\n\nBe kind." in request.system
    assert request.tools == ()


def test_a_prompt_with_at_or_slash_is_only_a_prompt(connected: Any) -> None:
    model = ClaudeCodeChatModel()
    model.invoke("/cost")
    model.invoke("What is in @/etc/hostname ?")
    assert [request.prompt for request in connected.requests] == [
        "/cost",
        "What is in @/etc/hostname ?",
    ]


def test_usage_and_metadata_come_with_the_answer(connected: Any) -> None:
    answer = ClaudeCodeChatModel().invoke("Hello")
    assert answer.usage_metadata is not None
    assert answer.usage_metadata["output_tokens"] > 0
    assert answer.response_metadata["model_name"]
    assert answer.response_metadata["stop_reason"] == "end_turn"
    assert answer.response_metadata["cost_usd"] > 0


def test_streams_add_up_to_the_answer(connected: Any) -> None:
    connected.replies += [Reply.of("one two three")] * 2
    model = ClaudeCodeChatModel()
    chunks = list(model.stream("Count."))
    assert len(chunks) > 2
    assert "".join(chunk.text for chunk in chunks) == "one two three"
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole += chunk
    assert whole.usage_metadata is not None

    async def count() -> str:
        return "".join([chunk.text async for chunk in model.astream("Count.")])

    assert asyncio.run(count()) == "one two three"


def test_it_works_inside_a_running_event_loop(connected: Any) -> None:
    async def both() -> tuple[str, str]:
        model = ClaudeCodeChatModel()
        return model.invoke("sync").text, (await model.ainvoke("async")).text

    assert asyncio.run(both()) == ("You said: sync", "You said: async")


def test_a_batch_keeps_its_order(connected: Any) -> None:
    answers = ClaudeCodeChatModel().batch(["a", "b", "c"], config={"max_concurrency": 2})
    assert [answer.text for answer in answers] == ["You said: a", "You said: b", "You said: c"]


def test_a_continuous_session_keeps_the_context_until_it_is_disconnected(connected: Any) -> None:
    model = ClaudeCodeChatModel(use_continuous_session=True)
    model.connect()
    model.invoke("My name is Ada.")
    assert model.invoke("What is my name?").text == "You said: My name is Ada. / What is my name?"
    assert model.session is not None
    pids = list(model.session.pids or ())
    model.disconnect()
    model.disconnect()
    assert wait_until_gone(pids, within_s=2) == []
    assert model.invoke("What is my name?").text == "You said: What is my name?"
    model.disconnect()


def test_the_context_managers_connect_and_disconnect(connected: Any) -> None:
    with ClaudeCodeChatModel(use_continuous_session=True) as model:
        assert model.session is not None
        pids = list(model.session.pids or ())
        assert len(pids) == 2
    assert wait_until_gone(pids, within_s=2) == []

    async def talk() -> None:
        async with ClaudeCodeChatModel(use_continuous_session=True) as model:
            assert model.session is not None
            pids = list(model.session.pids or ())
            await model.ainvoke("Hello")
            raise_later.append(model)
            raise RuntimeError(str(pids))

    raise_later: list[ClaudeCodeChatModel] = []
    with pytest.raises(RuntimeError) as caught:
        asyncio.run(talk())
    pids = [int(pid) for pid in str(caught.value).strip("[]").split(",")]
    assert wait_until_gone(pids, within_s=2) == []
    assert raise_later[0].session is None


def test_a_history_that_the_session_knows_is_not_sent_again(
    continuous: ClaudeCodeChatModel,
    connected: Any,
) -> None:
    first = continuous.invoke([HumanMessage("a")])
    continuous.invoke([HumanMessage("a"), first, HumanMessage("b")])
    assert _said(connected.requests[-1]) == [
        ("user", "a"),
        ("assistant", "You said: a"),
        ("user", "b"),
    ]


def test_a_history_that_contradicts_the_session_is_refused(
    continuous: ClaudeCodeChatModel,
    connected: Any,
) -> None:
    continuous.invoke("a")
    with pytest.raises(UsageError, match="contradict"):
        continuous.invoke([HumanMessage("x"), AIMessage("y"), HumanMessage("z")])
    assert len(connected.requests) == 1


def test_models_in_parallel_never_mix(connected: Any) -> None:
    async def talk(name: str) -> str:
        async with ClaudeCodeChatModel(use_continuous_session=True) as model:
            await model.ainvoke(f"I am {name}.")
            return (await model.ainvoke("Who am I?")).text

    async def all_of_them() -> list[str]:
        return await asyncio.gather(*(talk(name) for name in ("Ada", "Emmy", "Sofia")))

    assert asyncio.run(all_of_them()) == [
        f"You said: I am {name}. / Who am I?" for name in ("Ada", "Emmy", "Sofia")
    ]


def test_an_api_error_raises(connected: Any) -> None:
    connected.replies.append(
        Failure(429, "rate_limit_error", "slow down", {"x-should-retry": "false"}),
    )
    with pytest.raises(RateLimitError):
        ClaudeCodeChatModel().invoke("Hello")


@pytest.mark.parametrize(
    "messages",
    [
        [],
        [SystemMessage("Only a system message.")],
        [HumanMessage("a"), AIMessage("b")],
        [AIMessage("a"), HumanMessage("b")],
        [HumanMessage("a"), SystemMessage("b"), HumanMessage("c")],
        [HumanMessage([{"type": "audio", "base64": "AAAA", "mime_type": "audio/wav"}])],
        [HumanMessage([{"type": "video", "url": "https://example.org/v.mp4"}])],
    ],
)
def test_messages_that_make_no_conversation_are_refused(
    connected: Any,
    messages: list[Any],
) -> None:
    with pytest.raises(UsageError):
        ClaudeCodeChatModel().invoke(messages)
    assert not connected.requests


def test_unknown_parameters_are_refused(connected: Any) -> None:
    with pytest.raises(ValidationError, match="nonsense"):
        ClaudeCodeChatModel(nonsense=1)  # type: ignore[call-arg]
    with pytest.raises(UsageError, match="nonsense"):
        ClaudeCodeChatModel().invoke("Hello", nonsense=1)
    for name, instead in INSTEAD.items():
        with pytest.raises(UsageError, match=re.escape(f"{name} is not a parameter")) as caught:
            ClaudeCodeChatModel(**{name: 1})
        assert instead in str(caught.value)
        with pytest.raises(UsageError, match=re.escape(instead)):
            ClaudeCodeChatModel().bind(**{name: 1}).invoke("Hello")
    with pytest.raises(UsageError, match="use_continuous_session"):
        ClaudeCodeChatModel().connect()
    assert not connected.requests


def test_a_system_message_may_come_first_in_a_connected_session(
    continuous: ClaudeCodeChatModel,
    connected: Any,
) -> None:
    brief = SystemMessage("Be brief.")
    first = continuous.invoke([brief, HumanMessage("a")])
    continuous.invoke([brief, HumanMessage("a"), first, HumanMessage("b")])
    assert "Be brief." in connected.requests[-1].system
    # Another one holds from then on, and the conversation goes on.
    continuous.invoke([SystemMessage("Be long."), HumanMessage("c")])
    request = connected.requests[-1]
    assert "Be long." in request.system
    assert "Be brief." not in request.system
    assert [text for _, text in _said(request)][::2] == ["a", "b", "c"]
    continuous.invoke("d")
    assert "Be long." in connected.requests[-1].system


def test_a_copy_has_a_conversation_of_its_own(continuous: ClaudeCodeChatModel) -> None:
    continuous.invoke("I am Ada.")
    for twin in (
        copy.copy(continuous),
        copy.deepcopy(continuous),
        continuous.model_copy(),
        pickle.loads(pickle.dumps(continuous)),  # noqa: S301 - our own
    ):
        assert twin.session is None
        assert twin.invoke("Who am I?").text == "You said: Who am I?"
        twin.disconnect()
    assert continuous.invoke("Who am I?").text == "You said: I am Ada. / Who am I?"


def test_a_batch_does_not_start_a_process_for_each_prompt(connected: Any) -> None:
    peak: list[int] = []

    def reply(request: Any) -> Reply:
        peak.append(len(claude_codes(f"ANTHROPIC_BASE_URL={connected.server.url}")))
        return Reply.of(request.prompt)

    connected.replies[:] = [reply] * 10
    answers = asyncio.run(ClaudeCodeChatModel().abatch([str(number) for number in range(10)]))
    assert [answer.text for answer in answers] == [str(number) for number in range(10)]
    # And the one that serves the next call.
    assert 1 < max(peak) <= MAX_PROCESSES + 1


def test_a_failed_call_is_not_remembered(continuous: ClaudeCodeChatModel, connected: Any) -> None:
    first = continuous.invoke("a")
    connected.replies.append(
        Failure(429, "rate_limit_error", "slow down", {"x-should-retry": "false"}),
    )
    messages = [HumanMessage("a"), first, HumanMessage("b")]
    with pytest.raises(RateLimitError):
        continuous.invoke(messages)
    assert continuous.invoke(messages).text.endswith("b")


def test_a_continuous_session_survives_the_death_of_its_process(
    continuous: ClaudeCodeChatModel,
) -> None:
    continuous.invoke("My name is Ada.")
    assert continuous.session is not None
    assert continuous.session.pids is not None
    os.kill(continuous.session.pids[1], signal.SIGKILL)
    answer = continuous.invoke("What is my name?")
    assert answer.text == "You said: My name is Ada. / What is my name?"
    assert answer.response_metadata["recovered"]


def test_a_continuous_session_streams(continuous: ClaudeCodeChatModel, connected: Any) -> None:
    continuous.invoke("a")
    assert "".join(str(chunk.text) for chunk in continuous.stream("b")) == "You said: a / b"
    assert [text for _, text in _said(connected.requests[-1])][::2] == ["a", "b"]


def test_a_changed_parameter_reopens_the_conversation(
    continuous: ClaudeCodeChatModel,
    connected: Any,
) -> None:
    continuous.invoke("a")
    pids = continuous.session.pids if continuous.session else None
    continuous.invoke("b")
    assert continuous.session is not None
    assert continuous.session.pids == pids  # the same parameters, the same process
    continuous.invoke("c", temperature=0.1)
    body = connected.requests[-1].body
    assert body["temperature"] == 0.1
    assert continuous.invoke("d").text == "You said: a / b / c / d"
    assert "temperature" not in connected.requests[-1].body


def test_a_model_joins_a_session(connected: Any) -> None:
    with ClaudeSession() as session:
        session.ask("My name is Ada.")
        model = ClaudeCodeChatModel(session=session)  # type: ignore[call-arg]
        answer = model.invoke("What is my name?")
        assert answer.text == "You said: My name is Ada. / What is my name?"
        assert session.ask("Sure?").text.endswith("What is my name? / Sure?")
        # What the model heard is not sent again, also where the session has heard more since.
        again = model.invoke([HumanMessage("What is my name?"), answer, HumanMessage("And now?")])
        assert again.text.endswith("Sure? / And now?")
        asked = len(connected.requests)
        with pytest.raises(UsageError, match="temperature: a model that joins a session"):
            model.invoke("Hello", temperature=0.5)
        with pytest.raises(UsageError, match="give those to ClaudeSession"):
            ClaudeCodeChatModel(joined_session=session, max_tokens=5)
        assert len(connected.requests) == asked
        model.disconnect()
        assert session.state.live


def test_a_spare_serves_the_next_call_and_knows_nothing_of_the_last(connected: Any) -> None:
    model = ClaudeCodeChatModel()
    model.invoke("My name is Ada.")
    (spare,) = model._spares.ready  # noqa: SLF001 - nobody else sees it
    spare.connect()
    assert model.invoke("What is my name?").text == "You said: What is my name?"
    assert connected.requests[-1].session_id == spare.session_id
    # Another parameter needs another process.
    assert model.invoke("Hello", temperature=0.5).text == "You said: Hello"
    assert connected.requests[-1].body["temperature"] == 0.5


def test_a_spare_from_before_a_key_was_set_is_not_used(
    connected: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = ClaudeCodeChatModel(api_key=None)
    key = connected.server.token
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    with pytest.raises(NotLoggedInError):
        model.invoke("Hello")
    monkeypatch.setenv("ANTHROPIC_API_KEY", key)
    assert model.invoke("Hello").text == "You said: Hello"


def test_a_spare_ends_with_its_model(connected: Any) -> None:
    model = ClaudeCodeChatModel()
    model.invoke("Hello")
    (spare,) = model._spares.ready  # noqa: SLF001
    spare.connect()
    pids = list(spare.pids or ())
    assert len(pids) == 2
    del model, spare
    gc.collect()
    assert wait_until_gone(pids, within_s=5) == []


def test_fifty_sessions_opened_and_dropped_leave_nothing(connected: Any) -> None:
    mark = str(uuid.uuid4())
    for number in range(50):
        model = ClaudeCodeChatModel(use_continuous_session=True, environment={"FIFTY": mark})
        if number % 10 == 0:
            assert model.invoke("Hello").text == "You said: Hello"
        elif number % 2:
            model.connect()
        del model
    gc.collect()
    assert wait_until_gone(carriers(f"FIFTY={mark}"), within_s=10) == []


@pytest.mark.timeout(400)
def test_a_cluster_maps_prompts_over_the_model(connected: Any, sterile: dict[str, str]) -> None:
    from distributed import Client, LocalCluster  # noqa: PLC0415 - takes a second to load

    prompts = [f"prompt {number}" for number in range(100)]
    environment = {**sterile, **connected.environment}
    # A worker's threads share a machine's places for processes.
    with (
        LocalCluster(  # type: ignore[no-untyped-call]
            n_workers=2,
            threads_per_worker=2,
            processes=True,
            dashboard_address="127.0.0.1:0",
            host="127.0.0.1",
            env=environment,
        ) as cluster,
        Client(cluster) as client,  # type: ignore[no-untyped-call]
    ):
        model = ClaudeCodeChatModel()
        futures = client.map(lambda prompt: model.invoke(prompt).text, prompts)
        assert client.gather(futures) == [f"You said: {prompt}" for prompt in prompts]
