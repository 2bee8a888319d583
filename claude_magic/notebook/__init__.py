"""The IPython face: magics, what a cell shows, and how its errors look."""

from .extension import current_session, load, unload
from .reply import Reply

__all__ = ["Reply", "current_session", "load", "unload"]
