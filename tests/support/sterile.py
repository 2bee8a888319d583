"""An environment in which nothing of the machine's owner can be found or touched."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

#: What may pass from the machine into a test; all else is removed.
_PASSING = {
    "CI",
    "COVERAGE_FILE",
    "COVERAGE_PROCESS_CONFIG",
    "COVERAGE_PROCESS_START",
    "LANG",
    "PATH",
    "TERM",
    "TZ",
    "VIRTUAL_ENV",
}


def sterile_environment(home: Path, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return an environment with an own home and none of the machine's settings or secrets."""
    kept = {name: value for name, value in environ.items() if name in _PASSING}
    for folder in ("claude", "ipython", "jupyter", "runtime"):
        (home / folder).mkdir(parents=True, exist_ok=True)
    return {
        **kept,
        "HOME": str(home),
        "CLAUDE_CONFIG_DIR": str(home / "claude"),
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "IPYTHONDIR": str(home / "ipython"),
        "JUPYTER_CONFIG_DIR": str(home / "jupyter"),
        "JUPYTER_DATA_DIR": str(home / "jupyter"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "JUPYTER_PLATFORM_DIRS": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
