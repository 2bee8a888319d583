"""The chart of a run: time per turn against turns, memory against sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl

mpl.use("svg")

from matplotlib import pyplot as plt

if TYPE_CHECKING:
    from pathlib import Path

    from .figures import Report


def draw(report: Report, path: Path) -> None:
    """Draw what was measured into an SVG file."""
    with plt.rc_context(
        {
            # The same picture from the same figures, and text that can be read and searched.
            "svg.hashsalt": "claude-magic",
            "svg.fonttype": "none",
            "font.family": "sans-serif",
            "axes.spines.top": False,
            "axes.spines.right": False,
        },
    ):
        figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
        for curve in report.turns:
            left.plot(curve.across, [seconds * 1000 for seconds in curve.up], label=curve.label)
        left.set(
            title="Time per turn, one short answer",
            xlabel="turn of the conversation",
            ylabel="milliseconds (logarithmic)",
            yscale="log",
        )
        for curve in report.memory:
            right.plot(
                curve.across,
                [size / 1e9 for size in curve.up],
                marker="o",
                label=curve.label,
            )
        right.set(
            title="Memory, all processes",
            xlabel="sessions",
            ylabel="GB",
            ylim=(0, None),
        )
        for axes in (left, right):
            axes.grid(visible=True, alpha=0.3)
            # On the left, between the lines of the first and the second.
            loc, anchor = ("upper left", (0, 1)) if axes is right else ("upper right", (1, 0.93))
            axes.legend(frameon=False, loc=loc, bbox_to_anchor=anchor)
        figure.savefig(path, metadata={"Date": None})
        plt.close(figure)
