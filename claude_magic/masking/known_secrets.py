"""Secrets known by the names of the variables that hold them, masked wherever they occur."""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING

from .secret_names import MASK, is_secret

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: Shorter values are words too often, in characters.
MIN_LENGTH = 8

#: What words have not: a digit, a sign, or letters of both cases behind the first one.
_UNLIKE_WORDS = re.compile(r"[^\W_]*\d|[^\w\s.-]|\w[a-z]+[A-Z]|\w[A-Z]+[a-z]")


class KnownSecrets:
    """Collection of secret values that only grows. Any thread may call.

    `masking.mask` recognises a secret by the text before it, or by its shape. Code that prints a
    value without its name shows neither, but the value is in a variable or in the environment.

    Parameters
    ----------
    *namespaces
        Values by their names, as for `learn`.
    """

    def __init__(self, *namespaces: Mapping[str, object]) -> None:
        self._lock = threading.Lock()
        self._found: set[str] = set()
        self._values: tuple[str, ...] = ()
        self.learn(*namespaces)

    def learn(self, *namespaces: Mapping[str, object]) -> None:
        """Add the values behind secret names; values learnt earlier are kept.

        Parameters
        ----------
        *namespaces
            Values by their names.
        """
        found = {value for namespace in namespaces for value in _secrets(namespace)}
        with self._lock:
            if found <= self._found:
                return
            self._found |= found
            # The longest first: one may hold another.
            self._values = tuple(sorted(self._found, key=len, reverse=True))

    def mask(self, text: str) -> str:
        """Return a text with `MASK` in place of each known value."""
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
