from __future__ import annotations

import pytest

from claude_magic.masking import MASK, KnownSecrets

PLANTED = "hunter2-and-more"


@pytest.mark.parametrize(
    "text",
    [
        "{0}",
        "user, x = 'ada', '{0}'",
        "[['password', '{0}']]",
        "bad password '{0}' for ada",
        "   password\n0  {0}",
        "<password>{0}</password>",
        "curl -u ada:{0} https://example.org",
        "{0}{0}",
    ],
)
def test_a_value_is_masked_wherever_it_stands(text: str) -> None:
    masked = KnownSecrets({"password": PLANTED}).mask(text.format(PLANTED))
    assert masked == text.format(MASK)


def test_values_in_the_environment_and_in_dictionaries_are_known() -> None:
    secrets = KnownSecrets({"config": {"api_key": "abcd1234"}}, {"DB_PASSWORD": "efgh5678"})
    assert secrets.mask("abcd1234 efgh5678") == f"{MASK} {MASK}"


def test_of_two_values_that_hold_each_other_nothing_is_left() -> None:
    secrets = KnownSecrets({"password": "abcd1234", "token": "abcd1234efgh"})
    assert secrets.mask("abcd1234efgh") == MASK


@pytest.mark.parametrize(
    "value", ["sentence", "two words", "short1", "Capital", "a-b.c_dddd", 3, b"x"]
)
def test_words_are_left_alone(value: object) -> None:
    text = f"token is {value}"
    assert KnownSecrets({"token": value, 5: "abcd1234"}).mask(text) == text  # type: ignore[dict-item]


def test_no_object_is_asked_anything() -> None:
    class Loud(str):
        __slots__ = ()

        def __eq__(self, other: object) -> bool:
            raise AssertionError

        __hash__ = str.__hash__

    assert KnownSecrets({"password": Loud("abcd1234")}).mask("abcd1234") == MASK
