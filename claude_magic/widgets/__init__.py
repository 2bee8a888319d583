"""The faces that live in a notebook's output: the status panel, and its text where no widget shows.

The panel is loaded when it is first asked for, because anywidget and ipywidgets are heavy and a
console has no use for them.
"""

from typing import TYPE_CHECKING

from .control import ControlChannel
from .status_text import one_line, status_text

if TYPE_CHECKING:
    from .status_panel import StatusPanel

__all__ = ["ControlChannel", "StatusPanel", "one_line", "status_text"]


def __getattr__(name: str) -> object:
    if name == "StatusPanel":
        from .status_panel import StatusPanel  # noqa: PLC0415 - loads anywidget

        return StatusPanel
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
