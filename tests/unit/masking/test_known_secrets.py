from __future__ import annotations

import argparse
import base64
import collections
import configparser
import dataclasses
import enum
import functools
import html
import json
import shlex
import sys
import threading
import time
import types
import uuid
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote, quote_plus

import numpy as np
import pandas as pd
import pytest
from pydantic import BaseModel, SecretStr

from claude_magic.masking import MASK, KnownSecrets, namespace_walk

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

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
        "x{0}y",
    ],
)
def test_a_value_is_masked_wherever_it_is(text: str) -> None:
    masked = KnownSecrets({"password": PLANTED}).mask(text.format(PLANTED))
    assert masked == text.format(MASK)


# -- where values are found ------------------------------------------------------------------------


@dataclasses.dataclass
class Settings:
    user: str
    password: str


class Login(NamedTuple):
    user: str
    secret_key: str


class Slotted:
    __slots__ = ("__dict__", "api_key", "unset")

    api_key: str


class OnlySlots:
    __slots__ = ("api_key", "unset")

    def __init__(self) -> None:
        self.api_key = PLANTED


class ClassAttribute:
    SECRET_KEY = PLANTED


class Text(str):
    __slots__ = ()


class Model(BaseModel):
    user: str = "ada"
    api_key: SecretStr = SecretStr(PLANTED)


class Choice(enum.Enum):
    ACCESS_TOKEN = PLANTED


def _default(user: str, token: str = PLANTED) -> None: ...


def _keyword(*, api_key: str = PLANTED) -> None: ...


def _closure() -> Callable[[], str]:
    token = PLANTED
    return lambda: token


def _slotted() -> Slotted:
    slotted = Slotted()
    slotted.api_key = PLANTED
    return slotted


def _parser() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read_string(f"[db]\npassword={PLANTED}")
    return parser


def _cycle() -> list[Any]:
    cycle: list[Any] = [{"password": PLANTED}]
    cycle.append(cycle)
    return cycle


def _module() -> types.ModuleType:
    module = types.ModuleType("settings_of_mine")
    module.__file__ = "settings_of_mine.py"
    module.DB_PASSWORD = PLANTED  # type: ignore[attr-defined]
    sys.modules[module.__name__] = module
    return module


HOLDERS: dict[str, Mapping[str, Any]] = {
    "variable": {"api_key": PLANTED},
    "bytes": {"signing_key": PLANTED.encode()},
    "bytearray": {"signing_key": bytearray(PLANTED.encode())},
    "subclass of str": {"access_token": Text(PLANTED)},
    "numpy text": {"access_token": np.str_(PLANTED)},
    "list": {"passwords": ["x", PLANTED]},
    "set": {"passwords": {PLANTED}},
    "deque": {"passwords": collections.deque([PLANTED])},
    "nested": {"config": {"db": [{"deep": {"password": PLANTED}}]}},
    "below a secret name": {"secrets": {"db": {"main": PLANTED}}},
    "bytes as name": {"config": {b"password": PLANTED}},
    "dictionary of a subclass": {"config": collections.OrderedDict(password=PLANTED)},
    "chain": {"config": collections.ChainMap({}, {"password": PLANTED})},
    "proxy": {"config": types.MappingProxyType({"password": PLANTED})},
    "user dictionary": {"config": collections.UserDict(password=PLANTED)},
    "dataclass": {"settings": Settings("ada", PLANTED)},
    "named tuple": {"login": Login("ada", PLANTED)},
    "argparse": {"arguments": argparse.Namespace(auth_token=PLANTED)},
    "simple namespace": {"arguments": types.SimpleNamespace(passwd=PLANTED)},
    "partial": {"call": functools.partial(print, api_key=PLANTED)},
    "default": {"login": _default},
    "keyword default": {"login": _keyword},
    "closure": {"login": _closure()},
    "class attribute": {"Config": ClassAttribute},
    "class attribute of an instance": {"config": ClassAttribute()},
    "slot": {"config": OnlySlots()},
    "slot next to a dictionary": {"config": _slotted()},
    "configparser": {"config": _parser()},
    "pydantic": {"settings": Model()},
    "SecretStr": {"api_key": SecretStr(PLANTED)},
    "enum": {"Choice": Choice},
    "module": {"settings_of_mine": _module()},
    "record": {"records": [{"name": "password", "value": PLANTED}]},
    "record of other names": {"records": [{"id": 1, "Field": "DB_PASSWORD", "Secret": PLANTED}]},
    "columns of records": {"table": {"key": ["host", "password"], "value": ["h", PLANTED]}},
    "pair": {"pairs": [("user", "ada"), ("password", PLANTED)]},
    "pair as a list": {"pairs": [["password", PLANTED]]},
    "URL": {"engine": f"postgresql://ada:{PLANTED}@host/db"},
    "quoted URL": {"engine": f"postgresql://ada:{quote(PLANTED.replace('-', '/'), safe='')}@h/d"},
    "ODBC": {"connect": f"Driver=x;UID=u;PWD={PLANTED};"},
    "JSON text": {"credentials": json.dumps({"type": "service", "private_key": PLANTED})},
    "header": {"headers": {"Authorization": f"Bearer {PLANTED}"}},
    "cycle": {"cycle": _cycle()},
    "column": {"df": pd.DataFrame({"user": ["a"], "password": [PLANTED]})},
    "column of two levels": {
        "df": pd.DataFrame([[PLANTED]], columns=pd.MultiIndex.from_tuples([("a", "password")]))
    },
    "labelled row": {"df": pd.DataFrame({"v": [PLANTED]}, index=["api_key"])},
    "key and value columns": {"df": pd.DataFrame({"key": ["password"], "value": [PLANTED]})},
    "series": {"series": pd.Series([PLANTED], name="password")},
    "labelled value of a series": {"series": pd.Series({"api_key": PLANTED})},
    "structured array": {
        "array": np.array([("u", PLANTED)], dtype=[("user", "U9"), ("password", "U20")])
    },
    "array": {"passwords": np.array([PLANTED])},
}


@pytest.mark.parametrize("holder", HOLDERS)
def test_a_value_is_found_in(holder: str) -> None:
    known = KnownSecrets(HOLDERS[holder])
    planted = PLANTED.replace("-", "/") if holder == "quoted URL" else PLANTED
    assert known.mask(f"x {planted} y") == f"x {MASK} y"
    assert known.mask("ada host user print db localhost") == "ada host user print db localhost"


def test_numbers_and_uuids_are_found() -> None:
    number = uuid.UUID("12345678-1234-5678-1234-567812345678")
    known = KnownSecrets({"pin_secret": 314159265358, "api_key": number, "otp": np.int64(87654321)})
    assert known.mask(f"a 314159265358, {number}: 87654321.") == f"a {MASK}, {MASK}: {MASK}."
    assert known.mask("3141592653589") == "3141592653589"


def test_bytes_that_are_no_text_are_found() -> None:
    value = bytes(range(128, 160))
    known = KnownSecrets({"signing_key": value})
    for text in (repr(value), value.hex(), base64.b64encode(value).decode()):
        assert MASK in known.mask(text)


# -- how values are written ------------------------------------------------------------------------

VALUES = [
    PLANTED,
    "a\"b\\c'Q7x9\nZk8",
    "pässwörd-Ünï9",
    "P@ss/w0rd+x9y",
    "with <b>&amp;</b> 'quotes' 7",
    "tab\tand \x1b escape 99",
    "emoji 😀 and 42 more",
    "-----BEGIN X-----\nMIIEpAIBAAKCAQEA7bq98x\nline of the key 2222",
]
SPELLINGS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "repr": repr,
    "repr in a list": lambda value: repr([value]),
    "repr with both quotes": lambda value: repr(value + "'\""),
    "repr of bytes": lambda value: repr(value.encode()),
    "ascii": ascii,
    "JSON": json.dumps,
    "JSON with letters": lambda value: json.dumps(value, ensure_ascii=False),
    "JSON in JSON": lambda value: json.dumps(json.dumps({"a": value})),
    "JSON in a repr": lambda value: repr(json.dumps({"a": value})),
    "URL": lambda value: quote(value, safe=""),
    "path": quote,
    "form": quote_plus,
    "URL in lower case": lambda value: "".join(
        each.lower() if place else each for place, each in enumerate(quote(value).split("\0"))
    ),
    "HTML": html.escape,
    "HTML text": lambda value: html.escape(value, quote=False),
    "shell": shlex.quote,
    "base64": lambda value: base64.b64encode(value.encode()).decode(),
    "base64 for URLs": lambda value: base64.urlsafe_b64encode(value.encode()).decode(),
    "Basic": lambda value: base64.b64encode(b"u:" + value.encode()).decode(),
    "base64 behind one more": lambda value: base64.b64encode(b"usr:" + value.encode()).decode(),
    "base64 before more": lambda value: base64.b64encode(value.encode() + b": and more").decode(),
    "hex": lambda value: value.encode().hex(),
    "HEX": lambda value: value.encode().hex().upper(),
}


@pytest.mark.promise("Values of secret variables are masked in every spelling.", against="model")
@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("value", VALUES)
def test_a_value_is_masked_in_every_spelling(value: str, spelling: str) -> None:
    written = SPELLINGS[spelling](value)
    masked = KnownSecrets({"password": value}).mask(f"x={written};")
    assert MASK in masked
    # Quotes and the characters of base64 that depend on other bytes are left.
    assert len(masked) - len(MASK) < 16 + 3 * len("x=;") + ("both" in spelling) * 4


@pytest.mark.parametrize(
    "text",
    [
        "x {0}…",
        "['{0}…']",
        "x {0}",
        "x {0}…\nmore",
        "{0}... more",
        "x {0}… (5,000 more characters)",
        "x {0}\n… 5,000 characters left out …\nmore",
        "{0}•••",
    ],
)
@pytest.mark.parametrize("length", [6, 10, 15])
def test_a_beginning_is_masked_where_a_text_was_cut(text: str, length: int) -> None:
    part = PLANTED[:length]
    assert KnownSecrets({"token": PLANTED}).mask(text.format(part)) == text.format(MASK)


@pytest.mark.parametrize(
    "text",
    [
        "…{0} y",
        "{0} y",
        "a\n… 5,000 characters left out …\n{0}, b",
        "[… 9 characters left out …]\n{0}",
    ],
)
@pytest.mark.parametrize("length", [6, 10, 15])
def test_an_end_is_masked_where_a_text_was_cut(text: str, length: int) -> None:
    part = PLANTED[-length:]
    assert KnownSecrets({"token": PLANTED}).mask(text.format(part)) == text.format(MASK)


# -- which values count ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "text", "masked"),
    [
        ("pw", "swordfishing", "the word is swordfishing.", f"the word is {MASK}."),
        ("pw", "swordfishing", "swordfishings, overswordfishing", None),
        ("pw", "swordfishing", "a\\nswordfishing%20", f"a\\n{MASK}%20"),
        ("pwd", "Zq7!", "<Zq7!>", f"<{MASK}>"),
        ("pwd", "Zq7!", "xZq7!", None),
        ("pwd", "abc123", "'abc123' abc1234", f"'{MASK}' abc1234"),
        ("password", "correct horse battery", "a correct horse battery", f"a {MASK}"),
        ("token", "sentence", "a sentence", None),
        ("token", "two words", "two words", None),
        ("token", "short1", "short1", None),
        ("token", "Capital", "Capital", None),
        ("token", "a-b.c_dddd", "a-b.c_dddd", None),
        ("token", 50256, "id 50256", None),
        ("pw", "hunter", "the hunter", None),
        ("password", "password", "password", None),
        ("password", "New password", "New password", None),
        ("password", "SuperSecret123", "is SuperSecret123", f"is {MASK}"),
        ("password", "my-secret-key-9", "is my-secret-key-9", f"is {MASK}"),
        ("password", "postgres", "postgres", None),
        ("password", "${DB_PASSWORD}", "${DB_PASSWORD}", None),
        ("password", "<your password>", "<your password>", None),
        ("password", "********", "********", None),
        ("password", None, "None", None),
        ("PWD", "/home/ada/project1", "/home/ada/project1", None),
        ("user", "hunter2-and-more", "hunter2-and-more", None),
    ],
)
def test_words_are_left_alone(name: str, value: object, text: str, masked: str | None) -> None:
    assert KnownSecrets({name: value}).mask(text) == (text if masked is None else masked)


def test_a_column_of_tokens_of_a_language_is_left_alone() -> None:
    words = ["EU", "rejects", "German", "call", "to", "boycott", "British", "lamb"]
    known = KnownSecrets({"df": pd.DataFrame({"token": words}), "token": words[5], "tokens": words})
    assert known.mask(" ".join(words)) == " ".join(words)


def test_of_two_values_that_hold_each_other_nothing_is_left() -> None:
    secrets = KnownSecrets({"password": "abcd1234", "token": "abcd1234efgh"})
    assert secrets.mask("abcd1234efgh") == MASK
    overlapping = KnownSecrets({"password": "abcd1234", "token": "1234efgh"})
    assert overlapping.mask("abcd1234efgh") == MASK


# -- for a kernel's life ---------------------------------------------------------------------------


@pytest.mark.promise(
    "Values of secret variables stay masked after the variable is gone.",
    against="model",
)
def test_what_was_learnt_is_kept() -> None:
    namespace: dict[str, object] = {"password": PLANTED}
    known = KnownSecrets(namespace)
    namespace.clear()
    known.learn(namespace, {"DB_PASSWORD": "efgh5678"})
    assert known.mask(f"{PLANTED} efgh5678") == f"{MASK} {MASK}"


@pytest.mark.parametrize(
    "code",
    [
        f"tmp_token = '{PLANTED}'\nprint(tmp_token)\ndel tmp_token",
        f"connect(user='ada', passwd=\"{PLANTED}\")",
        f"x = dict(api_key='''{PLANTED}''')",
        f"config = {{'password': '{PLANTED}'}}",
        f"%env API_TOKEN='{PLANTED}'",
    ],
)
def test_literals_of_code_are_learnt(code: str) -> None:
    known = KnownSecrets()
    known.learn_source(code)
    assert known.mask(f"a {PLANTED}!") == f"a {MASK}!"
    assert known.mask(code.replace(PLANTED, "")) == code.replace(PLANTED, "")


def test_several_threads_learn_and_mask() -> None:
    known = KnownSecrets()
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for place in range(20):
                value = f"value-{number}-{place}-x"
                known.learn({"password": value})
                assert known.mask(value) == MASK
        except BaseException as error:  # noqa: BLE001 - told below
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert all(known.mask(f"value-{n}-{p}-x") == MASK for n in range(6) for p in range(20))


# -- hostile and large namespaces ------------------------------------------------------------------


class Hostile:
    """Raises from whatever it is asked."""

    def __getattribute__(self, name: str) -> object:
        raise AssertionError(name)

    def __getattr__(self, name: str) -> object:
        raise AssertionError(name)

    def _raise(self, *_: object) -> object:
        raise AssertionError

    __repr__ = __str__ = __iter__ = __len__ = __bool__ = _raise  # type: ignore[assignment]
    __eq__ = __getitem__ = __contains__ = __call__ = __index__ = _raise  # type: ignore[assignment]
    __hash__ = None  # type: ignore[assignment]

    @property
    def password(self) -> str:
        raise AssertionError

    __class__ = property(_raise)


class HostileText(str):
    __slots__ = ()
    __eq__ = __len__ = __getitem__ = __str__ = __iter__ = Hostile._raise  # type: ignore[assignment]  # noqa: SLF001
    __hash__ = str.__hash__


class HostileDict(dict[str, object]):
    __getitem__ = __iter__ = __len__ = items = keys = values = get = Hostile._raise  # type: ignore[assignment]  # noqa: SLF001


class HostileList(list[object]):
    __getitem__ = __iter__ = __len__ = Hostile._raise  # type: ignore[assignment]  # noqa: SLF001


class HostileMeta(type):
    def __getattribute__(cls, name: str) -> object:
        raise AssertionError(name)


class OfHostileMeta(metaclass=HostileMeta):
    api_key = PLANTED


class OwnDict:
    """Has no dictionary but one of its own making."""

    __dict__ = property(Hostile._raise)  # noqa: SLF001


class HostileMapping(collections.UserDict[str, object]):
    __getitem__ = __iter__ = __len__ = items = Hostile._raise  # type: ignore[assignment]  # noqa: SLF001


HOSTILE: dict[str, tuple[Callable[[], Any], bool]] = {
    "object": (Hostile, False),
    "text": (lambda: HostileText(PLANTED), True),
    "dictionary": (lambda: HostileDict(password=PLANTED), True),
    "list": (lambda: HostileList([PLANTED]), True),
    "class": (lambda: OfHostileMeta, True),
    "own dictionary": (OwnDict, False),
    "proxy": (lambda: types.MappingProxyType(HostileMapping(password=PLANTED)), True),
    "key": (lambda: {Hostile: PLANTED}, True),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_no_object_is_asked_anything(kind: str) -> None:
    make, found = HOSTILE[kind]
    value = make()
    known = KnownSecrets({"password": value, "x": [value], "y": {"a": value}})
    assert (known.mask(PLANTED) == MASK) is found


def test_no_library_is_imported_for_it() -> None:
    code = (
        "import sys; from claude_magic.masking import KnownSecrets; KnownSecrets({'password': [1]})"
    )
    code += "; print({'pandas', 'numpy', 'polars', 'pydantic'} & sys.modules.keys())"
    import subprocess  # noqa: PLC0415 - of this test only

    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    assert run.stdout.strip() == "set()"


def test_a_walk_ends_within_its_bounds() -> None:
    endless: list[Any] = []
    for _ in range(100_000):
        endless = [endless]
    namespace = {
        "deep": endless,
        "wide": [[{"a": "b"}] * 900 for _ in range(900)],
        "frame": pd.DataFrame(np.zeros((1_000_000, 3)), columns=["a", "b", "token"]),
        "numbers": {number: number for number in range(1_000_000)},
        "password": PLANTED,
    }
    begun = time.process_time()
    known = KnownSecrets(namespace)
    assert time.process_time() - begun < 10 * namespace_walk.MAX_SECONDS + 1
    assert known.mask(PLANTED) == MASK


def test_time_does_not_grow_with_the_number_of_values() -> None:
    text = "lorem ipsum dolor sit amet " * 4000

    def seconds(count: int) -> float:
        known = KnownSecrets({f"password{n}": f"pre-{n}-{n * 7919}-value" for n in range(count)})
        begun = time.process_time()
        known.mask(text)
        return time.process_time() - begun

    assert seconds(800) < 10 * max(seconds(1), 0.02)
