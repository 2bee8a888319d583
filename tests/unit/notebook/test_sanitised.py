"""What the model writes is shown as it is written, and nothing of it can run."""

# ruff: noqa: E501 - the pieces read best in rows

from __future__ import annotations

import html
import re
import time
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from claude_magic.notebook.renderers.sanitised import sanitised

PIECES = [
    *("<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "<a\nhref='javascript:x'>", "<"),
    *("</code>", "</pre>", "<!--", "-->", "<?x", "<![CDATA[", "<svg/onload=x>", "<https:/onclick=x>"),
    *("```", "````html", "~~~", "\n", "\n\n", "`", "``", "$", "$$", "> ", "- ", "    ", "1. ", "\\"),
    *("[a](javascript:x)", "[a](<java&Tab;script:x>)", "[a](&#106;avascript:x)", "[a](j\\avascript:x)"),
    *("[a]: javascript:x", "[a]:\ndata:text/html,x", "[a]", '[b]: /u "', '"', "\\href{javascript:x}{a}"),
    *("![", "![a](http://x/?y)", "![a][b]", "![a](b.png)", "[b]: //x/y", "(", "!", "![a]("),
    *("<br>", "<b>", "</b>", "<int>", "<T>", "text", "a < b", "# h", "(", "](", "javascript:x", ")"),
]  # fmt: skip

texts = st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=14).map("".join)

#: The tags that may be in what we publish, however a parser takes the text around them.
ALLOWED = re.compile(
    r"</?(?:b|br|details|em|hr|i|kbd|mark|s|small|strong|sub|summary|sup|u|pre|code) ?/?>"
    r"|<(?:T|bool|char|double|float|int|std\w*\.h|i?o?stream|str|string|vector)>",
    re.IGNORECASE,
)

#: What Markdown makes by itself.
MADE = {
    "p",
    "h1",
    "blockquote",
    "ul",
    "ol",
    "li",
    "a",
    "hr",
    "table",
    "pre",
    "code",
    "em",
    "strong",
}


class Tags(HTMLParser):
    """The tags of a page, and the attributes of each."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


@settings(max_examples=1000, deadline=None)
@given(texts)
def test_no_parser_finds_a_tag_that_could_run(text: str) -> None:
    left = ALLOWED.sub(" ", sanitised(text))
    assert not re.search(r"<[A-Za-z/!?]", left), left
    assert not re.search(r"\\(href|style|class|cssId|data|csname)\b", left), left


@settings(max_examples=1000, deadline=None)
@given(texts)
def test_a_parser_of_markdown_makes_no_attribute_that_could_run(text: str) -> None:
    page = MarkdownIt("commonmark", {"html": True})
    setattr(page, "validateLink", lambda _url: True)  # noqa: B010 - mypy takes no assignment
    for tag, attributes in Tags(page.render(sanitised(text))).found:
        assert set(attributes) <= {"href", "title", "start", "src", "alt", "class"}, tag
        # A file in or below the notebook's folder.
        source = attributes.get("src") or ""
        assert tag != "img" or re.fullmatch(r"(?!/)[\w./%-]*", source), attributes
        assert "../" not in source
        address = html.unescape(attributes.get("href") or "").replace("%09", "")
        scheme = re.match(r"\s*([a-z][\w+.-]*):", address, re.IGNORECASE)
        assert scheme is None or scheme[1].lower() in {"http", "https", "mailto"}, address


@pytest.mark.parametrize(
    "text",
    [
        "The **median** is [here](https://example.org/a?b=c), [there](notes.md#x) and `x < y`.",
        "$a < b$ and 1 < 2, x <- c(1, 2), H<sub>2</sub>O<br>and <kbd>Ctrl</kbd>",
        "```python\nif a < b:\n    print('x')\n```\n",
        "```cpp\n#include <stdio.h>\nvector<int> x;\n```",
        "A plot: ![rain](plots/rain-1.png)",
        "[a]: https://example.org\n\n<details><summary>More</summary>\n\nInside\n\n</details>",
        "",
    ],
)
def test_what_is_harmless_stays_as_it_is(text: str) -> None:
    assert sanitised(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("A <div>x</div>.", "A &lt;div>x&lt;/div>."),
        ("Use `<div>` here.", "Use <code>&#60;div&#62;</code> here."),
        ("$a <b c$", "$a < b c$"),
        ("![a](http://x/?secret)", "(image) [a](http://x/?secret)"),
        ("![a](//x/y) ![](/api/me)", "(image) [a](//x/y) (image) [](/api/me)"),
        ("![a](../../x.png)", "(image) [a](../../x.png)"),
        ("![a][b]\n\n[b]: http://x", "(image) [a][b]\n\n[b]: http://x"),
        ("![a](b.png 'c')", "(image) [a](b.png 'c')"),
        ("`![a](http://x)`", "<code>!&#91;a&#93;(http:&#47;/x)</code>"),
        ("<https://example.org>", "https://example.org"),
        ("[x](javascript:alert(1))", "[x]&#40;javascript:alert(1))"),
        (
            "```html\n<p>\n\n  x\n```\nAfter.",
            "<pre><code>&#60;p&#62;&#10;&#10;  x</code></pre>\n\nAfter.",
        ),
        ("- a\n  ```\n  <p>\n  ```", "- a\n  <pre><code>&#60;p&#62;</code></pre>\n"),
        ("> ```\n> <p>\n> ```", "> <pre><code>&#60;p&#62;</code></pre>\n>"),
        ("```html\n<p", "<pre><code>&#60;p</code></pre>\n"),
        (r"$\href{javascript:x}{y}$", r"$\mathrm{javascript:x}{y}$"),
    ],
)
def test_what_could_run_is_shown_as_text(text: str, shown: str) -> None:
    assert sanitised(text) == shown


@pytest.mark.parametrize("piece", ["[](", "](", "](javascript:", "[a]: "])
def test_a_text_of_nothing_but_links_takes_no_time(piece: str) -> None:
    began_s = time.monotonic()
    assert "<script" not in sanitised(piece * (50_000 // len(piece)) + "<script>")
    assert time.monotonic() - began_s < 2  # it took 8


@pytest.mark.parametrize(
    "address",
    [
        f"{chr(10)}{' ' * 500}javascript:x",
        f"{'&Tab;' * 100}javascript:x",
        f"&#{'0' * 500}106;avascript:x",
    ],
)
def test_a_long_address_hides_nothing(address: str) -> None:
    assert "](" not in sanitised(f"[a]({address})")


def test_a_long_address_of_a_page_stays() -> None:
    text = f"[a](https://example.org/?{'x' * 500})"
    assert sanitised(text) == text
