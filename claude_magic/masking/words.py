"""Tells random values from words."""

from __future__ import annotations

import re

#: Characters that words do not have: a digit, a sign, or capitals after the first letter.
_UNLIKE_WORDS = re.compile(r"[^\W_]*\d|[^\w\s.-]|\w[a-z]+[A-Z]|\w[A-Z]+[a-z]")
_NO_VALUE = re.compile(
    r"""[-+]?[\d.,_]+(?:[eE][-+]?\d+)?%? | v?\d+(?:\.\w+)+ | \d{4}-\d\d-\d\d.*
    | (?:u?int|float|bool|datetime|timedelta|string|object|category|str|complex)\d*(?:\[.*\])?
    | none | null | nan | <na> | nat | true | false | [-=+:_.…•*]*""",
    re.VERBOSE | re.IGNORECASE,
)
_LEAST = 12


def is_unlike_words(value: str) -> bool:
    """Tell whether a value has a digit, a sign, or capitals after its first letter."""
    return _UNLIKE_WORDS.search(value) is not None


def may_be_secret(value: str, *, is_password: bool) -> bool:
    """Tell whether a cell of a table under a secret name may be the secret.

    A column named ``token`` or ``key`` holds words as often as secrets. Numbers, dates, versions
    and types of columns are none.

    Parameters
    ----------
    value
        The cell.
    is_password
        Whether the name is one of a password.
    """
    value = value.strip().strip("\"'`")
    if _NO_VALUE.fullmatch(value):
        return False
    if is_password:
        return True
    return len(value) >= _LEAST and " " not in value and any(map(str.isdigit, value))
