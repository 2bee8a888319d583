"""Secrets in XML and HTML: elements, attributes, and cells of tables with secret names."""

from __future__ import annotations

import re
from itertools import pairwise

from .secret_names import MASK, is_label, is_password, is_secret
from .words import is_unlike_words, may_be_secret

_ELEMENT = re.compile(
    r"<([\w:.-]{1,80})((?:\s[^<>]{0,500})?)>(\s{0,99}(?:<value>\s{0,99})?(?:<!\[CDATA\[)?)"
    r"([^<>\]]{1,4000})(?=\]\]>|</|…|\Z)"
)
_TAG = re.compile(r"<[A-Za-z][\w:.-]{0,80}(\s[^<>]{1,2000})>")
_ATTRIBUTE = re.compile(
    r"""([\w:.-]{1,80})(\s{0,3}=\s{0,3}(\\{0,4}["']))([^"'<>\\]{0,2000})(?=\\{0,4}["'])"""
)
_NAMING = frozenset({"key", "name", "id", "type", "field", "property", "setting", "param"})
_VALUED = frozenset({"value", "val", "content", "default", "data-value", "data"})
_CELL = r"<(?:td|th)\b[^<>]{0,200}>\s{0,200}"
_CELLS = re.compile(
    rf"({_CELL}([^<>]{{1,80}}?)\s{{0,200}}</(?:td|th)>\s{{0,200}}<td\b[^<>]{{0,200}}>\s{{0,200}})([^<>]{{1,2000}})"
)
_ROW = re.compile(r"<tr\b[^<>]{0,200}>|</t(?:head|able)>")
_ANY_CELL = re.compile(rf"({_CELL})([^<>]{{0,2000}})")


def mask_markup(text: str) -> str:
    """Mask the contents of elements and attributes with secret names."""
    if "<" not in text:
        return text
    text = _ELEMENT.sub(_mask_element, text)
    text = _TAG.sub(_mask_tag, text)
    if "<td" in text:
        text = _CELLS.sub(_mask_beside, text)
        text = _mask_columns(text)
    return text


def _mask_element(found: re.Match[str]) -> str:
    name, attributes, before, content = found[1], found[2], found[3], found[4].strip()
    names = [name.rpartition(":")[2]]
    names += [each[4] for each in _ATTRIBUTE.finditer(attributes) if each[1].lower() in _NAMING]
    if not any(_is_held_by(each, content) for each in names):
        return found[0]
    return f"<{name}{attributes}>{before}{MASK}"


def _is_held_by(name: str, content: str) -> bool:
    """Tell whether a content is the secret that a name suggests: ``<token>the</token>`` is none."""
    if not is_secret(name) or not content or is_label(content):
        return False
    return is_password(name) or is_unlike_words(content)


def _mask_tag(found: re.Match[str]) -> str:
    attributes = [each.groups() for each in _ATTRIBUTE.finditer(found[1])]
    if not any(name.lower() in _NAMING and is_secret(value) for name, _, _, value in attributes):
        return found[0]
    return _ATTRIBUTE.sub(
        lambda each: (
            f"{each[1]}{each[2]}{MASK}" if each[1].lower() in _VALUED and each[4] else each[0]
        ),
        found[0],
    )


def _mask_beside(found: re.Match[str]) -> str:
    name, value = found[2].strip(), found[3].strip()
    if (
        is_secret(name)
        and not is_label(value)
        and may_be_secret(value, is_password=is_password(name))
    ):
        return f"{found[1]}{MASK}"
    return found[0]


def _mask_columns(text: str) -> str:
    """Mask the cells below the headings of tables."""
    rows = [*(found.start() for found in _ROW.finditer(text)), len(text)]
    columns: list[tuple[int, bool]] = []
    parts = [text[: rows[0]]]
    for begin, end in pairwise(rows):
        row = text[begin:end]
        cells = list(_ANY_CELL.finditer(row))
        if row.startswith("</table"):
            columns = []
        elif cells and all(cell[1].startswith("<th") for cell in cells):
            names = [cell[2].strip() for cell in cells]
            columns = [
                (place, is_password(name)) for place, name in enumerate(names) if is_secret(name)
            ]
        elif columns:
            for place, password in reversed(columns):
                if place < len(cells) and may_be_secret(cells[place][2], is_password=password):
                    row = row[: cells[place].start(2)] + MASK + row[cells[place].end(2) :]
        parts.append(row)
    return "".join(parts)
