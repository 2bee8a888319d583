"""Tracebacks as IPython shows them, as plain text."""

from __future__ import annotations

import traceback
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError

from .bounded_text import bounded, plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from IPython.core.interactiveshell import InteractiveShell

#: Longer tracebacks lose their middle, in characters.
MAX_TRACEBACK = 20_000

_HERE = str(Path(__file__).parent)


def traceback_text(lines: Sequence[str]) -> str:
    """Return the lines that IPython shows as plain text of bounded length."""
    # Colours take room, but not so much.
    text = bounded("\n".join(lines).strip("\n"), 4 * MAX_TRACEBACK)
    return bounded(plain(text), MAX_TRACEBACK)


def without_ours(trace: TracebackType | None) -> TracebackType | None:
    """Return a traceback without the frames of this package, as a copy."""
    kept = []
    while trace is not None:
        if not trace.tb_frame.f_code.co_filename.startswith(_HERE):
            kept.append(trace)
        trace = trace.tb_next
    for frame in reversed(kept):
        trace = TracebackType(trace, frame.tb_frame, frame.tb_lasti, frame.tb_lineno)
    return trace


def traceback_of(
    shell: InteractiveShell,
    error: BaseException,
    trace: TracebackType | None,
) -> str:
    """Return the traceback of an exception as `shell` would show it.

    It shows nothing, changes nothing of what ``%tb`` and ``%debug`` look at, and never fails:
    where IPython's own formatting does, Python's takes its place. The exception's ``str`` runs,
    and may take its time.

    Parameters
    ----------
    shell
        Whose ``%xmode`` counts.
    error
        The exception.
    trace
        The frames to show; None for those of its causes only.
    """
    debugged = getattr(shell.InteractiveTB, "tb", None)
    try:
        return traceback_text(_lines(shell, error, trace))
    except Exception:  # noqa: BLE001 - whatever the exception's own methods raise
        return traceback_text(
            "".join(traceback.format_exception(type(error), error, trace)).split("\n")
        )
    finally:
        shell.InteractiveTB.tb = debugged


def _lines(
    shell: InteractiveShell,
    error: BaseException,
    trace: TracebackType | None,
) -> list[str]:
    kind = type(error)
    if isinstance(error, UsageError):
        return [f"UsageError: {error}"]
    render = getattr(error, "_render_traceback_", None)
    if render is not None:
        return list(render())
    if isinstance(error, SyntaxError):
        # IPython's own calls give it the frames as a list.
        frames: Any = list(traceback.extract_tb(trace))
        return [*shell.SyntaxTB.structured_traceback(kind, error, frames)]
    if _has_group(error):  # IPython shows these as Python does
        return "".join(traceback.format_exception(kind, error, trace)).split("\n")
    return [*shell.InteractiveTB.structured_traceback(kind, error, trace, tb_offset=0)]


def _has_group(error: BaseException | None) -> bool:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        # Python 3.10 has exception groups from a package only.
        if any(base.__name__ == "BaseExceptionGroup" for base in type(error).__mro__):
            return True
        seen.add(id(error))
        error = error.__context__
    return False


def summary_of(error: BaseException) -> str:
    """Return an exception's type and message in one line, whatever its ``str`` does."""
    try:
        message = str(error)
    except Exception:  # noqa: BLE001 - likewise
        message = "<its str() failed>"
    summary = f"{type(error).__name__}: {message}" if message else type(error).__name__
    return bounded(" ".join(plain(bounded(summary, 1_000)).split()), 500)
