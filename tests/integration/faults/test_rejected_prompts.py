"""A prompt that the API never accepts leaves the conversation, in whatever way it came into it."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.messages import HumanMessage

from claude_magic import ClaudeCodeChatModel, ClaudeSession
from claude_magic.errors import ApiError, ContextTooLongError, PromptRejectedError
from claude_magic.session import SessionOptions, Told
from claude_magic.session.sdk.client import Client
from claude_magic.tape import Failure, MessagesRequest, Reply, ToolUse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from claude_magic.session.turn import Prompt

#: A prompt or a tool's result with this word is rejected for as long as it is in the conversation.
FORBIDDEN = "FORBIDDEN"

PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAf"
    "FcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def _image(text: str) -> list[dict[str, Any]]:
    source = {"type": "base64", "media_type": "image/png", "data": PIXEL}
    return [{"type": "text", "text": text}, {"type": "image", "source": source}]


@dataclass(frozen=True)
class Rejection:
    """One way to be rejected.

    Attributes
    ----------
    failure
        What the API answers.
    prompt
        What is asked.
    error
        The error that the turn fails with.
    """

    failure: Failure
    prompt: Prompt = f"{FORBIDDEN} words"
    error: type[ApiError] = PromptRejectedError


_INVALID = "invalid_request_error"

REJECTIONS = {
    "content filter": Rejection(
        Failure(400, _INVALID, "Output blocked by content filtering policy"),
    ),
    "image": Rejection(
        Failure(400, _INVALID, "Could not process image"),
        _image(f"{FORBIDDEN} picture"),
    ),
    "unsupported block": Rejection(
        Failure(422, _INVALID, "messages.2.content.0: unsupported"),
    ),
    "result of a tool": Rejection(
        Failure(400, _INVALID, "tool_result: Output blocked by content filtering policy"),
        "Run it.",
    ),
    "prompt too long": Rejection(
        Failure(400, _INVALID, "prompt is too long: 250000 tokens > 200000 maximum"),
        error=ContextTooLongError,
    ),
    "request too large": Rejection(
        Failure(413, "request_too_large", "Request exceeds the maximum size"),
        error=ContextTooLongError,
    ),
}


def _reject(api: Any, rejection: Rejection) -> None:
    """Have the API reject each request that holds the word, and answer others as ever."""
    answer = api.otherwise

    def otherwise(request: MessagesRequest) -> Reply | Failure:
        if FORBIDDEN in str(request.body["messages"]):
            return rejection.failure
        if request.prompt == "Run it.":
            return Reply.of(ToolUse("Bash", {"command": "echo FORB''IDDEN"}))
        reply: Reply | Failure = answer(request)
        return reply

    api.otherwise = otherwise


@pytest.fixture
def session(connected: Any) -> Iterator[ClaudeSession]:
    with ClaudeSession(SessionOptions(tools=("Bash",), allowed_tools=("Bash",))) as session:
        session.ask("My name is Ada.")
        yield session


@pytest.mark.failure(
    "The API rejects a prompt for good",
    then="The prompt is removed from the conversation, the error says so, and later cells work",
)
@pytest.mark.parametrize("rejection", REJECTIONS.values(), ids=REJECTIONS)
def test_it_is_gone_for_later_turns_branches_and_processes(
    session: ClaudeSession,
    connected: Any,
    rejection: Rejection,
) -> None:
    _reject(connected, rejection)
    with pytest.raises(rejection.error) as caught:
        session.ask(rejection.prompt)
    assert isinstance(caught.value, PromptRejectedError)
    assert caught.value.removed
    assert "was removed from the conversation" in str(caught.value)
    assert "Run the cell again" not in str(caught.value)
    assert ("tools have run" in str(caught.value)) == (rejection.prompt == "Run it.")
    assert session.ask("b").text == "You said: My name is Ada. / b"
    with session.fork() as branch:
        assert branch.ask("c").text == "You said: My name is Ada. / b / c"
    assert session.pids is not None
    os.kill(session.pids[1], signal.SIGKILL)
    assert session.ask("d").text == "You said: My name is Ada. / b / d"
    session.disconnect()
    session.close()
    with ClaudeSession(resume=session.status.session_id) as later:
        assert later.ask("e").text == "You said: My name is Ada. / b / d / e"


@pytest.mark.failure(
    "The API rejects a prompt for good",
    then="The prompt is removed from the conversation, the error says so, and later cells work",
)
def test_it_is_gone_where_it_was_the_first_prompt(connected: Any) -> None:
    _reject(connected, REJECTIONS["content filter"])
    with ClaudeSession() as session:
        for _ in range(2):
            with pytest.raises(PromptRejectedError):
                session.ask(FORBIDDEN)
        assert session.ask("b").text == "You said: b"
        assert session.pids is not None
        os.kill(session.pids[1], signal.SIGKILL)
        assert session.ask("c").text == "You said: b / c"


@pytest.mark.parametrize("then", ["ask", "kill", "fork"])
def test_it_is_gone_where_claude_code_cannot_take_it_back(
    session: ClaudeSession,
    connected: Any,
    monkeypatch: pytest.MonkeyPatch,
    then: str,
) -> None:
    async def refuse(_client: Client, _prompt_id: str) -> bool:
        return False

    monkeypatch.setattr(Client, "take_back", refuse)
    _reject(connected, REJECTIONS["content filter"])
    with pytest.raises(PromptRejectedError, match="was removed"):
        session.ask(FORBIDDEN)
    if then == "kill":
        session.connect()
        assert session.pids is not None
        os.kill(session.pids[1], signal.SIGKILL)
    if then == "fork":
        with session.fork() as branch:
            assert branch.ask("c").text == "You said: My name is Ada. / c"
    assert session.ask("b").text == "You said: My name is Ada. / b"


def test_it_says_so_where_it_stays(connected: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(_client: Client, _prompt_id: str) -> bool:
        return False

    monkeypatch.setattr(Client, "take_back", refuse)
    _reject(connected, REJECTIONS["content filter"])
    with (
        ClaudeSession(keep_transcript=False) as session,
        pytest.raises(PromptRejectedError, match="still part of the conversation") as caught,
    ):
        session.ask(FORBIDDEN)
    assert not caught.value.removed


def test_it_is_gone_behind_a_history_that_was_told(connected: Any) -> None:
    _reject(connected, REJECTIONS["content filter"])
    with ClaudeSession() as session:
        history = [Told("user", "a"), Told("assistant", "b")]
        with pytest.raises(PromptRejectedError):
            session.send(FORBIDDEN, history).result()
        assert session.ask("c").text == "You said: a / c"


@pytest.mark.parametrize("name", ["content filter", "image", "request too large"])
def test_a_continuous_chat_model_goes_on(connected: Any, name: str) -> None:
    _reject(connected, REJECTIONS[name])
    with ClaudeCodeChatModel(use_continuous_session=True) as model:
        model.invoke("a")
        prompt = REJECTIONS[name].prompt
        with pytest.raises(REJECTIONS[name].error):
            model.invoke(
                [HumanMessage(prompt if isinstance(prompt, str) else [*map(dict, prompt)])]
            )
        assert model.invoke("b").text == "You said: a / b"
