"""What may stand on a tape of what was said: no folder of a machine and no secret."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from claude_magic.masking import MASK, mask_shapes

from .reply import OtherBlock, Reply, Text, Thinking, ToolUse

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .places import Places
    from .reply import Step

#: A credential that is shorter may be a word of any text.
_SHORTEST_CREDENTIAL = 8


class Scrubbing:
    """Takes folders and secrets out of texts, and puts this machine's folders in again.

    Any thread may use it, but `hide` belongs to one.

    Parameters
    ----------
    places
        Names the folders.
    """

    def __init__(self, places: Places) -> None:
        self._places = places
        self._hidden: set[str] = set()

    def hide(self, credential: str) -> None:
        """Mask this credential from now on, wherever it appears."""
        if len(credential) >= _SHORTEST_CREDENTIAL:
            self._hidden.add(credential)

    def text(self, text: str) -> str:
        """Return a text as it stands on a tape."""
        for credential in self._hidden:
            text = text.replace(credential, MASK)
        return mask_shapes(self._places.named(text))

    def reply(self, reply: Reply) -> Reply:
        """Return a reply as it stands on a tape."""
        return _changed(reply, self.text)

    def reply_here(self, reply: Reply) -> Reply:
        """Return a reply of a tape with this machine's folders."""
        return _changed(reply, self._places.here)


def _changed(reply: Reply, change: Callable[[str], str]) -> Reply:
    steps = tuple(_changed_step(step, change) for step in reply.steps)
    return Reply(steps, reply.stop_reason, reply.usage, reply.words_per_second)


def _changed_step(step: Step, change: Callable[[str], str]) -> Step:
    if isinstance(step, Text):
        # Chunks are kept where nothing changes, since a tape of a test may have some.
        text = change(step.text)
        return step if text == step.text else Text(text)
    if isinstance(step, Thinking):
        return Thinking(change(step.text), step.signature)
    if isinstance(step, ToolUse):
        return ToolUse(step.name, _mapping(step.input, change), step.id, step.outcome)
    if isinstance(step, OtherBlock):
        return OtherBlock(_mapping(step.content, change))
    return step


def _mapping(value: Mapping[str, Any], change: Callable[[str], str]) -> dict[str, Any]:
    return {key: _any(item, change) for key, item in value.items()}


def _any(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return _mapping(value, change)
    if isinstance(value, list):
        return [_any(item, change) for item in value]
    return value
