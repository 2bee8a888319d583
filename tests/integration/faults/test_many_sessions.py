"""Many conversations in one kernel, few processes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support.processes import carriers, claude_codes

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.kernel import Kernel

#: What so many conversations may take in all, kernel included.
PROMISED_BYTES = 1.5 * 2**30


def _memory_bytes(pids: list[int]) -> int:
    """Return what processes take, each page that several share counted once."""
    taken = 0
    for pid in pids:
        for line in Path("/proc", str(pid), "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                taken += int(line.split()[1]) * 1024
    return taken


@pytest.mark.timeout(900)
def test_fifty_conversations_each_with_its_context(
    start_kernel: Callable[..., Kernel],
    api: Any,
    tmp_path: Path,
    times: Callable[[int, int], int],
    figure: Callable[[str], None],
) -> None:
    many = times(10, 50)
    configuration = str(tmp_path / "claude")
    mark = f"CLAUDE_CONFIG_DIR={configuration}"
    kernel = start_kernel({**api.environment, "CLAUDE_CONFIG_DIR": configuration})
    kernel.run("%load_ext claude_magic")
    names = [f"session-{number}" for number in range(many)]
    most_bytes = most_live = 0
    for round_ in range(2):
        for number, name in enumerate(names):
            prompt = "Who am I?" if round_ else f"I am number {number}."
            ran = kernel.run(f"%%claude -s {name}\n{prompt}")
            said = f"I am number {number}. / Who am I?" if round_ else prompt
            assert ran.answers == [f"You said: {said}"], ran.error
            assert "resumed" not in ran.footer
            most_bytes = max(most_bytes, _memory_bytes(carriers(mark)))
            most_live = max(most_live, len(claude_codes(mark)))
    assert most_live == 4
    assert most_bytes <= PROMISED_BYTES
    figure(
        f"{many} conversations, each with its context: at most {most_live} processes of Claude "
        f"Code and {most_bytes / 2**30:.2f} GB, kernel included",
    )
