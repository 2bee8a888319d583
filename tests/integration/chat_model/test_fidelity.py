"""What reaches the API is what was asked for, no more and no less."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.load import dumpd, load
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool

from claude_magic import ClaudeCodeChatModel
from claude_magic.errors import RETRIABLE, ConnectionLostError, ServerError, UsageError
from claude_magic.session.loop import loop_thread
from claude_magic.tape import Cut, Failure, Hold, Reply, Text, Thinking, ToolUse

from .conftest import IMAGE

if TYPE_CHECKING:
    from pathlib import Path

PDF = {
    "type": "document",
    "source": {
        "type": "base64",
        "media_type": "application/pdf",
        "data": base64.b64encode(b"%PDF-1.4\n%%EOF").decode(),
    },
}


@tool
def weather(city: str) -> str:
    """Tell the weather of a city."""
    return f"Rain in {city}."


def _blocks(request: Any, role: str) -> list[list[dict[str, Any]]]:
    """Return the contents of a role's messages, without what Claude Code adds to them."""
    contents = []
    for message in request.messages:
        if message["role"] == role:
            content = message["content"]
            blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
            kept = [{k: v for k, v in block.items() if k != "cache_control"} for block in blocks]
            contents.append([b for b in kept if "<system-reminder>" not in b.get("text", "")])
    return contents


CALL = {"name": "weather", "args": {"city": "Bærum"}, "id": "toolu_1", "type": "tool_call"}
HISTORY = [
    SystemMessage("Be brief."),
    HumanMessage("Weather?"),
    AIMessage("Let me see.", tool_calls=[CALL]),
    ToolMessage("Rain.", tool_call_id="toolu_1"),
    AIMessage("It rains."),
    HumanMessage("And tomorrow?"),
]


def test_roles_calls_and_results_are_the_apis_own(connected: Any) -> None:
    ClaudeCodeChatModel().bind_tools([weather]).invoke(HISTORY)
    (request,) = connected.requests
    assert _blocks(request, "assistant") == [
        [
            {"type": "text", "text": "Let me see."},
            {
                "type": "tool_use",
                "id": "toolu_1",
                "name": "mcp__client__weather",
                "input": {"city": "Bærum"},
            },
        ],
        [{"type": "text", "text": "It rains."}],
    ]
    assert _blocks(request, "user") == [
        [{"type": "text", "text": "Weather?"}],
        [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "Rain."}],
        [{"type": "text", "text": "And tomorrow?"}],
    ]
    assert "Be brief." in request.system
    (described,) = request.body["tools"]
    assert described["name"] == "mcp__client__weather"
    assert described["description"] == "Tell the weather of a city."
    assert described["input_schema"]["properties"]["city"]["type"] == "string"


def test_a_failed_tool_says_so(connected: Any) -> None:
    calls = [CALL, {**CALL, "id": "toolu_2"}]
    ClaudeCodeChatModel().bind_tools([weather]).invoke(
        [
            HumanMessage("Weather?"),
            AIMessage("", tool_calls=calls),
            ToolMessage("Rain.", tool_call_id="toolu_1"),
            ToolMessage("No such city.", tool_call_id="toolu_2", status="error"),
        ],
    )
    (request,) = connected.requests
    assert [(each.text, each.is_error) for each in request.tool_results] == [
        ("Rain.", False),
        ("No such city.", True),
    ]


@pytest.mark.parametrize("block", [IMAGE, PDF], ids=["image", "PDF"])
def test_images_and_documents_arrive_unchanged(
    connected: Any,
    block: dict[str, Any],
    tmp_path: Path,
) -> None:
    source = block["source"]
    standard = {
        "type": "image" if block is IMAGE else "file",
        "base64": source["data"],
        "mime_type": source["media_type"],
    }
    for given in (block, standard):
        message = HumanMessage([{"type": "text", "text": "What is it?"}, given])
        ClaudeCodeChatModel(environment={"TMPDIR": str(tmp_path)}).invoke([message])
        ((*_, sent),) = _blocks(connected.requests[-1], "user")
        assert sent == block
    # In a tool's result, too, and a link stays a link.
    url = {"type": "image", "source": {"type": "url", "url": "https://example.org/x.png"}}
    ClaudeCodeChatModel().bind_tools([weather]).invoke(
        [
            HumanMessage(
                [{"type": "image_url", "image_url": {"url": "https://example.org/x.png"}}]
            ),
            AIMessage("", tool_calls=[CALL]),
            ToolMessage([block], tool_call_id="toolu_1"),
        ],
    )
    (first, result) = _blocks(connected.requests[-1], "user")
    assert first == [url]
    assert result[0]["content"] == [block]
    assert not list(tmp_path.iterdir())


def test_parameters_are_honoured(connected: Any) -> None:
    model = ClaudeCodeChatModel(temperature=0.3, top_p=0.9, top_k=7, max_tokens=321, stop=["END"])
    model.invoke("a")
    body = connected.requests[-1].body
    assert {name: body[name] for name in ("temperature", "top_p", "top_k", "max_tokens")} == {
        "temperature": 0.3,
        "top_p": 0.9,
        "top_k": 7,
        "max_tokens": 321,
    }
    assert body["stop_sequences"] == ["END"]
    # A call's own go before the model's, and hold for that call alone.
    model.invoke("b", temperature=0.1, stop=["STOP"], model="claude-haiku-4-5")
    body = connected.requests[-1].body
    assert (body["temperature"], body["top_p"]) == (0.1, 0.9)
    assert body["stop_sequences"] == ["STOP"]
    assert body["model"] == "claude-haiku-4-5"
    model.invoke("c")
    assert connected.requests[-1].body["temperature"] == 0.3


def test_the_users_own_fields_of_the_request_stay(
    connected: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CLAUDE_CODE_EXTRA_BODY", '{"metadata": {"user_id": "u"}, "top_k": 1}')
    ClaudeCodeChatModel(top_k=2).invoke("a")
    body = connected.requests[-1].body
    assert (body["metadata"], body["top_k"]) == ({"user_id": "u"}, 2)


def test_an_answer_ends_at_its_limit(connected: Any) -> None:
    connected.replies.append(Reply((Text("one two three"),), stop_reason="max_tokens"))
    answer = ClaudeCodeChatModel(max_tokens=3).invoke("Count.")
    assert answer.text == "one two three"
    assert answer.response_metadata["stop_reason"] == "max_tokens"


@pytest.mark.parametrize("ended", [False, True], ids=["interrupted", "complete"])
def test_what_comes_behind_the_limit_is_no_part_of_the_answer(
    connected: Any,
    ended: bool,  # noqa: FBT001
) -> None:
    """Claude Code asks for more at once; a stop that comes late finds that said already."""
    said = threading.Event()

    class Said:
        def is_set(self) -> bool:
            said.set()
            return ended

    def limited(_request: Any) -> Reply:
        loop_thread().call_soon(said.wait, 30)
        return Reply((Text("one two three"),), stop_reason="max_tokens")

    connected.replies += [limited, Reply.of(Text("four five"), Hold(Said()))]
    answer = ClaudeCodeChatModel(max_tokens=3).invoke("Count.")
    assert len(connected.requests) == 2
    assert answer.text == "one two three"
    assert answer.response_metadata["stop_reason"] == "max_tokens"


def test_signed_thinking_is_kept(connected: Any) -> None:
    connected.replies.append(Reply.of(Thinking("Hmm.", "c2ln"), "Two."))
    model = ClaudeCodeChatModel()
    first = model.invoke("What is 1+1?")
    assert first.text == "Two."
    assert [block["type"] for block in first.content_blocks] == ["reasoning", "text"]
    model.invoke([HumanMessage("What is 1+1?"), first, HumanMessage("Sure?")])
    ((thinking, text),) = _blocks(connected.requests[-1], "assistant")
    assert thinking == {"type": "thinking", "thinking": "Hmm.", "signature": "c2ln"}
    assert text["text"] == "Two."


def test_nothing_of_the_project_is_sent_unless_asked_for(
    connected: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "CLAUDE.md").write_text("wombat-instruction")
    (tmp_path / "secret.txt").write_text("wombat-secret")
    monkeypatch.chdir(tmp_path)
    ClaudeCodeChatModel().invoke(f"What does @{tmp_path}/secret.txt say? @secret.txt")
    request = connected.requests[-1]
    assert "wombat" not in json.dumps(request.body)
    assert request.tools == ()


@pytest.mark.parametrize("how", ["invoke", "stream", "astream", "astream_events"])
def test_a_cut_stream_says_each_word_once(connected: Any, how: str) -> None:
    seen = threading.Event()
    connected.replies += [Reply.of(Text("a b "), Hold(seen), Cut()), Reply.of("a b c")]
    model = ClaudeCodeChatModel()

    async def words() -> list[str]:
        said = []
        if how == "astream":
            async for chunk in model.astream("Say it."):
                said.append(str(chunk.text))
                seen.set()
        else:
            async for event in model.astream_events("Say it.", version="v2"):
                if event["event"] == "on_chat_model_stream":
                    said.append(str(event["data"]["chunk"].text))
                    seen.set()
        return said

    if how == "invoke":
        seen.set()
        assert model.invoke("Say it.").text == "a b c"
        return
    if how == "stream":
        said = []
        for chunk in model.stream("Say it."):
            said.append(str(chunk.text))
            seen.set()
    else:
        said = asyncio.run(words())
    assert "".join(said) == "a b c"


def test_a_stream_that_began_differently_cannot_be_taken_back(connected: Any) -> None:
    seen = threading.Event()
    connected.replies += [Reply.of(Text("a b "), Hold(seen), Cut()), Reply.of("x y z")]
    chunks = ClaudeCodeChatModel().stream("Say it.")
    next(chunks)
    seen.set()
    with pytest.raises(ConnectionLostError, match="began anew"):
        list(chunks)


def test_errors_can_be_retried_or_not(connected: Any) -> None:
    no_retry = {"x-should-retry": "false"}
    broken = Failure(500, "api_error", "made up", no_retry)
    connected.replies += [broken, broken]
    with pytest.raises(ServerError):
        ClaudeCodeChatModel(max_retries=0).invoke("a")
    connected.replies[:] = [broken]
    patient = ClaudeCodeChatModel(max_retries=0).with_retry(
        retry_if_exception_type=RETRIABLE,
        wait_exponential_jitter=False,
    )
    assert patient.invoke("a").text == "You said: a"
    connected.replies[:] = [broken]
    spared = ClaudeCodeChatModel(max_retries=0).with_fallbacks([ClaudeCodeChatModel()])
    assert spared.invoke("b").text == "You said: b"


def test_a_deadline_bounds_a_call(connected: Any) -> None:
    connected.replies.append(Reply.of(Text("Once "), Hold(threading.Event())))
    with pytest.raises(Exception, match="No complete answer within 1 s"):
        ClaudeCodeChatModel(timeout=1).invoke("Tell me.")


@pytest.mark.filterwarnings("ignore:The function `load` is in beta")
def test_it_is_written_down_without_its_key() -> None:
    model = ClaudeCodeChatModel(
        model_name="claude-opus-5-5", temperature=0.5, api_key="made-up-key"
    )
    written = dumpd(model)
    assert "made-up-key" not in json.dumps(written)
    assert "made-up-key" not in repr(model)
    read = load(
        written,
        allowed_objects=[ClaudeCodeChatModel],
        valid_namespaces=["claude_magic"],
        secrets_map={"ANTHROPIC_API_KEY": "made-up-key"},
    )
    assert read.model_dump() == model.model_dump()
    assert read.api_key == model.api_key


def test_a_key_of_its_own_is_used(connected: Any) -> None:
    key = connected.server.token
    environment = {"ANTHROPIC_BASE_URL": connected.server.url}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ANTHROPIC_API_KEY", "another")
        model = ClaudeCodeChatModel(api_key=key, environment=environment)
        assert model.invoke("Hello").text == "You said: Hello"


def test_a_tool_that_others_run_is_refused() -> None:
    with pytest.raises(UsageError, match="web_search_20250305"):
        ClaudeCodeChatModel().bind_tools([{"type": "web_search_20250305", "name": "web_search"}])
    with pytest.raises(UsageError, match="must be 'auto', 'any', 'none' or one of: weather"):
        ClaudeCodeChatModel().bind_tools([weather], tool_choice="whether")


def test_tools_of_both_sides_go_together(connected: Any, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("quokka")
    connected.replies += [
        Reply.of(ToolUse("Read", {"file_path": str(tmp_path / "notes.txt")})),
        lambda request: Reply.of(
            ToolUse("mcp__client__weather", {"city": request.tool_results[-1].text[-6:]}),
        ),
    ]
    model = ClaudeCodeChatModel(tools=["Read"], cwd=tmp_path).bind_tools([weather])
    answer = model.invoke("Read the notes, then tell the weather.")
    assert [call["args"] for call in answer.tool_calls] == [{"city": "quokka"}]
