"""Keeps secrets out of what leaves the kernel, and out of what is written down of it."""

from .known_secrets import KnownSecrets
from .named_values import MASK
from .secret_names import is_secret
from .texts import mask, mask_shapes

__all__ = ["MASK", "KnownSecrets", "is_secret", "mask", "mask_shapes"]
