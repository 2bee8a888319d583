"""What Claude puts in the background ends when it ends, and answers no prompt by that."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from claude_magic.tape import Hold, Reply, Text, ToolUse

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.kernel import Kernel

    from claude_magic.tape import MessagesRequest


@dataclass
class Task:
    """A command in the background that ends when it is told to, and what the model says of it.

    Attributes
    ----------
    pipe
        What the command waits for.
    noticed
        Set when Claude Code has asked the model what to make of the end.
    """

    pipe: Path
    noticed: threading.Event = field(default_factory=threading.Event)

    def answer(self, request: MessagesRequest) -> Reply:
        if "task-notification" in str(request.messages[-1]):
            self.noticed.set()
            return Reply.of("The long job is done: 42 rows.")
        *_, prompt = [turn.texts[-1] for turn in request.visible_turns if turn.role == "user"]
        if prompt == "Start it." and not request.tool_result_count:
            command = f"read line < {self.pipe}; echo $line"
            return Reply.of(ToolUse("Bash", {"command": command, "run_in_background": True}))
        return Reply.of(f"Answer to {prompt}")

    def end(self) -> None:
        self.pipe.write_text("finished\n")
        assert self.noticed.wait(20)


@pytest.fixture
def task(kernel: Kernel, kernel_api: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Task:
    task = Task(tmp_path / "pipe")
    os.mkfifo(task.pipe)
    monkeypatch.setattr(kernel_api, "otherwise", task.answer)
    kernel.converse(tools=("Bash",), allowed_tools=("Bash",))
    assert kernel.run("%%claude\nStart it.").answers[-1] == "Answer to Start it."
    return task


def test_what_ends_between_cells_answers_no_cell(
    kernel: Kernel,
    task: Task,
    figure: Callable[[str], None],
) -> None:
    task.end()
    ran = kernel.run("%%claude\nHello.")
    *said, answer = ran.answers
    assert answer == "Answer to Hello."
    assert len(said) == 1, said
    assert said[0].startswith("> In the background:")
    assert said[0].endswith("> The long job is done: 42 rows.")
    assert kernel.run("%%claude\nAgain.").answers == ["Answer to Again."]
    assert kernel.run("print(sessions.main.status.turns)").stdout == "3\n"
    figure("shown above the next answer, as what it is; that answer is the cell's own")


def test_what_ends_while_a_cell_runs_answers_no_cell(
    kernel: Kernel,
    kernel_api: Any,
    task: Task,
) -> None:
    gate = threading.Event()
    kernel_api.replies.append(Reply.of(Text("Once "), Hold(gate), Text("more.")))

    def end_the_task(message: dict[str, Any]) -> None:
        if "Once" in str(message["content"]) and not gate.is_set():
            task.pipe.write_text("finished\n")
            gate.set()

    ran = kernel.finish(kernel.start("%%claude\nTell me."), end_the_task)
    assert ran.status == "ok"
    assert "Once more." in ran.answers
    assert task.noticed.wait(20)
    ran = kernel.run("%%claude\nHello.")
    assert ran.answers[-1] == "Answer to Hello."
    assert kernel.run("%%claude\nAgain.").answers == ["Answer to Again."]


def test_a_conversation_with_a_task_is_not_parked(kernel: Kernel, task: Task) -> None:
    pids = kernel.pids()
    for name in ("a", "b", "c", "d", "e"):
        assert kernel.run(f"%%claude -s {name}\nHello.").status == "ok"
    assert kernel.pids() == pids
    task.end()
    assert kernel.run("%%claude\nHello.").answers[-1] == "Answer to Hello."


def test_an_interrupted_cell_leaves_the_task_alone(
    kernel: Kernel,
    kernel_api: Any,
    task: Task,
) -> None:
    kernel_api.replies.append(Reply.of(Text("Once "), Hold(threading.Event())))

    def stop(message: dict[str, Any]) -> None:
        if "Once" in str(message["content"]):
            kernel.interrupt()

    ran = kernel.finish(kernel.start("%%claude\nTell me."), stop)
    assert ran.error_name == "TurnInterruptedError"
    task.end()
    ran = kernel.run("%%claude\nHello.")
    assert ran.answers[-1] == "Answer to Hello."
