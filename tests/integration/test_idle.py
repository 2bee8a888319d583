"""A kernel whose conversation rests."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from support.kernel import Kernel

_THREADS = (
    "import threading\n"
    "print(*(thread.native_id for thread in threading.enumerate()"
    " if thread.name.startswith('claude-magic')))"
)

#: It is left alone for so long before it is watched, and watched for so long, in seconds.
SETTLED_S = 2.0
WATCHED_S = 3.0


def _switches(task: Path) -> int:
    """Return how often a thread was given a processor."""
    lines = (task / "status").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if "ctxt_switches" in line)


def test_nothing_of_ours_wakes_up_while_nothing_happens(kernel: Kernel, kernel_api: Any) -> None:
    kernel.run("%%claude\nHello.")
    supervisor, _claude = kernel.pids()
    tasks = [
        Path("/proc", str(kernel.pid), "task", tid) for tid in kernel.run(_THREADS).stdout.split()
    ]
    assert tasks
    tasks += Path("/proc", str(supervisor), "task").iterdir()
    never = threading.Event()
    never.wait(SETTLED_S)
    before = [_switches(task) for task in tasks]
    never.wait(WATCHED_S)
    assert [_switches(task) for task in tasks] == before


def test_a_kernel_without_a_tape_loads_nothing_of_tapes(kernel: Kernel) -> None:
    ran = kernel.run(
        "import sys; print(*(name for name in sys.modules if 'claude_magic.tape' in name))"
    )
    assert ran.stdout.strip() == ""
