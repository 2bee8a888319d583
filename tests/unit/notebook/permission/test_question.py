from __future__ import annotations

import os
import unicodedata
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from claude_magic.notebook.permission import Question, fenced, question_of, visible
from claude_magic.session import PermissionRequest

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def cwd(tmp_path: Path) -> Path:
    inside = tmp_path / "work"
    inside.mkdir()
    (inside / "a.py").write_text("one\ntwo\nthree\n")
    return inside


def _ask(cwd: Path, tool: str, /, **arguments: Any) -> Question:
    return question_of(PermissionRequest(tool, arguments), cwd)


# -- visible -------------------------------------------------------------------------------------

#: What shows nothing though its category is that of letters, marks or symbols.
FILLERS = "\u034f\u115f\u1160\u17b4\u17b5\u180b\u2800\u3164\ufe0f\uffa0\U000e0100\U0001d159"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\tb\n", "a\tb\n"),
        ("naïve 日本 ✓ 🙂", "naïve 日本 ✓ 🙂"),
        ("a\u202eb", "a⟨U+202E⟩b"),
        ("a\rb", "a⟨U+000D⟩b"),
        ("\x1b[2K\x9b", "⟨U+001B⟩[2K⟨U+009B⟩"),
        ("a\u200bb\ufeff", "a⟨U+200B⟩b⟨U+FEFF⟩"),
        ("a\u2028b\x85", "a⟨U+2028⟩b⟨U+0085⟩"),
        ("a\xa0b\u3000", "a⟨U+00A0⟩b⟨U+3000⟩"),
        ("\ud800", "⟨U+D800⟩"),
        ("\U000e0041", "⟨U+E0041⟩"),
        ("\ue000", "⟨U+E000⟩"),
    ],
)
def test_what_does_not_show_is_made_visible(text: str, shown: str) -> None:
    assert visible(text) == shown


@pytest.mark.parametrize("filler", FILLERS)
def test_fillers_do_not_show_either(filler: str) -> None:
    assert visible(f"a{filler}b") == f"a⟨U+{ord(filler):04X}⟩b"


@pytest.mark.promise(
    "A permission request shows all that will run, and nothing invisible.", against="model"
)
@given(st.text(st.characters()))
@example(FILLERS)
def test_nothing_invisible_is_left_in_any_text(text: str) -> None:
    shown = visible(text)
    for letter in shown:
        assert letter in "\n\t " or unicodedata.category(letter)[0] not in "CZ"
        assert letter not in FILLERS
    shown.encode()  # no surrogate is left
    assert not set("\n\t") & set(visible(text, one_line=True))


@given(st.text("abc \n\t⟨é"))
def test_what_shows_stays_as_it_is(text: str) -> None:
    assert visible(text) == text


# -- fenced --------------------------------------------------------------------------------------


@given(st.text(st.sampled_from("`~ \na")), st.sampled_from(["python", "diff", None]))
@example("```\nevil", "python")
def test_nothing_in_a_body_ends_its_fence(body: str, language: str | None) -> None:
    first, *inside, last = fenced(body, language).split("\n")
    fence = first.removesuffix(language or "")
    assert set(fence) == {"`"}
    assert len(fence) >= 3
    assert last == fence
    assert "\n".join(inside) == body
    assert fence not in body


# -- commands, code, the web ---------------------------------------------------------------------


def test_a_command_is_shown_with_what_the_model_says_of_it(cwd: Path) -> None:
    question = _ask(
        cwd,
        "Bash",
        command="rm -r x\u202e\necho",
        description='Lists files.\nIt may take 1 s."',
        timeout=90_000,
        run_in_background=True,
        dangerouslyDisableSandbox=True,
    )
    assert question == Question(
        "Run a command",
        "rm -r x⟨U+202E⟩\necho",
        "bash",
        'Claude says of it: "Lists files.\\nIt may take 1 s.\\""\n'
        "It may take 90 s.\n"
        "It runs in the background, and goes on when the turn has ended.\n"
        'Further arguments: {"dangerouslyDisableSandbox": true}',
    )


def test_a_plain_command_has_no_note(cwd: Path) -> None:
    assert _ask(cwd, "Bash", command="ls").note is None


@pytest.mark.promise(
    "A permission request shows all that will run, and nothing invisible.", against="model"
)
def test_a_body_of_any_length_is_complete(cwd: Path) -> None:
    code = "".join(f"print({n})\n" for n in range(20_000))
    for tool, key in [("Bash", "command"), ("mcp__kernel__run_python", "code")]:
        assert _ask(cwd, tool, **{key: code}).body == code
    assert _ask(cwd, "Write", file_path="new.py", content=code).body == code
    for tool, key in [("Agent", "prompt"), ("Unknown", "x")]:
        assert _ask(cwd, tool, **{key: code}).body.count("print(") == 20_000


def test_python_is_shown_as_it_would_run(cwd: Path) -> None:
    question = _ask(cwd, "mcp__kernel__run_python", code="x = 1")
    assert question == Question("Run Python in this kernel", "x = 1", "python", None)


def test_a_page_is_shown_by_its_address_and_its_server(cwd: Path) -> None:
    question = _ask(cwd, "WebFetch", url="https://docs.python.org/3/?q=a", prompt="Sum\nup.")
    assert question.title == "Get a page from docs.python.org"
    assert question.body == "https://docs.python.org/3/?q=a"
    assert question.note == 'Claude wants to know from it: "Sum\\nup."'


@pytest.mark.parametrize("url", ["https://python.org@evil.com/", "https://pyth\u043en.org/"])
def test_an_address_that_leads_astray_is_pointed_out(cwd: Path, url: str) -> None:
    question = _ask(cwd, "WebFetch", url=url)
    assert question.title == "Get a page from the web"
    assert "cannot be told for certain" in (question.note or "")
    assert ("\\u043e" in (question.note or "")) == (not url.isascii())


def test_a_search_is_shown_by_its_words(cwd: Path) -> None:
    assert _ask(cwd, "WebSearch", query="a b", allowed_domains=["x.org"]) == Question(
        "Search the web",
        "a b",
        None,
        'Further arguments: {"allowed_domains": ["x.org"]}',
    )


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("Agent", {"prompt": "Look.", "n": 1}),
        ("Bash", {"command": ["ls"]}),
        ("Write", {"file_path": "a.py", "content": 3}),
        ("Edit", {"file_path": "a.py"}),
        ("NotebookEdit", {"notebook_path": "n.ipynb", "edit_mode": "burn"}),
        ("WebFetch", {}),
        ("WebSearch", {"query": None}),
        ("mcp__kernel__run_python", {"code": b"1"}),
        ("Read", {"file_path": "\ud800\u202e"}),
    ],
)
def test_any_other_call_is_shown_with_all_its_arguments(
    cwd: Path,
    tool: str,
    arguments: dict[str, Any],
) -> None:
    question = _ask(cwd, tool, **arguments)
    assert tool in question.title
    assert question.language == "json"
    assert all(name in question.body for name in arguments)


def test_the_name_of_a_tool_cannot_break_the_title(cwd: Path) -> None:
    assert _ask(cwd, "x\ny\u202e").title == "Use the tool x⟨U+000A⟩y⟨U+202E⟩"


@given(
    st.sampled_from(["Bash", "Edit", "Write", "NotebookEdit", "WebFetch", "Read", "Grep", "x"]),
    st.dictionaries(
        st.sampled_from(
            ["command", "file_path", "path", "url", "content", "old_string", "new_string", "x"],
        ),
        st.text(st.characters()) | st.none() | st.integers() | st.lists(st.text()),
    ),
)
def test_no_arguments_break_a_question(
    tmp_path_factory: pytest.TempPathFactory,
    tool: str,
    arguments: dict[str, Any],
) -> None:
    question = _ask(tmp_path_factory.getbasetemp(), tool, **arguments)
    for text in (question.title, question.body, question.note or ""):
        assert visible(text) == text
    assert "\n" not in question.title


# -- edits ---------------------------------------------------------------------------------------


def test_an_edit_is_shown_as_what_changes_in_the_file(cwd: Path) -> None:
    question = _ask(cwd, "Edit", file_path="a.py", old_string="two", new_string="2\u202e")
    assert question == Question(
        "Edit a.py",
        "--- a.py (now)\n+++ a.py (then)\n@@ -1,3 +1,3 @@\n one\n-two\n+2⟨U+202E⟩\n three",
        "diff",
        None,
    )


def test_an_edit_everywhere_shows_every_place(cwd: Path) -> None:
    question = _ask(cwd, "Edit", file_path="a.py", old_string="e", new_string="E", replace_all=True)
    assert [line for line in question.body.split("\n")[3:] if line[0] == "+"] == [
        "+onE",
        "+thrEE",
    ]


def test_what_is_taken_away_takes_the_end_of_its_line_along(cwd: Path) -> None:
    question = _ask(cwd, "Edit", file_path="a.py", old_string="two", new_string="")
    assert question.body.endswith("\n one\n-two\n three")


def test_windows_line_ends_stay_out_of_an_edit(cwd: Path) -> None:
    (cwd / "w.txt").write_bytes(b"one\r\ntwo\r\n")
    question = _ask(cwd, "Edit", file_path="w.txt", old_string="one\ntwo", new_string="1")
    assert question.body.endswith("\n-one\n-two\n+1")


@pytest.mark.parametrize(
    ("path", "old", "why"),
    [
        ("a.py", "four", "not in the file as it is written here"),
        ("a.py", "e", "in the file 3 times"),
        ("a.py", "", "not in the file"),
        ("a.py", "new", "not in the file"),
        ("missing.py", "x", "it does not exist"),
        (".", "x", "it is not a file"),
        ("pipe", "x", "it is not a file"),
        ("bytes", "x", "no text in UTF-8"),
        ("~/x", "x", "its path is not certain"),
    ],
)
def test_an_edit_that_cannot_be_compared_shows_both_texts(
    cwd: Path,
    path: str,
    old: str,
    why: str,
) -> None:
    (cwd / "bytes").write_bytes(b"\xff\xfe")
    os.mkfifo(cwd / "pipe")
    question = _ask(cwd, "Edit", file_path=path, old_string=old, new_string="a\nb\n")
    assert why in (question.note or "")
    assert question.body.endswith("+a\n+b")
    assert (f"-{old}\n" in question.body) == bool(old)


def test_an_edit_that_changes_nothing_says_so(cwd: Path) -> None:
    question = _ask(cwd, "Edit", file_path="a.py", old_string="one", new_string="one")
    assert "nothing would change" in (question.note or "")
    assert "-one\n" in question.body
    assert "+one\n" in question.body


def test_writing_a_new_file_shows_all_of_it(cwd: Path) -> None:
    question = _ask(cwd, "Write", file_path="new.py", content="x = 1\n")
    assert question == Question("Write the new file new.py", "x = 1\n", "python", None)
    assert _ask(cwd, "Edit", file_path="new.py", old_string="", new_string="x = 1\n") == question


def test_writing_over_a_file_shows_what_changes(cwd: Path) -> None:
    question = _ask(cwd, "Write", file_path="a.py", content="one\n2\nthree")
    assert question.title == "Overwrite a.py"
    assert question.body.endswith(
        " one\n-two\n-three\n+2\n+three\n\\ No newline at end of file",
    )


@pytest.mark.parametrize(
    ("path", "why"),
    [("bytes", "no text in UTF-8"), ("same", "this content already"), ("long", "too long")],
)
def test_what_cannot_be_compared_is_shown_whole(cwd: Path, path: str, why: str) -> None:
    (cwd / "bytes").write_bytes(b"\xff\xfe")
    (cwd / "same").write_text("x\n")
    (cwd / "long").write_text("x\n" * 100_000)
    question = _ask(cwd, "Write", file_path=path, content="x\n")
    assert question.body == "x\n"
    assert why in (question.note or "")


def test_a_path_that_leads_elsewhere_is_pointed_out(cwd: Path) -> None:
    (cwd.parent / "b.txt").write_text("")
    (cwd / "link.txt").symlink_to("../b.txt")
    question = _ask(cwd, "Write", file_path="link.txt", content="x")
    assert question.title == f"Overwrite {cwd.parent / 'b.txt'}"
    assert "outside the working directory" in (question.note or "")
    assert str(cwd / "link.txt") in (question.note or "")


def test_a_path_that_may_lead_to_two_places_is_pointed_out(cwd: Path) -> None:
    (cwd.parent / "out" / "deep").mkdir(parents=True)
    (cwd / "way").symlink_to("../out/deep")
    question = _ask(cwd, "Write", file_path="way/../x", content="x")
    assert f'may also lead to "{cwd.parent}/out/x"' in (question.note or "")


@pytest.mark.parametrize(("path", "note"), [(".env", "secrets"), (".git/hooks/x", "by themselves")])
def test_a_path_of_weight_is_pointed_out(cwd: Path, path: str, note: str) -> None:
    assert note in (_ask(cwd, "Write", file_path=path, content="").note or "")


def test_a_cell_is_shown_with_its_new_source(cwd: Path) -> None:
    question = _ask(
        cwd,
        "NotebookEdit",
        notebook_path="n.ipynb",
        cell_id="abc",
        new_source="# Title",
        cell_type="markdown",
        edit_mode="insert",
    )
    assert question.title == "Insert a cell of n.ipynb"
    assert (question.body, question.language) == ("# Title", "markdown")
    assert question.note == 'Behind the cell: "abc"\nIts type: "markdown"'
