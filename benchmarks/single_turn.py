"""A call of the chat model that stands alone, beside the SDK's `query()`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from claude_magic import ClaudeCodeChatModel

from .bare import single
from .figures import Figure, Goal, Sample

if TYPE_CHECKING:
    from .bench import Bench
    from .figures import Report

CALLS = 15


def measure(bench: Bench, report: Report) -> None:
    """Measure calls that find their spare ready, in turns with `query()`."""
    ours, bare, floor = [], [], []
    model = ClaudeCodeChatModel()
    model.invoke("Hello")
    for _ in range(bench.times(CALLS)):
        (spare,) = model._spares.ready  # noqa: SLF001 - nobody else sees it
        spare.connect()
        began = time.perf_counter()
        model.invoke("Hello")
        ours.append(time.perf_counter() - began)
        bare.append(single())
        floor.append(bench.api.ask("Hello")[1])
    model._spares.close()  # noqa: SLF001
    report.figures.append(
        Figure(
            "single-turn `invoke` with the warm spare",
            Sample.of(ours),
            "s",
            Goal(0.3),
            Sample.of(bare),
            "`query()`",
            Sample.of(floor),
            headline=True,
        ),
    )
