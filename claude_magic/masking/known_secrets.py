"""Masks the secrets that are known by the names that hold them, wherever their values stand."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .secret_names import MASK, is_secret

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: Shorter values are words too often, in characters.
MIN_LENGTH = 8

#: What words have not: a digit, a sign, or letters of both cases behind the first one.
_UNLIKE_WORDS = re.compile(r"[^\W_]*\d|[^\w\s.-]|\w[a-z]+[A-Z]|\w[A-Z]+[a-z]")


class KnownSecrets:
    """The values behind secret names in a namespace and in the environment.

    `mask` knows a secret by what stands before it, or by its shape. Code that prints one without
    its name shows neither; but what it prints is in a variable, or in the environment.

    Parameters
    ----------
    *namespaces
        Values by their names. Of those that are dictionaries the items are looked at, too.
    """

    def __init__(self, *namespaces: Mapping[str, object]) -> None:
        found = {value for namespace in namespaces for value in _secrets(namespace)}
        # The longest first: one may hold another.
        self._values = sorted(found, key=len, reverse=True)

    def mask(self, text: str) -> str:
        """Return a text with `MASK` in place of each of the values. Any thread may call."""
        for value in self._values:
            if value in text:
                text = text.replace(value, MASK)
        return text


def _secrets(namespace: Mapping[str, object], *, deeper: bool = True) -> Iterator[str]:
    # A copy, because other threads may be adding to it. No object is asked anything.
    for name, value in list(namespace.items()):
        if type(name) is not str:
            continue
        if type(value) is str and is_secret(name):
            if len(value) >= MIN_LENGTH and _UNLIKE_WORDS.search(value):
                yield value
        elif deeper and type(value) is dict:
            yield from _secrets(value, deeper=False)
