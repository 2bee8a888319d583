"""The core: one conversation with Claude Code; knows no IPython, no widgets and no LangChain."""

from .events import (
    Event,
    PermissionDenied,
    RetryScheduled,
    TextDelta,
    TextWithdrawn,
    ThinkingDelta,
    ToolFinished,
    ToolStarted,
    TurnFailed,
    TurnFinished,
    TurnStarted,
    Usage,
)
from .options import READING_TOOLS, Effort, PermissionMode, SessionOptions
from .registry import SessionRegistry
from .session import ClaudeSession
from .state import SessionState, SessionStatus
from .turn import Prompt, Told, Turn

__all__ = [
    "READING_TOOLS",
    "ClaudeSession",
    "Effort",
    "Event",
    "PermissionDenied",
    "PermissionMode",
    "Prompt",
    "RetryScheduled",
    "SessionOptions",
    "SessionRegistry",
    "SessionState",
    "SessionStatus",
    "TextDelta",
    "TextWithdrawn",
    "ThinkingDelta",
    "Told",
    "ToolFinished",
    "ToolStarted",
    "Turn",
    "TurnFailed",
    "TurnFinished",
    "TurnStarted",
    "Usage",
]
