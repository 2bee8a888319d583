"""The core: one conversation with Claude Code; knows no IPython, no widgets and no LangChain."""

from typing import TYPE_CHECKING

from claude_magic.well_formed import well_formed

from .events import (
    BackgroundReply,
    Event,
    PermissionAsked,
    PermissionDenied,
    RetryScheduled,
    RoomAwaited,
    TextDelta,
    TextWithdrawn,
    ThinkingDelta,
    ThinkingFinished,
    ToolCallDelta,
    ToolCalled,
    ToolCallWithdrawn,
    ToolFinished,
    ToolStarted,
    TurnFailed,
    TurnFinished,
    TurnStarted,
    Usage,
)
from .loop import LoopThread, loop_thread
from .moment import moment
from .named import NamedSession
from .options import READING_TOOLS, TOOLS, Effort, PermissionMode, SessionOptions
from .permission import (
    Allow,
    Deny,
    PermissionAnswer,
    PermissionCallback,
    PermissionRequest,
    nobody_to_ask,
)
from .pool import Pool
from .records import Record
from .registry import DEFAULT_MAX_LIVE, MAIN, SHORTEST_ID, SessionRegistry
from .relay import Relay
from .served import KERNEL_SERVER, Caller, Picture, ServedTool, ToolAnswer
from .session import ClaudeSession
from .state import SessionState, SessionStatus
from .tools import ToolDefinition, wire_name
from .turn import Prompt, Told, Turn

if TYPE_CHECKING:
    from .sdk import claude_program

__all__ = [
    "DEFAULT_MAX_LIVE",
    "KERNEL_SERVER",
    "MAIN",
    "READING_TOOLS",
    "SHORTEST_ID",
    "TOOLS",
    "Allow",
    "BackgroundReply",
    "Caller",
    "ClaudeSession",
    "Deny",
    "Effort",
    "Event",
    "LoopThread",
    "NamedSession",
    "PermissionAnswer",
    "PermissionAsked",
    "PermissionCallback",
    "PermissionDenied",
    "PermissionMode",
    "PermissionRequest",
    "Picture",
    "Pool",
    "Prompt",
    "Record",
    "Relay",
    "RetryScheduled",
    "RoomAwaited",
    "ServedTool",
    "SessionOptions",
    "SessionRegistry",
    "SessionState",
    "SessionStatus",
    "TextDelta",
    "TextWithdrawn",
    "ThinkingDelta",
    "ThinkingFinished",
    "Told",
    "ToolAnswer",
    "ToolCallDelta",
    "ToolCallWithdrawn",
    "ToolCalled",
    "ToolDefinition",
    "ToolFinished",
    "ToolStarted",
    "Turn",
    "TurnFailed",
    "TurnFinished",
    "TurnStarted",
    "Usage",
    "claude_program",
    "loop_thread",
    "moment",
    "nobody_to_ask",
    "well_formed",
    "wire_name",
]


def __getattr__(name: str) -> object:
    if name == "claude_program":
        from .sdk import claude_program  # noqa: PLC0415 - loads the SDK, which takes a second

        return claude_program
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
