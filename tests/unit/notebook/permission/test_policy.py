from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.sensitive_names import EDITABLE, OBEYED, SECRET

from claude_magic.errors import UsageError
from claude_magic.notebook.permission import (
    Action,
    Grants,
    Kind,
    Rule,
    action_of,
    is_asked_each_time,
    is_ordinary_edit,
    needs_consent,
    parse_rules,
    rule_for,
)
from claude_magic.notebook.permission.grep import sparing
from claude_magic.notebook.permission.sensitive import is_secret, names_secret
from claude_magic.session import PermissionRequest


@pytest.fixture
def cwd(tmp_path: Path) -> Path:
    inside = tmp_path / "work"
    (inside / "src").mkdir(parents=True)
    (inside / "src" / "a.py").write_text("a = 1\n")
    (tmp_path / "data" / "sub").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "b.txt").write_text("b")
    (inside / "way-out").symlink_to(tmp_path / "outside")
    (inside / "a+b").symlink_to(tmp_path / "outside")
    return inside


def _act(cwd: Path, tool: str, /, **arguments: Any) -> Action:
    return action_of(PermissionRequest(tool, arguments), cwd)


#: Every tool, with what runs unasked and what does not.
UNASKED: list[tuple[str, dict[str, Any]]] = [
    ("Read", {"file_path": "src/a.py"}),
    ("Read", {"file_path": "nothing.txt"}),
    ("Read", {"file_path": "../data/x.csv"}),
    ("Read", {"file_path": ".git/HEAD"}),
    ("Read", {"file_path": "a.csv", "offset": 3, "limit": 2}),
    ("Glob", {"pattern": "**/*.py"}),
    ("Glob", {"pattern": "**/*"}),
    ("Glob", {"pattern": "*.json", "path": "src"}),
    ("Glob", {"pattern": "*", "path": "../data"}),
    ("Grep", {"pattern": "TOKEN"}),
    ("Grep", {"pattern": r"\.env", "path": "src"}),
    ("Grep", {"pattern": "a", "glob": "*.json"}),
    ("Grep", {"pattern": "a", "glob": "*.yml !.env*"}),
    ("Grep", {"pattern": "a", "path": "src/a.py"}),
    ("mcp__kernel__list_variables", {}),
    ("mcp__kernel__inspect", {"name": "x"}),
]
ASKED: list[tuple[str, dict[str, Any]]] = [
    ("Read", {"file_path": ".env"}),
    ("Read", {"file_path": "src/.env.local"}),
    ("Read", {"file_path": ".ENV"}),
    ("Read", {"file_path": ".git/config"}),
    ("Read", {"file_path": "src/a.py", "path": "/etc/hosts"}),
    ("Glob", {"pattern": "*\x1cx"}),
    ("Grep", {"pattern": "a", "glob": "*.py", "include": ".env"}),
    ("Grep", {"pattern": "a", "--no-ignore": True}),
    ("Read", {"file_path": "tls/server.Key"}),
    ("Read", {"file_path": "../outside/b.txt"}),
    ("Read", {"file_path": "way-out/b.txt"}),
    ("Read", {"file_path": "way-out/../src/a.py"}),
    ("Read", {"file_path": "/etc/passwd"}),
    ("Read", {"file_path": " /etc/passwd"}),
    ("Read", {"file_path": "~/notes.txt"}),
    ("Read", {"file_path": "../data/.aws/config"}),
    ("Read", {"file_path": ""}),
    ("Read", {}),
    ("Read", {"file_path": ["src/a.py"]}),
    ("Glob", {"pattern": "/etc/*"}),
    ("Glob", {"pattern": "../**"}),
    ("Glob", {"pattern": "*", "path": "/"}),
    ("Glob", {"pattern": "*", "path": "way-out"}),
    ("Glob", {"pattern": "way-out/*"}),
    ("Glob", {"pattern": "a+b/*"}),
    ("Glob", {"pattern": "**/.env*"}),
    ("Glob", {"pattern": "**/*.{pem,key}", "path": ".ssh"}),
    ("Glob", {}),
    ("Glob", {"pattern": "*", "path": 3}),
    ("Grep", {"pattern": "a", "path": ".."}),
    ("Grep", {"pattern": "a", "path": ".env"}),
    ("Grep", {"pattern": "a", "path": ".ssh"}),
    ("Grep", {"pattern": "a", "path": "~"}),
    ("Grep", {"pattern": "a", "glob": ".env"}),
    ("Grep", {"pattern": "a", "glob": "{*.py,.e*}"}),
    ("Grep", {"pattern": "a", "glob": "**/id_rsa"}),
    ("Grep", {"pattern": "a", "glob": 3}),
    ("Edit", {"file_path": "src/a.py", "old_string": "1", "new_string": "2"}),
    ("Write", {"file_path": "new.py", "content": ""}),
    ("NotebookEdit", {"notebook_path": "n.ipynb", "new_source": ""}),
    ("Bash", {"command": "ls"}),
    ("Bash", {}),
    ("WebFetch", {"url": "https://docs.python.org", "prompt": ""}),
    ("WebSearch", {"query": "x"}),
    ("Agent", {"prompt": "Look.", "description": "d"}),
    ("Task", {"prompt": "Look.", "description": "d"}),
    ("mcp__kernel__run_python", {"code": "1"}),
    ("mcp__kernel", {}),
    ("mcp__kernels__look", {}),
    ("mcp__other__look", {}),
    ("read", {"file_path": "src/a.py"}),
    ("MultiEdit", {"file_path": "src/a.py"}),
    ("", {}),
]


@pytest.mark.parametrize(("tool", "arguments"), UNASKED)
def test_by_default_looking_runs_unasked(cwd: Path, tool: str, arguments: dict[str, Any]) -> None:
    assert not needs_consent(_act(cwd, tool, **arguments), cwd, [Path("../data")])


@pytest.mark.promise(
    "Only reading inside the working directory runs without a permission request.", against="model"
)
@pytest.mark.parametrize(("tool", "arguments"), ASKED)
def test_by_default_all_else_is_asked(cwd: Path, tool: str, arguments: dict[str, Any]) -> None:
    assert needs_consent(_act(cwd, tool, **arguments), cwd, [Path("../data")])


def test_another_directory_has_to_be_given(cwd: Path) -> None:
    action = _act(cwd, "Read", file_path="../data/x.csv")
    assert needs_consent(action, cwd)
    assert not needs_consent(action, cwd, [cwd.parent / "data"])


def test_a_working_directory_that_is_a_link_is_as_good(cwd: Path, tmp_path: Path) -> None:
    link = tmp_path / "credentials"
    link.symlink_to(cwd)
    assert not needs_consent(_act(link, "Read", file_path="src/a.py"), link)
    assert not needs_consent(_act(link, "Read", file_path=f"{link}/src/a.py"), link)
    assert not needs_consent(_act(link, "Grep", pattern="a"), link)


def test_a_secret_may_be_a_link_and_may_have_a_link_to_it(cwd: Path) -> None:
    (cwd / ".env").symlink_to("src/a.py")
    (cwd / "id_rsa").write_text("")
    (cwd / "notes.txt").symlink_to("id_rsa")
    for path in (".env", "notes.txt"):
        assert needs_consent(_act(cwd, "Read", file_path=path), cwd)


def test_a_grep_that_would_read_secrets_is_asked(cwd: Path) -> None:
    request = PermissionRequest("Grep", {"pattern": "a"})
    assert needs_consent(Action(Kind.READ, str(cwd), request, (cwd,), (cwd,), is_tree=True), cwd)


# -- secrets -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        *(".env", ".env.production", ".envrc", "a.pem", "b.key", "id_rsa", "id_rsa.pub"),
        *("id_ed25519_work", ".netrc", ".pgpass", ".npmrc", ".pypirc", ".git-credentials"),
        *("credentials", "credentials.json", ".credentials.json", "secrets.toml", "secrets.yaml"),
        *(".ssh/config", ".aws/config", ".gnupg/x", ".kube/config", ".docker/config.json"),
        *(
            ".config/gcloud/credentials.db",
            "legacy_credentials/x",
            ".bash_history",
            "a.tfvars",
            ".ENV",
            "ID_RSA",
            ".Ssh/config",
        ),
        *(".e\u200cnv", ".env ", ".env.", "\uff0eenv", ".\u017fsh/x", ".\u212aube/x"),
    ],
)
def test_a_secret_is_known_by_its_name(name: str) -> None:
    assert is_secret(Path("/work") / name, (Path("/work"),))
    assert is_secret(Path("/work/a") / name)


@pytest.mark.parametrize("name", ["env", "environment.yml", "monkey", "key.py", "a.json", "ssh/x"])
def test_other_files_are_no_secrets(name: str) -> None:
    assert not is_secret(Path("/work") / name)


def test_ssh_is_secret_even_to_whoever_works_there() -> None:
    assert is_secret(Path("/home/me/.ssh/config"), (Path("/home/me/.ssh"),))


@pytest.mark.parametrize("glob", [".env", "**/.env*", "*.pem", "{a,b}.key", "a/.ssh/*", "cred*"])
def test_a_glob_may_be_after_a_secret(glob: str) -> None:
    assert names_secret(glob)


@pytest.mark.parametrize("glob", ["*", "**/*", "*.py", "*.json", "*.toml", "*.{yml,yaml}", "!.env"])
def test_a_glob_may_be_after_something_else(glob: str) -> None:
    assert not names_secret(glob)


def test_a_glob_is_spared_once() -> None:
    assert sparing(sparing("*.py")) == sparing("*.py")


# -- for this session ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tool", "arguments", "rule"),
    [
        ("Edit", {"file_path": "src/a.py"}, "edit:src/a.py"),
        ("Write", {"file_path": "src/[1].py"}, "edit=src/[1].py"),
        ("Write", {"file_path": "a,b.py"}, "edit:a,,b.py"),
        ("NotebookEdit", {"notebook_path": "n.ipynb"}, "edit:n.ipynb"),
        ("Bash", {"command": "git status"}, "run:git status"),
        ("Bash", {"command": "rm -r *"}, "run=rm -r *"),
        ("Bash", {"command": "a && b\n"}, "run=a && b\n"),
        ("WebFetch", {"url": "https://docs.python.org/3/"}, "web:docs.python.org"),
        ("WebFetch", {"url": "https://a@b.org"}, "web=https://a@b.org"),
        ("WebFetch", {"url": "https://search/x"}, "web=https://search/x"),
        ("WebSearch", {"query": "x"}, "web:search"),
        ("mcp__kernel__run_python", {"code": "1"}, "kernel"),
        ("Agent", {"prompt": "x"}, "other:Agent"),
        ("Read", {"file_path": ".env"}, "read:.env"),
        ("Read", {"file_path": "src/.env"}, "read:src/.env"),
        ("Read", {"file_path": "../outside/b.txt"}, "read:{up}/outside/*"),
        ("Read", {"file_path": "src/x [1]/a"}, "read:src/x [[]1]/*"),
        ("Read", {"file_path": "/etc/hosts"}, "read:/etc/*"),
        ("Read", {"file_path": "/hosts"}, "read:/*"),
        ("Grep", {"pattern": "a", "path": "../outside"}, "read:{up}/outside/**"),
        ("Grep", {"pattern": "a", "path": "/"}, "read:/**"),
        ("Glob", {"pattern": "*"}, "read:**"),
        ("Write", {"file_path": "./~x"}, "edit:{up}/work/~x"),
    ],
)
def test_for_this_session_stands_for_little(
    cwd: Path,
    tool: str,
    arguments: dict[str, Any],
    rule: str,
) -> None:
    action = _act(cwd, tool, **arguments)
    found = rule_for(action, cwd)
    assert str(found) == rule.replace("{up}", str(cwd.parent))
    assert found.allows(action, cwd)
    assert parse_rules(str(found)) == (found,)


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("Read", {"file_path": "~/x"}),
        ("Edit", {"file_path": "~/x"}),
        ("Edit", {}),
        ("Grep", {"pattern": "a", "glob": ".env"}),
        ("Glob", {"pattern": "*.pem"}),
        ("Read", {"file_path": "way-out/../src/a.py"}),
    ],
)
def test_what_is_uncertain_is_asked_each_time(
    cwd: Path,
    tool: str,
    arguments: dict[str, Any],
) -> None:
    action = _act(cwd, tool, **arguments)
    assert not rule_for(action, cwd).allows(action, cwd)


@settings(deadline=None)
@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1))
def test_the_rule_for_any_file_can_be_read_again(name: str) -> None:
    cwd = Path("/nowhere")
    for tool in ("Read", "Write"):
        action = _act(cwd, tool, file_path=name)
        if action.places:
            rule = rule_for(action, cwd)
            assert parse_rules(str(rule)) == (rule,)
            assert rule.allows(action, cwd) or len(action.places) > 1


@pytest.mark.parametrize("path", [*OBEYED, *SECRET])
def test_no_answer_for_the_session_covers_what_programs_obey(cwd: Path, path: str) -> None:
    action = _act(cwd, "Write", file_path=path, content="")
    assert is_asked_each_time(action, cwd)
    assert not is_ordinary_edit(action, cwd)
    assert not any(rule.allows(action, cwd) for rule in parse_rules("edit:**,edit:*,edit:*/**"))


@pytest.mark.parametrize("path", EDITABLE)
def test_an_answer_for_the_session_covers_an_ordinary_file(cwd: Path, path: str) -> None:
    action = _act(cwd, "Write", file_path=path, content="")
    assert not is_asked_each_time(action, cwd)
    assert is_ordinary_edit(action, cwd)
    assert parse_rules("edit:**")[0].allows(action, cwd)


@pytest.mark.parametrize(
    "path", ["way-out/b.txt", "../outside/b.txt", "~/x", "way-out/../x", "/etc/hosts", ""]
)
def test_accepted_edits_stay_in_the_directories_given(cwd: Path, path: str) -> None:
    action = _act(cwd, "Write", file_path=path, content="")
    assert not is_ordinary_edit(action, cwd, [Path("../data")])
    assert is_ordinary_edit(_act(cwd, "Write", file_path="../data/a"), cwd, [Path("../data")])


def test_a_session_has_what_was_granted_until_it_is_revoked(cwd: Path) -> None:
    grants = Grants()
    status = _act(cwd, "Bash", command="git status")
    assert not grants.allows(status, cwd)
    first, second = parse_rules("run:git status,kernel")
    for rule in (first, second, first):
        grants.grant(rule)
    assert list(grants.rules) == [first, second]
    assert grants.allows(status, cwd)
    assert grants.revoke(1) == first
    assert not grants.allows(status, cwd)
    assert grants.revoke("kernel") == second
    assert not grants.rules


@pytest.mark.parametrize("which", [0, 2, -1, "2", "run", ""])
def test_what_was_not_granted_cannot_be_revoked(which: int | str) -> None:
    grants = Grants()
    grants.grant(Rule(Kind.KERNEL))
    with pytest.raises(UsageError, match="There is: 1 kernel"):
        grants.revoke(which)
    assert grants.revoke("1") == Rule(Kind.KERNEL)
    with pytest.raises(UsageError, match="There is: nothing"):
        grants.revoke(1)


def test_threads_may_grant_at_once() -> None:
    grants = Grants()
    gate = threading.Barrier(4)

    def grant(number: int) -> None:
        gate.wait()
        for step in range(200):
            grants.grant(Rule.for_exactly(Kind.RUN, f"{number} {step}"))

    threads = [threading.Thread(target=grant, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(grants.rules) == 800
