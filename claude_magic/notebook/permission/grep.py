"""Globs for Claude Code's Grep that exclude files likely to hold secrets."""

from __future__ import annotations

from functools import lru_cache

from . import javascript, secret_files


def sparing(glob: str) -> str:
    """Return a glob for Grep without the files that are likely to hold secrets. Any thread.

    Grep hands each word to ripgrep as a ``--glob`` of its own, of which the last match decides.
    The exclusion is therefore appended to every glob, whatever the glob ends with.

    Parameters
    ----------
    glob
        Grep's own ``glob``, maybe empty. It must have no control characters.
    """
    return f"{glob.removesuffix(exclusion()).rstrip(' ')} {exclusion()}".lstrip(" ")


def is_sparing(glob: str) -> bool:
    """Return whether a glob ends with the words of the exclusion."""
    return javascript.words(glob)[-len(secret_files.exclusions()) :] == exclusion().split(" ")


@lru_cache(maxsize=1)
def exclusion() -> str:
    """Return the words that exclude secret files."""
    return " ".join(f"!{glob}" for glob in secret_files.exclusions())
