"""Where an answer is divided into outputs."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from claude_magic.notebook.renderers.segments import SINGLE_BLOCKS, Segments, Sizes, joined

#: So small that a few lines need several segments, and no fence is cut.
SMALL = Sizes(heading=20, block=30, patience=50, fence=10_000)

PARAGRAPH = "The median is the middle of the sorted values. " * 20 + "\n\n"

LINES = [
    *("", "", "", "text", "more text, and `code`", "  indented", "    code", "\ttab"),
    *("# Heading", "### Heading ###", "#not a heading", "Setext", "===", "---", "***"),
    *("```", "```python", "~~~", "````", "    ```", "  ```", "   ~~~ text", "``` `x` ```"),
    *("- item", "* item", "  - nested", "    - deeper", "1. one", "   continued", "- ```", "-"),
    *("10) ten",),
    *("> quote", ">", "| a | b |", "|---|---|", "| 1 | 2 |"),
    *("<details>", "<summary>x</summary>", "</details>", "<div>x</div>", "<!-- a", "-->", "<b>"),
    *("<pre>", "</pre>", "<br>", "<https://example.org>"),
]  # fmt: skip

documents = st.lists(st.sampled_from(LINES), max_size=40).map("\n".join)


def divided(text: str, sizes: Sizes | None = None, chunk: int = 7) -> Segments:
    segments = Segments(sizes)
    for start in range(0, len(text), chunk):
        segments.feed(text[start : start + chunk])
    return segments


@given(documents, st.integers(1, 50))
def test_the_segments_add_up_to_the_text(text: str, chunk: int) -> None:
    assert "".join(divided(text, SMALL, chunk).pieces) == text


@given(documents, st.integers(1, 50), st.integers(1, 50))
def test_the_chunks_of_the_stream_make_no_difference(text: str, one: int, other: int) -> None:
    assert divided(text, SMALL, one).pieces == divided(text, SMALL, other).pieces


@settings(max_examples=1000, deadline=None, derandomize=True)
@given(documents, st.sampled_from([SMALL, SINGLE_BLOCKS]))
def test_no_segment_ends_inside_a_block(text: str, sizes: Sizes) -> None:
    spans = [
        token.map
        for token in MarkdownIt("commonmark").enable("table").parse(text)
        if token.level == 0 and token.map is not None
    ]
    line = 0
    for piece in divided(text, sizes).closed:
        line += piece.count("\n")
        inside = [span for span in spans if span[0] < line < span[1]]
        assert not inside, (text, line)


@given(documents, st.integers(1, 50))
def test_what_is_closed_never_changes(text: str, chunk: int) -> None:
    segments, seen = Segments(SMALL), list[str]()
    for start in range(0, len(text), chunk):
        segments.feed(text[start : start + chunk])
        assert segments.closed[: len(seen)] == seen
        seen = list(segments.closed)


def test_a_segment_ends_before_a_heading_rather_than_at_any_block() -> None:
    text = "# One\n\n" + PARAGRAPH * 5 + "## Two\n\n" + PARAGRAPH
    segments = divided(text)
    assert [piece.split("\n")[0] for piece in segments.pieces] == ["# One", "## Two"]


def test_a_text_without_headings_is_divided_at_its_paragraphs() -> None:
    segments = divided(PARAGRAPH * 50)
    assert len(segments.pieces) > 8
    for piece in segments.closed:
        assert 4_000 <= len(piece) < 6_000
        assert piece.endswith("\n\n")


def test_a_heading_is_not_waited_for_for_ever() -> None:
    segments = divided("# One\n\n" + PARAGRAPH * 20)
    assert max(map(len, segments.pieces)) < 7_000


@pytest.mark.parametrize(
    "block",
    [
        "```python\n" + "x = 1\n\n# not a heading\n" * 200 + "```\n",
        "- " + "item\n\n- " * 900 + "\n",
        "> quote\n\n" * 700,
        "<details>\n\n" + "inside\n\n# Heading\n\n" * 300 + "</details>\n",
        "$$\nx\n\n" + "+ y\n\n" * 1200 + "$$\n",
        "<!--\n" + "hidden\n\n" * 800 + "-->\n",
    ],
    ids=["fence", "list", "quote", "details", "maths", "comment"],
)
def test_a_block_is_never_divided(block: str) -> None:
    segments = divided(f"Before.\n\n{block}\nAfter.\n\n" + PARAGRAPH * 10)
    assert any(block.strip() in piece for piece in segments.pieces)
    assert len(segments.pieces) > 1


def test_a_fence_that_goes_on_and_on_is_closed_and_opened_again() -> None:
    lines = [f"print({number})" for number in range(4_000)]
    segments = divided("```python\n" + "\n".join(lines) + "\n```\n")
    assert len(segments.pieces) > 2
    shown: list[str] = []
    for piece in segments.pieces:
        found = re.fullmatch(r"```python\n(.*\n)```\n", piece, re.DOTALL)
        assert found, piece[:50]
        assert len(piece) < 17_000
        shown += found[1].splitlines()
    assert shown == lines


def test_a_fence_is_cut_at_an_empty_line_if_there_is_one() -> None:
    segments = divided("~~~\n" + ("x = 1\n" * 100 + "\n") * 40 + "~~~\n")
    for piece in segments.closed:
        assert piece.endswith("x = 1\n\n~~~\n")


def test_what_stands_before_an_endless_fence_is_closed_first() -> None:
    segments = divided("Before.\n" + PARAGRAPH * 3 + "```\n" + "x = 1\n" * 3_000 + "```\n")
    assert segments.closed[0] == "Before.\n" + PARAGRAPH * 3
    assert segments.closed[1].startswith("```\nx")


def test_a_lone_pair_of_dollars_binds_only_until_the_next_heading() -> None:
    segments = divided("It costs $$ a lot.\n\n" + PARAGRAPH * 5 + "# Next\n\nMore.")
    assert segments.open == "# Next\n\nMore."


def test_a_text_that_is_withdrawn_leaves_nothing() -> None:
    segments = divided("```\n" + PARAGRAPH * 20)
    segments.withdraw()
    assert segments.pieces == []
    segments.feed("# Anew\n\n")
    assert segments.pieces == ["# Anew\n\n"]


def test_single_blocks_are_closed_one_by_one() -> None:
    text = "# One\nA paragraph.\n\n- a\n\n- b\n\nText.\n\n```\n\nx\n```\n\nEnd"
    assert divided(text, SINGLE_BLOCKS).pieces == [
        "# One\nA paragraph.\n\n",
        "- a\n\n- b\n\n",
        "Text.\n\n",
        "```\n\nx\n```\n\n",
        "End",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "```",
        "```python\nx = 1",
        "~~~~ text\n~~~\nx",
        "  ```\n  x",
        "```\nx\n```\n\n````\ny",
        "- item\n  ```\n  x",
        "> ```\n> x",
        "<details>\n\nMore.",
        "<details>\n\n```\nx",
        "<details><summary>s</summary>\n\n<details>\n\nx",
        "- a list",
        "Text.",
        "$x",
    ],
)
def test_joined_texts_do_not_go_on_in_each_other(text: str) -> None:
    page = MarkdownIt("commonmark", {"html": True})
    whole = page.render(joined([text, "**below**", "", "last"]))
    assert whole.endswith("<p><strong>below</strong></p>\n<p>last</p>\n")
    assert whole.count("<details>") == whole.count("</details>")


def test_the_last_of_joined_texts_stays_as_it_is() -> None:
    assert joined(["```\nx"]) == "```\nx"
    assert joined(["a", "", "```\nx"]) == "a\n\n```\nx"
    assert joined([]) == ""
