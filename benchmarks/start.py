"""What it takes until the first cell: the import, `%load_ext`, and the connection behind it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import closing
from typing import TYPE_CHECKING

from .bare import TOOLS, BareClient
from .bench import ask, run
from .figures import Figure, Goal, Sample

if TYPE_CHECKING:
    from .bench import Bench
    from .figures import Report

KERNELS = 8
STARTS = 20

#: The first cell comes this long after `%load_ext`, in seconds.
PAUSE_S = 1.0

_LOAD = """
import time
began = time.perf_counter()
get_ipython().run_line_magic("load_ext", "claude_magic")
print(time.perf_counter() - began)
"""


def measure(bench: Bench, report: Report) -> None:
    """Measure starts of interpreters and of kernels."""
    report.figures += [*_load(bench), _import(bench)]


def _load(bench: Bench) -> list[Figure]:
    load, first, bare, floor = [], [], [], []
    for _ in range(bench.times(KERNELS)):
        with closing(bench.kernel()) as kernel:
            load.append(float(run(kernel, _LOAD).stdout))
            time.sleep(PAUSE_S)
            first.append(ask(kernel, "%%claude\nHello").first_s)
        with BareClient(tools=list(TOOLS)) as client:
            time.sleep(PAUSE_S)
            bare.append(client.ask("Hello").first_s)
        floor.append(bench.api.ask("Hello")[0])
    return [
        Figure(
            "`%load_ext claude_magic`, imports included",
            Sample.of(load),
            "s",
            Goal(plus=0.06),
            headline=True,
        ),
        Figure(
            f"first cell {PAUSE_S:g} s after it, first text",
            Sample.of(first),
            "s",
            Goal(1.25, 0.015),
            Sample.of(bare),
            "bare client that is connected, first turn",
            Sample.of(floor),
        ),
    ]


def _import(bench: Bench) -> Figure:
    plain, ours = [], []
    for _ in range(bench.times(STARTS)):
        plain.append(_interpreter("pass"))
        ours.append(_interpreter("import claude_magic"))
    return Figure(
        "`import claude_magic`",
        Sample.of(ours),
        "s",
        Goal(1, 0.015),
        Sample.of(plain),
        "interpreter that imports nothing",
    )


def _interpreter(statement: str) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], check=True, env=os.environ)  # noqa: S603
    return time.perf_counter() - began
