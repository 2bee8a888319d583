"""Plays the offline demo to everything in a Binder container, until standard input ends."""

from __future__ import annotations

import os
import sys

from claude_magic.tape import offline_demo


def main() -> None:
    """Print the variables that lead to the demo, a line for each, and serve."""
    with offline_demo() as demo:
        for name, value in demo.environment.items():
            sys.stdout.write(f"{name}={value}\n")
        sys.stdout.flush()
        # Whoever reads them waits for their end. Closing `sys.stdout` would leave the file open.
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        sys.stdin.read()


if __name__ == "__main__":
    main()
