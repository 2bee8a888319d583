"""Prints the oldest runtime dependencies that pyproject.toml allows, for pip to install."""

from __future__ import annotations

import re
from pathlib import Path

_PROJECT = Path(__file__).parents[1] / "pyproject.toml"


def floors() -> list[str]:
    """Return ``name==version`` for each runtime dependency, the clients of stores included."""
    # Not tomllib: Python 3.10 has none, and this runs before anything is installed.
    text = _PROJECT.read_text()
    (_, _, rest) = text.partition("\ndependencies = [")
    (listed, _, _) = rest.partition("\n]")
    clients = re.findall(r"^(?:postgres|redis|s3) = (.*)$", text, re.MULTILINE)
    pairs = re.findall(r'"([\w\[\]-]+)>=([\d.]+)"', "\n".join([listed, *clients]))
    return [f"{name}=={floor}" for name, floor in pairs]


if __name__ == "__main__":
    print(*floors())  # noqa: T201 - its purpose
