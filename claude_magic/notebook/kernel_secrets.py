"""Secret values seen in this kernel, remembered until it ends."""

from __future__ import annotations

import logging
import os
import re
from contextlib import suppress
from itertools import islice
from pathlib import Path
from stat import S_ISREG
from traceback import walk_tb
from typing import TYPE_CHECKING

from claude_magic import masking

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from IPython.core.interactiveshell import (
        ExecutionInfo,
        ExecutionResult,
        InteractiveShell,
    )

    from claude_magic.masking import KnownSecrets

# In a kernel, warnings that no handler takes are shown in the running cell; so all is "debug".
_logger = logging.getLogger(__name__)

#: Local variables of so many functions of a traceback are looked through.
_FRAMES = 30
#: Packages whose functions hold nothing of the user's.
_NOT_THE_USERS = frozenset({"IPython", "claude_magic"})
#: Files of code and settings as a cell names them. So many are read, if they are no larger.
_FILE = re.compile(
    r"(?<![\w./~-])[\w./~-]{0,200}\.(?:py|ipy|env|ini|cfg|conf|toml|ya?ml|json|sh|properties)\b"
)
_FILES = 10
_LARGEST_BYTES = 100_000
_LONGEST_SOURCE = 100_000


class KernelSecrets:
    """The kernel's one `KnownSecrets`, filled from the user's variables and the environment.

    From `start` to `stop` it learns from the source of each cell before it runs, with the files of
    code and settings that it names, and from the variables after it, so that a secret stays masked
    after its variable was deleted or assigned anew. `mask` may be called from any thread and can be
    handed to every exit of text as a ``Callable[[str], str]``; the rest is for the main thread.

    Parameters
    ----------
    shell
        The shell whose variables are looked through.
    """

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
        self._known: KnownSecrets | None = None
        self._started = False

    def start(self) -> None:
        """Learn after each cell from now on."""
        if not self._started:
            self._shell.events.register("pre_run_cell", self._cell_begins)
            self._shell.events.register("post_run_cell", self._cell_ended)
            self._started = True

    def stop(self) -> None:
        """Learn no longer; values learnt so far stay masked."""
        if self._started:
            self._shell.events.unregister("pre_run_cell", self._cell_begins)
            self._shell.events.unregister("post_run_cell", self._cell_ended)
            self._started = False

    def learn(self) -> None:
        """Add the secrets that the variables and the environment hold now."""
        hidden = self._shell.user_ns_hidden
        variables = {
            name: value
            for name, value in list(self._shell.user_ns.items())
            # IPython's own lead to the whole of it.
            if name not in hidden or name == "Out"
        }
        self._collection().learn(variables, os.environ)

    def mask(self, text: str) -> str:
        """Return a text with `masking.MASK` in place of each value learnt so far."""
        return self._collection().mask(text)

    def _collection(self) -> KnownSecrets:
        # Made when it is needed first: `%load_ext` does not pay for the import.
        if self._known is None:
            self._known = masking.KnownSecrets()
        return self._known

    def _cell_begins(self, info: ExecutionInfo) -> None:
        try:
            source = info.raw_cell or ""
            known = self._collection()
            known.learn_source(source)
            # What a file assigns and deletes again is in no variable once the cell has ended.
            for code in _files_named(source):
                known.learn_source(code)
        except Exception:
            _logger.debug("the secrets in the source of a cell were not learnt", exc_info=True)

    def _cell_ended(self, result: ExecutionResult | None) -> None:
        try:
            self.learn()
            error = result.error_in_exec if result is not None else None
            if error is not None and error.__traceback__ is not None:
                self._collection().learn(*_locals_of(error.__traceback__))
        except Exception:
            _logger.debug("the secrets of a cell were not learnt", exc_info=True)


def _files_named(source: str) -> Iterator[str]:
    """Yield the contents of the small files of code or settings that a cell names.

    Such as ``%run setup.py`` and ``exec(open("setup.py").read())``. Regular files only.
    """
    for found in islice(_FILE.finditer(source[:_LONGEST_SOURCE]), _FILES):
        with suppress(OSError, ValueError):
            path = Path(found[0]).expanduser()
            status = path.stat()
            if S_ISREG(status.st_mode) and status.st_size <= _LARGEST_BYTES:
                yield path.read_text(encoding="utf-8", errors="replace")


def _locals_of(traceback: TracebackType) -> list[dict[str, object]]:
    """Return the local variables of the functions that an error came through, innermost last.

    Those of the shell and of this package are left out: they lead to all of both, and looking
    through them delays the end of each cell that is interrupted.
    """
    frames = [
        frame
        for frame, _ in walk_tb(traceback)
        if frame.f_code.co_name != "<module>"
        and str(frame.f_globals.get("__name__")).partition(".")[0] not in _NOT_THE_USERS
    ]
    return [dict(frame.f_locals) for frame in frames[-_FRAMES:]]
