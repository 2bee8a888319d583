"""The names of files that a person is asked about whatever else is allowed.

Names are compared as the most forgiving file system would: without case, without characters that
some systems leave out of names, and in one Unicode form.
"""

from __future__ import annotations

import re
import unicodedata
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

#: Folders that hold keys and tokens; all that is in them is secret.
_SECRET_FOLDERS = (
    ".aws",
    ".azure",
    ".docker",
    ".gcloud",
    ".gnupg",
    ".kaggle",
    ".kube",
    ".password-store",
    ".secrets",
    ".ssh",
    "legacy_credentials",
)

#: Files that hold keys and tokens, as globs.
_SECRET_FILES = (
    ".*_history",
    ".boto",
    ".claude.json",
    ".credentials*",
    ".databrickscfg",
    ".dockercfg",
    ".env*",
    ".git-credentials",
    ".htpasswd",
    ".my.cnf",
    ".netrc",
    ".npmrc",
    ".pgpass",
    ".pypirc",
    ".s3cfg",
    ".vault-token",
    "*.jks",
    "*.kdbx",
    "*.key",
    "*.keystore",
    "*.p12",
    "*.pem",
    "*.pfx",
    "*.ppk",
    "*.tfstate",
    "*.tfvars",
    "_netrc",
    "access_tokens.db",
    "client_secret*.json",
    "credentials*",
    "id_dsa*",
    "id_ecdsa*",
    "id_ed25519*",
    "id_rsa*",
    "kaggle.json",
    "secrets.json",
    "secrets.toml",
    "secrets.y*ml",
    "service-account*.json",
    "service_account*.json",
)

#: Files and folders that some program obeys by itself: who writes there gets a command run later.
_OBEYED = (
    ".bash_login",
    ".bash_logout",
    ".bash_profile",
    ".bashrc",
    ".claude",
    ".git",
    ".gitconfig",
    ".githooks",
    ".gitmodules",
    ".hg",
    ".husky",
    ".idea",
    ".ipython",
    ".jupyter",
    ".mcp.json",
    ".pre-commit-config.yaml",
    ".profile",
    ".ripgreprc",
    ".tcshrc",
    ".vscode",
    ".zlogin",
    ".zprofile",
    ".zshenv",
    ".zshrc",
    "sitecustomize.py",
    "usercustomize.py",
)

#: So many plain characters at its beginning make a glob the name of something.
_TELLING = 2


def is_secret(path: Path, roots: Iterable[Path] = ()) -> bool:
    """Return whether a path is, by its name, likely to hold a secret. Any thread.

    Parameters
    ----------
    path
        An absolute path; the disk is not looked at.
    roots
        Directories that the person chose to work in: a project may be called ``credentials``, so
        that only the names below it count. ``.ssh`` and the like count wherever they stand.
    """
    if any(_plain(part) in _SECRET_FOLDERS for part in path.parts):
        return True
    return any(_matches(part, _SECRET_FILES) for part in _below(path, roots))


def is_obeyed(path: Path, roots: Iterable[Path] = ()) -> bool:
    """Return whether some program obeys a file by itself, such as a hook of Git. Any thread.

    Parameters
    ----------
    path
        An absolute path; the disk is not looked at.
    roots
        Directories that the person chose to work in; only the names below them count.
    """
    return any(_matches(part, _OBEYED) for part in _below(path, roots))


def names_secret(pattern: str) -> bool:
    """Return whether a glob is after files that are likely to hold a secret. Any thread.

    A glob that matches everything names nothing, nor does one that leaves out. Every branch of
    braces counts.
    """
    words = (word for word in pattern.split() if not word.startswith("!"))
    return any(_names_secret(name) for word in words for name in re.split(r"[/\\,{}]+", word))


def sparing(pattern: str) -> str:
    """Return a glob for Claude Code's Grep that leaves out what is likely to hold a secret.

    Grep hands each word to ripgrep as a ``--glob`` of its own, of which the last decides.

    Parameters
    ----------
    pattern
        Grep's own ``glob``, maybe empty.
    """
    return pattern if is_sparing(pattern) else f"{pattern} {_exclusion()}".lstrip()


def is_sparing(pattern: str) -> bool:
    """Return whether a glob for Grep leaves out what is likely to hold a secret."""
    return pattern.split()[-1:] == [_exclusion()]


@lru_cache(maxsize=1)
def _exclusion() -> str:
    # ripgrep's globs heed case.
    names = ",".join((*_SECRET_FILES, *_SECRET_FOLDERS))
    return "!{" + re.sub("[a-z]", lambda letter: f"[{letter[0]}{letter[0].upper()}]", names) + "}"


def _below(path: Path, roots: Iterable[Path]) -> tuple[str, ...]:
    inside = (path.relative_to(root).parts for root in roots if path.is_relative_to(root))
    # Of nested directories the outer one: the person has not chosen the names between them.
    return max(inside, key=len, default=path.parts)


def _matches(name: str, patterns: Iterable[str]) -> bool:
    plain = _plain(name)
    return any(fnmatchcase(plain, pattern) for pattern in patterns)


def _plain(name: str) -> str:
    """Return a name as the most forgiving file system reads it."""
    # Some leave out what does not show (CVE-2014-9390), or trailing dots and spaces.
    seen = "".join(letter for letter in name if unicodedata.category(letter) not in {"Cf", "Cc"})
    return unicodedata.normalize("NFKC", seen).casefold().strip().rstrip(". ")


def _names_secret(word: str) -> bool:
    name = _plain(word)
    if word.startswith("!") or not re.sub(r"[*?\[\]]", "", name):
        return False
    if name in _SECRET_FOLDERS or _matches(name, _SECRET_FILES):
        return True
    # *.json would find a secrets.json too, but is not after it; a beginning tells more.
    if len(re.split(r"[*?\[]", name)[0]) < _TELLING:
        return False
    shortest = (pattern.replace("*", "") for pattern in _SECRET_FILES if pattern[0] != "*")
    return any(fnmatchcase(secret, name) for secret in (*shortest, *_SECRET_FOLDERS))
