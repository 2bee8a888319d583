"""The LangChain face: a chat model on the same sessions as the notebook's cells."""

from .model import ClaudeCodeChatModel

__all__ = ["ClaudeCodeChatModel"]
