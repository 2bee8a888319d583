"""How a turn looks: one renderer for each kind of front end, imported when there is a turn."""

from typing import TYPE_CHECKING

from claude_magic import lazily

from .base import Renderer

if TYPE_CHECKING:
    from . import folds, gate, words
    from .console import ConsoleRenderer
    from .final import FinalRenderer
    from .live import LiveRenderer

__all__ = ["ConsoleRenderer", "FinalRenderer", "LiveRenderer", "Renderer", "folds", "gate", "words"]

__getattr__ = lazily.exports(
    __name__,
    {
        "ConsoleRenderer": "claude_magic.notebook.renderers.console",
        "FinalRenderer": "claude_magic.notebook.renderers.final",
        "LiveRenderer": "claude_magic.notebook.renderers.live",
        "folds": "claude_magic.notebook.renderers.folds",
        "gate": "claude_magic.notebook.renderers.gate",
        "words": "claude_magic.notebook.renderers.words",
    },
)
