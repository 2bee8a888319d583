"""Spellings of a secret value: as reprs, JSON, URLs, HTML, shells, base64 and hex show it."""

from __future__ import annotations

import base64
import html
import json
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Encoded text shorter than this occurs by chance, in characters.
_LEAST_ENCODED = 10
#: Lines of a value of several lines are known by themselves, from this length on.
_LEAST_LINE = 16
#: Of longer values only the value itself and its lines are known, in characters.
_LONGEST = 8192
#: Characters that JavaScript's `encodeURIComponent` and URL libraries leave as they are.
_UNQUOTED = ("", "/", "!'()*~", "!$&'()*+,;=:", "/:?#[]@!$&'()*+,;=")


@dataclass(frozen=True, slots=True)
class Spelling:
    """One way in which a secret is written.

    Attributes
    ----------
    text
        The characters to look for.
    alone
        Whether it counts only where no letter or digit touches it, because it could be a part of
        an ordinary word.
    """

    text: str
    alone: bool


def spellings(value: str | bytes, *, alone: bool) -> list[Spelling]:
    """Return the ways in which a value may be written, each of them once.

    Parameters
    ----------
    value
        The secret.
    alone
        Whether the value itself could be a part of an ordinary word.
    """
    if isinstance(value, str):
        written = set(_of_text(value)) if len(value) <= _LONGEST else {value, *_lines(value)}
        data = value.encode("utf-8", "surrogatepass")
    else:
        written, data = {repr(value)[2:-1]}, value
    found = {text: Spelling(text, alone) for text in written}
    if len(data) <= _LONGEST:
        for text in _encoded(data):
            if len(text) >= _LEAST_ENCODED:
                found.setdefault(text, Spelling(text, alone=False))
    return list(found.values())


def _of_text(value: str) -> Iterator[str]:
    yield value
    yield from _lines(value)
    for escaped in {
        value,
        repr(value)[1:-1],
        repr(f'"{value}')[2:-1],  # where a text around it has quotes of both kinds
        ascii(value)[1:-1],
        repr(value.encode("utf-8", "surrogatepass"))[2:-1],
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
        _visible(value),
    }:
        yield escaped
        # Once more: JSON within JSON, or the repr of a list in a list of texts.
        yield escaped.replace("\\", "\\\\").replace('"', '\\"')
        yield escaped.replace("\\", "\\\\").replace("'", "\\'")
    in_json = json.dumps(value)[1:-1]
    yield in_json.replace("/", "\\/")
    yield _upper_escapes(in_json)
    # As JSON within HTML is written, and by Go.
    for character in "<>&'":
        in_json = in_json.replace(character, f"\\u{ord(character):04x}")
    yield in_json
    for safe in _UNQUOTED:
        quoted = quote(value, safe=safe, errors="surrogatepass")
        yield quoted
        yield _lower_percents(quoted)
    yield quote_plus(value, errors="surrogatepass")
    yield html.escape(value, quote=False)
    yield html.escape(value)
    yield html.escape(value).replace("&quot;", "&#34;").replace("&#x27;", "&#39;")
    yield shlex.quote(value).removeprefix("'").removesuffix("'")
    yield " ".join(value.split())


def _lines(value: str) -> Iterator[str]:
    if "\n" in value:
        for line in value.splitlines():
            if len(line.strip()) >= _LEAST_LINE and not line.startswith("-----"):
                yield line.strip()


def _visible(value: str) -> str:
    return "".join(
        character if character.isprintable() or character in "\n\t" else ascii(character)[1:-1]
        for character in value
    )


def _upper_escapes(text: str) -> str:
    parts = text.split("\\u")
    return "\\u".join([parts[0], *(part[:4].upper() + part[4:] for part in parts[1:])])


def _lower_percents(text: str) -> str:
    parts = text.split("%")
    return "%".join([parts[0], *(part[:2].lower() + part[2:] for part in parts[1:])])


def _encoded(data: bytes) -> Iterator[str]:
    yield data.hex()
    yield data.hex().upper()
    for shift in range(3):
        # What base64 makes of the value behind `shift` other bytes, as in ``user:password``:
        # without the characters that also depend on what is before and after it.
        whole = base64.b64encode(b"\0" * shift + data)
        core = whole[-(-shift * 8 // 6) : (shift + len(data)) * 8 // 6]
        yield core.decode()
        yield core.translate(bytes.maketrans(b"+/", b"-_")).decode()
