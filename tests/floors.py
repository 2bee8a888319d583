"""Prints the oldest runtime dependencies that pyproject.toml allows, for pip to install."""

from __future__ import annotations

import re
from pathlib import Path

_PROJECT = Path(__file__).parents[1] / "pyproject.toml"


def floors() -> list[str]:
    """Return ``name==version`` for each runtime dependency."""
    # Not tomllib: Python 3.10 has none, and this runs before anything is installed.
    (_, _, rest) = _PROJECT.read_text().partition("\ndependencies = [")
    (listed, _, _) = rest.partition("\n]")
    return [f"{name}=={floor}" for name, floor in re.findall(r'"([\w-]+)>=([\d.]+)"', listed)]


if __name__ == "__main__":
    print(*floors())  # noqa: T201 - its purpose
