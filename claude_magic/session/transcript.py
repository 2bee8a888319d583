"""What Claude Code keeps of a conversation on disk, as far as recovery needs to know it."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class Transcript:
    """One conversation's transcript; read anew at every question, because Claude Code writes it.

    Reading takes milliseconds for each megabyte: call it off the event loop.

    Parameters
    ----------
    session_id
        The conversation's id.
    environment
        `SessionOptions.environment`, which may say where Claude Code keeps its files.
    """

    def __init__(self, session_id: str, environment: Mapping[str, str]) -> None:
        self.session_id = session_id
        configured = environment.get("CLAUDE_CONFIG_DIR") or os.environ.get("CLAUDE_CONFIG_DIR")
        self._folder = Path(configured) if configured else Path.home() / ".claude"

    def entries(self) -> Iterator[dict[str, Any]]:
        """Yield what was written, oldest first; nothing if there is no transcript."""
        # The folder below is named after the working directory, in a way that is not documented.
        for path in self._folder.glob(f"projects/*/{self.session_id}.jsonl"):
            with path.open(encoding="utf-8", errors="replace") as lines:
                for line in lines:
                    # A killed process may leave half a line.
                    with suppress(ValueError):
                        entry = json.loads(line)
                        if isinstance(entry, dict):
                            yield entry
