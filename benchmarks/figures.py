"""What was measured, beside what it is measured against, and what was promised of it."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Unit: TypeAlias = Literal["s", "B", "/s", ""]


@dataclass(frozen=True)
class Sample:
    """The same thing, measured several times.

    Attributes
    ----------
    values
        What was measured each time; at least one.
    """

    values: tuple[float, ...]

    @classmethod
    def of(cls, values: Iterable[float]) -> Sample:
        """Return a sample of these values."""
        return cls(tuple(values))

    @property
    def median(self) -> float:
        """The median."""
        return statistics.median(self.values)

    @property
    def quartiles(self) -> tuple[float, float]:
        """The lower and the upper quartile."""
        if len(self.values) == 1:
            return self.values[0], self.values[0]
        lower, _, upper = statistics.quantiles(self.values, n=4, method="inclusive")
        return lower, upper

    def told(self, unit: Unit) -> str:
        """Return the median with the quartiles, where there is a spread."""
        lower, upper = (shown(value, unit) for value in self.quartiles)
        middle = shown(self.median, unit)
        return middle if lower == upper else f"{middle} ({lower} to {upper})"


@dataclass(frozen=True)
class Goal:
    """What was promised: a share of what stands beside it, and so much on top.

    Attributes
    ----------
    times
        The factor; 0 where the goal is absolute.
    plus
        What is added, in the figure's unit.
    at_least
        Whether more is better.
    """

    times: float = 0.0
    plus: float = 0.0
    at_least: bool = False

    def bound(self, beside: Sample | None) -> float:
        """Return the limit."""
        return self.times * (beside.median if beside is not None else 0.0) + self.plus

    def told(self, unit: Unit) -> str:
        """Return it as it stands in the table."""
        parts = [f"{self.times:g} ×"] if self.times else []
        if self.plus or not self.times:
            parts.append(shown(self.plus, unit))
        return ("≥ " if self.at_least else "≤ ") + " + ".join(parts)


@dataclass(frozen=True)
class Figure:
    """One line of the table.

    Attributes
    ----------
    name
        What was measured.
    ours
        What it came to.
    unit
        Of `ours`, `beside` and `floor`: seconds, bytes, a rate, or none.
    goal
        What was promised.
    beside
        What it is measured against, taken in the same run; None where the goal is absolute.
    against
        What `beside` is.
    floor
        The same by plain HTTP to the same server, in the same loop; None where that means nothing.
    headline
        Whether the README shows it too.
    """

    name: str
    ours: Sample
    unit: Unit
    goal: Goal
    beside: Sample | None = None
    against: str = ""
    floor: Sample | None = None
    headline: bool = False

    @property
    def ratio(self) -> float | None:
        """Ours over what stands beside it."""
        return self.ours.median / self.beside.median if self.beside is not None else None

    @property
    def holds(self) -> bool:
        """Whether the goal is met."""
        bound = self.goal.bound(self.beside)
        if self.goal.at_least:
            return self.ours.median >= bound
        return self.ours.median <= bound

    def cells(self) -> tuple[str, ...]:
        """Return the line's cells: name, ours, what beside, ratio, floor, goal, verdict."""
        beside = f"{self.against}: {self.beside.told(self.unit)}" if self.beside else ""
        return (
            self.name,
            self.ours.told(self.unit),
            beside,
            f"{self.ratio:.2f}" if self.ratio is not None else "",
            self.floor.told(self.unit) if self.floor else "",
            self.goal.told(self.unit),
            self._verdict,
        )

    def brief(self) -> tuple[str, ...]:
        """Return the cells of the README's line: name, ratio or value, goal, verdict."""
        measured = shown(self.ours.median, self.unit)
        if self.ratio is not None:
            measured = f"{self.ratio:.2f} × {self.against}"
        return self.name, measured, self.goal.told(self.unit), self._verdict

    @property
    def _verdict(self) -> str:
        return "yes" if self.holds else "**no**"


@dataclass(frozen=True)
class Curve:
    """A line of the chart.

    Attributes
    ----------
    label
        What it shows.
    across
        Where each of its points stands.
    up
        What was measured there.
    """

    label: str
    across: tuple[float, ...]
    up: tuple[float, ...]


@dataclass
class Report:
    """What one run has measured.

    Attributes
    ----------
    figures
        The lines of the table, in order.
    turns
        The time of each turn of a conversation, in seconds.
    memory
        The memory of so many sessions, in bytes.
    """

    figures: list[Figure] = field(default_factory=list)
    turns: list[Curve] = field(default_factory=list)
    memory: list[Curve] = field(default_factory=list)

    @property
    def missed(self) -> Sequence[Figure]:
        """The figures whose goal is not met."""
        return [figure for figure in self.figures if not figure.holds]


def shown(value: float, unit: Unit) -> str:
    """Return a value as a person reads it."""
    if unit == "s":
        text = f"{value:.2f} s" if abs(value) >= 1 else f"{value * 1000:.0f} ms"
    elif unit == "B":
        if abs(value) >= 1e9:  # noqa: PLR2004
            text = f"{value / 1e9:.2f} GB"
        elif abs(value) >= 1e5:  # noqa: PLR2004
            text = f"{value / 1e6:.2f} MB"
        else:
            text = f"{value / 1e3:.1f} kB"
    elif unit == "/s":
        text = f"{value:,.0f} /s"
    else:
        text = f"{value:g}"
    return text
