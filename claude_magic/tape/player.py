"""Plays a tape on this machine, and remembers what of it was played."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

from .tape import Miss

if TYPE_CHECKING:
    from .reply import Failure, Reply
    from .request import MessagesRequest
    from .scrubbing import Scrubbing
    from .tape import Found, History, Tape, TapeTurn


class Player:
    """Answers from a tape. Thread-safe.

    Parameters
    ----------
    tape
        What is played.
    scrubbing
        Knows this machine's folders.
    remedy
        What to do about a prompt that is not on the tape.
    """

    def __init__(self, tape: Tape, scrubbing: Scrubbing, remedy: str) -> None:
        self.tape = tape
        self._scrubbing = scrubbing
        self._remedy = remedy
        self._lock = threading.Lock()
        self._played: set[tuple[History, int]] = set()
        self._misses: list[str] = []

    def reply(self, request: MessagesRequest) -> Reply | Failure:
        """Answer one request, or fail with a text that says what differs from the tape."""
        found = self.tape.find(request, self._scrubbing.named)
        return self.failed(found) if isinstance(found, Miss) else self.played(found)

    def failed(self, miss: Miss) -> Failure:
        """Take note of a miss, and return it as the API's answer."""
        failure = miss.failure(self._remedy)
        with self._lock:
            self._misses.append(failure.message)
        return failure

    def played(self, found: Found) -> Reply:
        """Take note of what is played, and return it for this machine."""
        with self._lock:
            self._played.add((found.history, found.place))
        reply = self._scrubbing.reply_here(found.reply)
        return replace(reply, words_per_second=self.tape.words_per_second)

    @property
    def misses(self) -> list[str]:
        """What was asked that is not on the tape, or differs from it, oldest first."""
        with self._lock:
            return list(self._misses)

    @property
    def unused(self) -> list[TapeTurn]:
        """The turns of the tape that were not played to their end, in its order."""
        with self._lock:
            return [
                turn
                for history, turn in self.tape.turns.items()
                if (history, len(turn.replies) - 1) not in self._played
            ]
