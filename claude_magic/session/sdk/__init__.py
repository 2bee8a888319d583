"""The only place that knows claude-agent-sdk: starts its client, translates what it says.

Importing it imports the SDK, which takes most of a second; only the loop thread does so, off the
loop. Everything here runs on the loop.
"""

from .iri_grammar import import_jsonschema_without_it

import_jsonschema_without_it()

from .client import Client, claude_program  # noqa: E402 - imports the SDK, which imports jsonschema
from .store import Mirror, SdkStore, fold_summary, project_folder  # noqa: E402

__all__ = ["Client", "Mirror", "SdkStore", "claude_program", "fold_summary", "project_folder"]
