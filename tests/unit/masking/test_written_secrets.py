from __future__ import annotations

import json
import pprint
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from claude_magic.masking import MASK, mask

from .secrets_in_texts import QUOTED, SHAPES, made_up

if TYPE_CHECKING:
    from collections.abc import Callable

CORPUS = sorted((Path(__file__).parent / "corpus").iterdir())
NOTATIONS: dict[str, Callable[[str], str]] = {
    "as it is": lambda text: text,
    "between lines": lambda text: f"first = 1\n{text}\nlast = 2",
    "repr": lambda text: repr({"v9": text}),
    "JSON": lambda text: json.dumps({"v": text}),
    "JSON in JSON": lambda text: json.dumps({"v": json.dumps([text])}),
    "pprint": lambda text: pprint.pformat({"v": text, "w": "x" * 70}),
    "a line of a log": lambda text: f"2024-05-01 12:00:00 INFO\t{text}",
}
#: These are recognised by their lines.
LINES = {"pgpass", "netrc"}


def _gone(secret: str) -> list[str]:
    """Return the parts of a secret that must not be left."""
    words = [word for word in secret.replace("\n", " ").split() if any(map(str.isdigit, word))]
    return [word[:8] for word in words if len(word) >= 8][:1] or [secret[:8]]


@pytest.mark.promise("Secrets written next to their names are masked.", against="model")
@pytest.mark.parametrize("notation", NOTATIONS)
@pytest.mark.parametrize(
    ("kept", "secret"), [row[1:] for row in SHAPES], ids=[r[0] for r in SHAPES]
)
def test_a_secret_is_gone_in_every_notation(kept: str, secret: str, notation: str) -> None:
    masked = mask(NOTATIONS[notation](kept + secret))
    assert MASK in masked
    for part in _gone(secret):
        assert part not in masked
    assert mask(masked) == masked


@pytest.mark.promise("Secrets written next to their names are masked.", against="model")
@pytest.mark.parametrize("notation", ["as it is", "between lines"])
@pytest.mark.parametrize(
    ("kept", "secret"), [row[1:] for row in QUOTED], ids=[r[0] for r in QUOTED]
)
def test_a_secret_is_gone_from_records_tables_and_markup(
    kept: str, secret: str, notation: str
) -> None:
    masked = mask(NOTATIONS[notation](kept + secret))
    assert MASK in masked
    assert "hunter2" not in masked
    assert mask(masked) == masked


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.name)
def test_ordinary_output_is_left_alone(path: Path) -> None:
    text = path.read_text()
    assert mask(text).splitlines() == text.splitlines()


KEY_LINES = [made_up(64, "ABCDEFabcdef0123456789+/" + "x" * place) for place in range(5)]
PEM = "\n".join(
    ["-----BEGIN OPENSSH PRIVATE KEY-----", *KEY_LINES, "-----END OPENSSH PRIVATE KEY-----"]
)
BROKEN_UP: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "on one line": lambda pem: pem.replace("\n", ""),
    "repr": repr,
    "JSON": json.dumps,
    "JSON in JSON": lambda pem: json.dumps(json.dumps(pem)),
    "pprint": lambda pem: pprint.pformat({"key": pem}),
    "pprint of lines": lambda pem: pprint.pformat(pem.split("\n")),
    "pprint of one line": lambda pem: pprint.pformat({"v": pem.replace("\n", "")}),
    "JSON of lines": lambda pem: json.dumps(pem.split("\n"), indent=4),
    "YAML": lambda pem: "v: |\n    " + pem.replace("\n", "\n    "),
    "quoted mail": lambda pem: "> " + pem.replace("\n", "\n> "),
    "cat -n": lambda pem: "\n".join(f"{n:6}\t{line}" for n, line in enumerate(pem.split("\n"), 1)),
    "line numbers": lambda pem: "\n".join(
        f"{n}: {line}" for n, line in enumerate(pem.split("\n"), 1)
    ),
    "a diff": lambda pem: "+" + pem.replace("\n", "\n+"),
    "a literal in code": lambda pem: (
        "k = (\n" + "\n".join(f'    "{line}\\n"' for line in pem.split("\n")) + "\n)"
    ),
    "concatenated": lambda pem: " +\n".join(f"  '{line}\\n'" for line in pem.split("\n")),
    "carriage returns": lambda pem: pem.replace("\n", "\r\n"),
}


@pytest.mark.parametrize("cut", ["whole", "without its end", "without its beginning"])
@pytest.mark.parametrize("way", BROKEN_UP)
def test_a_private_key_is_gone_however_it_is_broken_up(way: str, cut: str) -> None:
    text = BROKEN_UP[way](PEM)
    if cut == "without its end":
        text = text[: text.index(KEY_LINES[4][:20])]
    elif cut == "without its beginning":
        text = text[text.index(KEY_LINES[0][-20:]) :]
    masked = mask(text)
    left = [line for line in KEY_LINES if line[22:42] in masked]
    assert not left
    assert MASK in masked


def test_text_around_a_private_key_stays() -> None:
    assert mask(f"before\n{PEM}\nafter") == f"before\n{MASK}\nafter"
    assert mask(f"def f():\n    return 1\n{PEM[:200]}\n\nOrdinary text follows.").endswith(
        "\n\nOrdinary text follows."
    )


@pytest.mark.parametrize(
    "repeated",
    [
        *("curl -u a:", "curl ", "-p ", "mysql -p", "login -p ", "machine a login b ", "default "),
        *("h:5432:db:u:", "a:5432:", "<password>", '<add key="password" ', "<td>password</td>"),
        *(
            'name="password" ',
            "{'name': 'password', ",
            "value=",
            "value: \\'",
            "| password ",
            "a,b\n",
        ),
        *(
            "password,user\n",
            "  password  user\n",
            "password: |\n  a\n",
            "token=<<E\n",
            "hooks.slack.com",
        ),
        *(
            "-----BEGIN PRIVATE KEY-----\n",
            "'-----BEGIN PRIVATE '\n '",
            "\n-----END PRIVATE KEY-----",
        ),
        *(
            "MIIEpAIBAAKCAQEA",
            "Private-Lines: 1\n",
            "key-",
            "a." * 30,
            "://a:1/",
            "?key=1",
            "SG.a.",
            "$2y$",
        ),
        *(
            "PASSWORD '",
            "echo a | sudo ",
            "sk-" + "a-" * 40,
            "s.",
            "dp.st.",
            "Bearer ",
            "1" * 9 + ":AA",
        ),
    ],
)
def test_time_grows_with_the_length_and_no_faster(repeated: str) -> None:
    def seconds(length: int) -> float:
        text = (repeated * (length // len(repeated) + 1))[:length]
        begun = time.process_time()
        mask(text)
        return time.process_time() - begun

    # Whatever the machine, eight times the text takes nowhere near 64 times as long.
    assert seconds(400_000) < 30 * max(seconds(50_000), 0.02)
