"""Ways to the user's screen that the code of a cell cannot capture."""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from claude_magic.widgets import output_widget_takes

from .front_end import in_vs_code

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from IPython.core.interactiveshell import InteractiveShell

#: Time for a front end to show output before it is asked for input, in seconds. Both come on
#: channels of their own, and some front ends show first what they happen to look at first.
SHOWN_S = 0.2

_TERMINAL = Path("/dev/tty")


class UnseenError(Exception):
    """The user could not see what is written."""


class KernelScreen:
    """The cell of a front end, written to past ``%%capture`` and its kin. Main thread only.

    Parameters
    ----------
    shell
        The shell of a Jupyter kernel.
    """

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
        self._kernel: Any = shell.kernel  # type: ignore[attr-defined]
        self._unread: list[str] = []

    def write(self, text: str) -> None:
        """Write a text and a line end to the cell, at the latest before a line is read."""
        self._unread.append(text)

    def read(self, prompt: str) -> str:
        """Return a line from the input field.

        Raises
        ------
        UnseenError
            If an ``Output`` widget takes all that is sent to the cell, and the front end has no
            other place for it.
        """
        text, self._unread = "\n".join(self._unread), []
        if not text:
            return input(prompt)
        if _widget_takes(self._kernel):
            # The widget may not be displayed; the prompt of the input field always is.
            if in_vs_code(self._shell):
                raise UnseenError
            prompt = f"{text}\n{prompt}"
        sys.stdout.flush()
        content = {"name": "stdout", "text": f"{text}\n"}
        self._kernel.send_response(self._kernel.iopub_socket, "stream", content)
        time.sleep(SHOWN_S)
        return input(prompt)


def captures_displays(shell: InteractiveShell) -> bool:
    """Return whether outputs of the present cell do not reach it. Main thread only."""
    publisher = shell.display_pub
    kernel = getattr(shell, "kernel", None)
    return kernel is not None and (
        not isinstance(publisher, shell.display_pub_class)
        or bool(getattr(publisher, "_hooks", ()))
        or _widget_takes(kernel)
    )


def _widget_takes(kernel: Any) -> bool:
    """Return whether an ``Output`` widget takes what is sent to the present cell."""
    request = kernel.get_parent("shell")
    return bool(request) and output_widget_takes(request.get("header", {}).get("msg_id", ""))


@contextmanager
def user_terminal() -> Iterator[tuple[Callable[[str], str], Callable[[str], None]]]:
    """Give functions that read from and write to the terminal of this process. Main thread only.

    Raises
    ------
    UnseenError
        If standard output is captured or redirected, and there is no terminal behind it.
    """
    if sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty():
        yield input, print
        return
    with ExitStack() as stack:
        # As `getpass` does: the terminal of the user, wherever the standard streams lead.
        try:
            lines = stack.enter_context(_TERMINAL.open(errors="replace"))
            screen = stack.enter_context(_TERMINAL.open("w", errors="replace"))
        except OSError:
            raise UnseenError from None

        def write(text: str) -> None:
            print(text, file=screen, flush=True)

        def read(prompt: str) -> str:
            print(prompt, end="", file=screen, flush=True)
            line = lines.readline()
            if not line:
                raise EOFError
            return line.removesuffix("\n")

        yield read, write
