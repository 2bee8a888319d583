"""The core: one conversation with Claude Code. Knows neither IPython, nor widgets, nor LangChain."""

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
from .turn import Turn

__all__ = [
    "READING_TOOLS",
    "ClaudeSession",
    "Effort",
    "Event",
    "PermissionDenied",
    "PermissionMode",
    "RetryScheduled",
    "SessionOptions",
    "SessionRegistry",
    "SessionState",
    "SessionStatus",
    "TextDelta",
    "TextWithdrawn",
    "ThinkingDelta",
    "ToolFinished",
    "ToolStarted",
    "Turn",
    "TurnFailed",
    "TurnFinished",
    "TurnStarted",
    "Usage",
]
