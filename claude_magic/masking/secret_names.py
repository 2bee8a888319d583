"""What names of values suggest that the values are secrets."""

from __future__ import annotations

import re
from functools import lru_cache

#: What stands in a secret's place.
MASK = "•••"


def words(text: str) -> frozenset[str]:
    """Return the words of a text as a set."""
    return frozenset(text.split())


#: Variables of shells that hold the working directory.
DIRECTORIES = frozenset({"PWD", "OLDPWD"})

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_]+")

_SECRET = words(
    "password passwords passwd passwds pwd pwds pw psw pswd passphrase passcode secret secrets "
    "apikey apikeys credential credentials creds cred auth oauth authorization bearer dsn jwt otp "
    "totp csrf xsrf mnemonic kennwort passwort",
)
_PASSWORDS = words(
    "password passwords passwd passwds pwd pwds pw psw pswd passphrase passcode kennwort passwort",
)
_PASSWORD_ENDINGS = ("password", "passwords", "passwd", "passphrase", "passwort", "kennwort")
#: Words written together, as in PGPASSWORD.
_ENDINGS = (
    *("password", "passwords", "passwd", "passphrase", "apikey", "apikeys", "accesskey"),
    *("secretkey", "privatekey", "sessionkey", "accesstoken", "authtoken", "clientsecret"),
    "passwort",
)
#: What is opened by a key that nobody else may have.
_KEYS_TO = words(
    "api access private secret session encryption signing auth master ssh account storage license "
    "client service shared app consumer subscription admin deploy webhook openai anthropic claude "
    "aws azure google gcp stripe hf github gitlab slack sendgrid",
)
_LOGINS_OF = words("db sql mysql pg redis smtp imap mail email ftp ssh user admin root")
#: Names that begin or end like this tell about a secret and do not hold it.
_ABOUT_FIRST = words("is has n num max min needs requires")
_ABOUT_LAST = words(
    "count counts length len size type types name names url uri endpoint path file filename dir "
    "limit budget usage expiry expires ttl regex pattern policy field column label prompt error "
    "provider method scheme required enabled valid",
)
#: Tokens of a text, not of a login.
_TEXT_BEFORE = words(
    "eos bos pad unk cls sep mask next prev previous last first start end stop special per each "
    "every current cur image input output",
)
_TEXT_AFTER = words(
    "id ids index idx embedding embeddings pos position positions span list freq frequency prob "
    "probs logits mask text stream level ratio rate cost price ner class type types tag tags",
)
_LABEL = _SECRET | words(
    "key keys token tokens pass new old current confirm repeat your the enter user name username "
    "access api private public client optional required value string text id field hash",
)
_LABEL_WORDS = 5
#: Every name that `is_secret` has one of these in it.
_HINTS = (
    *("pass", "pw", "psw", "phrase", "secret", "token", "key", "cred", "auth", "bearer", "dsn"),
    *("cookie", "jwt", "otp", "csrf", "xsrf", "conn", "mnemonic", "kennwort"),
)
_PAIRS = {("connection", "string"), ("conn", "str"), ("seed", "phrase")}
_LOGIN_TOKENS = words("access auth api refresh bearer session secret github gitlab")


@lru_cache(maxsize=16384)
def is_secret(name: str) -> bool:
    """Tell whether a name of a variable, key or column suggests that its value is a secret.

    Parameters
    ----------
    name
        In any case: ``api_key``, ``apiKey``, ``API-KEY``. Any thread may call.
    """
    parts = [word.lower() for word in _WORD.findall(name)]
    if not parts or parts[0] in _ABOUT_FIRST or parts[-1] in _ABOUT_LAST:
        return False
    return any(
        _is_secret_word(word, before, after)
        for word, before, after in zip(parts, ["", *parts], [*parts[1:], ""], strict=False)
    )


def may_name_secret(text: str) -> bool:
    """Tell whether a text may have a name that `is_secret` in it; quick, and often wrong."""
    lower = text.lower()
    return any(hint in lower for hint in _HINTS)


def is_label(text: str) -> bool:
    """Tell whether a text is only the label of a secret, as in a form: ``New password``.

    Such a text in the place of a secret is none, for it consists of nothing but these words.
    """
    parts = re.split(r"[ _-]+", text.strip().rstrip(":*?").lower())
    return 0 < len(parts) <= _LABEL_WORDS and all(part in _LABEL for part in parts)


@lru_cache(maxsize=16384)
def is_password(name: str) -> bool:
    """Tell whether a secret name is one of a password, so that its value may be a plain word.

    A token or key is made by a program and never a word; ``token = "sentence"`` is about language.

    Parameters
    ----------
    name
        A name that `is_secret`. Any thread may call.
    """
    parts = [word.lower() for word in _WORD.findall(name)]
    return any(
        word in _PASSWORDS
        or word.endswith(_PASSWORD_ENDINGS)
        or (word == "pass" and before in _LOGINS_OF)
        for word, before in zip(parts, ["", *parts], strict=False)
    ) or parts[-1:] in (["secret"], ["secrets"])


def _is_secret_word(word: str, before: str, after: str) -> bool:
    if word in {"key", "keys"}:
        return before in _KEYS_TO
    if word == "token":
        return before not in _TEXT_BEFORE and after not in _TEXT_AFTER
    if word in {"cookie", "cookies"}:
        return after in {"", "jar", "header", "string", "value"}
    return (
        word in _SECRET
        or word.endswith(_ENDINGS)
        or (word == "pass" and before in _LOGINS_OF)
        or (word == "tokens" and before in _LOGIN_TOKENS)
        or (before, word) in _PAIRS
    )
