"""What is left of Claude Code and its commands when something on the way to it dies."""

from __future__ import annotations

import os
import signal
import threading
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support.processes import carriers, wait_until_gone

from claude_magic.tape import Hold, Reply, Text, ToolUse

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.kernel import Kernel

#: Everything must be gone so long after a death, in seconds.
PROMISED_S = 5.0


@dataclass
class Scene:
    """A session that may run commands, in a kernel of its own or in one that others use too.

    Attributes
    ----------
    mark
        What everything that belongs to the session carries in its environment.
    cell
        The request of the cell that is running, if one is.
    """

    kernel: Kernel
    api: Any
    mark: str = field(default_factory=lambda: str(uuid.uuid4()))
    cell: str | None = None
    supervisor: int = 0
    claude: int = 0

    def __post_init__(self) -> None:
        self.kernel.converse(
            tools=("Bash",), allowed_tools=("Bash",), environment={"DEATHS": self.mark}
        )
        assert self.kernel.run("%%claude\nHello").status == "ok"
        self.supervisor, self.claude = self.kernel.pids()
        assert {self.supervisor, self.claude} <= set(self.processes)

    @property
    def processes(self) -> list[int]:
        """Supervisor, Claude Code, and all that it started."""
        return carriers(f"DEATHS={self.mark}")

    def left_after(self, within_s: float) -> list[int]:
        """Return the processes that are not gone in time."""
        deadline = time.monotonic() + within_s
        while (found := self.processes) and time.monotonic() < deadline:
            wait_until_gone(found, deadline - time.monotonic())
        return found

    def run_command(self, **options: Any) -> int:
        """Have Claude run a command that does not end; return the number of its processes."""
        before = self.processes
        pipe = self.kernel.folder / self.mark
        os.mkfifo(pipe)
        command = {"command": f"echo > {self.mark}; tail -f /dev/null", **options}
        self.api.replies.append(Reply.of(ToolUse("Bash", command)))
        self.cell = self.kernel.start("%%claude\nRun it.")
        pipe.read_bytes()  # returns once the command has written
        return len(set(self.processes) - set(before))


def _idle(scene: Scene) -> None:
    """Nothing is under way."""


def _mid_text(scene: Scene) -> None:
    asked = len(scene.api.server.requests)
    scene.api.replies.append(Reply.of(Text("Once "), Hold(threading.Event())))
    scene.cell = scene.kernel.start("%%claude\nTell me a story.")
    scene.api.server.wait_for_requests(asked + 1)


def _foreground(scene: Scene) -> None:
    assert scene.run_command(timeout=600_000)


def _background(scene: Scene) -> None:
    assert scene.run_command(run_in_background=True)
    assert scene.cell is not None
    assert scene.kernel.finish(scene.cell).status == "ok"
    scene.cell = None


STATES = [_idle, _mid_text, _foreground, _background]


def _shut_down(kernel: Kernel) -> None:
    kernel.manager.shutdown_kernel(now=False)


def _restart(kernel: Kernel) -> None:
    kernel.manager.restart_kernel(now=False)


def _terminate(kernel: Kernel) -> None:
    os.kill(kernel.pid, signal.SIGTERM)


def _kill(kernel: Kernel) -> None:
    os.kill(kernel.pid, signal.SIGKILL)


@pytest.mark.failure(
    "The kernel, Claude Code or the supervisor is killed",
    then="Nothing is left running",
)
@pytest.mark.promise("No process outlives the kernel.", against="model")
@pytest.mark.parametrize(
    ("end", "first"),
    [(_terminate, 0), (_restart, 1), (_shut_down, 2), (_kill, 3)],
    ids=["SIGTERM", "restart", "shutdown", "SIGKILL"],
)
def test_nothing_outlives_the_kernel(
    start_kernel: Callable[..., Kernel],
    api: Any,
    times: Callable[[int, int], int],
    figure: Callable[[str], None],
    end: Callable[[Kernel], None],
    first: int,
) -> None:
    took_s = {}
    for state in (STATES[first:] + STATES[:first])[: times(1, len(STATES))]:
        kernel = start_kernel(api.environment)
        kernel.run("%load_ext claude_magic")
        scene = Scene(kernel, api)
        state(scene)
        began = time.monotonic()
        end(kernel)
        assert scene.left_after(PROMISED_S) == [], state.__name__
        took_s[state.__name__] = time.monotonic() - began
        api.begin()
    figure(_seconds(took_s))


@pytest.mark.failure(
    "The kernel, Claude Code or the supervisor is killed",
    then="Nothing is left running",
)
@pytest.mark.promise("No process outlives the kernel.", against="model")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=lambda each: each.name)
@pytest.mark.parametrize("state", STATES)
def test_nothing_outlives_claude_code(
    kernel: Kernel,
    kernel_api: Any,
    figure: Callable[[str], None],
    state: Callable[[Scene], None],
    number: signal.Signals,
) -> None:
    scene = Scene(kernel, kernel_api)
    state(scene)
    processes = scene.processes
    began = time.monotonic()
    os.kill(scene.claude, number)
    assert wait_until_gone(processes, PROMISED_S) == []
    figure(f"0 processes left after {time.monotonic() - began:.2f} s")
    _go_on(scene)


@pytest.mark.failure(
    "The kernel, Claude Code or the supervisor is killed",
    then="Nothing is left running",
)
@pytest.mark.parametrize("state", STATES)
def test_nothing_outlives_a_killed_supervisor_and_the_next_start(
    kernel: Kernel,
    kernel_api: Any,
    figure: Callable[[str], None],
    state: Callable[[Scene], None],
) -> None:
    scene = Scene(kernel, kernel_api)
    state(scene)
    processes = scene.processes
    os.kill(scene.supervisor, signal.SIGKILL)
    began = time.monotonic()
    _go_on(scene)
    assert wait_until_gone(processes, PROMISED_S) == []
    figure(f"0 processes left {time.monotonic() - began:.2f} s after the next cell was asked for")


@pytest.mark.promise("No process outlives the kernel.", against="model")
def test_the_next_kernel_ends_what_a_killed_kernel_and_supervisor_left(
    start_kernel: Callable[..., Kernel],
    shared_api: Any,
    kernel: Kernel,
    kernel_api: Any,
    figure: Callable[[str], None],
) -> None:
    bystander = Scene(kernel, kernel_api)
    _background(bystander)
    theirs = bystander.processes
    other = start_kernel(shared_api.environment)
    other.run("%load_ext claude_magic")
    scene = Scene(other, shared_api)
    _background(scene)
    folder = _folder_of(scene)
    for pid in (scene.supervisor, other.pid):
        os.kill(pid, signal.SIGKILL)
    assert wait_until_gone([scene.supervisor, scene.claude, other.pid], PROMISED_S) == []
    left = scene.processes
    assert left
    assert folder.is_dir()
    began = time.monotonic()
    third = start_kernel(shared_api.environment)
    third.run("%load_ext claude_magic")
    assert third.run("%%claude\nHello").status == "ok"
    assert scene.left_after(PROMISED_S) == []
    assert not folder.exists()
    assert set(theirs) <= set(bystander.processes)
    figure(
        f"{len(left)} processes and their folder gone {time.monotonic() - began:.2f} s after the "
        f"next kernel was asked for, the {len(theirs)} of a living kernel untouched",
    )


def _folder_of(scene: Scene) -> Path:
    for entry in Path("/proc", str(scene.supervisor), "environ").read_bytes().split(b"\0"):
        name, _, value = entry.partition(b"=")
        if name == b"CLAUDE_MAGIC_PIDS":
            return Path(os.fsdecode(value)).parent
    raise AssertionError("the supervisor was told of no folder")


def _go_on(scene: Scene) -> None:
    """Let the running cell end as it may; the next one must work."""
    if scene.cell is not None:
        scene.kernel.finish(scene.cell)
    assert scene.kernel.run("%%claude\nAre you there?").answers


def _seconds(took_s: dict[str, float]) -> str:
    listed = ", ".join(f"{name.strip('_')} {each_s:.2f} s" for name, each_s in took_s.items())
    return f"0 processes left after: {listed}"
