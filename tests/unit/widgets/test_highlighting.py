from __future__ import annotations

import time

import pytest

from claude_magic.widgets.highlighting import MAX_COLOURED, PATIENCE_S, coloured


@pytest.mark.parametrize("text", ["", "x = 1", "x = 1\n", "\n\n if\n", "a\r\nb"])
def test_the_pieces_are_the_text(text: str) -> None:
    for language in ("python", "bash", "diff", "nonsense", None):
        assert "".join(piece for _, piece in coloured(text, language)) == text


@pytest.mark.parametrize(
    ("language", "text"), [("markdown", "\n"), ("typescript", "1."), ("yaml", "`")]
)
def test_a_text_made_to_be_slow_is_shown_without_colours(language: str, text: str) -> None:
    hostile = text * (MAX_COLOURED // len(text))
    began_s = time.monotonic()
    assert coloured(hostile, language) == [("", hostile)]
    assert time.monotonic() - began_s < PATIENCE_S + 2
