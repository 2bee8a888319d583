"""Secrets that a sentence tells: ``The password is …``."""

from __future__ import annotations

import re

from .secret_names import MASK, is_secret

_SAID = re.compile(
    r"""(?<![\w-])
    (?P<name>(?:(?:api|access|private|secret|session|account|encryption|signing)[ ](?=key))?
      [\w-]{1,60})(?![\w-])
    (?P<between>["'`*]{0,3}[ ](?:is|was|ist|lautet)[ :]{1,2}["'`*]{0,3})
    (?P<value>[^\s"'`*,;<>()\[\]{}]{6,200}(?<![.:!?]))""",
    re.VERBOSE | re.IGNORECASE,
)
#: What words, names of formats and dates have not: capitals and digits, signs, or many digits.
_UNLIKE_WORDS = re.compile(
    r"(?=.*[A-Z])(?=.*[0-9])(?=.*[a-z])|(?=.*[A-Za-z])(?=.*[!@\#$%^&_+=~])(?=.*[0-9])"
    r"|(?=.*[A-Za-z])(?:.*[0-9]){5}"
)


def mask_prose(text: str) -> str:
    """Return a text with `MASK` for the value that a sentence gives to a secret name.

    The value must be unlike a word: ``The token is valid`` stays. The time is linear in the length
    of the text, and masking twice changes nothing more. Any thread may call.
    """
    return _SAID.sub(_masked, text)


def _masked(said: re.Match[str]) -> str:
    if not is_secret(said["name"]) or not _UNLIKE_WORDS.match(said["value"]):
        return said[0]
    return f"{said['name']}{said['between']}{MASK}"
