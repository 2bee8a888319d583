"""Records that name a secret in one field and hold it in another, in any notation and order."""

from __future__ import annotations

import re

from .pair_names import KEY_NAMES, VALUE_NAMES, is_key_name
from .secret_names import MASK, is_secret

_FIELD = re.compile(
    rf"""(?<![\w-])(?P<name>{"|".join(sorted(KEY_NAMES | VALUE_NAMES, key=len, reverse=True))})
    \\{{0,4}}["']?[ ]?(?P<sign>[:=])\s{{0,20}}
    (?:(?P<open>\\{{1,4}}["'])(?P<escaped>[^"'\\\n]{{1,2000}})
    |"(?P<double>[^"\\\n]*(?:\\.[^"\\\n]*)*)"|'(?P<single>[^'\\\n]*(?:\\.[^'\\\n]*)*)'
    |(?P<bare>[^\s,;{{}}()\[\]"'<>|&=:]{{1,400}}))""",
    re.VERBOSE | re.IGNORECASE,
)
_GROUPS = ("escaped", "double", "single", "bare")
#: What ends a record between two of its fields.
_BOUNDARY = re.compile(r"[{}()<>]|\n[ \t]*\n|\n[ \t]*-[ ]")
#: Fields of one record are not further from each other, in characters.
_FURTHEST = 400
_NO_VALUE = re.compile(r"none|null|true|false|nan|\d{1,5}|•••|", re.IGNORECASE)


def mask_records(text: str) -> str:
    """Mask the values of records like ``{"name": "password", "value": …}``."""
    fields = [(found, *_content(found)) for found in _FIELD.finditer(text)]
    spans = []
    for place, (found, start, end) in enumerate(fields):
        if not is_key_name(found["name"]) or not is_secret(text[start:end][:200]):
            continue
        for step in (1, -1):
            other = place + step
            while 0 <= other < len(fields) and not is_key_name(fields[other][0]["name"]):
                between = sorted([found.span(), fields[other][0].span()])
                gap = text[between[0][1] : between[1][0]]
                if len(gap) > _FURTHEST or _BOUNDARY.search(gap):
                    break
                if not _NO_VALUE.fullmatch(text, *fields[other][1:]):
                    spans.append(fields[other][1:])
                other += step
    shown = []
    done = 0
    for start, end in sorted(set(spans)):
        shown += [text[done:start], MASK]
        done = end
    return "".join([*shown, text[done:]])


def _content(found: re.Match[str]) -> tuple[int, int]:
    return next(found.span(group) for group in _GROUPS if found[group] is not None)
