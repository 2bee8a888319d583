"""The machine that a run was made on, without its name."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

import claude_agent_sdk


def machine() -> str:
    """Return cores, processor and memory, and the versions of all that was measured."""
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    program = Path(claude_agent_sdk.__file__).parent / "_bundled" / "claude"
    told = subprocess.run(  # noqa: S603 - the SDK's own
        [program, "--version"], capture_output=True, text=True, check=True
    )
    return (
        f"{len(os.sched_getaffinity(0))} cores of {_processor()}, {memory_gb:.0f} GB, "
        f"{platform.system()} {platform.machine()}; Python {platform.python_version()}, "
        f"claude-agent-sdk {version('claude-agent-sdk')}, "
        f"Claude Code {told.stdout.split()[0]}, ipykernel {version('ipykernel')}, "
        f"claude-magic {version('claude-magic')}"
    )


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return " ".join(value.split())
    return platform.machine()
