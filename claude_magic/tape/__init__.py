"""Replay of the Messages API on loopback: tapes, their server, and the offline demo."""

from claude_magic.variables import TAPE_VARIABLE

from .deck import Deck, Mode, tape_of, tapes_in
from .demo import Demo, demo_tape, offline_demo
from .reply import (
    Cut,
    Failure,
    Gate,
    Hold,
    OtherBlock,
    Pause,
    Reply,
    Stall,
    Text,
    Thinking,
    ToolOutcome,
    ToolUse,
    Usage,
)
from .request import MessagesRequest, ToolCall, ToolResult, VisibleTurn
from .rules import Rules
from .server import MessagesServer, Replier
from .tape import Conversation, Tape, TapeTurn

__all__ = [
    "TAPE_VARIABLE",
    "Conversation",
    "Cut",
    "Deck",
    "Demo",
    "Failure",
    "Gate",
    "Hold",
    "MessagesRequest",
    "MessagesServer",
    "Mode",
    "OtherBlock",
    "Pause",
    "Replier",
    "Reply",
    "Rules",
    "Stall",
    "Tape",
    "TapeTurn",
    "Text",
    "Thinking",
    "ToolCall",
    "ToolOutcome",
    "ToolResult",
    "ToolUse",
    "Usage",
    "VisibleTurn",
    "demo_tape",
    "offline_demo",
    "tape_of",
    "tapes_in",
]
