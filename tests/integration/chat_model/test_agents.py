"""Agents of LangChain and LangGraph run on the model, end to end."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from langchain.agents import create_agent
from langchain.agents.structured_output import ToolStrategy
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage
from langchain_core.tools import tool
from pydantic import BaseModel

from claude_magic import ClaudeCodeChatModel
from claude_magic.tape import Reply, ToolUse

if TYPE_CHECKING:
    from claude_magic.tape import MessagesRequest

_WEATHER = "mcp__client__weather"


@tool
def weather(city: str) -> str:
    """Tell the weather of a city."""
    return f"Rain in {city}."


class Report(BaseModel):
    """A report of the weather."""

    city: str
    wet: bool


def _agent(request: MessagesRequest) -> Reply:
    """Ask for the weather of two cities at once, then say it, or fill in the report."""
    if not request.tool_result_count:
        return Reply.of(
            "Let me see.",
            ToolUse(_WEATHER, {"city": "Oslo"}),
            ToolUse(_WEATHER, {"city": "Bergen"}),
        )
    if "mcp__client__Report" in request.tools:
        return Reply.of(ToolUse("mcp__client__Report", {"city": "Oslo", "wet": True}))
    return Reply.of(" ".join(result.text for result in request.tool_results))


@pytest.fixture
def agents_api(connected: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(connected, "otherwise", _agent)
    return connected


def test_create_agent(agents_api: Any) -> None:
    agent = create_agent(ClaudeCodeChatModel(), tools=[weather])
    said = agent.invoke({"messages": [HumanMessage("Weather in Oslo and Bergen?")]})["messages"]
    assert said[-1].text == "Rain in Oslo. Rain in Bergen."
    assert [call["args"]["city"] for call in said[1].tool_calls] == ["Oslo", "Bergen"]
    first, second = agents_api.requests
    assert second.tool_result_count == 2
    assert first.session_id != second.session_id


def test_create_agent_with_a_structured_answer(agents_api: Any) -> None:
    agent = create_agent(
        ClaudeCodeChatModel(),
        tools=[weather],
        response_format=ToolStrategy(Report),
    )
    state = agent.invoke({"messages": [HumanMessage("Weather?")]})
    assert state["structured_response"] == Report(city="Oslo", wet=True)


@pytest.mark.filterwarnings("ignore:create_react_agent has been moved")
def test_create_react_agent(agents_api: Any) -> None:
    from langgraph.prebuilt import create_react_agent  # noqa: PLC0415 - deprecated, still used

    agent = create_react_agent(ClaudeCodeChatModel(), [weather])

    async def run() -> str:
        state = await agent.ainvoke({"messages": [HumanMessage("Weather?")]})
        return str(state["messages"][-1].text)

    assert asyncio.run(run()) == "Rain in Oslo. Rain in Bergen."


def test_calls_in_one_continuous_session(agents_api: Any) -> None:
    with ClaudeCodeChatModel(use_continuous_session=True) as model:
        agent = create_agent(model, tools=[weather])
        state = agent.invoke({"messages": [HumanMessage("Weather?")]})
        assert state["messages"][-1].text == "Rain in Oslo. Rain in Bergen."
        state = agent.invoke({"messages": [*state["messages"], HumanMessage("Thank you.")]})
    last = agents_api.requests[-1]
    assert len({request.session_id for request in agents_api.requests}) == 1
    said = [turn.text for turn in last.visible_turns if turn.role == "user"]
    assert said == ["Weather?", "Thank you."]


def test_a_call_is_streamed_in_pieces(agents_api: Any) -> None:
    model = ClaudeCodeChatModel().bind_tools([weather])
    chunks = [chunk for chunk in model.stream("Weather?") if isinstance(chunk, AIMessageChunk)]
    assert len([chunk for chunk in chunks if chunk.tool_call_chunks]) >= 4
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole += chunk
    assert [call["args"] for call in whole.tool_calls] == [{"city": "Oslo"}, {"city": "Bergen"}]
    assert whole.text == "Let me see."
    invoked = model.invoke("Weather?")
    assert isinstance(invoked, AIMessage)
    assert [call["args"] for call in invoked.tool_calls] == [{"city": "Oslo"}, {"city": "Bergen"}]


@pytest.mark.parametrize("method", ["json_schema", "function_calling", "json_mode"])
def test_structured_output_with_the_raw_message(connected: Any, method: Any) -> None:
    value = {"city": "Oslo", "wet": True}

    def fill_in(request: MessagesRequest) -> Reply:
        (name,) = [n for n in request.tools if n in {"StructuredOutput", "mcp__client__Report"}]
        return Reply.of(ToolUse(name, value))

    connected.replies[:] = [fill_in]
    model = ClaudeCodeChatModel().with_structured_output(Report, method=method, include_raw=True)
    result = model.invoke("Report.")
    assert result["parsed"] == Report(city="Oslo", wet=True)
    assert result["parsing_error"] is None
    assert result["raw"].usage_metadata["output_tokens"] > 0
