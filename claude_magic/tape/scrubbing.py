"""What a tape may hold of what was said: no folder of a machine, and no secret."""

from __future__ import annotations

import json
import re
from itertools import groupby
from typing import TYPE_CHECKING, Any

from claude_magic.masking import MASK, is_secret, mask

from .reply import OtherBlock, Reply, Text, Thinking, ToolUse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .places import Places
    from .reply import Step

#: JSON can name halves of surrogate pairs, and no file can hold them.
_SURROGATES = re.compile("[\ud800-\udfff]")

#: A credential that is shorter may be a word of any text.
_SHORTEST_CREDENTIAL = 8


def names_secret(key: str) -> bool:
    """Tell whether a name in data suggests that its value is a secret."""
    return MASK not in key and is_secret(key)


def _unchanged(text: str) -> str:
    return text


class Scrubbing:
    """Takes folders and secrets out of texts, and puts this machine's folders in again.

    Any thread may use it, but `hide` belongs to one.

    Parameters
    ----------
    places
        Names the folders.
    known
        Masks the secrets that are known by their values; called for each text that is recorded.
    """

    def __init__(self, places: Places, known: Callable[[str], str] = _unchanged) -> None:
        self._places = places
        self._known = known
        self._hidden: set[str] = set()

    def hide(self, credential: str) -> None:
        """Mask this credential from now on, wherever it appears."""
        if len(credential) >= _SHORTEST_CREDENTIAL:
            self._hidden.add(credential)

    def text(self, text: str) -> str:
        """Return a text as a tape holds it: with names of folders, and without secrets."""
        return mask(self.named(self._known(text)))

    def named(self, text: str) -> str:
        """Return a text with names of folders and without credentials.

        For a prompt that is looked up: a value that this machine does not know as a secret is not
        masked, and what is masked on the tape fits it.
        """
        for credential in self._hidden:
            text = text.replace(credential, MASK)
        return self._places.named(_SURROGATES.sub("�", text))

    def reply(self, reply: Reply) -> Reply:
        """Return a reply as a tape holds it."""
        steps: list[Step] = []
        for is_text, group in groupby(reply.steps, lambda step: isinstance(step, Text)):
            before = list(group)
            after = [_changed_step(step, self.text, self.data) for step in before]
            steps += self._joined(before, after) if is_text else after
        return Reply(tuple(steps), reply.stop_reason, reply.usage, reply.words_per_second)

    def data(self, value: Any) -> Any:
        """Return what JSON can hold as a tape holds it.

        Masked are secrets within each text and each name, values of secret names, and what is
        recognised in the whole as JSON, such as ``{"name": "password", "value": …}``.
        """
        value = _same_shape(value, self._as_json(value))
        return _data(value, self.text, secret=False)

    def reply_here(self, reply: Reply) -> Reply:
        """Return a reply of a tape with this machine's folders."""
        here = self._places.here

        def data_here(value: Any) -> Any:
            return _each_text(value, here)

        steps = tuple(_changed_step(step, here, data_here) for step in reply.steps)
        return Reply(steps, reply.stop_reason, reply.usage, reply.words_per_second)

    def _joined(self, before: list[Step], after: list[Step]) -> list[Step]:
        """Return adjacent texts as one if the whole is masked otherwise than its parts."""
        whole = self.text(_joined_text(before))
        # Fewer masks, too: each part of a known value is masked where a text ends inside it.
        differs = whole.count(MASK) != _joined_text(after).count(MASK)
        return [Text(whole)] if len(before) > 1 and differs else after

    def _as_json(self, value: Any) -> Any:
        try:
            return json.loads(mask(json.dumps(value, ensure_ascii=False)))
        except ValueError:  # a mask without quotes, in the place of a number
            return value


def _joined_text(steps: list[Step]) -> str:
    return "".join(step.text for step in steps if isinstance(step, Text))


def _changed_step(
    step: Step, change: Callable[[str], str], change_data: Callable[[Any], Any]
) -> Step:
    if isinstance(step, Text):
        # Chunks are kept where nothing changes, since a tape of a test may have some.
        text = change(step.text)
        return step if text == step.text else Text(text)
    if isinstance(step, Thinking):
        return Thinking(change(step.text), step.signature)
    if isinstance(step, ToolUse):
        return ToolUse(step.name, change_data(dict(step.input)), step.id, step.outcome)
    if isinstance(step, OtherBlock):
        return OtherBlock(change_data(dict(step.content)))
    return step


def _each_text(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {key: _each_text(item, change) for key, item in value.items()}
    if isinstance(value, list):
        return [_each_text(item, change) for item in value]
    return value


def _data(value: Any, change: Callable[[str], str], *, secret: bool) -> Any:
    if isinstance(value, dict):
        return {
            change(key): _data(item, change, secret=secret or names_secret(key))
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_data(item, change, secret=secret) for item in value]
    if secret and value not in {None, ""} and not isinstance(value, bool):
        return MASK
    return change(value) if isinstance(value, str) else value


def _same_shape(value: Any, masked: Any) -> Any:
    """Return a value with the masked texts of another one, as far as both have the same shape."""
    if isinstance(value, str) and isinstance(masked, str):
        return masked
    if isinstance(value, dict) and isinstance(masked, dict) and len(value) == len(masked):
        pairs: Iterator[tuple[str, Any]] = zip(value, masked.values(), strict=True)
        return {key: _same_shape(value[key], other) for key, other in pairs}
    if isinstance(value, list) and isinstance(masked, list) and len(value) == len(masked):
        return [_same_shape(item, other) for item, other in zip(value, masked, strict=True)]
    return value
