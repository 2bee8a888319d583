"""Columns and rows with secret names in tables of text: with bars, commas, tabs or spaces."""

from __future__ import annotations

import re

from .secret_names import MASK, is_password, is_secret, may_name_secret
from .words import is_unlike_words, may_be_secret

_BARS = "|│┃║"
_SPLIT_BARS = re.compile(r"([|│┃║])")
_RULE = re.compile(r"[\s|│┃║+\-=:─━═┼╪╇┿┌┬┐└┴┘├┤┡╞╡┏┳┓┗┻┛┠┨╭╮╰╯]+")
_HEADING = re.compile(r"\s*[\"'`*]*[A-Za-z_][\w .-]{0,60}[\"'`*]*\s*|\s*")
_DELIMITED = re.compile(
    r"[\"']?[A-Za-z_][\w.-]{0,60}[\"']?(?:([,;\t])[\"']?[A-Za-z_][\w.-]{0,60}[\"']?)+\s*"
)
#: A table without lines: an index or nothing, then headings above right- or left-aligned cells.
_ALIGNED = re.compile(r"[ \t]{2,}\w|\w[^\n]*?[ ]{2,}\w")
_CELL = re.compile(r"\S+")
#: A name and a value with nothing but space between them, as a series is shown.
_NAME_VALUE = re.compile(
    r"^([ \t]{0,40}(?:\d{1,6}[ \t]+)?([A-Za-z_][\w.-]{1,60})(?:[ ]{2,80}|\t[ \t]{0,40}))"
    r"(\S{4,200})[ \t]*$",
)
#: Longer lines are no rows that a person reads, in characters.
_LONGEST = 2000


def mask_tables(text: str) -> str:
    """Mask the cells below and beside secret names in the tables of a text."""
    if "\n" in text:
        lines = text.split("\n")
        at = 0
        while at < len(lines) - 1:
            at = _mask_below(lines, at)
        text = "\n".join(lines)
    if any(bar in text for bar in _BARS):
        text = "\n".join(map(_mask_beside, text.split("\n")))
    lines = text.split("\n")
    return "\n".join(
        _NAME_VALUE.sub(_mask_value, line) if may_name_secret(line) else line for line in lines
    )


def _mask_value(found: re.Match[str]) -> str:
    name, value = found[2], found[3]
    if (
        is_secret(name)
        and is_unlike_words(value)
        and may_be_secret(value, is_password=is_password(name))
    ):
        return f"{found[1]}{MASK}"
    return found[0]


def _mask_below(lines: list[str], at: int) -> int:
    """Mask the column below a line of headings; return the line to go on with."""
    line = lines[at]
    if len(line) > _LONGEST or not may_name_secret(line):
        return at + 1
    if any(bar in line for bar in _BARS):
        return _mask_barred(lines, at)
    delimited = _DELIMITED.fullmatch(line)
    if delimited:
        return _mask_delimited(lines, at, delimited[1])
    if _ALIGNED.match(line):
        return _mask_aligned(lines, at)
    return at + 1


def _secret_columns(cells: list[str]) -> list[tuple[int, bool]]:
    """Return the places of secret names among headings, and whether they are of passwords."""
    names = [cell.strip().strip("\"'`*") for cell in cells]
    return [(place, is_password(name)) for place, name in enumerate(names) if is_secret(name)]


def _mask_barred(lines: list[str], at: int) -> int:
    parts = _SPLIT_BARS.split(lines[at])
    if not all(_HEADING.fullmatch(cell) for cell in parts[::2]) or not _RULE.fullmatch(
        lines[at + 1]
    ):
        return at + 1
    columns = _secret_columns(parts[::2])
    if not columns:
        return at + 1
    at += 1
    while at < len(lines):
        cells = _SPLIT_BARS.split(lines[at]) if len(lines[at]) <= _LONGEST else []
        if len(cells) != len(parts):
            if not _RULE.fullmatch(lines[at]):
                break
        elif not _RULE.fullmatch(lines[at]):
            for place, password in columns:
                cells[2 * place] = _shown(cells[2 * place], password=password)
            lines[at] = "".join(cells)
        at += 1
    return at


def _mask_delimited(lines: list[str], at: int, delimiter: str) -> int:
    headings = lines[at].split(delimiter)
    columns = _secret_columns(headings)
    at += 1
    if not columns:
        return at
    while at < len(lines):
        cells = lines[at].split(delimiter) if len(lines[at]) <= _LONGEST else []
        if len(cells) != len(headings):
            break
        for place, password in columns:
            cells[place] = _shown(cells[place], password=password)
        lines[at] = delimiter.join(cells)
        at += 1
    return at


def _mask_aligned(lines: list[str], at: int) -> int:
    cells = list(_CELL.finditer(lines[at]))
    if len(cells) > 60 or not all(_HEADING.fullmatch(cell[0]) for cell in cells):  # noqa: PLR2004 - words of a line
        return at + 1
    columns = [
        (cells[place], password) for place, password in _secret_columns([cell[0] for cell in cells])
    ]
    at += 1
    if not columns:
        return at
    while at < len(lines) and lines[at].strip() and len(lines[at]) <= _LONGEST:
        for heading, password in columns:
            for cell in _CELL.finditer(lines[at]):
                beside = cell.end() == heading.end() or cell.start() == heading.start()
                if (
                    beside
                    and is_unlike_words(cell[0])
                    and may_be_secret(cell[0], is_password=password)
                ):
                    lines[at] = f"{lines[at][: cell.start()]}{MASK}{lines[at][cell.end() :]}"
                    break
        at += 1
    return at


def _mask_beside(line: str) -> str:
    """Mask the cell that follows one with a secret name: ``| password | hunter2 |``."""
    if len(line) > _LONGEST or not may_name_secret(line):
        return line
    parts = _SPLIT_BARS.split(line)
    cells = [place for place in range(0, len(parts), 2) if parts[place].strip()]
    if len(cells) != 2 or (parts[0].strip() and len(parts) > 3):  # noqa: PLR2004 - a name and a value
        return line
    name = parts[cells[0]].strip().strip("\"'`*")
    value = parts[cells[1]]
    if _HEADING.fullmatch(name) and is_secret(name) and is_unlike_words(value.strip()):
        parts[cells[1]] = _shown(value, password=is_password(name))
    return "".join(parts)


def _shown(cell: str, *, password: bool) -> str:
    if not may_be_secret(cell, is_password=password):
        return cell
    bare = cell.strip()
    quote = (
        bare[0] if bare[:1] in {'"', "'", "`"} and bare[-1:] == bare[:1] and len(bare) > 1 else ""
    )
    begin = cell.index(bare)
    # As wide as before where possible, so that the table keeps its form.
    return cell[:begin] + f"{quote}{MASK}{quote}" + cell[begin + len(bare) :]
