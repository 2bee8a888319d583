"""Failed cells: they fail, and they say why in a few lines."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from IPython.core.error import UsageError as ShellUsageError

from claude_magic.errors import ClaudeMagicError, OptionError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def brief_failures() -> Iterator[None]:
    """Let errors of ours pass with a short rendering instead of forty lines of our own code.

    The exception is the same one, so that ``except`` and nbclient see its type; only IPython's
    traceback of it changes. A usage error becomes IPython's, which it shows in one line.
    """
    try:
        yield
    except (UsageError, OptionError) as error:
        raise ShellUsageError(str(error)) from None
    except ClaudeMagicError as error:
        # IPython asks the exception itself first how it wants to be shown.
        error._render_traceback_ = partial(_lines, error)  # type: ignore[attr-defined]
        raise


def is_own_failure(error: BaseException) -> bool:
    """Tell whether an error comes from one of our magics, and not from the user's own code."""
    if isinstance(error, ShellUsageError):
        return isinstance(error.__context__, ClaudeMagicError)
    return isinstance(error, ClaudeMagicError) and "_render_traceback_" in vars(error)


def _lines(error: ClaudeMagicError) -> list[str]:
    red, plain = "\x1b[0;31m", "\x1b[0m"
    return [f"{red}{type(error).__name__}{plain}: {error}"]
