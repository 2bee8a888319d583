"""Keeps secrets out of what Claude is told: by the names of values, and by their looks.

It is a net under a user's own care, not a wall: a password in a variable ``x`` that looks like
nothing passes. In doubt a value next to a secret's name is masked.
"""

from __future__ import annotations

from .commands import mask_commands
from .markup import mask_markup
from .named_values import NamedValues
from .private_keys import mask_private_keys
from .prose import mask_prose
from .records import mask_records
from .shapes import mask_prefixed
from .tables import mask_tables


def mask(text: str) -> str:
    """Return a text with `MASK` in place of all that looks like a secret, and the rest as it is.

    Masked are keys and tokens of known shapes, private key blocks, passwords in URLs, bearer
    tokens, and values of names that `is_secret`: assigned, in records, tables and markup, in
    options of commands, or in a sentence. The time is linear in the length of the text; masking
    twice changes nothing more. Any thread may call.
    """
    text = mask_shapes(text)
    for mask_kind in (mask_commands, mask_markup, mask_records, mask_tables, mask_prose):
        text = mask_kind(text)
    return NamedValues(text).masked()


def mask_shapes(text: str) -> str:
    """Return a text with `MASK` in place of what is a secret by its looks alone.

    For code and prose that must go on to work: the names of values do not count here.
    """
    return mask_prefixed(mask_private_keys(text))
