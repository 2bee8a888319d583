"""The model's Markdown without what front ends would run.

JupyterLab sanitises the Markdown of outputs only where it does not trust the cell, and it trusts a
cell that was just run: script in it runs. So no tag may reach it that is not known to be harmless.

What is code to one Markdown parser is not code to another, and whoever writes into a file that
Claude reads may know where they differ. So nothing dangerous is left as it is even in code: code
that holds a tag is written in HTML, escaped, which every parser takes for the same.

An image is loaded as soon as it is shown, and whoever serves it learns what stands in its address.
So only an image that lies beside the notebook is one; any other becomes a link.
"""

from __future__ import annotations

import html
import re

from .folds import inert, one_block

# `re` compiles the strings among these when a text is first looked at, and keeps them.

#: Tags that stay, as long as they have no attributes.
_HARMLESS = r"</?(?:b|br|details|em|hr|i|kbd|mark|s|small|strong|sub|summary|sup|u) ?/?>"
_TAG = rf"(?i)(?!{_HARMLESS})<(?=[A-Za-z/!?])"
#: An unknown tag without attributes does nothing: types in angle brackets are common in code.
_NO_TAG = r"<(?:T|bool|char|double|float|int|std\w*\.h|i?o?stream|str|string|vector)>"

_ADDRESS_IN_BRACKETS = re.compile(r"<((?:https?://|mailto:)[^\s<>\"'`]+)>")
#: So much of an address is looked at, in characters: a text of nothing but their beginnings would
#: take seconds each time it is shown.
_LOOKED_AT = 300
_DESTINATION = rf"(?<=\])(?P<opening>[(:])(?=\s*<?(?P<address>[^\s>)]{{0,{_LOOKED_AT}}}))"
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):", re.IGNORECASE)
_SCHEMES = {"http", "https", "mailto", "attachment"}
#: All but those that name a file in or below the notebook's folder.
_IMAGE = re.compile(r"!\[(?![^\[\]\n]*\]\((?![/.]*/)[\w./%-]+\))")
#: What makes links and attributes in mathematics.
_COMMAND = r"\\(?:href|class|cssId|style|data|csname)(?![A-Za-z])"

_FENCE = re.compile(
    r"^(?P<margin>(?:[ \t>]|(?:[-+*]|\d{1,9}[.)])[ \t])*)(?P<fence>`{3,}(?=[^`\n]*$)|~{3,})",
)
_NOT_EMPTY_LINE = r"(?:(?!\n[ \t]*\n).)"
_CODE_OR_MATH = (
    rf"(?s)(?<![`\\])(?P<ticks>`+)(?!`)(?P<code>{_NOT_EMPTY_LINE}+?)(?<!`)(?P=ticks)(?!`)"
    rf"|(?<!\\)(?P<dollars>\$\$?)(?!\$)(?P<math>{_NOT_EMPTY_LINE}+?)(?P=dollars)"
)


def sanitised(markdown: str) -> str:
    """Return Markdown that reads the same and in which nothing can run."""
    if not _dangerous(markdown):
        return markdown
    written: list[str] = []
    text: list[str] = []
    lines = iter(markdown.split("\n"))
    for line in lines:
        opening = _FENCE.match(line)
        if opening is None:
            text.append(line)
            continue
        written += _text("\n".join(text)).split("\n") if text else []
        text.clear()
        fence = [line]
        closing = re.compile(rf"[ \t>]*{opening['fence']}{opening['fence'][0]}*[ \t]*$")
        for inside in lines:
            fence.append(inside)
            if closing.match(inside):
                break
        written += _fence(opening, fence, closed=len(fence) > 1 and bool(closing.match(fence[-1])))
    written += _text("\n".join(text)).split("\n") if text else []
    return "\n".join(written)


def _dangerous(text: str) -> bool:
    return bool(
        re.search(_TAG, re.sub(_NO_TAG, "", text))
        or re.search(_COMMAND, text)
        or _IMAGE.search(text)
        or any(_leads_astray(found["address"]) for found in re.finditer(_DESTINATION, text))
    )


def _leads_astray(address: str) -> bool:
    """Tell whether an address may be anything but a page, a file or a mailbox."""
    plain = re.sub(r"[\x00-\x20\\]", "", html.unescape(address))
    scheme = _SCHEME.match(plain)
    if scheme is None:
        return len(address) == _LOOKED_AT  # who knows what follows
    return scheme[1].lower() not in _SCHEMES


def _fence(opening: re.Match[str], lines: list[str], *, closed: bool) -> list[str]:
    if not _dangerous("\n".join(lines)):
        return lines
    margin = opening["margin"]
    content = lines[1 : -1 if closed else None]
    depth = len(margin)
    code = "\n".join(line[depth:] if not line[:depth].strip(" \t>") else line for line in content)
    return [f"{margin}<pre><code>{one_block(code)}</code></pre>", margin.rstrip()]


def _text(text: str) -> str:
    pieces: list[str] = []
    end = 0
    for found in re.finditer(_CODE_OR_MATH, text):
        pieces.append(_prose(text[end : found.start()]))
        end = found.end()
        whole, code = found[0], found["code"]
        if not _dangerous(whole):
            pieces.append(whole)
        elif code is not None:
            pieces.append(f"<code>{inert(' '.join(code.split()))}</code>")
        else:
            pieces.append(_math(whole))
    pieces.append(_prose(text[end:]))
    return "".join(pieces)


def _prose(text: str) -> str:
    text = _ADDRESS_IN_BRACKETS.sub(r"\1", text)
    text = re.sub(_COMMAND, lambda found: f"&#92;{found[0][1:]}", text)
    text = _IMAGE.sub("(image) [", text)
    return re.sub(_DESTINATION, _without_link, re.sub(_TAG, "&lt;", text))


def _math(text: str) -> str:
    """Mathematics knows no entities, but a space means nothing to it."""
    text = _IMAGE.sub("! [", re.sub(_TAG, "< ", re.sub(_COMMAND, r"\\mathrm", text)))
    return re.sub(_DESTINATION, r" \g<opening>", text)


def _without_link(found: re.Match[str]) -> str:
    return f"&#{ord(found[0])};" if _leads_astray(found["address"]) else found[0]
