"""The one way of other people's text into a page: Markdown and HTML in which nothing is alive.

Texts of the model, of tools, of errors and of earlier conversations pass through here, because a
front end runs some of what it renders. JupyterLab sanitises the Markdown of outputs only in cells
that it does not trust, and it trusts a cell that was just run. What is passed is on a list:

- *HTML*: harmless tags without attributes; any other becomes text.
- *Fences*: the name of a language is kept if that language is only coloured. Front ends draw
  diagrams, maps and directives from others.
- *Math*: a formula with a command that is not on the list of `tex` becomes code.
- *Images*: files in or below the notebook's folder. Loading another tells a server its address.
- *Links*: pages, mailboxes, and files in or below the notebook's folder.
- *Attributes, roles and containers* of common extensions of Markdown become text.

What is code to one Markdown parser is text or math to another, and an attacker knows where they
differ. So a rule either looks at lines alone, as every parser does, or covers code as well: code
that holds anything dangerous is written in HTML, escaped, which all parsers read alike.

All functions here are linear in the length of the text, and any thread may call them.
"""

from __future__ import annotations

import html
import re
from bisect import bisect_left
from collections import defaultdict
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from . import tex

if TYPE_CHECKING:
    from collections.abc import Iterator

# `re` compiles the strings among these when a text is first looked at, and keeps them.

#: Tags that stay, as long as they have no attributes.
_HARMLESS = r"</?(?:b|br|details|em|hr|i|kbd|mark|s|small|strong|sub|summary|sup|u) ?/?>"
_TAG = rf"(?i)(?!{_HARMLESS})<(?=[A-Za-z/!?])"
#: An unknown tag without attributes does nothing: types in angle brackets are common in code.
_NO_TAG = r"<(?:T|bool|char|double|float|int|std\w*\.h|i?o?stream|str|string|vector)>"

#: Languages that front ends only colour, as fences name them.
_LANGUAGE_NAMES = """
    asm awk bash bat bibtex c c# c++ clojure cmake cmd console cpp cs csharp css cuda cython
    dart diff docker dockerfile elixir erlang f90 fortran go groovy h haskell hcl hpp hs
    html http ini ipython ipython3 java javascript jl js json json5 jsonc jsonl jsx julia
    kotlin less log lua make makefile markdown matlab md mysql nginx nim ocaml octave output
    pandas patch perl pgsql php plain plaintext postgres postgresql powershell properties
    proto protobuf ps1 py py3 pycon pytb python python3 r racket rb regex rs rst ruby rust
    sas sass scala scheme scss sed sh shell sql sqlite stata swift tcl terminal terraform
    text toml traceback ts tsx txt typescript vb verilog vhdl vim xml yaml yml zig zsh
"""
_LANGUAGES = frozenset(_LANGUAGE_NAMES.split())

#: Some parsers end a line where others see a character.
_LINE_ENDS = re.compile(r"\r\n?|[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1b\x1f\x7f]")

#: What containers of any Markdown put before a block: no letters but those of a list's letters.
_MARGIN = r"(?:[^\w\n`~:]|\d|[A-Za-z]{1,4}[.)][ \t])*"
#: A line that may open a fence or a container with a name, in whichever parser.
_OPENING_LINE = (
    rf"(?m)^{_MARGIN}(?P<run>`{{3,}}(?!`)|~{{3,}}(?!~)|:{{3,}}(?!:))"
    r"(?P<info>(?=[^\n]*[^\s`~:])[^\n]*)$"
)
_FENCE = re.compile(
    r"^(?P<margin>(?:[ \t>]|(?:[-+*]|\d{1,9}[.)])[ \t])*)"
    r"(?P<fence>`{3,}(?=[^`\n]*$)|~{3,})[ \t]*(?P<info>.*)$",
)

_ADDRESS_IN_BRACKETS = re.compile(r"<((?:https?://|mailto:)[^\s<>\"'`]+)>")
#: So much of an address is looked at, in characters: a text of nothing but their beginnings would
#: take seconds each time it is shown.
_LOOKED_AT = 300
_DESTINATION = rf"(?<=\])(?P<opening>[(:])(?=\s*<?\s*(?P<address>[^\s>)]{{0,{_LOOKED_AT}}}))"
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):", re.IGNORECASE)
_SCHEMES = {"http", "https", "mailto", "attachment"}
#: All but those that name a file in or below the notebook's folder.
_IMAGE = re.compile(r"!\[(?![^\[\]\n]*\]\((?![/.]*/|[^)]*\.\.)[\w./%-]+\))")

#: Attributes, as extensions write them behind what they belong to, roles, and Python Markdown.
_ATTRIBUTES = re.compile(
    r"\{(?=\{|[ \t]*[.#][A-Za-z_-]|[^{}\n\\]{0,200}?[A-Za-z-]{2,}="
    r"|[ \t]*[\w:+.-]{1,40}[ \t]*\}(?:`|\Z))"
)

#: A phrase about what was found is cut, in characters.
_MOST_NAMED = 200

#: What begins math or a reference in some front end, as it is written and as a page shows it.
_WIDE_MATH = r"\$\$|\\\[|\\begin"
_OPENING_OF_MATH = r"\\[(\[]|\\begin|\\(?:eq)?ref"
#: An at sign that is one only in the page.
_HIDDEN_AT = r"\\@|&(?:#0*64|#[xX]0*40|commat);?"
#: What makes links and pictures of addresses and texts.
_MAKES_ATTRIBUTES = r"[\[@]|://|www\."
_BLANK_LINES = re.compile(r"\n[ \t]*(?=\n)")
_SIMPLE_FENCE = re.compile(r"```[^`]*")
_ENTITY = re.compile(r"&(?:#[0-9]+|#[xX][0-9a-fA-F]+|[A-Za-z][A-Za-z0-9]*);?")
#: Math cannot cross an element in a page.
_BREAK = "<span></span>"

_DELIMITER = (
    r"(?P<bracket>\\{1,2}[()\[\]]|\\(?:begin|end)\{[A-Za-z]{1,20}\*?\})|\\."
    r"|(?P<ticks>`+)|(?P<dollars>\$\$?)|(?P<blank>\n[ \t]*(?=\n))"
)

#: What Markdown, HTML, math and front ends' own link finders could take for their own.
_LIVE = {ord(character): f"&#{ord(character)};" for character in '&<>`$\\@[]*_~|"'}
_ADDRESS = re.compile(r"(?<=:)/(?=/)|(?<=www)\.", re.IGNORECASE)


def code(text: str) -> str:
    """Return a text as the content of a ``code`` or ``pre`` element, anywhere in Markdown."""
    escaped = text.translate(_LIVE)
    return _ADDRESS.sub(lambda found: f"&#{ord(found[0])};", escaped)


def code_block(text: str) -> str:
    """Return the lines of a text in one line of HTML, as the content of a ``pre``."""
    return code(text).replace("\n", "&#10;")


def line(text: str) -> str:
    """Return a text as HTML and Markdown that shows it as it is, outside of code.

    Math is looked for in what a page shows, so an escaped dollar sign is not enough.
    """
    escaped = code(text).replace("&#36;", f"&#36;{_BREAK}").replace("&#92;", f"&#92;{_BREAK}")
    return escaped.replace("{", f"{{{_BREAK}") if "{" in escaped else escaped


def visible(text: str) -> str:
    """Return a text with its control and bidirectional characters written out as escapes."""
    return "".join(
        character if character.isprintable() or character in "\n\t" else _escape(character)
        for character in text
    )


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def markdown(text: str) -> str:
    """Return Markdown that reads the same and in which nothing is alive.

    Not to be called with what it has returned: the HTML in that would be shown as text.
    """
    text = _one_line_end(text)
    math = _math(text)
    if math is _Math.HARMLESS and not _dangerous(text) and not _dangerous_lines(text):
        return text
    return "\n".join(_written(text, _Risk(math)))


def local_markdown(text: str) -> str:
    """Return Markdown as `markdown` does, and without addresses of other machines."""
    text = _one_line_end(text)
    return "\n".join(_written(text, _Risk(_math(text), local=True)))


def findings(text: str) -> list[str]:
    """Return phrases that name what `local_markdown` takes out of a text; empty if nothing."""
    cleaned = local_markdown(text)
    if cleaned == text:
        return []
    shown = html.unescape(text)
    kinds = {
        "HTML": re.findall(rf"{_TAG}(?!https?:|mailto:)/?([A-Za-z]\w*)", text),
        "addresses": re.findall(r"(?i)(?:\w+:)?//([^\s/<>()\"'`?#]+)|\b(www\.[\w.-]+)", shown),
        "diagrams or directives": [
            found["info"].strip() for found in re.finditer(_OPENING_LINE, text) if _obeyed(found)
        ],
        "math": [] if tex.harmless(shown) else ["commands that may do more than typeset"],
    }
    named = [
        f"{kind}: {', '.join(dict.fromkeys(map(_first, names)))}"
        for kind, names in kinds.items()
        if names
    ]
    return [visible(each)[:_MOST_NAMED] for each in named] or ["links or attributes"]


def _first(found: str | tuple[str, ...]) -> str:
    return found if isinstance(found, str) else next(filter(None, found), "")


def _one_line_end(text: str) -> str:
    return _CONTROL.sub("\ufffd", _LINE_ENDS.sub("\n", text))


@dataclass(frozen=True, slots=True)
class _Risk:
    """What has to be withstood while a text is written.

    Attributes
    ----------
    math
        How far a dangerous command reaches.
    local
        Whether addresses of other machines are taken out, too.
    """

    math: _Math
    local: bool = False


class _Math(Enum):
    """How far a command that is not on the list could be part of math, in some parser."""

    #: Nowhere.
    HARMLESS = 0
    #: Between two empty lines, but not in what is fenced.
    FENCED = 1
    #: Between two empty lines.
    NARROW = 2
    #: Anywhere.
    WIDE = 3


# -- what is dangerous ----------------------------------------------------------------------------


def _dangerous(text: str) -> bool:
    """Tell whether there is a tag, an image or an address that must not be as it is.

    Nor must what becomes ``@@`` later: JupyterLab puts math in the place of ``@@0@@``.
    """
    return bool(
        re.search(_HIDDEN_AT, text)
        or ("<" in text and re.search(_TAG, re.sub(_NO_TAG, "", text)))
        or ("![" in text and _IMAGE.search(text))
        or _leads(text)
    )


def _leads(text: str) -> bool:
    return "]" in text and any(map(_leads_astray, re.finditer(_DESTINATION, text)))


def _leads_astray(found: re.Match[str]) -> bool:
    """Tell whether an address may be anything but a page, a file or a mailbox."""
    address = found["address"]
    plain = re.sub(r"[\x00-\x20\\]", "", html.unescape(address))
    scheme = _SCHEME.match(plain)
    if scheme is None:
        # The server's own pages do things when they are opened; and who knows what follows.
        return plain.startswith(("/", "?")) or len(address) == _LOOKED_AT
    return scheme[1].lower() not in _SCHEMES


def _dangerous_lines(text: str) -> bool:
    """Tell whether a line has a name or attributes that an extension could obey."""
    if ("```" in text or "~~~" in text or ":::" in text) and any(
        _obeyed(found) for found in re.finditer(_OPENING_LINE, text)
    ):
        return True
    return "{" in text and bool(_ATTRIBUTES.search(text))


def _obeyed(found: re.Match[str]) -> bool:
    run, info = found["run"], found["info"]
    return run[0] == ":" or (info not in _LANGUAGES and info != _language(info))


def _language(info: str) -> str:
    """Return what stays of the words behind a fence."""
    first = re.match(r"[ \t]*([\w+#.-]+)(?=\s|$)", info)
    return first[1] if first and first[1].lower() in _LANGUAGES else ""


def _math(text: str) -> _Math:
    """Tell whether a command that is not on the list could be read as math by any parser."""
    # JupyterLab puts math back into the page unquoted, and be it into an attribute.
    quotes = '"' in text and re.search(_MAKES_ATTRIBUTES, text) is not None
    if not quotes and "\\" not in text and "&" not in text:
        return _Math.HARMLESS
    if not any(_delimits(each) and _risky(each, quotes=quotes) for each in _readings(text)):
        return _Math.HARMLESS
    wide = any(re.search(_WIDE_MATH, each) for each in _readings(text))
    if wide and any(map(_crosses, _BLANK_LINES.split(text))):
        return _Math.WIDE
    bare = _without_fences(text)
    if bare is None:
        return _Math.NARROW if _lives(text, quotes=quotes) else _Math.HARMLESS
    alive = bare.touched or _lives(bare.text, quotes=quotes)
    return _Math.FENCED if alive else _Math.HARMLESS


@dataclass(frozen=True, slots=True)
class _Bare:
    """A text without its fences.

    Attributes
    ----------
    text
        What is left.
    touched
        Whether a line of text stands next to a fence.
    """

    text: str
    touched: bool


def _without_fences(text: str) -> _Bare | None:
    """Return a text without what is code to every parser; None if they may differ on it.

    They agree on fences that stand at the margin, are all alike, and are closed.
    """
    left: list[str] = []
    inside = touched = closed = False
    for each in text.split("\n"):
        if "```" not in each and "~~~" not in each:
            touched = touched or (closed and bool(each.strip()))
            closed = False
            left += [] if inside else [each]
        elif _SIMPLE_FENCE.fullmatch(each) and (not inside or not each[3:].strip(" \t")):
            touched = touched or (not inside and bool(left) and bool(left[-1].strip()))
            inside, closed = not inside, inside
            left.append("")
        else:
            return None
    return None if inside else _Bare("\n".join(left), touched)


def _readings(text: str) -> tuple[str, ...]:
    """Return a text as it is written and, where that differs, as a page shows it."""
    return (text, html.unescape(text)) if "&" in text else (text,)


def _risky(text: str, *, quotes: bool) -> bool:
    return (quotes and '"' in text) or not tex.harmless(text)


def _lives(text: str, *, quotes: bool) -> bool:
    """Tell whether anything that must not be math stands between delimiters of math."""
    if not any(_delimits(each) and _risky(each, quotes=quotes) for each in _readings(text)):
        return False
    return any(
        (each.count("$") > 1 or re.search(_OPENING_OF_MATH, each)) and _risky(each, quotes=quotes)
        for chunk in _BLANK_LINES.split(text)
        for each in _readings(chunk)
    )


def _delimits(text: str) -> bool:
    return "$" in text or bool(re.search(_OPENING_OF_MATH, text))


def _crosses(chunk: str) -> bool:
    """Tell whether some parser's math could begin between two empty lines and end elsewhere."""
    return any(
        each.count("$$") % 2
        or each.count("\\begin") != each.count("\\end")
        or each.count("\\[") != each.count("\\]")
        or (re.search(r"(?m)^[ \t>]*\$\$", each) and not each.rstrip(" \t.,;").endswith("$$"))
        for each in _readings(chunk)
    )


# -- what is written instead ----------------------------------------------------------------------


def _written(text: str, risk: _Risk) -> Iterator[str]:
    """Yield the lines of a text, with fences and what is between them each in its own way."""
    prose: list[str] = []
    lines = iter(text.split("\n"))
    for each in lines:
        opening = _FENCE.match(each)
        if opening is None:
            prose.append(each)
            continue
        fence = [each]
        closing = re.compile(rf"[ \t>]*{opening['fence']}{opening['fence'][0]}*[ \t]*$")
        closed = False
        for inside in lines:
            fence.append(inside)
            if closing.match(inside):
                closed = True
                break
        if risk.math.value and prose and prose[-1].strip() and not opening["margin"]:
            prose.append("")  # math ends with an empty line
        yield from _prose_lines(prose, risk)
        yield from _fence(opening, fence, risk, closed=closed)
    yield from _prose_lines(prose, risk)


def _prose_lines(lines: list[str], risk: _Risk) -> Iterator[str]:
    if lines:
        yield from _text("\n".join(lines), risk).split("\n")
        lines.clear()


def _fence(opening: re.Match[str], lines: list[str], risk: _Risk, *, closed: bool) -> Iterator[str]:
    margin = opening["margin"]
    content = lines[1 : -1 if closed else None]
    inside = "\n".join(content)
    if not (
        _dangerous(inside)
        or not _stays_apart(inside, margin, risk)
        or any(_obeyed(found) for found in re.finditer(_OPENING_LINE, inside))
    ):
        yield f"{margin}{opening['fence']}{_language(opening['info'])}"
        yield from lines[1:]
        if risk.math.value and closed and not margin:
            yield ""
        return
    depth = len(margin)
    text = "\n".join(each[depth:] if not each[:depth].strip(" \t>") else each for each in content)
    yield f"{margin}<pre><code>{code_block(text)}</code></pre>"
    yield margin.rstrip()


def _stays_apart(inside: str, margin: str, risk: _Risk) -> bool:
    """Tell whether code cannot become part of math, even where a parser takes it for text."""
    if risk.math in {_Math.HARMLESS, _Math.FENCED} or _plain(inside):
        return True
    # Between empty lines, what has no delimiter is no math.
    return risk.math is _Math.NARROW and not margin and not _delimits(inside)


def _text(text: str, risk: _Risk) -> str:
    """Return what is not fenced, with code and math in it each in its own way."""
    pieces: list[str] = []
    end = 0
    for start, stop, ticks in _spans(text):
        pieces.append(_prose(text[end:start], risk))
        end = stop
        whole = text[start:stop]
        pieces.append(_code_span(whole, ticks, risk) if ticks else _formula(whole, risk))
    pieces.append(_prose(text[end:], risk))
    return "".join(pieces)


def _spans(text: str) -> Iterator[tuple[int, int, int]]:
    """Yield where code and formulas begin and end, and how many backticks enclose code."""
    delimiters = [found for found in re.finditer(_DELIMITER, text) if found.lastgroup]
    places: defaultdict[str, list[int]] = defaultdict(list)
    for number, found in enumerate(delimiters):
        places["\n" if found["blank"] else found[0]].append(number)
    number = 0
    while number < len(delimiters):
        opening = delimiters[number]
        at = _next(places[_closing(opening[0])], number)
        # None is closed behind an empty line.
        blank = _next(places["\n"], number)
        closing = None if at is None or (blank is not None and blank < at) else delimiters[at]
        if at is None or closing is None or not _encloses(opening, closing, text):
            number += 1
            continue
        yield opening.start(), closing.end(), len(opening["ticks"] or "")
        number = at + 1


def _closing(opening: str) -> str:
    """Return what ends what begins so; an empty text if nothing does."""
    if opening[0] in "`$":
        return opening
    if opening.startswith("\\begin"):
        return "\\end" + opening[6:]
    return opening[:-1] + {"(": ")", "[": "]"}.get(opening[-1], "") if opening[-1] in "([" else ""


def _encloses(opening: re.Match[str], closing: re.Match[str], text: str) -> bool:
    """Tell whether two delimiters are likely to be meant as a pair: prices are none."""
    if opening[0] != "$":
        return True
    edges = (text[opening.end()], text[closing.start() - 1])
    return (
        not any(map(str.isspace, edges)) and not text[closing.end() : closing.end() + 1].isdigit()
    )


def _next(places: list[int], number: int) -> int | None:
    at = bisect_left(places, number + 1)
    return places[at] if at < len(places) else None


def _code_span(whole: str, ticks: int, risk: _Risk) -> str:
    alive = _dangerous(whole) or ("\n" in whole and _dangerous_lines(whole))
    if alive or (risk.math.value and not _plain(whole)):
        return f"<code>{code(' '.join(whole[ticks:-ticks].split()))}</code>"
    return whole


def _formula(whole: str, risk: _Risk) -> str:
    """Return a formula, or its source as code."""
    # Neither space means anything in math.
    spaced = re.sub(_TAG, "< ", whole)
    if _ATTRIBUTES.search(spaced):
        spaced = re.sub(r"(?<=[A-Za-z-])=", " =", spaced.replace("{{", "{ {"))
    if risk.math.value:
        spaced = (
            re.sub(r"\\\\(?=[A-Za-z])", r"\\\\ ", spaced).replace("\\!", " ").replace('"', "''")
        )
        if not all(map(tex.harmless, _readings(spaced))):
            return f"<code>{code(' '.join(whole.split()))}</code>"
    if _dangerous(spaced) or _dangerous_lines(spaced) or _leads(whole):
        return f"<code>{code(' '.join(whole.split()))}</code>"
    return spaced


def _prose(text: str, risk: _Risk) -> str:
    text = _ADDRESS_IN_BRACKETS.sub(r"\1", text)
    if risk.local:
        text = _without_addresses(text)
    alive = risk.math.value and not all(map(_plain, _readings(text)))
    if alive:
        text = _ENTITY.sub(_plain_letter, text)
    text = _IMAGE.sub("(image) [", re.sub(_TAG, "&lt;", text))
    text = re.sub(_DESTINATION, _without_link, text)
    text = re.sub(_OPENING_LINE, _without_name, text)
    if alive:
        text = _without_math(text)
    return re.sub(_HIDDEN_AT, f"&#64;{_BREAK}", _ATTRIBUTES.sub(f"&#123;{_BREAK}", text))


def _without_addresses(text: str) -> str:
    def escaped(found: re.Match[str]) -> str:
        return f"&#{ord(found[0])};"

    text = re.sub(_DESTINATION, lambda found: escaped(found) if _remote(found) else found[0], text)
    return re.sub(r"(?i)(?<=:)/(?=/)|(?<=www)\.|@(?=\w)", escaped, text)


def _remote(found: re.Match[str]) -> bool:
    plain = re.sub(r"[\x00-\x20\\]", "", html.unescape(found["address"]))
    return plain.startswith("//") or _SCHEME.match(plain) is not None


def _plain(reading: str) -> bool:
    return '"' not in reading and tex.harmless(reading, negative_spaces=0)


def _plain_letter(found: re.Match[str]) -> str:
    character = html.unescape(found[0])
    return character if character.isascii() and character.isalnum() else found[0]


def _without_math(text: str) -> str:
    text = _ENTITY.sub(_broken_entity, text).replace("\\!", "&#33;").replace('"', "&quot;")
    text = re.sub(r"(?<!\\)\\?\$", f"&#36;{_BREAK}", text)
    # A backslash before a letter is shown as it is, before another one it hides that.
    return re.sub(r"(?<!\\)\\+(?=[A-Za-z])|(?<!\\)\\{2,}", _broken_backslashes, text)


def _broken_entity(found: re.Match[str]) -> str:
    character = html.unescape(found[0])
    if len(character) != 1 or not character.isascii() or character in "<>&\"'":
        return found[0]
    return f"{_BREAK}&#{ord(character)};{_BREAK}"


def _broken_backslashes(found: re.Match[str]) -> str:
    return f"&#92;{_BREAK}" * ((len(found[0]) + 1) // 2)


def _without_link(found: re.Match[str]) -> str:
    return f"&#{ord(found[0])};" if _leads_astray(found) else found[0]


def _without_name(found: re.Match[str]) -> str:
    start = found.start("run") - found.start()
    return f"{found[0][:start]}&#{ord(found['run'][0])};{found[0][start + 1 :]}"
