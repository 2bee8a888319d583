"""Masked texts of a tape, compared with what is said where the secret is not known as one."""

from __future__ import annotations

from claude_magic.masking import MASK


def fits(masked: str, text: str) -> bool:
    """Tell whether a text is a masked one, with any other text in the place of each mask.

    A mask stands for at least one character and for no white space. The time taken is linear.
    """
    if masked == text:
        return True
    if MASK not in masked:
        return False
    words, others = masked.split(), text.split()
    return len(words) == len(others) and all(map(_word_fits, words, others))


def _word_fits(masked: str, word: str) -> bool:
    if masked == word:
        return True
    first, *between = masked.split(MASK)
    if not between or not word.startswith(first):
        return False
    last = between.pop()
    at, end = len(first), len(word) - len(last)
    for part in between:
        found = word.find(part, at + 1, max(end, 0))
        if found < 0:
            return False
        at = found + len(part)
    return at < end and word.endswith(last)
