"""The kernel is interrupted at random moments, whatever Claude Code is doing."""

from __future__ import annotations

import random
import statistics
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from claude_magic.tape import Failure, Hold, Reply, Text, ToolUse

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.kernel import Kernel

#: A cell must be back so long after its interrupt, in seconds.
PROMISED_S = 0.25

#: An interrupt that comes sooner may meet ipykernel while it takes the request, in seconds.
EARLIEST_S = 0.04
LATEST_S = 0.7

#: What a cell shows of what it was interrupted in.
SIGNS = {
    "a text": ".0 w",
    "a command": "⋯ <code>Bash",
    "a question": "Waiting for consent",
    "a back-off": "retry 1 of",
}

_NEVER = """
import asyncio
async def never(request):
    await asyncio.Event().wait()
"""


def _text(number: int) -> list[Any]:
    words = " ".join(f"w{number}.{word}" for word in range(1000))
    return [Reply((Text(words),), words_per_second=100)]


def _silence(number: int) -> list[Any]:
    return [Reply.of(Hold(threading.Event()))]


def _command(number: int) -> list[Any]:
    return [Reply.of(ToolUse("Bash", {"command": "tail -f /dev/null", "timeout": 600_000}))]


def _question(number: int) -> list[Any]:
    return [Reply.of(ToolUse("Write", {"file_path": f"asked-{number}", "content": "x"}))]


def _back_off(number: int) -> list[Any]:
    return [Failure(529, "overloaded_error", "busy")] * 10


@pytest.mark.failure(
    "You interrupt the kernel",
    then="The cell comes back, and what was said stays",
)
@pytest.mark.timeout(900)
def test_a_cell_comes_back_and_nothing_is_lost(
    kernel: Kernel,
    kernel_api: Any,
    times: Callable[[int, int], int],
    figure: Callable[[str], None],
) -> None:
    assert kernel.run(_NEVER).status == "ok"
    kernel.converse(tools=("Bash", "Write"), allowed_tools=("Bash",), on_permission="never")
    assert kernel.run("%%claude\nHello").status == "ok"
    pids = kernel.pids()
    chance = random.Random(1)
    said = ["Hello"]
    back_s = []
    met: Counter[str] = Counter()
    for number in range(times(15, 100)):
        scene = [_text, _command, _question, _back_off, _silence][number % 5]
        delay_s = chance.uniform(EARLIEST_S, LATEST_S)
        told = f"{number}: {scene.__name__} after {delay_s:.3f} s"
        kernel_api.replies[:] = scene(number)
        cell = kernel.start(f"%%claude\nPrompt {number}")
        time.sleep(delay_s)  # the moment is what is varied here
        began = time.monotonic()
        kernel.interrupt()
        ran = kernel.finish(cell)
        back_s.append(time.monotonic() - began)
        assert ran.error_name == "TurnInterruptedError", f"{told}: {ran.error}"
        kernel_api.replies[:] = [Reply.of(f"Answer {number}")]
        follow_up = kernel.run(f"%%claude\nCheck {number}")
        assert follow_up.answers == [f"Answer {number}"], f"{told}: {follow_up.error}"
        assert kernel.pids() == pids, told
        turns = kernel_api.requests[-1].visible_turns
        # An interrupt may come before the prompt is sent; then the error says so.
        unsent = "Stopped before the prompt was sent" in ran.error
        said += [f"Check {number}"] if unsent else [f"Prompt {number}", f"Check {number}"]
        assert [text for turn in turns if turn.role == "user" for text in turn.texts] == said, told
        if scene is _text and ran.answers:
            # The person's last two prompts may stand in one message or in two.
            (answered,) = [turn.text for turn in turns if f"w{number}.0" in turn.text]
            assert answered.strip() == ran.answers[0].strip(), told
        shown = str([message["content"] for message in ran.messages])
        met.update({what for what, sign in SIGNS.items() if sign in shown})
    assert set(met) == set(SIGNS)
    assert max(back_s) < PROMISED_S
    figure(
        f"{len(back_s)} of {len(back_s)} cells back, median {statistics.median(back_s):.3f} s, "
        f"longest {max(back_s):.3f} s; the same process, every prompt and partial text in the "
        "context, every next cell with its own answer; interrupted in "
        + ", ".join(f"{what} {count} times" for what, count in met.items()),
    )
