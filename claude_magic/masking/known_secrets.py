"""Secrets known by the names of the variables that hold them, masked wherever they occur."""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING

from .named_values import NamedValues
from .namespace_walk import NamespaceWalk, SecretValue
from .secret_index import HEAD, SecretIndex
from .secret_names import is_label, is_password
from .spellings import spellings
from .words import is_unlike_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: No more values than this are remembered: a column of a million passwords is data.
MAX_VALUES = 5000
#: Values from this length on are masked wherever they occur, if they are unlike words.
MIN_LENGTH = 8
#: Longer values are not looked for, in characters.
_LONGEST = 100_000

_KINDS = tuple(map(re.compile, (r"[a-z]", r"[A-Z]", r"\d", r"[^\w\s]")))
#: Placeholders, and passwords so common that they protect nothing and are words of ordinary text.
_NO_SECRET = re.compile(
    r"""[*xX•.…\-_\s]+ | <[^<>]{0,99}> | \$?\{\w*\} | \{\{.{0,99}\}\} | \$\w+ | %\w+% | your[-_ ].*
    | change-?me | password | username | postgres(?:ql)? | anonymous | localhost | required
    | optional | disabled | default | database | undefined | redacted | masked | hidden | example
    | administrator | minioadmin""",
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)


class KnownSecrets:
    """Collection of secret values that only grows. Any thread may call.

    `masking.mask` recognises a secret by the text before it, or by its shape. Code that prints a
    value without its name shows neither, but the value is in a variable or in the environment.

    A value is masked in every spelling of `spellings`:

    - anywhere, also within longer words, if it has at least `MIN_LENGTH` characters and is unlike
      a word: it has a digit, a sign, or capitals after the first letter;
    - where no letter or digit touches it, if the name is one of a password and the value is
      shorter but mixed (four characters of three kinds, six of two), or a single word of
      `MIN_LENGTH` letters; also numbers of eight digits, as passwords of six;
    - not at all if it is a shorter word, a placeholder, or the value of a token and a word.

    Parameters
    ----------
    *namespaces
        Values by their names, as for `learn`.
    """

    def __init__(self, *namespaces: Mapping[str, object]) -> None:
        self._lock = threading.Lock()
        self._values: set[str | bytes] = set()
        self._index = SecretIndex({})
        self.learn(*namespaces)

    def learn(self, *namespaces: Mapping[str, object]) -> None:
        """Add the values behind secret names; values learnt earlier are kept.

        Variables, containers, objects and tables are looked through within the bounds of
        `NamespaceWalk`; no code of theirs runs.

        Parameters
        ----------
        *namespaces
            Values by their names.
        """
        if namespaces:
            self._add(NamespaceWalk(*namespaces).secrets())

    def learn_source(self, code: str) -> None:
        """Add the literals that code assigns to secret names, or passes by such names.

        A cell may create a secret and delete it again.

        Parameters
        ----------
        code
            Source code in any language; only its beginning is read.
        """
        values = NamedValues(code[:_LONGEST]).literals()
        self._add(SecretValue(text, is_password(name)) for name, text in values)

    def mask(self, text: str) -> str:
        """Return a text with `MASK` in place of each known value.

        Where a text was cut, at its ends and next to ``…``, parts of a value are masked too. The
        time grows with the length of the text, whatever the number of values.
        """
        return self._index.masked(text)

    def _add(self, found: Iterable[SecretValue]) -> None:
        new: dict[str | bytes, bool] = {}
        for secret in found:
            value = secret.value
            if isinstance(value, int):
                value = str(value) if abs(value) < 10**100 else ""
            elif isinstance(value, bytes):
                value = _decoded(value)
            if value in self._values or value in new:
                continue
            alone = _is_alone(value, is_password=secret.is_password)
            if alone is not None:
                new[value] = alone
        if not new:
            return
        with self._lock:
            room = MAX_VALUES - len(self._values)
            kept = dict(list(new.items())[: max(0, room)])
            self._values.update(kept)
            forms = dict(self._index.forms)
            for value, alone in kept.items():
                for spelling in spellings(value, alone=alone):
                    if len(spelling.text) >= HEAD:
                        forms[spelling.text] = forms.get(spelling.text, True) and spelling.alone
            self._index = SecretIndex(forms)


def _decoded(value: bytes) -> str | bytes:
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return value
    return text if text.isprintable() or "\n" in text else value


def _is_alone(value: str | bytes, *, is_password: bool) -> bool | None:
    """Tell whether a value counts only as a word of its own; None if it is not masked."""
    if not HEAD <= len(value) <= _LONGEST:
        return None
    if isinstance(value, bytes):
        return None if len(value) < MIN_LENGTH else False
    if _NO_SECRET.fullmatch(value) or is_label(value):
        return None
    if len(value) >= MIN_LENGTH and is_unlike_words(value) and not value.isdigit():
        return False
    least = _least_alone(value, is_password=is_password)
    return True if least is not None and len(value) >= least else None


def _least_alone(value: str, *, is_password: bool) -> int | None:
    """Return from which length on a value is masked as a word of its own, if at all."""
    if value.isdigit():
        return 6 if is_password else MIN_LENGTH
    if not is_password:
        return None
    kinds = sum(bool(kind.search(value)) for kind in _KINDS)
    return {1: MIN_LENGTH, 2: MIN_LENGTH if value.istitle() else 6}.get(kinds, HEAD)
