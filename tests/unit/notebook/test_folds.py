"""What is folded away is shown as it is, and nothing in it is alive."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from claude_magic.notebook.renderers import gate
from claude_magic.notebook.renderers.folds import bounded, fold
from claude_magic.notebook.renderers.gate import visible

PIECES = [
    *("<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "</pre>", "</details>", "<"),
    *("```", "\n", "\n\n", "\n \n", "`", "# h", "- a", "> q", "    code", "$x$", "\\begin{x}"),
    "@@0@@",
    *("[a](https://e.org)", "![a](b)", "https://e.org", "www.e.org", "a@e.org", "&lt;", "**b**"),
    "_i_",
    *("\x1b[31m", "\u202e", "text", " ", "|a|b|", "<!--", "~~~"),
]  # fmt: skip

texts = st.lists(st.sampled_from(PIECES) | st.text(max_size=5), max_size=12).map("".join)


class Page(HTMLParser):
    """The tags of a page, and its texts by the tag around them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.texts: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        self.texts.append("")

    def handle_data(self, data: str) -> None:
        if self.texts:
            self.texts[-1] += data


@given(texts, texts, texts)
def test_whatever_a_tool_is_given_and_gives_is_shown_as_text(
    call: str, arguments: str, result: str
) -> None:
    line = " ".join(call.split())
    shown = fold("✓", line, arguments, result)["text/markdown"]
    page = Page(MarkdownIt("commonmark").render(shown))
    details = [visible(text.rstrip()) for text in (arguments, result) if text.strip()]
    inside = ["blockquote", "pre", "hr", "pre"][: 2 * len(details)]
    assert page.tags == ["details", "summary", "code", *inside]
    assert not page.attributes
    shown_details = [text for tag, text in zip(page.tags, page.texts, strict=True) if tag == "pre"]
    assert page.texts[2].removesuffix("\n") == visible(line)
    assert [text.rstrip("\n") for text in shown_details] == details


@pytest.mark.parametrize("mark", ["$", "`", "\\", "@", "[", "://", "www."])
def test_what_front_ends_look_for_themselves_is_not_there(mark: str) -> None:
    assert mark not in gate.code(f"see {mark} and {mark}")


def test_what_does_not_print_is_written_out() -> None:
    assert visible("a\x1b[31m\u202eb\n\tc") == "a\\x1b[31m\\u202eb\n\tc"


def test_what_is_left_out_is_counted() -> None:
    assert bounded("x" * 10, 10) == "x" * 10
    assert bounded("x" * 1510, 10) == "x" * 10 + "\n… 1,500 more characters"
    assert bounded("x" * 10, 10, left_out=7) == "x" * 10 + "\n… 7 more characters"
