from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from claude_magic.notebook.permission import Action, Kind, Rule, action_of, needs_consent
from claude_magic.notebook.permission.grep import exclusion
from claude_magic.session import PermissionRequest

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def cwd(tmp_path: Path) -> Path:
    """Return a working directory with a file in it, a link to one outside, and a secret."""
    inside = tmp_path / "work"
    (inside / "src").mkdir(parents=True)
    (inside / "src" / "a.py").write_text("a = 1\n")
    (inside / ".env").write_text("TOKEN=1\n")
    (inside / "notes.txt").symlink_to(inside / ".env")
    outside = tmp_path / "outside"
    (outside / "deep").mkdir(parents=True)
    (outside / "b.txt").write_text("b")
    (inside / "way-out").symlink_to(outside / "deep")
    return inside


def _act(cwd: Path, tool: str, /, **arguments: Any) -> Action:
    return action_of(PermissionRequest(tool, arguments), cwd)


@pytest.mark.parametrize(
    ("name", "arguments", "kind", "target"),
    [
        ("Bash", {"command": "ls -l"}, Kind.RUN, "ls -l"),
        ("WebFetch", {"url": "https://a.org/b"}, Kind.WEB, "https://a.org/b"),
        ("WebSearch", {"query": "a b"}, Kind.WEB, "a b"),
        ("mcp__kernel__run_python", {"code": "1 + 1"}, Kind.KERNEL, "1 + 1"),
        ("mcp__kernel__list_variables", {}, Kind.KERNEL, "mcp__kernel__list_variables"),
        ("mcp__Kernel__run_python", {"code": "1"}, Kind.OTHER, "mcp__Kernel__run_python"),
        ("Agent", {"prompt": "Look."}, Kind.OTHER, "Agent"),
        ("bash", {"command": "ls"}, Kind.OTHER, "bash"),
        ("Bash", {}, Kind.RUN, ""),
        ("Bash", {"command": ["ls"]}, Kind.RUN, ""),
    ],
)
def test_a_call_is_of_a_kind_and_has_a_target(
    tmp_path: Path,
    name: str,
    arguments: dict[str, Any],
    kind: Kind,
    target: str,
) -> None:
    action = _act(tmp_path, name, **arguments)
    assert (action.kind, action.target) == (kind, target)


@pytest.mark.parametrize("text", ["src/a.py", "./src/../src/a.py", " src/a.py\n", "src//a.py"])
def test_a_path_is_told_without_detours(cwd: Path, text: str) -> None:
    assert _act(cwd, "Read", file_path=text).target == str(cwd / "src" / "a.py")


@pytest.mark.parametrize(
    ("tool", "key"),
    [("Read", "file_path"), ("Edit", "file_path"), ("Write", "file_path")],
)
def test_a_link_is_followed(cwd: Path, tool: str, key: str) -> None:
    outside = cwd.parent / "outside" / "deep" / "c.txt"
    assert _act(cwd, tool, **{key: "way-out/c.txt"}).target == str(outside)


def test_a_notebook_has_a_path_of_another_name(cwd: Path) -> None:
    action = _act(cwd, "NotebookEdit", notebook_path="n.ipynb", new_source="1")
    assert (action.kind, action.target) == (Kind.EDIT, str(cwd / "n.ipynb"))


def test_dots_behind_a_link_may_mean_two_places(cwd: Path) -> None:
    action = _act(cwd, "Read", file_path="way-out/../b.txt")
    assert set(action.places) == {cwd / "b.txt", cwd.parent / "outside" / "b.txt"}


@pytest.mark.parametrize("blank", [" ", "\ufeff", "\u2003", "\n", "\xa0"])
def test_a_blank_before_a_path_is_taken_off_as_claude_code_does(cwd: Path, blank: str) -> None:
    assert cwd.parent / "x" in _act(cwd, "Read", file_path=f"{blank}{cwd.parent}/x").places


@pytest.mark.parametrize(
    "path",
    ["~/.ssh/id_rsa", "~", " ~/x", "~root/x", "a\0b", "a\ud800", "", None, 3, ["a"]],
)
def test_of_some_paths_no_place_is_certain(cwd: Path, path: object) -> None:
    assert _act(cwd, "Edit", file_path=path).places == ()


def test_a_search_without_a_path_is_in_the_working_directory(cwd: Path) -> None:
    for action in (_act(cwd, "Glob", pattern="**/*.py"), _act(cwd, "Grep", pattern="a")):
        assert action.places == (cwd,)
        assert action.is_tree


@pytest.mark.parametrize(
    ("pattern", "place"),
    [
        ("src/**/*.py", "src"),
        ("src/{a,b}.py", "src"),
        ("/etc/*.conf", "/etc"),
        ("/*", "/"),
        (" /etc/*", "/etc"),
        ("../**", ".."),
        ("*/../../**", "/"),
        ("~/*", "/"),
    ],
)
def test_a_glob_searches_where_its_pattern_begins(cwd: Path, pattern: str, place: str) -> None:
    (found,) = _act(cwd, "Glob", pattern=pattern).places
    assert found == (cwd / place).resolve()


def test_a_glob_begins_in_its_path(cwd: Path) -> None:
    assert _act(cwd, "Glob", path="src", pattern="deep/*").places == (cwd / "src" / "deep",)


def test_a_search_in_one_file_is_no_tree(cwd: Path) -> None:
    assert not _act(cwd, "Grep", pattern="a", path="src/a.py").is_tree
    assert _act(cwd, "Grep", pattern="a", path="src").is_tree
    assert _act(cwd, "Grep", pattern="a", path="nothing").is_tree


@pytest.mark.parametrize("glob", [None, "", "*.py", "* *.csv !x", "!nope,*", "{a,b}", exclusion()])
@pytest.mark.parametrize("path", [None, "src", "src/a.py", "nothing", "."])
def test_a_grep_always_ends_with_the_exclusion(
    cwd: Path,
    glob: str | None,
    path: str | None,
) -> None:
    given = {key: value for key, value in {"glob": glob, "path": path}.items() if value is not None}
    asked = PermissionRequest("Grep", {"pattern": "a", **given})
    written = action_of(asked, cwd).request.arguments["glob"]
    assert written.endswith(exclusion())
    rest = written.removesuffix(exclusion())
    assert not rest or rest.endswith(" ")
    assert asked.arguments == {"pattern": "a", **given}


@pytest.mark.parametrize(
    "separator",
    [
        chr(code)
        for code in (*range(0x20), *range(0x7F, 0xA0), 0xAD, 0x180E, 0x200B, 0x2028, 0xFEFF)
    ],
)
@pytest.mark.parametrize(("tool", "key"), [("Grep", "glob"), ("Glob", "pattern")])
def test_a_glob_with_control_characters_is_refused(
    cwd: Path,
    tool: str,
    key: str,
    separator: str,
) -> None:
    action = _act(cwd, tool, **{"pattern": "a", key: f"*{separator}{exclusion()}"})
    assert "control characters" in action.objection
    assert needs_consent(action, cwd)
    assert not Rule(Kind.READ).allows(action, cwd)


def test_a_grep_for_secrets_runs_as_it_was_asked(cwd: Path) -> None:
    asked = PermissionRequest("Grep", {"pattern": "a", "glob": "**/.env"})
    action = action_of(asked, cwd)
    assert action.request == asked
    assert needs_consent(action, cwd)


@pytest.mark.parametrize("path", [".ssh", ".aws/x"])
def test_a_grep_that_a_person_is_asked_about_finds_what_it_is_after(cwd: Path, path: str) -> None:
    asked = PermissionRequest("Grep", {"pattern": "a", "path": path})
    action = action_of(asked, cwd)
    assert action.request == asked
    assert needs_consent(action, cwd)


def test_a_grep_in_one_file_finds_nothing_else(cwd: Path) -> None:
    # The file may be a directory by the time that it is opened.
    plain = _act(cwd, "Grep", pattern="a", path="src/a.py")
    assert plain.request.arguments["glob"].split(" ")[0] == "a.py"
    secret = _act(cwd, "Grep", pattern="a", path=".env")
    assert secret.request.arguments["glob"] == ".env"


def test_a_grep_in_one_file_with_a_glob_counts_as_a_search_of_a_directory(cwd: Path) -> None:
    (cwd / "src" / "a[b].py").write_text("")
    assert _act(cwd, "Grep", pattern="a", path="src/a.py", glob="*").is_tree
    assert _act(cwd, "Grep", pattern="a", path="src/a[b].py").is_tree


@pytest.mark.parametrize(
    ("tool", "key"),
    [("Read", "file_path"), ("Edit", "file_path"), ("Write", "file_path"), ("Grep", "path")],
)
def test_what_runs_names_no_link(cwd: Path, tool: str, key: str) -> None:
    for path, real in (
        ("way-out/b.txt", cwd.parent / "outside" / "deep" / "b.txt"),
        ("notes.txt", cwd / ".env"),
    ):
        action = _act(cwd, tool, **{key: path, "pattern": "a"})
        assert action.request.arguments[key] == str(real)
    for path in ("src/a.py", "./src//a.py", str(cwd / "src" / "a.py")):
        assert _act(cwd, tool, **{key: path}).request.arguments[key] == path


def test_a_link_above_the_working_directory_stays(cwd: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(cwd)
    action = _act(link, "Read", file_path=f"{link}/src/a.py")
    assert action.request.arguments["file_path"] == f"{link}/src/a.py"


def test_what_is_limited_once_is_limited_alike(cwd: Path) -> None:
    once = _act(cwd, "Grep", pattern="a").request
    assert action_of(once, cwd).request == once
