"""Replay of the Messages API on loopback: tapes, their server, and the offline demo."""

from .demo import Demo, demo_tape, offline_demo
from .reply import Cut, Failure, Gate, Hold, Pause, Reply, Stall, Text, Thinking, ToolUse, Usage
from .request import MessagesRequest, ToolResult, VisibleTurn
from .server import MessagesServer, Replier
from .tape import Conversation, Tape, TapeTurn

__all__ = [
    "Conversation",
    "Cut",
    "Demo",
    "Failure",
    "Gate",
    "Hold",
    "MessagesRequest",
    "MessagesServer",
    "Pause",
    "Replier",
    "Reply",
    "Stall",
    "Tape",
    "TapeTurn",
    "Text",
    "Thinking",
    "ToolResult",
    "ToolUse",
    "Usage",
    "VisibleTurn",
    "demo_tape",
    "offline_demo",
]
