from __future__ import annotations

import pytest

from claude_magic.session import well_formed


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("plain", "plain"),
        ("naïve 😀", "naïve 😀"),
        ("a\ud800b", "a\ufffdb"),
        ("\udc00", "\ufffd"),
        ("a\ud83d\ude00b", "a😀b"),
    ],
)
def test_a_text_can_be_encoded(text: str, sent: str) -> None:
    assert well_formed(text) == sent
    assert well_formed(text).encode()
