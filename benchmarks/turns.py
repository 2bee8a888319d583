"""A warm turn in a kernel, beside the bare client and a process for each cell."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from .bare import TOOLS, BareClient
from .bench import ask, run
from .figures import Curve, Figure, Goal, Sample

if TYPE_CHECKING:
    from .bench import Bench
    from .figures import Report

TURNS = 40

PROMPT = "Hello"

#: The other way to give a notebook a conversation: a process for each cell, resumed by its id.
PROCESS_PER_CELL = f"""
import asyncio, threading
from IPython.core.magic import register_cell_magic
from IPython.display import Markdown, display
from claude_agent_sdk import AssistantMessage, ClaudeAgentOptions, ResultMessage, TextBlock, query

session_id = None

async def _ask(prompt):
    global session_id
    options = ClaudeAgentOptions(
        resume=session_id, setting_sources=[], strict_mcp_config=True, tools={list(TOOLS)!r}
    )
    said = []
    async for message in query(prompt=prompt, options=options):
        if isinstance(message, AssistantMessage):
            said += [block.text for block in message.content if isinstance(block, TextBlock)]
        elif isinstance(message, ResultMessage):
            session_id = message.session_id
    return said

@register_cell_magic
def ask(line, cell):
    said = []
    # The kernel's thread has an event loop that runs already.
    thread = threading.Thread(target=lambda: said.extend(asyncio.run(_ask(cell))))
    thread.start()
    thread.join()
    display(Markdown("\\n\\n".join(said)))
"""


def measure(bench: Bench, report: Report) -> None:
    """Measure short turns of one conversation, in turns with the others."""
    ours, bare, per_cell, floor = [], [], [], []
    with (
        closing(bench.kernel()) as kernel,
        closing(bench.kernel()) as other,
        BareClient(tools=list(TOOLS)) as client,
    ):
        run(kernel, "%load_ext claude_magic")
        run(other, PROCESS_PER_CELL)
        # The first turn of a conversation takes longer, on every side.
        for _ in range(bench.times(TURNS) + 1):
            ours.append(ask(kernel, f"%%claude\n{PROMPT}"))
            bare.append(client.ask(PROMPT))
            floor.append(bench.api.ask(PROMPT))
            per_cell.append(ask(other, f"%%ask\n{PROMPT}"))
    whole = Sample.of(shown.whole_s for shown in ours[1:])
    floor_whole = Sample.of(whole_s for _, whole_s in floor[1:])
    report.figures += [
        Figure(
            "`%%claude`, warm: execute request to first text on iopub",
            Sample.of(shown.first_s for shown in ours[1:]),
            "s",
            Goal(1.25, 0.015),
            Sample.of(took.first_s for took in bare[1:]),
            "bare `ClaudeSDKClient`, first delta",
            Sample.of(first_s for first_s, _ in floor[1:]),
            headline=True,
        ),
        Figure(
            "`%%claude`, warm: whole turn, one short answer",
            whole,
            "s",
            Goal(1.25, 0.015),
            Sample.of(took.whole_s for took in bare[1:]),
            "bare `ClaudeSDKClient`",
            floor_whole,
        ),
        Figure(
            "the whole turn beside a process for each cell",
            whole,
            "s",
            Goal(0.2),
            Sample.of(shown.whole_s for shown in per_cell[1:]),
            "`query(resume=…)` in each cell",
            floor_whole,
            headline=True,
        ),
    ]
    numbers = tuple(float(number) for number in range(1, len(ours) + 1))
    report.turns += [
        Curve("process for each cell", numbers, tuple(shown.whole_s for shown in per_cell)),
        Curve("%%claude", numbers, tuple(shown.whole_s for shown in ours)),
        Curve("bare client", numbers, tuple(took.whole_s for took in bare)),
        Curve("plain HTTP", numbers, tuple(whole_s for _, whole_s in floor)),
    ]
