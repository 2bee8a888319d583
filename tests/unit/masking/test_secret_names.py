from __future__ import annotations

import pytest

from claude_magic.masking import is_secret


@pytest.mark.parametrize(
    "name",
    [
        *("password", "passwd", "pwd", "secret", "token", "api_key", "apikey", "access_key"),
        *("private_key", "credential", "credentials", "auth", "authorization", "Authorization"),
        *("bearer", "dsn", "cookie", "session_key", "apiKey", "APIKey", "API_KEY", "X-Api-Key"),
        *("DB_PASSWORD", "dbPassword", "password2", "PGPASSWORD", "openai_key", "accessToken"),
        *("aws_secret_access_key", "GITHUB_TOKEN", "hf_token", "client_secret", "passphrase"),
        *(
            "access_tokens",
            "db_pass",
            "session_cookie",
            "connection_string",
            "api key",
            "passwords",
        ),
        'config["password"]',
    ],
)
def test_a_name_that_suggests_a_secret_is_one(name: str) -> None:
    assert is_secret(name)


@pytest.mark.parametrize(
    "name",
    [
        *("", "x", "df", "keyboard", "monkey", "tokenizer", "n_tokens", "author", "authors"),
        *("secretary", "key", "keys", "primary_key", "sort_key", "public_key", "cookies_eaten"),
        *(
            "tokens",
            "max_tokens",
            "token_count",
            "token_ids",
            "eos_token",
            "first_pass",
            "low_pass",
        ),
        *("compass", "pass_rate", "bypass", "passenger", "turkey", "hockey", "password_length"),
        *("has_password", "token_url", "authority", "_", "42"),
    ],
)
def test_a_name_that_only_looks_like_it_is_none(name: str) -> None:
    assert not is_secret(name)
