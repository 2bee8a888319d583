"""Records that name a secret in one field and hold it in another, in any notation and order."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .pair_names import KEY_NAMES, VALUE_NAMES, is_key_name
from .secret_names import MASK, is_secret, may_name_secret

if TYPE_CHECKING:
    from collections.abc import Iterator

_NAME = re.compile(r"""(?<![\w-])([A-Za-z_]{1,20})\\{0,4}["']?[ ]?[:=]""")
_NAMES = KEY_NAMES | VALUE_NAMES
_CONTENT = re.compile(
    r"""\s{0,20}(?:(?P<open>\\{1,4}["'])(?P<escaped>[^"'\\\n]{1,2000})
    |"(?P<double>[^"\\\n]*(?:\\.[^"\\\n]*)*)"|'(?P<single>[^'\\\n]*(?:\\.[^'\\\n]*)*)'
    |(?P<bare>[^\s,;{}()\[\]"'<>|&=:]{1,400}))""",
    re.VERBOSE,
)
_GROUPS = ("escaped", "double", "single", "bare")
#: What ends a record between two of its fields.
_BOUNDARY = re.compile(r"[{}()<>]|\n[ \t]*\n|\n[ \t]*-[ ]")
#: Fields of one record are not further from each other, in characters.
_FURTHEST = 400
_LONGEST_NAME = 200
_NO_VALUE = re.compile(r"none|null|true|false|nan|\d{1,5}|•••|", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Field:
    """Place of a field in a text.

    Attributes
    ----------
    begin
        Where its name begins.
    start, end
        Where its content begins and ends.
    is_key
        Whether the content is the name of something.
    """

    begin: int
    start: int
    end: int
    is_key: bool


def mask_records(text: str) -> str:
    """Mask the values of records like ``{"name": "password", "value": …}``."""
    if not may_name_secret(text):
        return text
    fields = list(_fields(text))
    spans = []
    for place, field in enumerate(fields):
        if not field.is_key or not is_secret(text[field.start : field.end][:_LONGEST_NAME]):
            continue
        for step in (1, -1):
            before, other = place, place + step
            while 0 <= other < len(fields) and not fields[other].is_key:
                first, second = sorted([fields[before], fields[other]], key=_begin)
                gap = text[first.end : second.begin]
                if len(gap) > _FURTHEST or _BOUNDARY.search(gap):
                    break
                span = fields[other].start, fields[other].end
                if not _NO_VALUE.fullmatch(text, *span):
                    spans.append(span)
                before, other = other, other + step
    shown = []
    done = 0
    for start, end in sorted(set(spans)):
        shown += [text[done:start], MASK]
        done = end
    return "".join([*shown, text[done:]])


def _fields(text: str) -> Iterator[_Field]:
    for name in _NAME.finditer(text):
        if name[1].lower() in _NAMES and (content := _CONTENT.match(text, name.end())):
            start, end = next(
                content.span(group) for group in _GROUPS if content[group] is not None
            )
            yield _Field(name.start(), start, end, is_key_name(name[1]))


def _begin(field: _Field) -> int:
    return field.begin
