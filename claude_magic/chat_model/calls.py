"""Tool calls of any provider in a history, with ids and names that the Messages API takes."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any

from claude_magic.errors import UsageError
from claude_magic.session import wire_name

if TYPE_CHECKING:
    from collections.abc import Mapping

_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
#: Claude Code takes an id with such an end for the same as one without it, and drops its result.
_NUMBER = re.compile(r"_\d+$")
#: Longest name of a tool, in characters; the rest of the API's 128 is our prefix.
_NAME_LENGTH = 128 - len(wire_name(""))


class HistoryCalls:
    """Tool calls and results of one history, in order.

    Other providers give ids that the Messages API rejects, use one id for several calls, or give
    none. Ids that the API takes stay as they are; the others are replaced, in the call and in its
    result. The same history always gets the same ids.
    """

    def __init__(self) -> None:
        self._used: set[str] = set()
        # The ids without the number at their end, where they have one.
        self._unnumbered: set[str] = set()
        # Calls without a result so far: the id that the provider gave, and ours.
        self._open: list[tuple[str, str]] = []

    def call(self, call: Mapping[str, Any]) -> dict[str, Any]:
        """Return a call as a content block."""
        given = str(call.get("id") or "")
        ours = self._unused(given)
        self._open.append((given, ours))
        name = wire_name(valid_name(str(call.get("name") or "")))
        return {"type": "tool_use", "id": ours, "name": name, "input": call["args"]}

    def result_id(self, given: str) -> str:
        """Return the id of the call that a result belongs to.

        Parameters
        ----------
        given
            The id that the result bears. One that is the id of no call here may belong to a call
            of a session that this history is sent to.

        Raises
        ------
        UsageError
            If it is no possible id, and no call is without one.
        """
        for wanted in (given, ""):
            for index, (theirs, ours) in enumerate(self._open):
                if theirs == wanted:
                    del self._open[index]
                    return ours
        if _ID.fullmatch(given):
            return given
        raise UsageError(
            f"A tool message has tool_call_id={given!r}, and no tool call before it has this id. "
            "Give it the id of the call that it answers. Nothing was sent.",
        )

    def _unused(self, given: str) -> str:
        ours = given
        if not given:
            ours = "call"
        elif not _ID.fullmatch(given):
            # Two ids may differ in nothing but what is replaced.
            digest = hashlib.sha256(given.encode("utf-8", "surrogatepass")).hexdigest()[:8]
            ours = f"{re.sub('[^A-Za-z0-9_-]', '_', given)[:100]}_{digest}"
        number, first = 2, ours
        while self._is_taken(ours):
            ours = f"{first[:110]}-{number}"
            number += 1
        self._used.add(ours)
        if _NUMBER.search(ours):
            self._unnumbered.add(_NUMBER.sub("", ours))
        return ours

    def _is_taken(self, ours: str) -> bool:
        return not self._used.isdisjoint({ours, _NUMBER.sub("", ours)}) or ours in self._unnumbered


def valid_name(name: str) -> str:
    """Return a tool's name with ``_`` for each character that the Messages API rejects."""
    return re.sub("[^A-Za-z0-9_-]", "_", name)[:_NAME_LENGTH] or "unnamed"
