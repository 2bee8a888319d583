"""Private key blocks, also where they were cut, quoted, indented, numbered or broken up."""

from __future__ import annotations

import re
import string

from .secret_names import MASK

#: Longer lines are none of a key, in characters.
_LONGEST_LINE = 8192
#: A space of a mark, at which pprint may break the line: ``'-----BEGIN PRIVATE '\n 'KEY-----'``.
_GAP = r"""[ ](?:["']\)?\s{0,80}[bB]?["'])?"""
_MARK = re.compile(
    rf"""-----(BEGIN|END)(?:{_GAP}[A-Z0-9]{{1,16}}){{0,4}}?{_GAP}PRIVATE{_GAP}KEY
    (?:{_GAP}BLOCK)?-----""".replace("\n    ", "")
)
#: A line of a key with whatever was put around it: quotes, indentation, numbers, signs of a diff.
_BODY_LINE = re.compile(
    r"""[ \t"'>|+,()\[\]b#-]{0,40}(?:\d{1,6}[ \t:|→]{1,8})?[ \t"'>|+]{0,40}
    (?:[A-Za-z0-9+/=\\]{16,}|[A-Za-z-]{3,20}:[ ][\w,. -]{0,80}|[A-Za-z0-9+/]{1,63}={0,2}(?=\W*\Z)|)
    [ \t\r"',;)\]+\\rn]{0,40}\Z""",
    re.VERBOSE,
)
#: Characters of a key's body on one line, with the escapes that a repr makes of line ends.
_BODY = re.compile(r"[A-Za-z0-9+/=\\\r]*")
_BODY_CHARACTERS = f"{string.ascii_letters}{string.digits}+/=\\\r"
#: How keys begin in base64, whatever is around them: PKCS #1 and #8, EC, Ed25519, OpenSSH.
_BARE = re.compile(
    r"""(?<![A-Za-z0-9+/])(?:MII[A-Za-z0-9+/]{2,3}IBAAK[BC]|MII[A-Za-z0-9+/]{1,3}IBADANBgkqhkiG
    |MHcCAQEE|MHQCAQEE|MIGkAgEBBD|MIG[HT]AgEAMB|MC4CAQAwBQYDK2V|b3BlbnNzaC1rZXktdjE)
    [A-Za-z0-9+/=\\]{8,}""",
    re.VERBOSE,
)
#: The part of a PuTTY key that is secret, and its checksum.
_PUTTY = re.compile(
    r"""(Private-Lines:[ \t]*\d{1,4}(?!\d)|Private-MAC:(?=[ \t]*[0-9a-f]{16}))"""
    r"""(?:(?:[\s"',>|]|\\[rn])+[A-Za-z0-9+/=]{16,})+"""
)


def mask_private_keys(text: str) -> str:
    """Mask private key blocks, and halves of them where a text was cut."""
    if "-----" in text:
        text = _mask_blocks(text)
    if "Private-" in text:
        text = _PUTTY.sub(rf"\1 {MASK}", text)
    return _mask_bare(text)


def _mask_blocks(text: str) -> str:
    masked = []
    at = 0
    begun: list[re.Match[str]] = []
    for mark in _MARK.finditer(text):
        if mark[1] == "BEGIN":
            begun.append(mark)
            continue
        start = begun[0].start() if begun else _body_begins(text, at, mark.start())
        masked += [text[at:start], MASK]
        at = mark.end()
        begun.clear()
    for mark in begun:  # the end was cut off
        if mark.start() < at:
            continue
        masked += [text[at : mark.start()], MASK]
        at = _body_ends(text, mark.end())
    return "".join([*masked, text[at:]])


def _mask_bare(text: str) -> str:
    masked = []
    at = 0
    while found := _BARE.search(text, at):
        masked += [text[at : found.start()], MASK]
        at = _body_ends(text, found.end())
    return "".join([*masked, text[at:]])


def _body_ends(text: str, at: int) -> int:
    """Return where the lines of a key end that begins before a place."""
    body = _BODY.match(text, at)
    end = body.end() if body else at
    while True:
        begin = text.find("\n", end, end + _LONGEST_LINE)
        if begin < 0 or not _BODY_LINE.match(text[end:begin]):
            return end
        stop = text.find("\n", begin + 1, begin + 1 + _LONGEST_LINE)
        stop = min(len(text), begin + 1 + _LONGEST_LINE) if stop < 0 else stop
        line = text[begin + 1 : stop]
        if not line.strip() or not _BODY_LINE.match(line):
            return end
        end = stop


def _body_begins(text: str, least: int, at: int) -> int:
    """Return where the lines of a key begin that ends before a place."""
    line = text[max(least, at - _LONGEST_LINE) : at]
    begin = at - len(line) + len(line.rstrip(_BODY_CHARACTERS))
    while True:
        stop = text.rfind("\n", max(least, begin - _LONGEST_LINE), begin)
        if stop < 0 or not _BODY_LINE.match(text[stop + 1 : begin]):
            return begin
        floor = max(least, stop - _LONGEST_LINE)
        start = text.rfind("\n", floor, stop) + 1 or floor
        line = text[start:stop]
        if not line.strip() or not _BODY_LINE.match(line):
            return begin
        begin = start
