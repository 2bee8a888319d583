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
        self._session_id = session_id
        configured = environment.get("CLAUDE_CONFIG_DIR") or os.environ.get("CLAUDE_CONFIG_DIR")
        self._folder = Path(configured) if configured else Path.home() / ".claude"

    def exists(self) -> bool:
        """Tell whether there is a conversation to resume."""
        return any(entry.get("type") == "user" for entry in self._entries())

    def holds(self, prompt_id: str) -> bool:
        """Tell whether a prompt arrived: Claude Code writes it about 0.1 s after it was sent."""
        return any(entry.get("uuid") == prompt_id for entry in self._entries())

    def answer_before(self, prompt_id: str) -> str | None:
        """Return the id of the last answer before a prompt; None if it is the first prompt."""
        entries = {str(entry.get("uuid")): entry for entry in self._entries()}
        entry = entries.get(prompt_id)
        while entry is not None:
            entry = entries.get(str(entry.get("parentUuid")))
            if entry is not None and entry.get("type") == "assistant":
                return str(entry["uuid"])
        return None

    def _entries(self) -> Iterator[dict[str, Any]]:
        # The folder below is named after the working directory, in a way that is not documented.
        for path in self._folder.glob(f"projects/*/{self._session_id}.jsonl"):
            with path.open(encoding="utf-8", errors="replace") as lines:
                for line in lines:
                    # A killed process may leave half a line.
                    with suppress(ValueError):
                        entry = json.loads(line)
                        if isinstance(entry, dict):
                            yield entry
