from __future__ import annotations

import string
import time

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from claude_magic.masking import MASK, mask, mask_shapes

LETTERS = string.ascii_letters + string.digits
KEY = "MIIEpAIBAAKCAQEA7bq98x/+aZ" * 20
PEM = f"-----BEGIN RSA PRIVATE KEY-----\n{KEY}\n{KEY}\n-----END RSA PRIVATE KEY-----"


def _of(least: int, most: int, alphabet: str = LETTERS) -> st.SearchStrategy[str]:
    return st.text(alphabet, min_size=least, max_size=most)


#: Secrets that are known by their looks: what comes before, and what must be gone.
SHAPES: list[tuple[str, st.SearchStrategy[str]]] = [
    ("sk-ant-api03-", _of(24, 95, LETTERS + "-_")),
    ("sk-proj-", _of(24, 120, LETTERS + "-_")),
    ("sk-", _of(30, 48).map(lambda text: "4" + text)),
    *((prefix, _of(36, 36)) for prefix in ("ghp_", "gho_", "ghs_")),
    ("github_pat_", _of(60, 82, LETTERS + "_")),
    ("glpat-", _of(20, 20, LETTERS + "-_")),
    ("AKIA", _of(16, 16, string.ascii_uppercase + string.digits)),
    ("ASIA", _of(16, 16, string.ascii_uppercase + string.digits)),
    ("AIza", _of(35, 35, LETTERS + "-_")),
    ("xoxb-", _of(30, 60, LETTERS + "-")),
    ("hf_", _of(34, 34)),
    ("sk_live_", _of(24, 40)),
    ("rk_live_", _of(24, 40)),
    ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.", _of(43, 43, LETTERS + "-_")),
    ("Authorization: Bearer ", _of(12, 60, LETTERS)),
    ("Authorization: Basic ", _of(12, 60, LETTERS)),
    ("aws_secret_access_key = ", _of(40, 40, LETTERS + "/+")),
    ("postgres://bob:", _of(8, 30, LETTERS + "!$%^*-_.,").map(lambda text: text + "x@host/db")),
]
#: Ways to write a name with its value.
WRITTEN = [
    "{name} = '{value}'",
    '{name}="{value}"',
    "{name}={value}",
    "{name}: {value}",
    '"{name}": "{value}"',
    "'{name}': b'{value}'",
    '{{\\"{name}\\": \\"{value}\\"}}',
    "--{name} {value}",
    "--{name}={value}",
    '["--{name}", "{value}"]',
    '("{name}", "{value}")',
    "os.environ['{name}'] = '{value}'",
    "{name}: str = '{value}'",
    "{name}: SomeType = '{value}'",
    "Settings(user='bob', {name}='{value}', port=5)",
    "{name} = ['first', '{value}']",
    "{name} = (\n    'bob',\n    '{value}',\n)",
    "{name} = {{'user': 'bob (', 'word': '{value}'}}",
    "{name} = SecretStr('{value}')",
    '{name} = """\n{value}\n"""',
    "https://host/path?{name}={value}&page=2",
    "if {name} == '{value}':",
]
NAMES = ["password", "api_key", "DB_PASSWORD", "clientSecret", "X-Api-Key", "auth_token"]
VALUE = _of(12, 40)
SEPARATED = st.text().map(lambda text: f"{text} ")
PIECES = st.sampled_from(
    [
        *('"', "'", "\\", "\n", " ", "(", ")", "[", "]", "{", "}", ",", "=", ":", "-", "a", "1"),
        *("token", "password", "api key", "Cookie", "Bearer ", "Basic ", '"""', "sk-ant-", "str"),
        *("://", "@", "eyJ", ".", "ghp_", "A" * 16, "AKIA", "hf_", "a" * 20, "None", ";", "&", ">"),
        *("-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----", MASK, "if ", "n_", "|", "`"),
    ],
)


@given(st.one_of(st.text(), st.lists(PIECES, max_size=40).map("".join)))
@settings(max_examples=600, deadline=None)
@example("token=f(a)b 'password: ' x")
@example("-----END PRIVATE KEY----------BEGIN PRIVATE KEY-----")
@example("AKIA" + "A" * 16 + "hf_" + "a" * 30)
def test_masking_never_raises_and_twice_is_as_good_as_once(text: str) -> None:
    masked = mask(text)
    assert mask(masked) == masked


@pytest.mark.promise("Secrets of a known shape are masked.", against="model")
@given(st.data())
@settings(max_examples=400, deadline=None)
def test_a_secret_of_a_known_shape_is_gone_wherever_it_stands(data: st.DataObject) -> None:
    prefix, shape = data.draw(st.sampled_from(SHAPES))
    secret = data.draw(shape)
    before = data.draw(st.one_of(SEPARATED, st.sampled_from(["", "x = '", '{"a": "', "(", "\n"])))
    after = data.draw(st.sampled_from(["", " ", "'", '"', "\n", ")", ", more"]))
    assume(secret not in before)
    masked = mask(before + prefix + secret + after)
    assert secret not in masked
    assert MASK in masked


@given(st.sampled_from(WRITTEN), st.sampled_from(NAMES), VALUE, SEPARATED)
@settings(max_examples=400, deadline=None)
def test_the_value_of_a_secret_name_is_gone_however_it_is_written(
    written: str, name: str, value: str, before: str
) -> None:
    assume(value not in before)
    for around in ("", f"{before}\n"):
        masked = mask(around + written.format(name=name, value=value) + "\nnext = 1")
        assert value not in masked
        assert name in masked
        assert masked.endswith("\nnext = 1")


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ('password = "hunter2"', f'password = "{MASK}"'),
        (
            "User(name='bob', password='it\\'s', age=3)",
            f"User(name='bob', password='{MASK}', age=3)",
        ),
        ('{"token": "a", "user": "bob"}', f'{{"token": "{MASK}", "user": "bob"}}'),
        ("PASSWORD=hunter2 PORT=8", f"PASSWORD={MASK} PORT=8"),
        ("Server=x;Password=a!b;Port=1", f"Server=x;Password={MASK};Port=1"),
        ("https://bob:hunter2@host:80/p", f"https://bob:{MASK}@host:80/p"),
        ("mysql --password hunter2 -u bob", f"mysql --password {MASK} -u bob"),
        ("Authorization: Bearer hunter2\nA: 1", f"Authorization: Bearer {MASK}\nA: 1"),
        ("Cookie: a=b; c=d\nHost: x", f"Cookie: {MASK}\nHost: x"),
        ("credentials = {'a': ['b', '}']}, 5", f"credentials = {{{MASK}}}, 5"),
        ("token: str | None = 'abc'", f"token: str | None = '{MASK}'"),
        ("API key: abc123", f"API key: {MASK}"),
        (f"before\n{PEM}\nafter", f"before\n{MASK}\nafter"),
        (f"{PEM!r}, 5", f"'{MASK}', 5"),
        ("don't tell the password: 'abc'", f"don't tell the password: '{MASK}'"),
    ],
)
def test_what_is_not_the_secret_stays(text: str, masked: str) -> None:
    assert mask(text) == masked


def test_halves_of_a_private_key_are_masked_too() -> None:
    for cut in (60, 300, len(PEM) - 60):
        for half in (f"x = 1\n{PEM[:cut]}", f"{PEM[cut:]}\ny = 2"):
            assert "MIIE" not in mask(half)
            assert "pAIBAAKCAQEA7bq98x" not in mask(half)


@pytest.mark.parametrize(
    "text",
    [
        "commit 3f786850e387550fdab836ed7e6dc881de23001b",
        "5f1c0a52-7a3b-4d62-9b0e-2f6d1c9e8a74",
        "x = 3.14159265358979, 12345678901234567890, 0xdeadbeef",
        "The author has a monkey and a keyboard: both are fine. Tokens: 5, keys = [1, 2].",
        "for key, value in d.items(): print(f'{key}: {value}')",
        "if not token: return None",
        "lambda token: token.strip()",
        "def f(password: str, token=None, api_key: str | None = None) -> int: ...",
        'token = os.environ["TOKEN"]',
        'password = getpass.getpass("Password: ")',
        'input("Password: ")',
        "client = Client(api_key=api_key, token=self._token)",
        'print(f"token: {token}")',
        "password = ''",
        "password = None",
        "tokenizer = load('x'); n_tokens = 5; primary_key: id; max_tokens=4096",
        "class Token:\n    pass",
        "https://example.org:8080/a@b",
        "sk-learn and task-force, sk-toggleable__content",
        "-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----",
    ],
)
def test_ordinary_code_and_prose_are_left_alone(text: str) -> None:
    assert mask(text) == text


@pytest.mark.parametrize(
    "repeated",
    [
        *("a", "-", "token", "token ", "token=", "token=(\n", "token=[{", "token='", 'token="\\'),
        *("pass", "eyJ", "eyJa.", "sk-", "://a:b", "://a:b@", "bearer a", "AKIA" + "A" * 16 + " "),
        *("-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----", "token=a[(", "token=a,"),
        *('"password": "a", ', "token: a = b ", 'token="""\n', "token=" + " " * 39, "'token: "),
    ],
)
def test_a_megabyte_of_anything_takes_about_a_second(repeated: str) -> None:
    def seconds(length: int) -> float:
        text = (repeated * (length // len(repeated) + 1))[:length]
        begun = time.process_time()
        mask(text)
        return time.process_time() - begun

    # Whatever the machine, sixteen times the text takes nowhere near 256 times as long.
    assert seconds(1_000_000) < 60 * max(seconds(62_500), 0.01)


def test_by_looks_alone_code_goes_on_to_work() -> None:
    code = 'password = getpass()\nclient = Client(token="sk-ant-api03-abcdefghijkl")'
    assert mask_shapes(code) == f'password = getpass()\nclient = Client(token="{MASK}")'
