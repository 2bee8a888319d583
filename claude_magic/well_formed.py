"""Texts that can be sent on."""

from __future__ import annotations


def well_formed(text: str) -> str:
    """Return a text that can be encoded, with U+FFFD for halves of surrogate pairs. Any thread.

    JSON may hold such halves, and what a model writes comes as JSON. Neither a message to a front
    end nor a terminal takes them: the reply to a cell would never be sent.
    """
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
