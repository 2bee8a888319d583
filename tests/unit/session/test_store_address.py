"""The URL of a session store, and what may be shown of it."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import pytest
from traitlets import TraitError

from claude_magic.errors import OptionError
from claude_magic.notebook.configuration import Configuration
from claude_magic.session import SessionOptions
from claude_magic.session.stores import StoreAddress, address, open_store

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("url", "shown", "path"),
    [
        ("redis://:secret@example.org:6380/2", "redis://example.org:6380/2", "2"),
        ("rediss://ada:secret@example.org", "rediss://example.org", ""),
        ("redis://:secret@[::1]:6379/0", "redis://[::1]:6379/0", "0"),
        ("postgresql://ada:secret@db/notes?sslmode=require", "postgresql://db/notes", "notes"),
        ("postgres://db/notes?password=secret", "postgres://db/notes", "notes"),
        ("s3://bucket/a/b?region=eu-central-1", "s3://bucket/a/b", "a/b"),
    ],
)
def test_what_is_shown_holds_no_secret(url: str, shown: str, path: str) -> None:
    found = StoreAddress.of(url)
    assert (found.shown, found.path, found.project) == (shown, path, "claude-magic")
    assert "secret" not in repr(found)
    assert StoreAddress.of(found.whole) == found
    options = SessionOptions(session_store=url)
    assert "secret" not in repr(options)
    assert pickle.loads(pickle.dumps(options)) == options  # noqa: S301 - our own
    assert hash(options) != hash(SessionOptions())


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("ftp://ada:secret@host/x", "'redis://HOST:6379/0'"),
        ("secret", "'sqlite:///conversations.db'"),
        ("", "such as"),
        (5, "or None"),
        ("redis://", "a host"),
        ("s3:///prefix", "a bucket"),
        ("s3://bucket?secret=1", "endpoint_url="),
        ("s3://key:secret@bucket", "credentials"),
        ("sqlite://file.db", "sqlite:////FILE"),
        ("sqlite:///", "sqlite:////FILE"),
        ("sqlite:////nowhere/at/all.db", "a directory that exists"),
        ("sqlite:////", "sqlite:////FILE"),
        ("redis://h/0?project=a/b", "project="),
        ("redis://:secret/1@host:1/0", "is none"),
        ("postgresql://ada:1secret/2@host/db", "is none"),
        ("postgresql://ada:1/secret@host/db", "%2F"),
        ("redis://ada:1?secret@host", "%2F"),
    ],
)
def test_an_impossible_url_says_what_is_possible(url: object, told: str) -> None:
    with pytest.raises(OptionError) as raised:
        SessionOptions(session_store=url)  # type: ignore[arg-type]
    assert told in str(raised.value)
    assert "secret" not in str(raised.value)
    with pytest.raises(TraitError) as refused:
        Configuration(session_store=url)
    assert isinstance(url, int) or "secret" not in str(refused.value)


def test_a_file_stays_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "elsewhere").mkdir()
    here = f"sqlite:///{tmp_path}"
    for url in ("sqlite:///a%20b.db", "sqlite:///~/a%20b.db", f"sqlite:///{tmp_path}/a%20b.db"):
        options = SessionOptions(session_store=url)
        monkeypatch.chdir(tmp_path / "elsewhere")
        assert options.but(name="x").session_store == f"{here}/a%20b.db"
        monkeypatch.chdir(tmp_path)
    assert StoreAddress.of("sqlite:///a%20b.db?project=mine").project == "mine"
    configuration = Configuration(session_store="sqlite:///a%20b.db")
    assert configuration.session_store == f"{here}/a%20b.db"
    store = open_store("sqlite:///a%20b.db")
    assert store.notes("claude-magic", "record") == {}
    store.close()
    assert (tmp_path / "a b.db").exists()


def test_a_missing_client_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(address, "find_spec", lambda _name: None)
    for scheme, extra in {"rediss": "redis", "postgresql": "postgres", "s3": "s3"}.items():
        with pytest.raises(OptionError, match=rf"pip install 'claude-magic\[{extra}\]'"):
            open_store(f"{scheme}://host/x")


def test_what_a_client_says_is_told_without_the_password() -> None:
    found = StoreAddress.of("postgresql://ada:s%40cret@db/notes")
    said = f"could not open {found.url} with s@cret or s%40cret"
    assert found.without_password(said) == "could not open postgresql://db/notes with … or …"


def test_the_configuration_shows_no_password() -> None:
    configuration = Configuration(session_store="redis://:secret@host/0", model="some-model")
    told = Configuration.class_get_help(configuration)
    assert "session_store" in told
    assert "some-model" in told
    assert "secret" not in told
