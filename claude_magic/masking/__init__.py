"""Keeps secrets out of what leaves the kernel, and out of what is written down of it.

What masks is imported when it is asked for: its patterns take a twentieth of `%load_ext`, which
masks nothing.
"""

from typing import TYPE_CHECKING

from claude_magic import lazily

from .secret_names import MASK, is_secret

if TYPE_CHECKING:
    from .known_secrets import KnownSecrets
    from .texts import mask, mask_shapes

__all__ = ["MASK", "KnownSecrets", "is_secret", "mask", "mask_shapes"]

__getattr__ = lazily.exports(
    __name__,
    {
        "KnownSecrets": "claude_magic.masking.known_secrets",
        "mask": "claude_magic.masking.texts",
        "mask_shapes": "claude_magic.masking.texts",
    },
)
