"""Plays the notebooks' tapes to everything in a Binder container, until standard input ends."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from claude_magic.tape import demo_tape, offline_demo, tapes_in

_NOTEBOOKS = Path(__file__).parent.parent / "notebooks"


def main() -> None:
    """Print the variables that lead to the demo, a line for each, and serve."""
    with offline_demo(demo_tape(*tapes_in(_NOTEBOOKS))) as demo:
        for name, value in demo.environment.items():
            sys.stdout.write(f"{name}={value}\n")
        sys.stdout.flush()
        # Whoever reads them waits for their end. Closing `sys.stdout` would leave the file open.
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        sys.stdin.read()


if __name__ == "__main__":
    main()
