"""IPython behind a pseudo terminal."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

import pexpect

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_PROMPT = r"In \[\d+\]: "

#: Stands for the key in `Console.leave`.
CTRL_D = "\x04"


class Console:
    """IPython behind a pseudo terminal; a dumb one can only be written to, line by line.

    Parameters
    ----------
    environment, folder
        Where it runs.
    terminal
        The kind of terminal.
    arguments
        The module that is run, with its options; ``jupyter_console`` has a kernel behind it.
    """

    def __init__(
        self,
        environment: dict[str, str],
        folder: Path,
        terminal: str = "dumb",
        arguments: Sequence[str] = ("IPython", "--no-banner", "--colors=NoColor"),
    ) -> None:
        self._child = pexpect.spawn(
            sys.executable,
            ["-m", *arguments, "--simple-prompt"],
            env={**environment, "TERM": terminal},
            cwd=str(folder),
            encoding="utf-8",
            timeout=30,
            echo=False,
        )
        self._child.expect(_PROMPT)

    def type(self, line: str) -> None:
        self._child.sendline(line)

    def wait_for(self, text: str) -> str:
        """Wait for a text and return what was shown before it."""
        self._child.expect(re.escape(text))
        return str(self._child.before).replace("\r\n", "\n")

    def press_ctrl_c(self) -> None:
        self._child.sendintr()

    def read_until_prompt(self) -> str:
        self._child.expect(_PROMPT)
        return str(self._child.before).replace("\r\n", "\n")

    def run(self, line: str) -> str:
        self.type(line)
        return self.read_until_prompt()

    def leave(self, *keys: str) -> tuple[int | None, str]:
        """Type what ends IPython, wait for its end, and return its exit code and what it showed.

        Parameters
        ----------
        *keys
            Lines to type; `CTRL_D` presses Ctrl-D instead.
        """
        for key in keys:
            if key == CTRL_D:
                self._child.sendeof()
            else:
                self._child.sendline(key)
        self._child.expect(pexpect.EOF)
        shown = str(self._child.before).replace("\r\n", "\n")
        self._child.close()
        return self._child.exitstatus, shown

    def close(self) -> None:
        self._child.close(force=True)
