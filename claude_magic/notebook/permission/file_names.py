"""Names of files as the most forgiving file system reads them, and the names they derive from."""

from __future__ import annotations

import re
import unicodedata

#: Longest name that a file system accepts, in characters.
LONGEST = 255

#: Endings of copies, such as ``.bak``.
BACKUP_ENDINGS = (
    *("bak", "backup", "bkp", "bck", "bk", "old", "orig", "original", "save", "saved", "prev"),
    *("previous", "copy", "tmp", "temp", "part", "partial", "crdownload", "download", "new"),
    *("dist", "default", "disabled", "off", "deleted", "rej", "lock", "conflict"),
    *("rpmsave", "rpmnew", "rpmorig", "pacsave", "pacnew"),
)
#: Endings of packed, encrypted and encoded files.
PACKED_ENDINGS = (
    *("gz", "bz2", "xz", "zst", "lz4", "lz", "lzma", "z", "br", "zip", "7z", "rar", "tar", "tgz"),
    *("tbz", "tbz2", "txz", "gpg", "asc", "age", "enc", "b64", "base64", "hex"),
)

_BACKUP = "|".join(BACKUP_ENDINGS)
_DATE = r"\d{4}[-_.]?\d\d[-_.]?\d\d(?:[-_.t ]?\d\d(?:[-_.:]?\d\d){0,2}z?)?"
_MARK = (
    rf"(?: - |[ ._-])(?:{_BACKUP}|checkpoint|conflicted copy)(?:[ ._-]?\d+| \(\d+\))?"
    rf"|[ ._-]v?\d+|[ ._-]?\(\d+\)|[ ._-](?:{_DATE})|[ ._-]\({_DATE}\)"
)
_MARKS = (
    rf"(?:~+|\.~\d+~|\.un~|\.sw[a-z]|,v|-(?:journal|wal|shm)"
    rf"|\.(?:dpkg|ucf)-(?:old|dist|new|tmp|bak)|\.(?:{'|'.join(PACKED_ENDINGS)})|{_MARK})"
)
_AT_END = re.compile(rf"{_MARKS}$", re.IGNORECASE)
_BEFORE_ENDING = re.compile(rf"(?:~+|{_MARK})(?=\.[^.]+$)", re.IGNORECASE)
_AT_START = re.compile(
    r"(?:\.#|\._|~\$|(?:copy|backup|kopie)[ _-](?:(?:\(\d+\)|\d+)[ _-])?(?:of|von)[ _-]"
    r"|(?:old|bak|backup|copy|orig)[ _-])(?=.)",
    re.IGNORECASE,
)
_AUTOSAVED = re.compile(r"#(?P<origin>.+)#|\.(?P<swapped>.+)\.sw[a-z]", re.IGNORECASE)


def visible(name: str) -> str:
    """Return a name in one Unicode form, without what some file systems leave out. Any thread."""
    # Some leave out what does not show (CVE-2014-9390), or trailing dots and spaces.
    seen = "".join(letter for letter in name if unicodedata.category(letter) not in {"Cf", "Cc"})
    return unicodedata.normalize("NFKC", seen).strip().rstrip(". ")


def plain(name: str) -> str:
    """Return a name as `visible` does, and without case. Any thread."""
    return visible(name).casefold()


def with_origins(name: str) -> frozenset[str]:
    """Return a `visible` name and those that it may derive from. Any thread.

    ``.secrets-checkpoint.json.bak.gz~`` derives from ``.secrets.json``, and so on in between.
    Names longer than `LONGEST` have no origins.
    """
    found = {name}
    pending = [name] if len(name) <= LONGEST else []
    while pending:
        for origin in _origins(pending.pop()):
            if origin and origin not in found:
                found.add(origin)
                pending.append(origin)
    return frozenset(found)


def _origins(name: str) -> list[str]:
    autosaved = _AUTOSAVED.fullmatch(name)
    origins = [name[match.end() :] for match in [_AT_START.match(name)] if match]
    # The outermost mark only: the others follow.
    origins += [name[: match.start()] for match in [_AT_END.search(name)] if match]
    origins += [
        name[: match.start()] + name[match.end() :]
        for match in [_BEFORE_ENDING.search(name)]
        if match
    ]
    if autosaved:
        origins.append(autosaved["origin"] or autosaved["swapped"])
    return origins
