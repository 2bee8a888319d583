"""Secret values seen in this kernel, remembered until it ends."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from claude_magic import masking

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from claude_magic.masking import KnownSecrets

# In a kernel, warnings that no handler takes are shown in the running cell; so all is "debug".
_logger = logging.getLogger(__name__)


class KernelSecrets:
    """The kernel's one `KnownSecrets`, filled from the user's variables and the environment.

    From `start` to `stop` it learns after each cell, so that a secret stays masked after its
    variable was deleted or assigned anew. `mask` may be called from any thread and can be handed
    to every exit of text as a ``Callable[[str], str]``; the rest is for the main thread.

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
            self._shell.events.register("post_run_cell", self._cell_ended)
            self._started = True

    def stop(self) -> None:
        """Learn no longer; values learnt so far stay masked."""
        if self._started:
            self._shell.events.unregister("post_run_cell", self._cell_ended)
            self._started = False

    def learn(self) -> None:
        """Add the secrets that the variables and the environment hold now."""
        self._collection().learn(self._shell.user_ns, os.environ)

    def mask(self, text: str) -> str:
        """Return a text with `masking.MASK` in place of each value learnt so far."""
        return self._collection().mask(text)

    def _collection(self) -> KnownSecrets:
        # Made when it is needed first: `%load_ext` does not pay for the import.
        if self._known is None:
            self._known = masking.KnownSecrets()
        return self._known

    def _cell_ended(self, *_: object) -> None:
        try:
            self.learn()
        except Exception:
            _logger.debug("the secrets of a cell were not learnt", exc_info=True)
