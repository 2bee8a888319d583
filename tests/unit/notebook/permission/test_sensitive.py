"""Secret and obeyed files: the tables of `support.sensitive_names`, against ripgrep as well."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import claude_agent_sdk
import pytest
from support.sensitive_names import EDITABLE, LEFT_OUT_BY_GREP, OBEYED, ORDINARY, SECRET

from claude_magic.notebook.permission import file_names, is_obeyed, is_secret
from claude_magic.notebook.permission.grep import exclusion
from claude_magic.notebook.permission.secret_files import FILES
from claude_magic.notebook.permission.sensitive import names_secret

if TYPE_CHECKING:
    from collections.abc import Iterable

_ROOT = Path("/home/me/work")
#: Claude Code, which is ripgrep when it is started under that name.
_PROGRAM = Path(claude_agent_sdk.__file__).parent / "_bundled" / "claude"


@pytest.mark.parametrize("path", SECRET)
def test_a_secret_is_known_by_its_path(path: str) -> None:
    assert is_secret(_ROOT / path, (_ROOT,))
    assert is_secret(_ROOT / path)
    assert is_secret(_ROOT / "sub" / path, (_ROOT,))


@pytest.mark.parametrize("path", [*ORDINARY, *LEFT_OUT_BY_GREP])
def test_an_ordinary_path_is_no_secret(path: str) -> None:
    assert not is_secret(_ROOT / path, (_ROOT,))
    assert not is_secret(_ROOT / path)


@pytest.mark.parametrize("path", OBEYED)
def test_an_obeyed_file_is_known_by_its_path(path: str) -> None:
    assert is_obeyed(_ROOT / path, (_ROOT,))


@pytest.mark.parametrize("path", EDITABLE)
def test_an_ordinary_file_is_not_obeyed(path: str) -> None:
    assert not is_obeyed(_ROOT / path, (_ROOT,))


@pytest.mark.parametrize("mark", ["pyvenv.cfg", "conda-meta/history"])
def test_a_virtual_environment_is_known_by_what_is_in_it(tmp_path: Path, mark: str) -> None:
    (tmp_path / "tools" / mark).parent.mkdir(parents=True)
    (tmp_path / "tools" / mark).write_text("")
    assert is_obeyed(tmp_path / "tools" / "deep" / "a.txt", (tmp_path,))
    assert not is_obeyed(tmp_path / "other" / "a.txt", (tmp_path,))


def test_a_project_in_a_virtual_environment_is_a_project(tmp_path: Path) -> None:
    (tmp_path / "pyvenv.cfg").write_text("")
    assert not is_obeyed(tmp_path / "a.txt", (tmp_path,))
    assert is_obeyed(tmp_path / "lib" / "site-packages" / "a.py", (tmp_path,))


def test_a_long_name_is_judged_at_once() -> None:
    assert is_secret(_ROOT / (".bak" * 100_000))


@pytest.mark.parametrize(
    "glob", ["*password*", "**/*token*", "*.env", "*.env.*", "*secret*", "kaggle*"]
)
def test_a_glob_names_secrets_as_files_do(glob: str) -> None:
    assert names_secret(glob)


@pytest.mark.parametrize("glob", ["tokenizer*", "*.csv", "secretary*", "**/environment*", "*key*"])
def test_a_glob_for_ordinary_files_names_no_secret(glob: str) -> None:
    assert not names_secret(glob)


def _found(folder: Path) -> set[str]:
    """Return the paths of the files that Claude Code's ripgrep finds with our exclusion."""
    globs = [part for word in exclusion().split(" ") for part in ("--glob", word)]
    arguments = ["rg", "--no-config", "--hidden", "--no-ignore", *globs, "-l", "x", "."]
    ran = subprocess.run(  # noqa: S603
        arguments,
        executable=_PROGRAM,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert not ran.stderr, ran.stderr
    return {line.removeprefix("./") for line in ran.stdout.splitlines()}


def _write(folder: Path, paths: Iterable[str]) -> None:
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text("x")


def test_ripgrep_finds_the_ordinary_files_only(tmp_path: Path) -> None:
    for name, paths in (("a", SECRET), ("ordinary", ORDINARY), ("b", LEFT_OUT_BY_GREP)):
        for number, path in enumerate(paths):
            _write(tmp_path / f"{name}-{number}", [path])
    ordinary = {f"ordinary-{number}/{path}" for number, path in enumerate(ORDINARY)}
    assert _found(tmp_path) == ordinary


_COPIES = (
    *("~", ".bak", "-checkpoint", " (1)", " copy", " - Copy", "_old", ".2024-01-01", ".gz", ".1"),
    *(".tar.gz", ".orig", ".dpkg-old", ",v", ".~3~", "-journal", ".swp", "_v2", ".save", " copy 3"),
)
_PARTS = (
    *("password", "token", "secret", "count", "counts", "api", "key", "data", "my", "eos", "db"),
    *("credentials", "policy", "list", "jwt", "pwd", "primary", "monkey", "secretary", "x", "1"),
)
_ENDINGS = ("", ".txt", ".py", ".md", ".json", ".csv", ".ipynb", ".foo", ".YML", ".txt.bak")


@pytest.mark.parametrize("seed", range(2))
def test_ripgrep_leaves_out_every_secret_name(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    names = {name.replace("*", chance.choice(["", "x", "my-"])) for name in FILES}
    for name in sorted(names):
        stem, dot, ending = name[1:].rpartition(".")
        for copy in _COPIES:
            names |= {name + copy, f"{name[0]}{stem}{copy}.{ending}" if dot else name}
        names |= {name + "".join(chance.sample(_COPIES, 2)), name.upper(), name.title()}
        names |= {f".{name}.swp", f".#{name}", f"#{name}#", f"Copy of {name}", f"old_{name}"}
    for _ in range(3000):
        parts = chance.sample(_PARTS, chance.choice([1, 2, 3]))
        joined = chance.choice(["_", "-", "", " ", "."]).join(parts)
        camel = "".join(map(str.title, parts))
        names.add(chance.choice([joined, joined, camel]) + chance.choice(_ENDINGS))
    _write(tmp_path, names)
    secret = {name for name in names if is_secret(Path("/") / name)}
    assert len(secret) > 3000
    assert sorted(secret & _found(tmp_path)) == []


@pytest.mark.parametrize(
    ("name", "origin"),
    [
        ("a.bak", "a"),
        ("a~", "a"),
        (".a.swp", "a"),
        (".#a", "a"),
        ("#a#", "a"),
        ("a-checkpoint.b", "a.b"),
        ("a.b.2024-01-01.tar.gz.bak~", "a.b"),
        ("Copy of a (2).b", "a.b"),
    ],
)
def test_a_copy_derives_from_its_origin(name: str, origin: str) -> None:
    assert origin in file_names.with_origins(name)
