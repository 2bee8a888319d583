"""How long the chat model takes, beside the bare claude-agent-sdk in the same run.

Everything talks to one server on this machine that answers at once, so that only what stands
between the caller and the API is measured. Run it with ``make bench``.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from support.sterile import sterile_environment

from claude_magic import ClaudeCodeChatModel
from claude_magic.tape import MessagesServer, Reply

if TYPE_CHECKING:
    from collections.abc import Callable

#: So often is each measured.
TIMES = 15


def measure(
    once: Callable[[], object], prepare: Callable[[], object] = lambda: None
) -> list[float]:
    """Return how long each of so many calls took, in seconds."""
    took_s = []
    for _ in range(TIMES):
        prepare()
        began = time.perf_counter()
        once()
        took_s.append(time.perf_counter() - began)
    return took_s


def bare_query() -> list[float]:
    """Measure the SDK's `query()`, a process for each call."""
    from claude_agent_sdk import ClaudeAgentOptions, query  # noqa: PLC0415 - in the measured run

    options = ClaudeAgentOptions(setting_sources=[], tools=[], strict_mcp_config=True)

    async def once() -> None:
        async for _ in query(prompt="Hello", options=options):
            pass

    return measure(lambda: asyncio.run(once()))


def warm_turns() -> tuple[list[float], list[float]]:
    """Measure the turns of a connected `ClaudeSDKClient` and of a continuous session, in turn."""
    from claude_agent_sdk import ClaudeAgentOptions, ClaudeSDKClient  # noqa: PLC0415

    options = ClaudeAgentOptions(
        setting_sources=[],
        tools=[],
        strict_mcp_config=True,
        include_partial_messages=True,
    )
    bare_s: list[float] = []
    ours_s: list[float] = []

    async def turns() -> None:
        async with (
            ClaudeSDKClient(options) as client,
            ClaudeCodeChatModel(use_continuous_session=True) as model,
        ):
            for _ in range(2 * TIMES + 1):
                began = time.perf_counter()
                await client.query("Hello")
                async for _message in client.receive_response():
                    pass
                between = time.perf_counter()
                await model.ainvoke("Hello")
                bare_s.append(between - began)
                ours_s.append(time.perf_counter() - between)

    asyncio.run(turns())
    # The first turn of a conversation takes longer.
    return bare_s[1:], ours_s[1:]


def single_turn() -> list[float]:
    """Measure single-turn calls that find their spare ready."""
    model = ClaudeCodeChatModel()
    model.invoke("Hello")

    def wait_for_the_spare() -> None:
        spare = model._spare._session  # noqa: SLF001 - nobody else sees it
        if spare is not None:
            spare.connect()

    return measure(lambda: model.invoke("Hello"), wait_for_the_spare)


def main() -> None:
    """Print the figures and their ratios."""
    with tempfile.TemporaryDirectory() as home, MessagesServer(lambda _: Reply.of("Hi.")) as server:
        os.environ.update(sterile_environment(Path(home)))
        os.environ.update(
            {"ANTHROPIC_BASE_URL": server.url, "ANTHROPIC_API_KEY": server.token},
        )
        figures = {"bare_query": bare_query(), "single_turn": single_turn()}
        figures["bare_client"], figures["continuous"] = warm_turns()
    medians = {name: statistics.median(took_s) for name, took_s in figures.items()}
    for name, took_s in figures.items():
        quarters = statistics.quantiles(took_s, n=4)
        spread = f"{quarters[0] * 1000:.0f} to {quarters[2] * 1000:.0f}"
        sys.stdout.write(f"{name:<14}{medians[name] * 1000:7.0f} ms (quartiles {spread} ms)\n")
    ratios = {
        "single_turn / bare_query": medians["single_turn"] / medians["bare_query"],
        "continuous / bare_client": medians["continuous"] / medians["bare_client"],
    }
    for name, ratio in ratios.items():
        sys.stdout.write(f"{name:<26}{ratio:5.2f}\n")


if __name__ == "__main__":
    main()
