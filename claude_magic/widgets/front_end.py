"""The widgets' scripts and styles, as they are sent to the front end."""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).parent


def script(*names: str) -> str:
    """Return files of this folder as one module; what the first ones define the last one uses."""
    return "\n".join((_HERE / name).read_text(encoding="utf-8") for name in names)


def style(*names: str) -> str:
    """Return style sheets of this folder as one."""
    return script(*names)
