"""Long answers: what they cost the kernel and the wire, and how fast they can come."""

from __future__ import annotations

import os
import time
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from support.kernel import METER, READ_METER, wire_size

from claude_magic import ClaudeSession
from claude_magic.session import TextDelta

from .api import order, text_of
from .bare import TOOLS, BareClient
from .bench import ask, run
from .figures import Figure, Goal, Sample

if TYPE_CHECKING:
    from support.kernel import Kernel

    from .bench import Bench
    from .figures import Report, Unit

#: An answer comes in pieces of so many characters, so many in a second.
PIECE = 50
A_SECOND = 100

#: So much more may the single kilobyte of an answer cost that is five times as long: JupyterLab
#: shows 50 outputs of a cell, so that those of a very long answer are longer, and are sent at most
#: as often as keeps to a fixed number of bytes in a second.
LINEAR = 1.5

ANSWERS = 3
RUSHES = 16
DELTAS = 5000


@dataclass(frozen=True)
class Cost:
    """What an answer cost.

    Attributes
    ----------
    cpu_s
        The kernel's CPU in all, in seconds.
    main_s
        That of its main thread, which displays.
    iopub_bytes
        What went to the front end.
    """

    cpu_s: float
    main_s: float
    iopub_bytes: int


def measure(bench: Bench, report: Report) -> None:
    """Measure answers of several lengths at one pace, then some without any pause."""
    report.figures += [*_paced(bench), *_rushed(bench)]


def _paced(bench: Bench) -> list[Figure]:
    costs: dict[int, list[Cost]] = {10: [], 50: [], 250: []}
    bare_cpu = []
    with closing(bench.kernel()) as kernel, BareClient(tools=list(TOOLS)) as client:
        run(kernel, "%load_ext claude_magic")
        ask(kernel, "%%claude\nHello")
        client.ask("Hello")
        for _ in range(bench.times(ANSWERS)):
            for kilobytes, taken in costs.items():
                taken.append(_cost(kernel, kilobytes))
            before = _cpu_s()
            client.ask(_prompt(50))
            bare_cpu.append(_cpu_s() - before)
    cpu, main, sent = (
        {
            kilobytes: Sample.of(getattr(cost, name) for cost in taken)
            for kilobytes, taken in costs.items()
        }
        for name in ("cpu_s", "main_s", "iopub_bytes")
    )
    measures: tuple[tuple[str, dict[int, Sample], Unit], ...] = (
        ("CPU", cpu, "s"),
        ("bytes on iopub", sent, "B"),
    )
    return [
        Figure("50 kB streamed in 10 s: bytes on iopub", sent[50], "B", Goal(plus=0.4e6)),
        Figure(
            "its CPU in the kernel",
            cpu[50],
            "s",
            Goal(plus=0.3),
            Sample.of(bare_cpu),
            "bare client that shows nothing",
        ),
        Figure("of which the thread that displays", main[50], "s", Goal(plus=0.3)),
        *(
            Figure(
                f"{what} per kB, answer of {longer} kB",
                _per_kilobyte(taken[longer], longer),
                unit,
                Goal(LINEAR),
                _per_kilobyte(taken[shorter], shorter),
                f"of {shorter} kB",
            )
            for what, taken, unit in measures
            for shorter, longer in ((10, 50), (50, 250))
        ),
    ]


def _rushed(bench: Bench) -> list[Figure]:
    prompt = order(DELTAS * 8, DELTAS)
    rates: dict[str, list[float]] = {"bare": [], "session": [], "cell": [], "floor": []}
    with (
        closing(bench.kernel()) as kernel,
        BareClient(tools=list(TOOLS)) as client,
        ClaudeSession(tools=TOOLS) as session,
    ):
        run(kernel, "%load_ext claude_magic")
        ask(kernel, "%%claude\nHello")
        session.ask("Hello")
        client.ask("Hello")
        for _ in range(bench.times(RUSHES)):
            took = client.ask(prompt)
            rates["bare"].append(took.deltas / took.whole_s)
            rates["session"].append(_session_rate(session, prompt))
            rates["cell"].append(DELTAS / ask(kernel, f"%%claude\n{prompt}").whole_s)
            rates["floor"].append(DELTAS / bench.api.ask(prompt)[1])
    bare, floor = Sample.of(rates["bare"]), Sample.of(rates["floor"])
    return [
        Figure(
            f"{DELTAS:,} deltas as fast as they come: {name}",
            Sample.of(rates[kind]),
            "/s",
            Goal(0.8, at_least=True),
            bare,
            "bare client",
            floor,
            headline=kind == "cell",
        )
        for kind, name in (("session", "`ClaudeSession`"), ("cell", "`%%claude`"))
    ]


def _session_rate(session: ClaudeSession, prompt: str) -> float:
    began = time.perf_counter()
    count = sum(isinstance(event, TextDelta) for event in session.send(prompt))
    assert count == DELTAS, count
    return count / (time.perf_counter() - began)


def _prompt(kilobytes: int) -> str:
    return order(kilobytes * 1000, kilobytes * 1000 // PIECE, A_SECOND)


def _cost(kernel: Kernel, kilobytes: int) -> Cost:
    run(kernel, METER)
    shown = ask(kernel, f"%%claude\n{_prompt(kilobytes)}")
    cpu_s, main_s = map(float, run(kernel, READ_METER).stdout.split())
    # Outputs that were joined have empty lines between them.
    assert "".join(shown.ran.answers).split() == text_of(kilobytes * 1000).split()
    return Cost(cpu_s, main_s, sum(map(wire_size, shown.ran.messages)))


def _cpu_s() -> float:
    times = os.times()
    return times.user + times.system


def _per_kilobyte(sample: Sample, kilobytes: int) -> Sample:
    return Sample.of(value / kilobytes for value in sample.values)
