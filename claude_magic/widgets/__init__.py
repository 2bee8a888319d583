"""The status panel, the permission request, and the way from the front end to a busy kernel.

The panels are imported on first use: ipywidgets takes time, and a console has no use for it.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from claude_magic.shadowing import refuse_shadowed

from .control import ControlChannel
from .output_widgets import output_widget_takes
from .status_text import one_line, status_text

if TYPE_CHECKING:
    from .core_panel import CorePanel
    from .permission_question import PermissionQuestion, Verdict
    from .status_panel import StatusPanel

__all__ = [
    "ControlChannel",
    "CorePanel",
    "PermissionQuestion",
    "StatusPanel",
    "Verdict",
    "one_line",
    "output_widget_takes",
    "status_text",
]

_LAZY = {
    "CorePanel": "core_panel",
    "PermissionQuestion": "permission_question",
    "StatusPanel": "status_panel",
    "Verdict": "permission_question",
}


def __getattr__(name: str) -> object:
    if name in _LAZY:
        refuse_shadowed()
        return getattr(import_module(f".{_LAZY[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
