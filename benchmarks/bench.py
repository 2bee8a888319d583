"""Where a run takes place: an environment of its own, one API, and kernels."""

from __future__ import annotations

import compileall
import os
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from support.kernel import Kernel
from support.sterile import sterile_environment

import claude_magic

from .api import Api

if TYPE_CHECKING:
    from types import TracebackType

    from support.kernel import Ran
    from typing_extensions import Self


@dataclass(frozen=True)
class Shown:
    """A cell and when it was seen.

    Attributes
    ----------
    first_s
        From the execute request to the first text of the answer on iopub, in seconds.
    whole_s
        From the request to idle, in seconds.
    ran
        What it did.
    """

    first_s: float
    whole_s: float
    ran: Ran


class Bench:
    """A sterile environment with the API in it, for this process and all that it starts.

    Parameters
    ----------
    times
        How often each thing is measured; None for the full count of each.
    """

    def __init__(self, times: int | None = None) -> None:
        self._times = times
        self._stack = ExitStack()

    def times(self, full: int) -> int:
        """Return how often something is measured that has this full count."""
        return full if self._times is None else min(self._times, full)

    def __enter__(self) -> Self:
        self.folder = Path(self._stack.enter_context(TemporaryDirectory(prefix="benchmarks-")))
        # Installed packages are compiled; so is this one.
        compileall.compile_dir(str(Path(claude_magic.__file__).parent), quiet=1)
        environment = sterile_environment(self.folder)
        del environment["PYTHONDONTWRITEBYTECODE"]
        os.environ.clear()
        os.environ.update(environment)
        self.api = self._stack.enter_context(Api())
        os.environ.update(self.api.environment)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()

    def kernel(self, **variables: str) -> Kernel:
        """Start a kernel; the caller closes it."""
        return Kernel({**os.environ, **variables}, self.folder, person=True)


def run(kernel: Kernel, code: str) -> Ran:
    """Run a cell that must not fail."""
    ran = kernel.run(code)
    if ran.status != "ok":
        raise RuntimeError(f"{code!r} failed:\n{ran.error}\n{ran.stdout}")
    return ran


def ask(kernel: Kernel, code: str) -> Shown:
    """Run a cell that shows an answer, and see when."""
    first_s = 0.0

    def watch(message: dict[str, Any]) -> None:
        nonlocal first_s
        if not first_s and _is_answer(message):
            first_s = time.perf_counter() - began

    began = time.perf_counter()
    ran = kernel.finish(kernel.start(code), watch)
    whole_s = time.perf_counter() - began
    if ran.status != "ok" or not first_s:
        raise RuntimeError(f"{code!r} showed no answer:\n{ran.error}\n{ran.stdout}")
    return Shown(first_s, whole_s, ran)


def _is_answer(message: dict[str, Any]) -> bool:
    if message["msg_type"] not in {"display_data", "update_display_data"}:
        return False
    text = str(message["content"]["data"].get("text/markdown", ""))
    return bool(text.strip()) and not text.startswith("<sub>")
