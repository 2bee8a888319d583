"""Text that can be encoded: without lone surrogates."""

from __future__ import annotations

from typing import Any


def well_formed(text: str) -> str:
    """Return a text that can be encoded, with U+FFFD for lone surrogates. Any thread.

    JSON may hold them, and what a model writes comes as JSON; names of files hold them for bytes
    that are not UTF-8. The API takes no such text, nor does a message to a front end: the reply to
    a cell would never be sent.
    """
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def well_formed_json(value: Any) -> Any:
    """Return a JSON value with `well_formed` texts and keys; equal to it if all texts are."""
    if isinstance(value, str):
        return well_formed(value)
    if isinstance(value, dict):
        return {well_formed_json(key): well_formed_json(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(map(well_formed_json, value))
    return value
