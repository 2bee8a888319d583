"""The URL of a session store, and what may be shown of it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlencode, urlsplit

from claude_magic.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Mapping

#: What conversations are filed under, if the URL does not say. It is the same on every machine:
#: Claude Code's own name for a project is the path of a directory, which another machine has not.
PROJECT = "claude-magic"

_EXAMPLES = (
    "'sqlite:///conversations.db', 'redis://HOST:6379/0', 'rediss://…', "
    "'postgresql://USER@HOST/DATABASE' or 's3://BUCKET/PREFIX'"
)

#: The client of each kind of store, and the extra that installs it.
_CLIENTS = {
    "sqlite": ("sqlite3", ""),
    "redis": ("redis", "redis"),
    "rediss": ("redis", "redis"),
    "postgresql": ("psycopg", "postgres"),
    "postgres": ("psycopg", "postgres"),
    "s3": ("boto3", "s3"),
}

#: What an S3 URL may say behind its question mark.
_S3_PARAMETERS = {"endpoint_url", "region"}

_NAME = re.compile(r"[\w.-]{1,100}")


@dataclass(frozen=True, slots=True)
class StoreAddress:
    """Where a session store is.

    Attributes
    ----------
    scheme
        The kind of store, such as ``"redis"``.
    url
        The whole URL but for what is meant for us; it may hold a password.
    shown
        What may be shown of it: neither a password nor a parameter.
    path
        A file, a database or a prefix, without what an URL needs before it.
    project
        What conversations are filed under.
    parameters
        What stands behind the question mark, but for what is meant for us.
    """

    scheme: str
    url: str = field(repr=False)
    shown: str
    path: str = ""
    project: str = PROJECT
    parameters: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, url: object) -> StoreAddress:
        """Take a URL apart; connects to nothing.

        Raises
        ------
        OptionError
            If it is no URL of a store, or what that store needs is not installed. The text holds no
            password.
        """
        if not isinstance(url, str):
            raise _impossible(type(url).__name__, f"a URL such as {_EXAMPLES}, or None")
        try:
            parts = urlsplit(url)
            shown = _shown(parts)
        except ValueError as error:
            # What is wrong with it may be in the password.
            raise _impossible("…", f"a URL, and this is none: {_reason(error)}") from None
        if parts.scheme not in _CLIENTS:
            # Without a scheme nothing tells where a password might stand.
            told = f"{parts.scheme}://…" if parts.scheme and "://" in url else "…"
            raise _impossible(told, f"a URL such as {_EXAMPLES}")
        if "@" in f"{parts.path}{parts.query}{parts.fragment}":
            # It ended before it should, and what should be hidden would be shown.
            raise _impossible(
                f"{parts.scheme}://…",
                "a URL in whose password / ? # and @ are written as %2F %3F %23 and %40",
            )
        parameters = dict(parse_qsl(parts.query, keep_blank_values=True))
        project = parameters.pop("project", PROJECT)
        if not _NAME.fullmatch(project):
            raise _impossible(shown, "a URL whose project= is made of letters, digits, and _ - .")
        _check_installed(parts.scheme, shown)
        if parts.scheme == "sqlite":
            path = str(_file(parts, shown, parameters))
            rest = f"sqlite:///{quote(path)}"
            return cls("sqlite", rest, f"sqlite:///{path}", path, project)
        _check_host(parts, shown, parameters)
        rest = parts._replace(query=urlencode(parameters)).geturl()
        path = unquote(parts.path.removeprefix("/"))
        return cls(parts.scheme, rest, shown, path, project, parameters)

    @property
    def whole(self) -> str:
        """The URL with all that it says, the same for the same store."""
        if self.project == PROJECT:
            return self.url
        return f"{self.url}{'&' if '?' in self.url else '?'}project={self.project}"

    def without_password(self, text: str) -> str:
        """Return what somebody else said of the store, without the password."""
        parts = urlsplit(self.url)
        text = text.replace(self.url, self.shown)
        secrets = {parts.password, unquote(parts.password or ""), self.parameters.get("password")}
        for secret in secrets:
            if secret:
                text = text.replace(secret, "…")
        return text


def _file(parts: SplitResult, shown: str, parameters: Mapping[str, str]) -> Path:
    """Return the file of a SQLite URL."""
    if parts.netloc or not parts.path.strip("/") or parameters:
        raise _impossible(
            shown,
            "'sqlite:///FILE' with a path from here, or 'sqlite:////FILE' with one from the root",
        )
    # One slash belongs to the URL. The kernel may change its directory later.
    path = Path(unquote(parts.path[1:])).expanduser().absolute()
    if path.is_dir() or not path.parent.is_dir():
        raise _impossible(f"sqlite:///{path}", "a file in a directory that exists")
    return path


def _check_host(parts: SplitResult, shown: str, parameters: Mapping[str, str]) -> None:
    """Refuse a URL that names no host or bucket, or says what an S3 URL cannot."""
    if not parts.hostname:
        what = "bucket" if parts.scheme == "s3" else "host"
        raise _impossible(shown, f"a URL with a {what}, such as {_EXAMPLES}")
    if parts.scheme != "s3":
        return
    if set(parameters) - _S3_PARAMETERS or parts.username or parts.password:
        raise _impossible(
            shown,
            "'s3://BUCKET/PREFIX', with endpoint_url= and region= behind a question mark where "
            "they are needed; the credentials come from where AWS's own tools have them",
        )


def _check_installed(scheme: str, shown: str) -> None:
    module, extra = _CLIENTS[scheme]
    if find_spec(module) is None:
        told = f"a store whose client is installed: pip install 'claude-magic[{extra}]'"
        raise _impossible(shown, told if extra else "another store: this Python has no sqlite3")


def _impossible(shown: str, expected: str) -> OptionError:
    return OptionError("session_store", shown, expected)


def _shown(parts: SplitResult) -> str:
    host = parts.hostname or ""
    port = f":{parts.port}" if parts.port is not None else ""
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{port}{parts.path}"


def _reason(error: ValueError) -> str:
    # "Port could not be cast to integer value as 'word'": a password with a slash looks like that.
    return str(error).partition(" as ")[0].partition(" value")[0]
