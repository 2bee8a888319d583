from __future__ import annotations

import random
import re
import tracemalloc

from claude_magic.notebook.kernel.bounded_text import BoundedText, bounded, plain


def test_a_text_within_the_limit_is_kept_as_it_is() -> None:
    assert bounded("x" * 300, 300) == "x" * 300


def test_a_longer_text_keeps_head_and_tail_and_says_what_is_missing() -> None:
    text = "".join(chr(0x100 + number) for number in range(5000))
    kept = bounded(text, 300)
    found = re.search(r"\n\[… ([\d,]+) characters left out …\]\n", kept)
    assert found is not None
    head, tail = kept[: found.start()], kept[found.end() :]
    assert text.startswith(head)
    assert text.endswith(tail)
    assert len(head) + len(tail) + int(found[1].replace(",", "")) == len(text)
    assert len(kept) <= 300


def test_it_does_not_matter_in_which_pieces_a_text_is_written() -> None:
    chance = random.Random(5)
    for length in (0, 1, 199, 200, 201, 1000, 5000):
        text = "".join(chance.choice("abc\n") for _ in range(length))
        pieces = BoundedText(200)
        start = 0
        while start < length:
            end = start + chance.choice([1, 2, 50, 150, 700])
            pieces.write(text[start:end])
            start = end
        assert pieces.text == bounded(text, 200)


def test_much_text_takes_little_memory() -> None:
    text = BoundedText(1000)
    tracemalloc.start()
    try:
        for _ in range(1000):
            text.write("x" * 100_000)
        kept_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept_bytes < 50_000


def test_plain_text_has_no_colours_and_no_overwritten_lines() -> None:
    assert plain("\x1b[0;31mred\x1b[0m \x1b]8;;http://x\x07link\x1b]8;;\x07") == "red link"
    assert plain("x" * 10**6) == "x" * 10**6
    assert plain("10%\r50%\r100%\nend\r\n") == "100%\nend\r\n"
