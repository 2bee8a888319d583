"""What `%load_ext claude_magic` does, and undoes."""

from __future__ import annotations

import atexit
import logging
import os
import sys
from typing import TYPE_CHECKING

from IPython.core.getipython import get_ipython

from claude_magic.errors import SessionError
from claude_magic.session import MAIN
from claude_magic.variables import TAPE_VARIABLE

from .failure import brief_failures
from .magics import ClaudeMagics
from .verbatim import ClaudeLine, keep_verbatim

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from claude_magic.session import ClaudeSession
    from claude_magic.tape import Deck

    from .kernel_secrets import KernelSecrets

_logger = logging.getLogger(__name__)


def load(shell: InteractiveShell) -> None:
    """Add the magics to a shell and connect in the background; returns at once.

    Where they are loaded already the conversation goes on.
    """
    if _magics(shell) is not None:
        return
    magics = ClaudeMagics(shell)
    try:
        deck = _deck(magics.secrets)
    except BaseException:
        magics.close()
        raise
    if deck is not None:
        magics.put_in(deck)
    shell.register_magics(magics)
    shell.input_transformers_cleanup.insert(0, keep_verbatim)
    shell.input_transformer_manager.token_transformers.insert(0, ClaudeLine)
    shell.Completer.custom_matchers.append(magics.matcher)
    atexit.register(_close_at_exit, magics, os.getpid())
    magics.link.open(magics.sessions)
    # Last: from here on the import of the SDK competes with this thread.
    magics.session.start_connecting()


def _deck(secrets: KernelSecrets) -> Deck | None:
    """Return the tape that the environment names, running; None if it names none."""
    named = os.environ.get(TAPE_VARIABLE)
    if not named:
        return None
    from claude_magic.tape import Deck  # noqa: PLC0415 - most kernels have none

    with brief_failures():
        return Deck.of_variable(named, secrets.mask).start()


def _close_at_exit(magics: ClaudeMagics, process_id: int) -> None:
    # A forked child inherits this call together with sessions that are not its own.
    if os.getpid() != process_id:
        return
    try:
        magics.close()
    except Exception:
        # The interpreter would print it, and it is too late to do anything about it.
        _logger.info("The conversations were not closed in good order.", exc_info=True)


def unload(shell: InteractiveShell) -> None:
    """End the conversation and take the magics away again."""
    magics = _magics(shell)
    if magics is None:
        return
    atexit.unregister(_close_at_exit)
    magics.close()
    sys.stdout.write("The conversation of this kernel has ended.\n")
    shell.input_transformers_cleanup.remove(keep_verbatim)
    shell.input_transformer_manager.token_transformers.remove(ClaudeLine)
    shell.Completer.custom_matchers.remove(magics.matcher)
    shell.configurables.remove(magics)  # type: ignore[arg-type]
    del shell.magics_manager.registry[ClaudeMagics.__name__]
    for kind, names in ClaudeMagics.magics.items():
        for name in names:
            shell.magics_manager.magics[kind].pop(name, None)


def current_session(name: str = MAIN) -> ClaudeSession:
    """Return the session that this kernel's ``%%claude`` cells talk to.

    Parameters
    ----------
    name
        What it is called in ``%%claude -s NAME``; otherwise the kernel's own.

    Raises
    ------
    SessionError
        If there is no IPython, or the extension is not loaded in it.
    UsageError
        If there is no session of this name.
    """
    shell = get_ipython()
    magics = _magics(shell) if shell is not None else None
    if magics is None:
        raise SessionError(
            "This kernel has no conversation yet. Run `%load_ext claude_magic` first, or make a "
            "session of your own with ClaudeSession().",
        )
    return magics.sessions.find(name).session


def _magics(shell: InteractiveShell) -> ClaudeMagics | None:
    found = shell.magics_manager.registry.get(ClaudeMagics.__name__)
    return found if isinstance(found, ClaudeMagics) else None
