"""Limits on what a process can be started with: the length and the characters of arguments."""

from __future__ import annotations

import json
import os

from claude_magic.errors import OptionError

#: Length of the longest argument or ``NAME=value`` that Linux passes to a process, in bytes, with
#: the byte that ends it.
MAX_ARGUMENT_BYTES = 128 * 1024


def check_unicode(option: str, text: str) -> None:
    """Check that a text is valid Unicode, without NUL.

    Raises
    ------
    OptionError
        If it is not.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise OptionError(
            option, text, f"valid Unicode; character {error.start} is a lone surrogate"
        ) from None
    if "\0" in text:
        raise OptionError(option, text, "a text without NUL characters")


def check_argument(option: str, text: str) -> None:
    """Check that a text can be an argument of a process.

    Raises
    ------
    OptionError
        If it is not valid Unicode, holds NUL, or is too long for Linux.
    """
    check_unicode(option, text)
    size = len(text.encode())
    if size >= MAX_ARGUMENT_BYTES:
        raise OptionError(
            option,
            text,
            f"shorter than 128 KiB when it is passed to Claude Code; it has {size:,} bytes",
        )


def check_variable(name: str, value: str) -> None:
    """Check that an environment variable can be passed to a process.

    Raises
    ------
    OptionError
        If its name is impossible, or its value cannot be encoded, holds NUL, or is too long for
        Linux. The value is not told: it may be a secret.
    """
    check_unicode("environment", name)
    if not name or "=" in name:
        raise OptionError("environment", name, "made of variables whose names hold no '='")
    try:
        size = variable_bytes(name, value)
    except UnicodeEncodeError:
        raise OptionError("environment", name, "a variable whose value is valid Unicode") from None
    if "\0" in value:
        raise OptionError("environment", name, "a variable whose value has no NUL characters")
    if size >= MAX_ARGUMENT_BYTES:
        raise OptionError(
            "environment",
            name,
            f"a variable whose value is shorter than 128 KiB; it has {size:,} bytes",
        )


def variable_bytes(name: str, value: str) -> int:
    """Return the length of an environment variable as a process is passed it, in bytes."""
    return len(os.fsencode(f"{name}={value}"))


def check_well_formed_json(option: str, value: object) -> None:
    """Check that all texts in a JSON value are valid Unicode.

    Raises
    ------
    OptionError
        If one is not.
    """
    try:
        json.dumps(value, ensure_ascii=False, default=dict).encode()
    except UnicodeEncodeError:
        raise OptionError(option, value, "made of valid Unicode") from None
