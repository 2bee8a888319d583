"""Claude Code is killed at random moments; what was said stays, and the reader is told."""

from __future__ import annotations

import os
import random
import signal
import statistics
import threading
from typing import TYPE_CHECKING, Any

import pytest

from claude_magic.tape import Reply, Text, ToolUse

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.kernel import Kernel, Ran

    from claude_magic.tape import MessagesRequest

#: The next cell must have its answer so long after a crash, in seconds.
PROMISED_S = 3.0

#: Crashes in a row before somebody connects by hand, as the restart budget wants it.
IN_A_ROW = 4

RESUMED = "resumed after Claude Code had gone away"
LEFT_OUT = "the turn that it cut off was left out"


def _story(number: str) -> str:
    return " ".join(f"w{number}.{word}" for word in range(40))


def _answer(request: MessagesRequest) -> Reply:
    *_, last = [turn.texts[-1] for turn in request.visible_turns if turn.role == "user"]
    verb, number = last.split()
    if verb == "Run" and not request.tool_result_count:
        return Reply.of(ToolUse("Bash", {"command": "tail -f /dev/null", "timeout": 600_000}))
    if verb == "Tell":
        return Reply((Text(_story(number)),), words_per_second=80)
    return Reply.of(f"Answer {number}")


def _kill_later(pid: int, delay_s: float) -> threading.Timer:
    timer = threading.Timer(delay_s, os.kill, (pid, signal.SIGKILL))
    timer.start()
    return timer


def _run_until_killed(kernel: Kernel, number: int, claude: int, delay_s: float) -> Ran:
    crashes: list[threading.Timer] = []

    def kill(message: dict[str, Any]) -> None:
        if "⋯" in str(message["content"]) and not crashes:
            crashes.append(_kill_later(claude, delay_s))

    return kernel.finish(kernel.start(f"%%claude\nRun {number}"), kill)


@pytest.mark.failure(
    "Claude Code is killed during a turn",
    then="The conversation resumes; the prompt is asked again if no tool had acted",
)
@pytest.mark.timeout(1500)
def test_a_crash_loses_no_reply_and_fails_no_cell_after_it(
    kernel: Kernel,
    kernel_api: Any,
    times: Callable[[int, int], int],
    figure: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(kernel_api, "otherwise", _answer)
    kernel.converse(tools=("Bash",), allowed_tools=("Bash",))
    assert kernel.run("%%claude\nCheck hello").status == "ok"
    finished = [("user", "Check hello"), ("assistant", "Answer hello")]
    chance = random.Random(2)
    next_s = []
    counts = dict.fromkeys(["idle", "asked again by themselves", "cut off in a command"], 0)
    for number in range(times(12, 100)):
        if number % IN_A_ROW == 0:
            assert kernel.run("%claude_connect").status == "ok"
        _, claude = kernel.pids()
        delay_s = chance.uniform(0.0, 0.7)
        match number % 3:
            case 0:
                told = f"{number}: idle"
                os.kill(claude, signal.SIGKILL)
                counts["idle"] += 1
                footers = []
            case 1:
                told = f"{number}: {delay_s:.3f} s after a story was asked for"
                crash = _kill_later(claude, delay_s)
                ran = kernel.run(f"%%claude\nTell {number}")
                crash.join()
                assert ran.answers == [_story(str(number))], f"{told}: {ran.error}"
                finished += [("user", f"Tell {number}"), ("assistant", _story(str(number)))]
                # Nothing is left out where the very prompt is asked again.
                assert LEFT_OUT not in ran.footer, told
                counts["asked again by themselves"] += RESUMED in ran.footer
                footers = [ran.footer]
            case _:
                told = f"{number}: {delay_s:.3f} s after a command began"
                ran = _run_until_killed(kernel, number, claude, delay_s)
                assert ran.error_name == "ConnectionLostError", f"{told}: {ran.error}{ran.markdown}"
                counts["cut off in a command"] += 1
                footers = []
        ran = kernel.run(f"%%claude\nCheck {number}")
        next_s.append(ran.elapsed_s)
        assert ran.answers == [f"Answer {number}"], f"{told}: {ran.error}"
        finished += [("user", f"Check {number}"), ("assistant", f"Answer {number}")]
        turns = [(turn.role, turn.text) for turn in kernel_api.requests[-1].visible_turns]
        assert turns == finished[:-1], told
        footers.append(ran.footer)
        assert sum(RESUMED in footer for footer in footers) == 1, f"{told}: {footers}"
        assert (LEFT_OUT in ran.footer) == (number % 3 == 2), f"{told}: {footers}"
    assert max(next_s) <= PROMISED_S
    how = ", ".join(f"{count} {name}" for name, count in counts.items())
    figure(
        f"{len(next_s)} crashes ({how}): 0 finished replies lost, 0 follow-up cells failed, next "
        f"cell after median {statistics.median(next_s):.2f} s, longest {max(next_s):.2f} s; the "
        "reader was told of each, and of each turn that was left out",
    )
