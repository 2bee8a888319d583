from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from claude_magic.notebook.permission import Action, Kind, action_of
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


def test_a_grep_is_to_leave_secrets_out(cwd: Path) -> None:
    asked = PermissionRequest("Grep", {"pattern": "a", "glob": "*.py"})
    action = action_of(asked, cwd)
    first, second = action.request.arguments["glob"].split(" ")
    assert first == "*.py"
    assert second.startswith("!{")
    assert "[eE][nN][vV]*" in second
    assert asked.arguments["glob"] == "*.py"


def test_a_grep_for_secrets_runs_as_it_was_asked(cwd: Path) -> None:
    asked = PermissionRequest("Grep", {"pattern": "a", "glob": "**/.env"})
    assert action_of(asked, cwd).request == asked


@pytest.mark.parametrize("path", [".env", "src/a.py", ".ssh", ".aws/x"])
def test_a_grep_that_a_person_is_asked_about_finds_what_it_is_after(cwd: Path, path: str) -> None:
    asked = PermissionRequest("Grep", {"pattern": "a", "path": path})
    assert action_of(asked, cwd).request == asked


def test_what_is_spared_once_is_spared_alike(cwd: Path) -> None:
    once = _act(cwd, "Grep", pattern="a").request
    assert action_of(once, cwd).request == once
