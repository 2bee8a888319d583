"""Nothing that asyncio logs comes out in a cell, however Claude Code ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.kernel import Kernel, Ran

#: Kills Claude Code and asks so many seconds later, when its end may or may not be known.
_KILL_AND_ASK = """
import gc, os, time
os.kill({pid}, 9)
time.sleep({delay_s})
get_ipython().run_line_magic("claude", "after {number}")
gc.collect()
"""


def _stderr(ran: Ran) -> str:
    return "".join(c["text"] for c in ran.contents("stream") if c["name"] == "stderr")


@pytest.mark.failure(
    "Claude Code dies just before a prompt",
    then="Nothing of asyncio's own messages appears in the cell",
)
@pytest.mark.timeout(1500)
def test_a_crash_just_before_a_prompt_is_silent(
    kernel: Kernel,
    kernel_api: Any,
    times: Callable[[int, int], int],
    figure: Callable[[str], None],
) -> None:
    kernel.converse()
    kernel.run("%%claude\nHello")
    count = times(8, 200)
    for number in range(count):
        if number % 4 == 0:
            kernel.run("%claude_connect")
        _, claude = kernel.pids()
        delay_s = 0.02 + 0.01 * (number % 7)
        ran = kernel.run(_KILL_AND_ASK.format(pid=claude, delay_s=delay_s, number=number))
        assert ran.status == "ok", ran.error
        assert not _stderr(ran), f"{number}, {delay_s:.2f} s"
    figure(f"{count} crashes just before a prompt: none with noise")


def test_processes_end_in_silence_where_their_signal_is_ignored(
    kernel: Kernel, kernel_api: Any
) -> None:
    kernel.run("import signal; signal.signal(signal.SIGCHLD, signal.SIG_IGN)")
    kernel.converse()
    model = (
        "from claude_magic import ClaudeCodeChatModel\n"
        "ClaudeCodeChatModel(warm_spare=False).invoke('hi').text"
    )
    cells = ["%%claude\nHello", "%claude_disconnect", model, "%claude_status"]
    try:
        assert [_stderr(kernel.run(cell)) for cell in cells] == [""] * 4
    finally:
        kernel.run("signal.signal(signal.SIGCHLD, signal.SIG_DFL)")
