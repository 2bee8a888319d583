"""Measures, prints the table, and writes it and the chart into the documentation on demand."""

from __future__ import annotations

import argparse
import sys
import time
from importlib import import_module

from .bench import Bench
from .figures import Report
from .report import table, write

#: What there is to measure, one module each, in the order of the table.
GROUPS = (
    "turns",
    "start",
    "single_turn",
    "batch",
    "parked",
    "streaming",
    "prompt",
    "idle",
    "parallel",
    "tapes",
    "stores",
)


def main() -> int:
    """Measure what was asked for; 1 where a goal is not met."""
    parser = argparse.ArgumentParser("python -m benchmarks", description=__doc__)
    parser.add_argument("groups", nargs="*", metavar="NAME", help=f"of {', '.join(GROUPS)}")
    parser.add_argument("--times", type=int, help="measure everything so often at most")
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks.md anew")
    asked = parser.parse_args()
    unknown = set(asked.groups) - set(GROUPS)
    if unknown:
        parser.error(f"no such group: {', '.join(sorted(unknown))}; there are {', '.join(GROUPS)}")
    if asked.write and asked.groups:
        parser.error("--write needs all groups: the table is of one run")
    report = Report()
    with Bench(asked.times) as bench:
        for name in asked.groups or GROUPS:
            began, before = time.monotonic(), len(report.figures)
            import_module(f"{__package__}.{name}").measure(bench, report)
            sys.stdout.write(f"\n{name}, {time.monotonic() - began:.0f} s\n")
            sys.stdout.write(table(report.figures[before:]))
            sys.stdout.flush()
    if asked.write:
        write(report, reduced=asked.times is not None)
    sys.stdout.write(f"\n{len(report.missed)} of {len(report.figures)} goals are not met.\n")
    return 1 if report.missed else 0


if __name__ == "__main__":
    sys.exit(main())
