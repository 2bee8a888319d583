from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from claude_magic.errors import UsageError
from claude_magic.notebook.permission import Kind, Rule, action_of, parse_rules
from claude_magic.notebook.permission.rules import domain_of
from claude_magic.session import PermissionRequest


def _allows(rule: str, cwd: Path, tool: str, /, **arguments: Any) -> bool:
    (parsed,) = parse_rules(rule)
    return parsed.allows(action_of(PermissionRequest(tool, arguments), cwd), cwd)


@pytest.fixture
def cwd(tmp_path: Path) -> Path:
    inside = tmp_path / "work"
    (inside / "src" / "deep").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    return inside


# -- reading -------------------------------------------------------------------------------------


def test_rules_are_read_from_one_text() -> None:
    text = "kernel,edit:src/**, run:git status,run:pytest *,web:docs.python.org,read:/data/**"
    rules = parse_rules(text)
    assert rules[0] == Rule(Kind.KERNEL)
    assert rules[1] == Rule(Kind.EDIT, "src/**")
    assert ",".join(map(str, rules)) == text.replace(", ", ",")


def test_no_text_is_no_rule() -> None:
    assert parse_rules("") == ()


@settings(deadline=None)
@given(
    st.sampled_from([Kind.RUN, Kind.EDIT, Kind.READ, Kind.OTHER]),
    st.text(min_size=1).filter(lambda text: not text.startswith("~") and ".." not in text),
)
def test_the_rule_for_a_target_can_be_read_again(kind: Kind, target: str) -> None:
    if kind is Kind.OTHER:
        target = f"tool {target}"
    rule = Rule.for_exactly(kind, target)
    assert parse_rules(f"kernel,{rule},web") == (Rule(Kind.KERNEL), rule, Rule(Kind.WEB))


@pytest.mark.parametrize(
    "text",
    [
        "Edit",
        "edit:",
        "edit: ",
        "run=",
        "bash",
        "bash:ls",
        "kernel:print(1)",
        "edit src",
        ":",
        " ",
        "read:~/x",
        "read:../x",
        "read:a/../../x",
        "edit:src/",
        "run:*",
        "run:git*",
        "run:* status",
        "run:cd x && *",
        "web:https://docs.python.org",
        "web:*.python.org",
        "web:a@b.org",
        "web:.org",
        "other:Bash",
        "other:mcp__kernel__run_python",
        "kernel,,edit",
    ],
)
def test_an_impossible_rule_says_what_is_possible(text: str) -> None:
    with pytest.raises(UsageError, match="is no rule of what to allow") as raised:
        parse_rules(text)
    assert repr(text.strip().replace(",,", ","))[1:-1] in str(raised.value)
    assert str(raised.value).endswith(".")


# -- kinds ---------------------------------------------------------------------------------------

CALLS = {
    "read": ("Read", {"file_path": ".env"}),
    "edit": ("Write", {"file_path": "~/.bashrc", "content": ""}),
    "run": ("Bash", {"command": "a; b"}),
    "web": ("WebFetch", {"url": "ftp://x@y"}),
    "kernel": ("mcp__kernel__run_python", {"code": "1"}),
    "other": ("Agent", {"prompt": ""}),
}


@pytest.mark.parametrize("kind", CALLS)
@pytest.mark.parametrize("rule", CALLS)
def test_a_kind_alone_allows_that_kind_altogether(cwd: Path, rule: str, kind: str) -> None:
    tool, arguments = CALLS[kind]
    assert _allows(rule, cwd, tool, **arguments) == (rule == kind)


def test_other_is_for_one_tool(cwd: Path) -> None:
    assert _allows("other:Agent", cwd, "Agent", prompt="")
    assert not _allows("other:Agent", cwd, "Agents", prompt="")


# -- paths ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "path", "allowed"),
    [
        ("src/**", "src/a.py", True),
        ("src/**", "src/deep/er/a.py", True),
        ("./src/**", "src/a.py", True),
        ("src/*", "src/a.py", True),
        ("src/*", "src/deep/a.py", False),
        ("src/**/*.py", "src/a.py", True),
        ("src/**/*.py", "src/deep/er/a.py", True),
        ("src/**/*.py", "src/a.txt", False),
        ("**", "a", True),
        ("*.py", "a.py", True),
        ("*.py", "src/a.py", False),
        ("src/a.py", "src/a.py", True),
        ("src/a.py", "src/b.py", False),
        ("src/?.py", "src/a.py", True),
        ("src/[ab].py", "src/b.py", True),
        ("src/[[]a].py", "src/[a].py", True),
        ("src/**", "src", False),
        ("src/**", "srcs/a.py", False),
        ("src/**", "SRC/a.py", False),
        ("src/**", "src/../a.py", False),
        ("src/**", "src/../src/a.py", True),
        ("src/**", "../work/src/a.py", True),
        ("src/**", "~/a.py", False),
        ("**", "~/a.py", False),
        ("**", "../outside/a", False),
        ("**", "/etc/passwd", False),
        ("**", " /etc/passwd", False),
        ("/etc/*", "/etc/passwd", True),
        ("/etc/*", "etc/passwd", False),
        ("/**", "/etc/passwd", True),
    ],
)
def test_a_pattern_covers_paths(cwd: Path, pattern: str, path: str, *, allowed: bool) -> None:
    assert _allows(f"edit:{pattern}", cwd, "Write", file_path=path, content="") == allowed
    assert not _allows(f"read:{pattern}", cwd, "Write", file_path=path, content="")


@pytest.mark.parametrize("path", [".env", ".ENV.local", "server.PEM", "src/id_rsa", ".ssh/known"])
def test_a_secret_has_to_be_named(cwd: Path, path: str) -> None:
    assert not _allows("read:**", cwd, "Read", file_path=path)
    assert not _allows(f"read:{path[:-1]}?", cwd, "Read", file_path=path)
    assert _allows(f"read:{path}", cwd, "Read", file_path=path)
    assert _allows(f"read={path}", cwd, "Read", file_path=path)
    assert _allows("read", cwd, "Read", file_path=path)


@pytest.mark.parametrize("path", [".git/hooks/pre-commit", ".vscode/tasks.json", ".MCP.json"])
def test_what_programs_obey_has_to_be_named_to_be_edited(cwd: Path, path: str) -> None:
    for rule in ("edit:**", "edit:/**", f"edit:{path[:-1]}?"):
        assert not _allows(rule, cwd, "Write", file_path=path, content="")
    assert _allows(f"edit:{path}", cwd, "Write", file_path=path, content="")
    assert _allows("read:**", cwd, "Read", file_path=path)


def test_a_working_directory_may_be_called_like_a_secret(tmp_path: Path) -> None:
    cwd = tmp_path / "credentials"
    cwd.mkdir()
    assert _allows("read:**", cwd, "Read", file_path="a.txt")
    assert not _allows("read:**", cwd, "Read", file_path="credentials/a.txt")


def test_a_link_to_a_secret_is_one_and_so_is_a_secret_that_is_a_link(cwd: Path) -> None:
    (cwd / ".env").write_text("")
    (cwd / "notes.txt").symlink_to(".env")
    (cwd / "key.txt").write_text("")
    (cwd / "a.pem").symlink_to("key.txt")
    assert not _allows("read:**", cwd, "Read", file_path="notes.txt")
    assert not _allows("read:notes.txt", cwd, "Read", file_path="notes.txt")
    assert not _allows("read:**", cwd, "Read", file_path="a.pem")


def test_a_search_needs_a_rule_for_all_that_it_sees(cwd: Path) -> None:
    for rule, allowed in [
        ("read:src/**", True),
        ("read:src/**/*", True),
        ("read:**", True),
        ("read:s*/**", True),
        ("read:src/deep/**", False),
        ("read:src/*/**", False),
        ("read:src/*", False),
        ("read:*", False),
        ("read:src", False),
        ("read:**/*.py", False),
        ("read", True),
    ]:
        assert _allows(rule, cwd, "Grep", pattern="a", path="src") == allowed, rule
        assert _allows(rule, cwd, "Glob", pattern="*", path="src") == allowed, rule
    assert not _allows("read:**", cwd, "Grep", pattern="a", path="src", glob=".env")
    assert not _allows("read:**", cwd, "Glob", pattern="**/*.pem")


def test_a_search_that_spares_no_secret_is_not_covered(cwd: Path) -> None:
    request = PermissionRequest("Grep", {"pattern": "a"})
    (rule,) = parse_rules("read:**")
    action = action_of(request, cwd)
    assert rule.allows(action, cwd)
    made = type(action)(action.kind, action.target, request, action.places, (), is_tree=True)
    assert not rule.allows(made, cwd)


NAMES = st.sampled_from(["src", "deep", "in", "out", "loop", "up", "..", ".", "a.py", "SRC", "~"])


@pytest.fixture(scope="module")
def maze() -> Any:
    """Make a directory with links that lead in, out, up and round in circles."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder).resolve()
        cwd = root / "work"
        (cwd / "src" / "deep").mkdir(parents=True)
        (cwd / "other").mkdir()
        (root / "secret" / "deep").mkdir(parents=True)
        for place in (cwd / "src", cwd / "src" / "deep", cwd, root / "secret" / "deep"):
            (place / "in").symlink_to(cwd / "src" / "deep")
            (place / "out").symlink_to(root / "secret" / "deep")
            (place / "up").symlink_to("..")
            (place / "loop").symlink_to("loop")
            (place / "a.py").write_text("")
        yield cwd


@pytest.mark.promise("No path escapes the pattern of a rule.", against="model")
@settings(deadline=None)
@given(parts=st.lists(NAMES, min_size=1, max_size=8), absolute=st.booleans())
def test_no_path_escapes_a_pattern(maze: Path, parts: list[str], *, absolute: bool) -> None:
    path = "/".join(([str(maze), "src"] if absolute else ["src"]) + parts)
    if _allows("edit:src/**", maze, "Write", file_path=path, content=""):
        # Whether .. is taken before links or after them.
        for reading in (os.path.normpath(maze / path), f"{maze}/{path}" if not absolute else path):
            real = Path(os.path.realpath(reading))
            assert real.is_relative_to(maze / "src")
            assert real != maze / "src"


@settings(deadline=None)
@given(parts=st.lists(NAMES.filter(lambda part: part not in {"..", "out", "up", "~", "loop"})))
def test_what_stays_in_a_pattern_is_allowed(maze: Path, parts: list[str]) -> None:
    path = "/".join(["src", *parts, "new.py"])
    if "/in/" not in path:
        assert _allows("edit:src/**", maze, "Write", file_path=path, content="")


# -- commands ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "command", "allowed"),
    [
        ("git status", "git status", True),
        ("git status", "git status -s", False),
        ("git status", "git  status", False),
        ("git status", "Git status", False),
        ("pytest *", "pytest -q tests", True),
        ("pytest *", "pytest", True),
        ("pytest *", "pytest-evil", False),
        ("pytest *", "X=1 pytest", False),
        ("pytest *", "pytest\n", False),
        ("a; b", "a; b", True),
        ("ls *.py", "ls x.py", False),
    ],
)
def test_a_command_is_exact_or_begins_so(
    cwd: Path,
    pattern: str,
    command: str,
    *,
    allowed: bool,
) -> None:
    sign = "=" if "*." in pattern else ":"
    assert _allows(f"run{sign}{pattern}", cwd, "Bash", command=command) == allowed


def test_a_command_with_a_star_is_exact_for_the_session(cwd: Path) -> None:
    rule = str(Rule.for_exactly(Kind.RUN, "rm -r *"))
    assert _allows(rule, cwd, "Bash", command="rm -r *")
    assert not _allows(rule, cwd, "Bash", command="rm -r /")


@pytest.mark.parametrize(
    ("arguments", "allowed"),
    [
        ({}, True),
        ({"description": "List."}, True),
        ({"timeout": 1000}, True),
        ({"run_in_background": False, "dangerouslyDisableSandbox": False}, True),
        ({"run_in_background": True}, False),
        ({"run_in_background": "false"}, False),
        ({"run_in_background": None}, False),
        ({"dangerouslyDisableSandbox": True}, False),
        ({"dangerouslyDisableSandbox": 0}, False),
        ({"_simulatedSedEdit": {"filePath": "x", "newContent": "y"}}, False),
        ({"unknown": False}, False),
        ({"Description": "x"}, False),
        ({"sandbox": "off"}, False),
    ],
)
@pytest.mark.parametrize("rule", ["run:ls", "run:ls *", "run=ls"])
def test_a_command_is_covered_in_the_foreground_with_the_sandbox_unchanged(
    cwd: Path,
    rule: str,
    arguments: dict[str, Any],
    *,
    allowed: bool,
) -> None:
    assert _allows(rule, cwd, "Bash", command="ls", **arguments) == allowed


@pytest.mark.parametrize(
    ("rule", "tool", "arguments"),
    [
        ("read:**", "Read", {"file_path": "src/a.py"}),
        ("read", "Read", {"file_path": "src/a.py"}),
        ("read:src/**", "Grep", {"path": "src", "pattern": "a"}),
        ("edit:**", "Write", {"file_path": "src/a.py", "content": ""}),
        ("edit:src/a.py", "Edit", {"file_path": "src/a.py"}),
        ("run", "Bash", {"command": "ls"}),
        ("web:python.org", "WebFetch", {"url": "https://python.org"}),
        ("web:search", "WebSearch", {"query": "a"}),
        ("kernel", "mcp__kernel__run_python", {"code": "1"}),
        ("other:Agent", "Agent", {"prompt": "a"}),
    ],
)
def test_a_rule_covers_known_arguments_only(
    cwd: Path,
    rule: str,
    tool: str,
    arguments: dict[str, Any],
) -> None:
    assert _allows(rule, cwd, tool, **arguments)
    assert not _allows(rule, cwd, tool, **arguments, planted=True)


def test_all_commands_may_run_in_the_background_but_not_without_the_sandbox(cwd: Path) -> None:
    assert _allows("run", cwd, "Bash", command="ls", run_in_background=True)
    assert not _allows("run", cwd, "Bash", command="ls", dangerouslyDisableSandbox=True)


CONTROLS = (
    ";",
    "&",
    "&&",
    "|",
    "`x`",
    "$(x)",
    "<",
    ">",
    "\n",
    "\r",
    "(x)",
    "${x@P}",
    "\0",
    "\u2028",
)


@pytest.mark.promise("A rule for a command allows no second command.", against="model")
@pytest.mark.parametrize("control", CONTROLS)
def test_a_beginning_allows_no_second_command(cwd: Path, control: str) -> None:
    command = f"pytest a {control} b"
    assert not _allows("run:pytest *", cwd, "Bash", command=command)
    assert _allows("run", cwd, "Bash", command=command)
    assert Rule.for_exactly(Kind.RUN, command).allows(
        action_of(PermissionRequest("Bash", {"command": command}), cwd),
        cwd,
    )


# -- the web -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "url", "allowed"),
    [
        ("python.org", "https://python.org/x", True),
        ("python.org", "https://docs.python.org", True),
        ("python.org", "HTTPS://Docs.Python.ORG.:443/a@b", True),
        ("Python.org", "http://python.org", True),
        ("python.org", "https://evilpython.org", False),
        ("python.org", "https://python.org.evil.com", False),
        ("python.org", "https://python.org@evil.com", False),
        ("python.org", "https://evil.com@python.org", False),
        ("python.org", "https://evil.com\\@python.org", False),
        ("python.org", "https://evil.com#@python.org", False),
        ("python.org", "https://evil.com?.python.org", False),
        ("python.org", "https://evil.com\t.python.org", False),
        ("python.org", "https://evil.com%2f.python.org", False),
        ("python.org", "https://pyth\u03bfn.org", False),
        ("python.org", "https://python。org", False),
        ("python.org", "file://python.org/etc", False),
        ("python.org", "python.org", False),
        ("python.org", "https://python.org:x", False),
        ("python.org", "https://[::1]/python.org", False),
        ("0.0.1", "http://127.0.0.1", False),
        ("127.0.0.1", "http://127.0.0.1:8888", True),
        ("org", "https://python.org", False),
        ("localhost", "http://localhost:8000", True),
        ("search", "http://search", False),
    ],
)
def test_a_domain_covers_what_is_below_it(
    cwd: Path,
    pattern: str,
    url: str,
    *,
    allowed: bool,
) -> None:
    assert _allows(f"web:{pattern}", cwd, "WebFetch", url=url) == allowed


def test_searching_is_allowed_by_its_own_word(cwd: Path) -> None:
    assert _allows("web:search", cwd, "WebSearch", query="x")
    assert not _allows("web:python.org", cwd, "WebSearch", query="https://python.org")


@settings(deadline=None)
@given(st.text())
def test_a_domain_is_made_of_plain_letters(rest: str) -> None:
    domain = domain_of(f"https://{rest}")
    assert domain is None or (domain.isascii() and domain == domain.lower() and "@" not in domain)
