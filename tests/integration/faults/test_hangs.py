"""What is frozen is replaced; what is only quiet is left alone."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import statistics
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from claude_magic import Allow, ClaudeSession
from claude_magic.tape import Hold, Pause, Reply, Text, ToolUse

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.kernel import Kernel

    from claude_magic import PermissionRequest
    from claude_magic.tape import MessagesRequest

#: A cell must have its answer so long after Claude Code froze, in seconds.
PROMISED_S = 10.0


@pytest.mark.failure(
    "Claude Code freezes",
    then="It is replaced within seconds and the cell gets its answer",
)
@pytest.mark.timeout(600)
def test_a_frozen_claude_code_costs_a_cell_a_few_seconds(
    kernel: Kernel,
    kernel_api: Any,
    times: Callable[[int, int], int],
    figure: Callable[[str], None],
) -> None:
    chance = random.Random(3)
    said = ["Hello"]
    back_s = []
    assert kernel.run("%%claude\nHello").status == "ok"
    for number in range(times(1, 10)):
        if number % 4 == 0:  # as the restart budget wants it
            assert kernel.run("%claude_connect").status == "ok"
        _, claude = kernel.pids()
        never = Reply.of(Text("Once upon a time "), Hold(threading.Event()))
        kernel_api.replies[:] = [never, Reply.of(f"Answer {number}")]
        cell = kernel.start(f"%%claude\nPrompt {number}")
        time.sleep(chance.uniform(0.0, 0.5))  # the moment is what is varied here
        if not kernel_api.server.wait_for_requests(0)[-1].prompt.endswith(f"Prompt {number}"):
            # Frozen before it asked, it takes the first of the replies later.
            kernel_api.replies.pop(0)
        began = time.monotonic()
        os.kill(claude, signal.SIGSTOP)
        ran = kernel.finish(cell)
        back_s.append(time.monotonic() - began)
        assert ran.answers == [f"Answer {number}"], f"{number}: {ran.error}"
        said.append(f"Prompt {number}")
        turns = kernel_api.requests[-1].visible_turns
        assert [turn.text for turn in turns if turn.role == "user"] == said
        assert "resumed" in ran.footer
    assert max(back_s) <= PROMISED_S
    figure(
        f"{len(back_s)} of {len(back_s)} cells answered, after median "
        f"{statistics.median(back_s):.1f} s, longest {max(back_s):.1f} s",
    )


@pytest.mark.timeout(300)
def test_what_is_only_quiet_is_not_taken_for_frozen(
    connected: Any,
    tmp_path: Path,
    times: Callable[[int, int], int],
    figure: Callable[[str], None],
) -> None:
    # The SDK gives up on its own control requests after 60 s.
    quiet_s = times(12, 65)
    (tmp_path / "quiet").mkdir()

    async def ask(_request: PermissionRequest) -> Allow:
        await asyncio.sleep(quiet_s)
        return Allow()

    def answer(request: MessagesRequest) -> Reply:
        if request.tool_results:
            (result,) = request.tool_results
            return Reply.of(f"{request.prompt}: {'failed' if result.is_error else 'done'}")
        match request.prompt:
            case "an API that is silent":
                return Reply.of(Pause(quiet_s), "an API that is silent: done")
            case "a stream that stands still":
                return Reply.of(Text("a stream that "), Pause(quiet_s), Text("stands still: done"))
            case "a long command":
                command = f"python3 -c 'import time; time.sleep({quiet_s})'"
                return Reply.of(ToolUse("Bash", {"command": command, "timeout": 600_000}))
        return Reply.of(ToolUse("Write", {"file_path": "quiet/asked", "content": "x"}))

    connected.otherwise = answer
    tools = {"tools": ["Bash", "Write"], "allowed_tools": ["Bash"], "cwd": tmp_path}
    prompts = [
        "an API that is silent",
        "a stream that stands still",
        "a long command",
        "a question that is open",
    ]
    sessions = [ClaudeSession(on_permission=ask, **tools) for _ in prompts]  # type: ignore[arg-type]
    for session in sessions:
        session.connect()
    pids = [session.pids for session in sessions]
    turns = [session.send(prompt) for session, prompt in zip(sessions, prompts, strict=True)]
    ended = [turn.result() for turn in turns]
    assert [each.text for each in ended] == [f"{prompt}: done" for prompt in prompts]
    assert not any(each.recovered for each in ended)
    assert [session.pids for session in sessions] == pids
    assert (tmp_path / "quiet" / "asked").exists()
    assert all(each.elapsed_s >= quiet_s for each in ended)
    figure(f"{', '.join(prompts)}: {quiet_s} s of silence each, answered by the same process")
    for session in sessions:
        session.close()
