"""No line and no body of a magic breaks the kernel, or is sent other than as it is written."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from conftest import Api
    from support.kernel import Kernel

# Each of its examples is a cell; a slow machine takes seconds for one.
pytestmark = pytest.mark.timeout(400)

#: A turn takes 0.1 s.
_FEW = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)

# What a front end can send: no half of a surrogate pair, and no NUL, which no cell can hold.
_TEXTS = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"),
    min_size=1,
    max_size=200,
)
_PIECES = [
    *("{x}", "$y", "?", "!ls", "%time", "%%bash", "@name", ">>> ", "In [1]:", "\\", '"""', "#"),
    *("/usage", "-o", "--", "'", "\t", "\n", " ", "…", "<b>", "```", "\r", "\u2028"),
]
_CODE = st.lists(st.sampled_from(_PIECES), min_size=1, max_size=12).map("".join)

#: How the parts of a message begin that Claude Code or we have added.
_OURS = ("<system-reminder>", "<notebook-context>")


def _prompt(api: Any) -> str:
    content = api.requests[-1].messages
    *_, last = [turn["content"] for turn in content if turn["role"] == "user"]
    if isinstance(last, str):
        return last
    texts = [block["text"] for block in last if not block["text"].startswith(_OURS)]
    return "".join(texts)


@pytest.mark.failure(
    "A prompt has unusual line ends, doctest prompts or a trailing question mark",
    then="It is sent as written",
)
@_FEW
@given(_TEXTS | _CODE)
@example("x?\n")
@example("  indented\n\n\tand more  ")
@example("line\r\nline")
@example("\n\nblank lines around\n\n")
def test_a_body_is_sent_as_it_is_written(kernel: Kernel, kernel_api: Any, body: str) -> None:
    kernel.run("%claude_reset")
    asked = len(kernel_api.requests)
    ran = kernel.run(f"%%claude --no-context\n{body}")
    if not body.strip():
        assert "The prompt is empty" in ran.stdout
        assert len(kernel_api.requests) == asked
        return
    assert ran.status == "ok", ran.error
    # The end of the last line, which IPython adds where there is none, is not part of the prompt.
    expected = re.sub(r"(\r\n|\n)\Z", "", body if body.endswith("\n") else f"{body}\n")
    assert _prompt(kernel_api) == expected


@_FEW
@given(_TEXTS | _CODE)
def test_no_line_breaks_the_kernel(kernel: Kernel, kernel_api: Any, line: str) -> None:
    asked = len(kernel_api.requests)
    ran = kernel.run(f"%%claude {line}\nHello.")
    assert ran.status in {"ok", "error"}
    # A line that is no option is an error of usage, and nothing is sent.
    assert len(kernel_api.requests) == asked or ran.status == "ok"
    assert kernel.run("print(1 + 1)").stdout == "2\n"


#: Cells, and the prompts that they send.
# ruff: noqa: E501 - a case is a line
CELLS = {
    "Windows line ends": ("%%claude\r\n>>> x = 1\r\n... y\r\nwhy?", ">>> x = 1\r\n... y\r\nwhy?"),
    "Windows line ends, to the last": ("%%claude\r\nIn [1]: x\r\nIn [2]: y\r\n", "In [1]: x\r\nIn [2]: y"),
    "an options line with Windows line ends": ("%%claude --no-context \r\n>>> x\r\n", ">>> x"),
    "old Mac line ends": ("%%claude\r>>> x\ry", ">>> x\ry"),
    "a form feed behind the magic": ("%%claude\x0c\n>>> x", ">>> x"),
    "a vertical tab behind the magic": ("%%claude\x0b\n>>> x", ">>> x"),
    "a no-break space behind the magic": ("%%claude\xa0\n>>> x", ">>> x"),
    "a line separator behind the magic": ("%%claude\u2028>>> x", ">>> x"),
    "a byte order mark": ("\ufeff%%claude\n>>> x", ">>> x"),
    "a byte order mark in the body": ("%%claude\n\ufeff>>> x", "\ufeff>>> x"),
    "blank lines before the magic": ("\n \t\r\n%%claude\n>>> x", ">>> x"),
    "an indented magic": ("    %%claude\n    >>> x\n        y", "    >>> x\n        y"),
    "form feeds in the body": ("%%claude\n>>> a\x0cb\x0c\n>>> c", ">>> a\x0cb\x0c\n>>> c"),
    "no-break spaces in the body": ("%%claude\n\xa0>>> a\xa0b\xa0", "\xa0>>> a\xa0b\xa0"),
    "line separators in the body": ("%%claude\na\u2028>>> b\u2029c\x85d", "a\u2028>>> b\u2029c\x85d"),
    "a lone carriage return": ("%%claude\na\r>>> b\nc", "a\r>>> b\nc"),
    "blank lines around": ("%%claude\n\n\n>>> x\n\n\n", "\n\n>>> x\n\n"),
    "tabs": ("%%claude\n\t>>> x\n\t\ty\t", "\t>>> x\n\t\ty\t"),
    "other special syntax": ("%%claude\n!ls\n%time x\n%%bash\n?x\nx??\n/f 1", "!ls\n%time x\n%%bash\n?x\nx??\n/f 1"),
    "a backslash at the end": ("%%claude\nC:\\\nD:\\", "C:\\\nD:\\"),
    "a semicolon at the end": ("%%claude\nx;", "x;"),
    "within another magic": ("%%capture\n%%claude\n>>> x\n?", ">>> x\n?"),
    "a line": ("%claude what?", "what?"),
    "a line with two question marks": ("%claude what??", "what??"),
    "a line with a Windows line end": ("%claude what?\r\n", "what?"),
    "a continued line": ("%claude why \\\nis that?", "why is that?"),
    "a continued line without a question": ("%claude why \\\n  that is", "why   that is"),
    "a line continued with Windows line ends": ("%claude why \\\r\nis that?\r\n", "why is that?"),
    "a line continued with a prompt": ("%claude why \\\n>>> x?", "why >>> x?"),
    "a later line continued with a prompt": ("a = 1\n%claude why \\\nIn [1]: x?", "why In [1]: x?"),
    "a backslash at the end of a line": ("%claude C:\\", "C:\\"),
    "an assigned line": ("x = %claude what is this?", "what is this?"),
    "an assigned and continued line": ("x = %claude what \\\nis this?", "what is this?"),
    "an item that is assigned": ("d = {}\nd['=', (1)] = %claude what?", "what?"),
    "a line in a loop": ("for i in range(1):\n    y = %claude what?", "what?"),
    "a line in a branch": ("if True:\n\t%claude it's \"what?", "it's \"what?"),
    "a line with a form feed": ("%claude a\x0cb?", "a\x0cb?"),
    "a line with a line separator": ("%claude a\u2028b?", "a\u2028b?"),
    "a line with no-break spaces": ("%claude \xa0a\xa0b\xa0?", "\xa0a\xa0b\xa0?"),
    "a line with quotes": ("%claude it's \"\"\" or ''' or 08 1abc ?", "it's \"\"\" or ''' or 08 1abc ?"),
    "a line with brackets": ("%claude ((( ]?", "((( ]?"),
    "a line with a comment": ("%claude what # is this?", "what # is this?"),
    "a line with a semicolon": ("%claude what?;", "what?;"),
    "a line behind an unfinished quote": ("!true '''\n%claude what?", "what?"),
    "a line behind a text": ("x = '''\n%claude no?\n'''\n%claude what?", "what?"),
    "a pasted line": (">>> %claude what?", "what?"),
    "a pasted IPython line": ("In [3]: %claude what?", "what?"),
    "a timed line": ("%time %claude what?", "what?"),
}  # fmt: skip


@pytest.mark.failure(
    "A prompt has unusual line ends, doctest prompts or a trailing question mark",
    then="It is sent as written",
)
@pytest.mark.parametrize(("cell", "prompt"), CELLS.values(), ids=CELLS)
def test_a_cell_sends_its_prompt_as_it_is_written(
    shared_kernel: Kernel, shared_api: Api, cell: str, prompt: str
) -> None:
    shared_api.begin()
    ran = shared_kernel.run(cell)
    assert ran.status == "ok", ran.error
    assert len(shared_api.requests) == 1
    assert _prompt(shared_api) == prompt


#: Cells that send nothing, and what they show.
OTHERS = {
    "a text": ("x = '''\n%claude what?\n'''; print(x)", "\n%claude what?\n\n"),
    "help on the magic": ("%claude?", "Send a prompt to Claude"),
    "another magic": ("%claude_status_of_nothing", "not found"),
    "help on a name": ("x = 5\nx?", "int"),
    "another magic's line": ("%time print('%claude why?')", "%claude why?"),
    "a remainder": ("claude = 3\nprint(7 %claude)", "1\n"),
}


@pytest.mark.parametrize(("cell", "shown"), OTHERS.values(), ids=OTHERS)
def test_what_is_no_prompt_stays_what_it_was(
    shared_kernel: Kernel, shared_api: Api, cell: str, shown: str
) -> None:
    shared_api.begin()
    ran = shared_kernel.run(cell)
    pages = "".join(str(page.get("data", {}).get("text/plain", "")) for page in ran.payload)
    assert shown in ran.stdout + pages
    assert shared_api.requests == []
