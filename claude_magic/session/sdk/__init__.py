"""The only place that knows claude-agent-sdk: starts its client, translates what it says.

Importing it imports the SDK, which takes more than a second; only the loop thread does so, off the
loop. Everything here runs on the loop.
"""

from .client import Client, claude_program
from .store import Mirror, SdkStore, fold_summary, project_folder

__all__ = ["Client", "Mirror", "SdkStore", "claude_program", "fold_summary", "project_folder"]
