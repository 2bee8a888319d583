"""How a turn looks: one renderer for each kind of front end."""

from .base import Renderer
from .console import ConsoleRenderer
from .final import FinalRenderer
from .live import LiveRenderer

__all__ = ["ConsoleRenderer", "FinalRenderer", "LiveRenderer", "Renderer"]
