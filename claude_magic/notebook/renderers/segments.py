"""The text of an answer in segments, each of which is shown in an output of its own.

A front end is sent a whole output again whenever it grows, so what grows must stay small. A segment
ends where a block of the Markdown ends, because each is rendered by itself: a link by reference
whose definition stands in another segment is shown as it is written.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Sizes:
    """How long a segment gets, in characters.

    Attributes
    ----------
    heading
        From here on, it ends before a heading.
    block
        From here on, it ends before any block, in a text that has no headings.
    patience
        So long a heading is waited for in a text that has some; then it ends at the last block.
    fence
        From here on, a fence that leaves no choice is cut in two.
    """

    heading: int = 3_000
    block: int = 4_000
    patience: int = 6_000
    fence: int = 12_000


#: Segments in which every block of the Markdown stands alone.
SINGLE_BLOCKS = Sizes(heading=1, block=1, patience=1)


class Segments:
    """A text that grows, in segments of which only the last one changes.

    Owned by one thread at a time.

    Parameters
    ----------
    sizes
        How long a segment gets.

    Attributes
    ----------
    closed
        The segments that will not change any more. They and `open` add up to the text, but for a
        fence that was cut: it is closed at the end of one and opened again in the next.
    open
        The segment that is being written.
    """

    def __init__(self, sizes: Sizes | None = None) -> None:
        self._sizes = sizes or Sizes()
        self.withdraw()

    def withdraw(self) -> None:
        """Forget the text."""
        self.closed: list[str] = []
        self.open = ""
        self._blocks = _Blocks()
        self._scanned = 0
        self._candidate = 0
        self._headed = False

    @property
    def pieces(self) -> list[str]:
        """The segments that hold anything."""
        return [*self.closed, self.open] if self.open else list(self.closed)

    def feed(self, text: str) -> None:
        """Take the next piece of the text."""
        self.open += text
        while (end := self.open.find("\n", self._scanned)) >= 0:
            start, self._scanned = self._scanned, end + 1
            line = self.open[start:end]
            self._consider(start, self._blocks.take(line), blank=not line.strip())
        start = self._scanned
        # A paragraph is known by its first letter, and its line may be long in coming.
        if start >= self._least and self.open[start : start + 1].isalpha() and self._blocks.over:
            self._end(start)

    @property
    def _least(self) -> int:
        """From where on the segment ends before any block, above 0."""
        return max(1, self._sizes.patience if self._headed else self._sizes.block)

    def _consider(self, start: int, boundary: _Boundary, *, blank: bool) -> None:
        """End the segment before the line at `start`, or earlier, if the time has come."""
        sizes = self._sizes
        if boundary is _Boundary.HEADING:
            self._headed = True
            if start >= sizes.heading:
                self._end(start)
                return
        if boundary is not _Boundary.NONE and start > 0:
            self._candidate = start
            if start >= self._least:
                self._end(start)
                return
        if self._scanned >= sizes.patience and self._candidate >= sizes.heading:
            self._end(self._candidate)
        elif self._scanned >= sizes.fence:
            if self._candidate >= sizes.heading // 3:
                self._end(self._candidate)
            elif self._blocks.divisible and (blank or self._scanned >= sizes.fence * 4 // 3):
                self._cut_fence()

    def _end(self, at: int) -> None:
        self.closed.append(self.open[:at])
        self.open = self.open[at:]
        self._scanned -= at
        self._candidate = 0

    def _cut_fence(self) -> None:
        marker, opening = self._blocks.fence, self._blocks.fence_opening
        self.closed.append(f"{self.open[: self._scanned]}{marker}\n")
        self.open = f"{opening}\n{self.open[self._scanned :]}"
        self._scanned = len(opening) + 1
        self._candidate = 0


def joined(texts: Iterable[str]) -> str:
    """Return Markdown texts one below the other, none of which goes on in the next.

    A fence or a ``details`` element that is open at the end of one is closed there. Any thread.
    """
    *above, last = [text for text in texts if text] or [""]
    return "\n\n".join([*(text + _closing(text) for text in above), last])


def _closing(text: str) -> str:
    """Return what closes all that is open at the end of a text."""
    if "```" not in text and "~~~" not in text and "<details" not in text:
        return ""
    blocks = _Blocks()
    for line in text.split("\n"):
        blocks.take(line)
    return blocks.closing


class _Boundary(Enum):
    """What begins with a line, if a segment may."""

    NONE = 0
    BLOCK = 1
    HEADING = 2


_HEADING = re.compile(r"#{1,6}(?:[ \t]|$)")
_FENCE = re.compile(r"(`{3,})([^`]*)$|(~{3,})(.*)$")
_ITEM = re.compile(r"(?:[-+*]|(\d{1,9})[.)])(?=\s|$)")
_RULE = re.compile(r"(?:-[ \t]*){3,}$|(?:\*[ \t]*){3,}$|(?:_[ \t]*){3,}$")
_UNDERLINE = re.compile(r"(?:=+|-+)$")
#: What a paragraph may begin with, where no list item and no HTML begins.
_TEXT = re.compile(rf"(?!{_HEADING.pattern}|{_FENCE.pattern}|{_RULE.pattern}).")
_CODE_SPAN = re.compile(r"(`+)(?!`).*?(?<!`)\1(?!`)")

# The kinds of HTML block of CommonMark, by what ends them: a closing tag, a comment's end, and for
# all others an empty line.
_HTML_TO_TAG = re.compile(r"<(script|pre|style|textarea)(?:\s|>|$)", re.IGNORECASE)
# `re` compiles these two when they are first needed, and keeps them: `%load_ext` need not wait.
_HTML_TO_BLANK = (
    r"</?(?:address|article|aside|base|basefont|blockquote|body|caption|center|col|colgroup|dd|"
    r"details|dialog|dir|div|dl|dt|fieldset|figcaption|figure|footer|form|frame|frameset|h[1-6]|"
    r"head|header|hr|html|iframe|legend|li|link|main|menu|menuitem|nav|noframes|ol|optgroup|"
    r"option|p|param|search|section|summary|table|tbody|td|tfoot|th|thead|title|tr|track|ul)"
    r"(?:\s|/?>|$)"
)
_HTML_TAG_ALONE = re.compile(r"(?:<[a-z][\w-]*(?:\s[^<>]*)?>|</[a-z][\w-]*\s*>)\s*$", re.IGNORECASE)
#: What may hold Markdown between empty lines, so that its end must be waited for.
_HTML_HOLDER = (
    r"<(/?)(article|aside|blockquote|center|details|div|dl|fieldset|figure|footer|form|header|main|"
    r"nav|ol|section|table|ul)\b[^<>]*?(/?)>"
)


@dataclass(slots=True)
class _Blocks:
    """Follows the block structure of Markdown line by line, as far as boundaries need it.

    Attributes
    ----------
    fence
        What closes the fence that is open; empty if none is.
    fence_opening
        The line that opened it.
    """

    fence: str = ""
    fence_opening: str = ""
    _fence_lines: int = 0
    _fence_offset: int = 0
    #: The columns at which the content of the open list items begins, outermost first.
    _items: list[int] = field(default_factory=list)
    _quote: bool = False
    _holders: list[str] = field(default_factory=list)
    #: What ends the HTML block that is open; an empty string stands for an empty line.
    _html_end: str | None = None
    _math: bool = False
    _after_blank: bool = True
    #: Whether the line before was text that this one may go on with.
    _paragraph: bool = False
    #: Whether the line before began a list item, and no more.
    _hollow: bool = False

    @property
    def divisible(self) -> bool:
        """Whether a fence is open that can be closed and opened again."""
        begun = bool(self.fence) and self._fence_lines > 0
        return begun and not self._fence_offset and not self._holders

    @property
    def over(self) -> bool:
        """Whether a paragraph that begins now, at the margin, would begin a new block."""
        open_ended = self.fence or self._html_end is not None or self._holders or self._math
        return self._after_blank and not open_ended

    @property
    def closing(self) -> str:
        """The lines that close the fence and the elements that are open."""
        fence = f"\n{self.fence}" if self.fence and not self._fence_offset else ""
        return fence + "".join(f"\n\n</{name}>" for name in reversed(self._holders))

    def take(self, line: str) -> _Boundary:
        """Take the next line and tell whether a segment may begin with it."""
        line = line.expandtabs(4).rstrip()
        content = line.lstrip(" ")
        indent = len(line) - len(content)
        if self.fence and self._goes_on_with_fence(content, indent):
            return _Boundary.NONE
        if self._html_end is not None and self._goes_on_with_html(content):
            return _Boundary.NONE
        if not content:
            if self._hollow:
                # An item may begin with one empty line, not with two: nothing more belongs to it.
                self._items[-1] = sys.maxsize
            self._after_blank, self._paragraph, self._hollow = True, False, False
            return _Boundary.NONE
        after_blank, self._after_blank = self._after_blank, False
        paragraph, self._paragraph, self._hollow = self._paragraph, False, False
        return self._begin(content, indent, after_blank=after_blank, paragraph=paragraph)

    def _goes_on_with_fence(self, content: str, indent: int) -> bool:
        if content and indent < self._fence_offset:
            self.fence = ""  # the list item that holds the fence is over, and the fence with it
            return False
        closes = len(content) >= len(self.fence) and not content.strip(self.fence[0])
        if closes and indent - self._fence_offset <= _MOST_INDENT:
            self.fence = ""
        self._fence_lines += 1
        self._after_blank = False
        return True

    def _goes_on_with_html(self, content: str) -> bool:
        if self._html_end == "":
            if not content:
                self._html_end = None
                return False
            self._follow_holders(content)
        elif self._html_end is not None and self._html_end in content.lower():
            self._html_end = None
        return True

    def _begin(self, content: str, indent: int, *, after_blank: bool, paragraph: bool) -> _Boundary:
        """Take a line that goes on with neither a fence nor HTML."""
        held, math = bool(self._holders), self._math
        before = self._inside
        offset = max((item for item in self._items if item <= indent), default=0)
        if indent - offset > _MOST_INDENT:
            self._paragraph = paragraph  # indented code, or the rest of a paragraph
            if not paragraph:
                self._leave_items(offset)
            return _Boundary.NONE
        rule = _RULE.match(content)
        item = None if rule else _item(content, paragraph=paragraph and self._inside is None)
        fence, heading = _FENCE.match(content), _HEADING.match(content)
        quote = content.startswith(">")
        html_end = _html_end(content, paragraph=paragraph)
        interrupts = item or fence or heading or quote or rule or html_end is not None
        if interrupts or not paragraph:
            self._leave_items(offset)
            self._quote = quote
        if item:
            self._take_item(content, indent)
        elif fence:
            self._open_fence(content, offset, " " * indent)
        elif html_end is not None:
            self._open_html(content, html_end)
        elif not (heading or rule):
            underlines = paragraph and not self._items and bool(_UNDERLINE.match(content))
            self._paragraph = not underlines and bool(_TEXT.match(content.lstrip("> ")))
        self._follow_math(content, heading=bool(heading))
        if indent or held or (self._items and not item):
            return _Boundary.NONE
        if heading:
            return _Boundary.HEADING
        goes_on = self._inside is not None and self._inside == before
        return _Boundary.NONE if math or goes_on or not after_blank else _Boundary.BLOCK

    @property
    def _inside(self) -> str | None:
        """What the present line belongs to, if items or lines of it may follow an empty line."""
        return "quote" if self._quote else "list" if self._items else None

    def _leave_items(self, offset: int) -> None:
        """Leave the list items whose content begins further to the right."""
        while self._items and self._items[-1] > offset:
            self._items.pop()

    def _take_item(self, content: str, indent: int) -> None:
        """Take the first line of a list item, which may hold the first line of another block."""
        while (found := _item(content)) and not _RULE.match(content):
            rest = content[found.end() :]
            inner = rest.lstrip(" ")
            gap = len(rest) - len(inner)
            gap = gap if inner and gap <= _MOST_INDENT + 1 else 1
            indent += found.end() + gap
            content = rest[gap:]
            self._items.append(indent)
            self._hollow = not content
        if _FENCE.match(content):
            self._open_fence(content, indent)
        elif (html_end := _html_end(content)) is not None:
            self._open_html(content, html_end)
        else:
            self._paragraph = bool(_TEXT.match(content))

    def _open_fence(self, content: str, offset: int, margin: str = "") -> None:
        found = _FENCE.match(content)
        if found:
            self.fence = found[1] or found[3]
            self.fence_opening = margin + content
            self._fence_offset = offset
            self._fence_lines = 0
            self._math = False

    def _open_html(self, content: str, end: str) -> None:
        if not end:
            self._follow_holders(content)
        self._html_end = None if end and end in content.lower() else end

    def _follow_holders(self, content: str) -> None:
        for closing, name, alone in re.findall(_HTML_HOLDER, content, re.IGNORECASE):
            tag = name.lower()
            if not closing and not alone:
                self._holders.append(tag)
            elif closing and tag in self._holders:
                while self._holders.pop() != tag:
                    pass

    def _follow_math(self, content: str, *, heading: bool) -> None:
        if heading:
            # A lone `$$` must not bind all that follows.
            self._math = False
        if _CODE_SPAN.sub("", content).count("$$") % 2:
            self._math = not self._math


def _html_end(content: str, *, paragraph: bool = False) -> str | None:
    """Return what ends the HTML that begins with a line, as `_Blocks` has it; None if none does."""
    if found := _HTML_TO_TAG.match(content):
        return f"</{found[1].lower()}>"
    if content.startswith("<!--"):
        return "-->"
    if re.match(_HTML_TO_BLANK, content, re.IGNORECASE) or (
        not paragraph and _HTML_TAG_ALONE.match(content)
    ):
        return ""
    return None


def _item(content: str, *, paragraph: bool = False) -> re.Match[str] | None:
    """Match the marker of a list item; not every one may stand right after a paragraph."""
    found = _ITEM.match(content)
    if found and paragraph and (not content[found.end() :].strip() or found[1] not in {None, "1"}):
        return None
    return found


#: More spaces than these before a line make code of it.
_MOST_INDENT = 3
