"""`%%claude` cells that talk to Claude Code in one conversation that lives as long as the kernel.

In a notebook::

    %load_ext claude_magic

    %%claude
    What is the median of 3, 1 and 2?

In Python: `ClaudeSession` is a conversation, `ClaudeCodeChatModel` the LangChain chat model on it,
and `current_session` the conversation of this kernel's cells.

Importing this package loads none of claude_agent_sdk, langchain_core and ipywidgets; each comes
with the first use of what needs it.
"""

from __future__ import annotations

import importlib
import sys

from . import lazily
from ._version import __version__

# As in typing, whose import would take most of the time that the import of this package takes.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from . import errors
    from .chat_model import ClaudeCodeChatModel
    from .notebook import Reply, current_session
    from .session import (
        Allow,
        ClaudeSession,
        Deny,
        PermissionRequest,
        SessionOptions,
        SessionState,
        SessionStatus,
    )

__all__ = [
    "Allow",
    "ClaudeCodeChatModel",
    "ClaudeSession",
    "Deny",
    "PermissionRequest",
    "Reply",
    "SessionOptions",
    "SessionState",
    "SessionStatus",
    "__version__",
    "current_session",
    "errors",
]

_HOMES = {
    "Allow": "claude_magic.session",
    "ClaudeCodeChatModel": "claude_magic.chat_model",
    "ClaudeSession": "claude_magic.session",
    "Deny": "claude_magic.session",
    "PermissionRequest": "claude_magic.session",
    "Reply": "claude_magic.notebook",
    "SessionOptions": "claude_magic.session",
    "SessionState": "claude_magic.session",
    "SessionStatus": "claude_magic.session",
    "current_session": "claude_magic.notebook",
}


_find = lazily.exports(__name__, _HOMES)


def __getattr__(name: str) -> object:
    if name == "errors":
        return importlib.import_module("claude_magic.errors")
    if _HOMES.get(name, __name__) not in sys.modules:
        _refuse_shadowed()
    return _find(name)


def _refuse_shadowed() -> None:
    # Not at the top: importing the package alone loads nothing that the interpreter lacks.
    from .shadowing import refuse_shadowed  # noqa: PLC0415

    refuse_shadowed()


def __dir__() -> list[str]:
    return sorted(__all__)


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Do what `%load_ext claude_magic` asks for: add the magics and connect in the background."""
    _refuse_shadowed()  # before anything else is imported
    from .notebook import load  # noqa: PLC0415 - only a kernel needs IPython

    load(shell)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """Do what `%unload_ext claude_magic` asks for: end the conversation, remove the magics."""
    from .notebook import unload  # noqa: PLC0415

    unload(shell)
