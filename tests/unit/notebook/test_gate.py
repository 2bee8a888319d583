"""The gate passes Markdown that reads as it was written and in which nothing is alive."""

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
from support.math_readings import attributes_in, math_in

from claude_magic.notebook.renderers import gate

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
    r"</?(?:b|br|details|em|hr|i|kbd|mark|s|small|strong|sub|summary|sup|u|pre|code|span) ?/?>"
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


@pytest.mark.promise("No HTML of the model's has an attribute or runs.", against="model")
@settings(max_examples=500, deadline=None)
@given(texts)
def test_no_parser_finds_a_tag_that_could_run(text: str) -> None:
    left = ALLOWED.sub(" ", gate.markdown(text))
    assert not re.search(r"<[A-Za-z/!?]", left), left


@settings(max_examples=500, deadline=None)
@given(texts)
def test_a_parser_of_markdown_makes_no_attribute_that_could_run(text: str) -> None:
    page = MarkdownIt("commonmark", {"html": True})
    setattr(page, "validateLink", lambda _url: True)  # noqa: B010 - mypy takes no assignment
    for tag, attributes in Tags(page.render(gate.markdown(text))).found:
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
    assert gate.markdown(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("A <div>x</div>.", "A &lt;div>x&lt;/div>."),
        ("Use `<div>` here.", "Use <code>&#60;div&#62;</code> here."),
        ("$a <b c$", "$a < b c$"),
        ("![a](http://x/?secret)", "(image) [a](http://x/?secret)"),
        ("![a](//x/y) ![](/api/me)", "(image) [a]&#40;//x/y) (image) []&#40;/api/me)"),
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
        (r"$\href{javascript:x}{y}$", r"<code>&#36;&#92;href{javascript:x}{y}&#36;</code>"),
    ],
)
def test_what_could_run_is_shown_as_text(text: str, shown: str) -> None:
    assert gate.markdown(text) == shown


# -- fences ---------------------------------------------------------------------------------------

#: Words behind a fence that some front end or extension obeys.
OBEYED = [
    *("mermaid", "Mermaid", "mermaid ", "\tmermaid", "mermaid\x0b", "\u00a0mermaid", "&#109;ermaid"),
    *("vega", "vega-lite", "geojson", "topojson", "stl", "plotly", "svgbob", "wavedrom", "abc"),
    *("plantuml", "puml", "dot", "graphviz", "math", "katex", "latex", "tex", "asciimath", "flow"),
    *("sequence", "chart", "echarts", "markmap", "kroki", "d2", "nomnoml", "svg", "jsxgraph"),
    *("{code-cell}", "{code-cell} python", "{figure} http://x/y", "{raw} html", "{iframe} http://x"),
    *("{eval}", "{.mermaid}", "{mermaid}", "python {.jp-Dialog}", "python data-x=y", "\\mermaid"),
    *('x"><img src=x>', "python\u2028mermaid", "me\\rmaid", "python mermaid", "m\u200bermaid"),
]  # fmt: skip

MARGINS = ["", " ", "   ", "    ", "\t", "> ", ">", "- ", "1. ", "1) ", "- > ", "> - ", "a) ", ": "]
MARGINS += [
    "- [ ] ",
    "[^1]: ",
    "\u200b",
    "\ufeff",
    "\x0c",
    "text\r",
    "text\u2028",
    "a\n",
    "\n\n",
    "| ",
]


@pytest.mark.promise("No fence of the model's is executed by a front end.", against="model")
@pytest.mark.parametrize("fence", ["```", "~~~", "`````", ":::"])
@pytest.mark.parametrize("margin", MARGINS)
def test_no_line_opens_a_fence_that_a_front_end_obeys(margin: str, fence: str) -> None:
    for words in OBEYED:
        for after in ("\nA-->B\n" + fence, "\nA-->B", ""):
            shown = gate.markdown(f"{margin}{fence}{words}{after}")
            for line in re.split(r"[\n\r\x0b\x0c\x85\u2028\u2029]", shown):
                opening = re.match(r"[^\w`~:]*(?:\w{1,4}[.)] )*(`{3,}|~{3,}|:{3,})(.*)", line)
                assert opening is None or opening[2].strip() in {"", "python"}, (words, shown)
                assert opening is None or opening[1][0] != ":" or not opening[2].strip(), shown


@pytest.mark.parametrize("language", ["python", "Python", "c++", "c#", "objective", "bash", "json"])
def test_a_language_is_kept_if_it_is_only_coloured(language: str) -> None:
    kept = "" if language == "objective" else language
    assert gate.markdown(f"```{language}\nx\n```") == f"```{kept}\nx\n```"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("[x](#){data-a=b}", "[x](#)&#123;<span></span>data-a=b}"),
        ("**x**{.jp-Dialog}", "**x**&#123;<span></span>.jp-Dialog}"),
        ("{eval}`x`", "&#123;<span></span>eval}`x`"),
        ("{{ x }}", "&#123;<span></span>{ x }}"),
        ("- ```mermaid\n  A\n  ```", "- ```\n  A\n  ```"),
        ("````md\n```mermaid\n````", "<pre><code>&#96;&#96;&#96;mermaid</code></pre>\n"),
        ("`a\n:::{figure} x\n`", "<code>a :::{figure} x</code>"),
        (r"$\boxed{PV=nRT}$", r"$\boxed{PV =nRT}$"),
    ],
)
def test_what_extensions_obey_is_shown_as_text(text: str, shown: str) -> None:
    assert gate.markdown(text) == shown


# -- math -----------------------------------------------------------------------------------------

#: Commands that are on no list, each as it would be used.
COMMANDS = [
    *(r"\href{javascript:x}{y}", r"\mmlToken{mi}[style=x]{y}", r"\unicode[x;y]{65}", r"\cssId{a}{b}"),
    *(r"\class{a}{b}", r"\style{a}{b}", r"\data{a=b}{c}", r"\bbox[border:1px]{x}", r"\enclose{a}[b]{c}"),
    *(r"\require{html}", r"\def\x{y}", r"\let\alpha\href", r"\newcommand{\x}{y}", r"\csname x\endcsname"),
    *(r"\toggle{a}{b}\endtoggle", r"\mathtip{a}{b}", r"\texttip{a}{b}", r"\includegraphics{http://x}"),
    *(r"\htmlId{a}{b}", r"\url{http://x}", r"\label{a}", r"\ref{a}", r"\eqref{a}", r"\color[HTML]{ff}{x}"),
    *(r"\color{red;background:url(x)}y", r"\textcolor{#ff0000}{x}", r"\colorbox{red}{x}"),
    *(r"\hspace{-99em}", r"\hspace{999em}", r"\kern-9em", r"\rule{9em}{9em}", r"\raise9em x", r"\lower{9em}{x}"),
    *(r"\moveleft9em x", r"\llap{x}", r"\rlap{x}", r"\smash{x}", r"\mathllap{x}", r"\Huge x", r"\\[-99em]"),
    *(r"\\*[99em]", "\\\\ [ -9 em ]", r"\tag{" + "x" * 99 + "}", r"\cancel[mathcolor=x]{y}", r"\verb|x|"),
    *(r"\begin{html}x\end{html}", r"\begin{array}{@{\href}c}x\end{array}", r"\begin{CD}\end{CD}"),
    *(r"\!" * 200, r"\ce{H2O}", r"\@foo", r"\mmltoken", r"\xyz", r"\above 99em", r"\genfrac{}{}{9em}{}{}{}"),
]  # fmt: skip

#: What may make one parser see math, or code, where another does not.
AROUND = [
    *("${}$", "$${}$$", "$$\n{}\n$$", "\\({}\\)", "\\\\({}\\\\)", "\\[{}\\]", "\\\\[{}\\\\]"),
    *("&#36;{}&#36;", "&dollar;{}&#x24;", "\\begin{{equation}}{}\\end{{equation}}", "\\$ {} \\$"),
    *("$`{}`$", "`$`{}`$`", "a `$ {} $", "`` ` ${}$ ``", "$x `$` {} $", "```\n${}$\n```", "- ```\n  ${}$"),
    *("$\n```\n{}\n```\n$", "~~~\n```\n~~~\n${}$\n```", "<b>${}$</b>", "$x$ {} $y$", "[a]({} '${}$')"),
    *("# ${}$", "> ${}\n>\n> $", "|${}$|\n|-|", "$<br>{}$", "$a\n\n{}$", "<details>\n${}$\n</details>"),
    *("&#36;&#10;&#10;{}&#36;", "1. $\n   {}\n   $", "    ${}$", "$ {} $", "$5 {} $6", "```x\n$\n{}\n$"),
]  # fmt: skip

ALLOWED_COMMANDS = re.compile(r"\\(?:begin|end)\{equation\}|\\(?:alpha|frac|span)(?![A-Za-z])")


def _commands(math: str) -> list[str]:
    """Return the commands in math that are not on the list."""
    return re.findall(
        r"\\(?!begin|end)[A-Za-z@]+|\\(?:begin|end)\s*\{[^}]*\}|\\\\\*?\s*\[\s*-?\s*\d+\s*em\s*\]",
        ALLOWED_COMMANDS.sub("", math),
    )


def _encoded(command: str) -> list[str]:
    """Return a command in the ways in which a page shows the same."""
    return [
        command,
        command.replace("\\", "&#92;"),
        command.replace("\\", "&bsol;"),
        command.replace("\\", "\\\\"),
        command.replace("e", "&#101;"),
        command.replace("\\", "&#00092"),
    ]


@pytest.mark.promise(
    "Math holds only TeX commands that neither link, load nor style.",
    against="model",
)
@pytest.mark.parametrize("around", AROUND)
def test_no_parser_finds_a_command_that_is_not_on_the_list(around: str) -> None:
    for number, command in enumerate(COMMANDS):
        variants = _encoded(command)
        for written in (command, variants[number % len(variants)]):
            shown = gate.markdown(around.format(written, written))
            for math in math_in(shown):
                assert not _commands(math), (written, shown, math)
                assert math.count("\\!") <= 8, shown


MATH_PIECES = [
    *("$", "$$", "\\(", "\\)", "\\\\(", "\\\\)", "\\[", "\\]", "\\begin{equation}", "\\end{equation}"),
    *("\\href{x}", "\\mmlToken{mi}[a=b]{c}", "&#92;href{x}", "\\\\href{x}", "\\hr", "ef", "\\alpha", "&#104;ref"),
    *("```", "```\n", "\n```\n", "~~~\n", "`", "``", "\n", "\n\n", "> ", "\n> ", "- ", "    ", "&#36;", "&dollar;"),
    *("{", "}", "<b>", "</b>", "<br>", "<details>\n", "</details>\n\n", "\\", "\\$", "&#92;", "&amp;", "x", " "),
    *("<!--", "-->", "@@0@@", "%\n", "*", "[a](", ")", "# ", "|", "&NewLine;", "<code>", "</code>", "<pre>"),
]  # fmt: skip


@settings(max_examples=600, deadline=None)
@given(st.lists(st.sampled_from(MATH_PIECES), max_size=24).map("".join))
def test_in_no_mixture_does_a_parser_find_one(text: str) -> None:
    shown = gate.markdown(text)
    for math in math_in(shown):
        assert not _commands(math), (shown, math)


@pytest.mark.parametrize(
    "text",
    [
        r"The sum $\sum_{i=1}^{n} x_i$ and $$\int_0^\infty e^{-x^2}\,dx = \frac{\sqrt{\pi}}{2}$$",
        "$$\n\\begin{aligned}\na &= b \\\\[1ex]\nc &= \\text{if } d\n\\end{aligned}\n$$",
        r"\\(\alpha\\) and \begin{array}{c|c} 1 & 2 \end{array} $\color{red}x$ $x\!y$ $a \tag{1}$",
        "A path C:\\Users\\me, a `\\d+` and\n\n```python\nprint('\\n', \"$x\")\n```\n\ncost $5.",
        '```bash\necho "$HOME\\n$PATH"\n```\n\nThe sum is $x^2$.',
        "```python\nre.sub(r'\\(\\d+\\)', '\\\\1', x)\n```\n\n| a | b |\n|---|---|\n| $\\hat{x}$ | 2 |",
        "```js\nconst s = `${a}`; f({x: 1})\n```\n\nUse `{a=1}` or f(x=1).",
    ],
)
def test_math_and_code_that_are_harmless_stay_as_they_are(text: str) -> None:
    assert gate.markdown(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            r"$x$ and $\mmlToken{mi}{x}$",
            "$x$ and <code>&#36;&#92;mmlToken{mi}{x}&#36;</code>",
        ),
        (r"$\x$ in C:\Users", r"<code>&#36;&#92;x&#36;</code> in C:&#92;<span></span>Users"),
        (r"$5 for \x, $6", r"&#36;<span></span>5 for &#92;<span></span>x, &#36;<span></span>6"),
        (r"\\(\x\\)", "<code>&#92;&#92;(&#92;x&#92;&#92;)</code>"),
        (r"$$\begin{matrix}a\\b\end{matrix}$$ $\x$", r"$$\begin{matrix}a\\ b\end{matrix}$$ <code>&#36;&#92;x&#36;</code>"),
        ("$a$ `\\x` $b$", "$a$ <code>&#92;x</code> $b$"),
        ("$a\n```py\n\\x\n```\n$b", "$a\n\n```py\n\\x\n```\n\n$b"),
    ],
)  # fmt: skip
def test_a_formula_with_another_command_is_shown_as_code(text: str, shown: str) -> None:
    assert gate.markdown(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        '[a]($x" onclick="pwn()$)',
        '[a](b "$x" onclick="pwn()$")',
        '![$x" onerror="pwn()$](a.png)',
        '[a][b]\n\n[b]: $x"onclick="pwn()$',
        '[a](\\\\(x" onclick="pwn()\\\\))',
        '[a](\\begin{x}" onclick="pwn()\\end{x})',
        '$x" onclick="pwn()$\n\n[a](@\\@0@@)',
        '```\n\\\\(x" onclick="pwn()\\\\)\n```\n\n[a](@\\@0\\@@)',
        '- ```\n  $x" onclick="pwn()$\n  ```\n\n[a](@\\@0@@)',
        '<https://x/$a"onclick="pwn()$>',
        '$x" onclick="pwn()$\n\n[a](&#64;&commat;0&#x40;&#64;)',
    ],
)
def test_math_that_jupyterlab_puts_into_an_attribute_ends_none(text: str) -> None:
    for tag in attributes_in(gate.markdown(text)):
        assert "onclick" not in re.sub(r'"[^"]*"', "", tag), tag
        assert "onerror" not in re.sub(r'"[^"]*"', "", tag), tag


@given(texts | st.lists(st.sampled_from(MATH_PIECES), max_size=20).map("".join))
def test_a_line_is_shown_as_it_is_and_holds_no_math(text: str) -> None:
    text = gate.visible(" ".join(text.split()))
    shown = gate.line(text)
    page = MarkdownIt("commonmark", {"html": True}).render(f"<sub>{shown}</sub>")
    assert html.unescape(re.sub(r"<[^>]*>", "", page)).strip() == text
    assert not [math for math in math_in(f"<sub>{shown}</sub>") if _commands(math)]


# -- cells of Markdown ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "found", "cleaned"),
    [
        ("Only *text*, [a](b.md) and $x$.", [], "Only *text*, [a](b.md) and $x$."),
        ("```python\nget('https://a.b')\n```", [], "```python\nget('https://a.b')\n```"),
        (
            "![a](http://x.y/?b) <img src=z>",
            ["HTML: img", "addresses: x.y"],
            "(image) [a]&#40;http:&#47;/x.y/?b) &lt;img src=z>",
        ),
        ("[a](https://b.c)", ["addresses: b.c"], "[a]&#40;https:&#47;/b.c)"),
        ("[a](//b.c/d)", ["addresses: b.c"], "[a]&#40;//b.c/d)"),
        ("[a]: //b.c/d", ["addresses: b.c"], "[a]&#58; //b.c/d"),
        ("<https://b.c>", ["addresses: b.c"], "https:&#47;/b.c"),
        ("www.b.c", ["addresses: www.b.c"], "www&#46;b.c"),
        ("```mermaid\nA\n```", ["diagrams or directives: mermaid"], "```\nA\n```"),
        ("x{.a}", ["links or attributes"], "x&#123;<span></span>.a}"),
        ("[a](javascript:x)", ["links or attributes"], "[a]&#40;javascript:x)"),
    ],
)
def test_what_is_left_out_of_a_cell_is_named(text: str, found: list[str], cleaned: str) -> None:
    assert gate.findings(text) == found
    assert gate.local_markdown(text) == cleaned


@given(texts)
def test_what_is_cleaned_of_a_cell_holds_no_address(text: str) -> None:
    page = MarkdownIt("commonmark", {"html": True}).render(gate.local_markdown(text))
    for _tag, attributes in Tags(page).found:
        for address in (attributes.get("href"), attributes.get("src")):
            assert not re.match(r"(?i)[a-z][\w+.-]*:|//", address or ""), page


# -- time -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "piece",
    [
        *("[](", "](", "](javascript:", "[a]: ", "`", "``` ", "` `` ", "$", "$$ ", "$x ", "\\", "\\\\(", "{"),
        *("{a ", "&#36;", "&", "\\begin{a}", "\\x ", "\\!", "\n```", "\n~~~\n", ":::", "\n\n", "\\\\ \n", "![", "<"),
        *("- ", "> ", "\\[", "%\n", "1.", "a) "),
    ],
)  # fmt: skip
def test_time_is_linear(piece: str) -> None:
    def took_s(length: int) -> float:
        text = "$\\x$ <script> " + piece * (length // len(piece)) + "\\x$ x"
        began_s = time.perf_counter()
        gate.markdown(text)
        return time.perf_counter() - began_s

    short_s = min(took_s(4_000) for _ in range(3))
    # Sixteen times the length; what is quadratic takes 256 times as long.
    assert min(took_s(64_000) for _ in range(2)) < 80 * max(short_s, 0.01)


@pytest.mark.parametrize(
    "address",
    [
        f"{chr(10)}{' ' * 500}javascript:x",
        f"{'&Tab;' * 100}javascript:x",
        f"&#{'0' * 500}106;avascript:x",
    ],
)
def test_a_long_address_hides_nothing(address: str) -> None:
    assert "](" not in gate.markdown(f"[a]({address})")


def test_a_long_address_of_a_page_stays() -> None:
    text = f"[a](https://example.org/?{'x' * 500})"
    assert gate.markdown(text) == text
