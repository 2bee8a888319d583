"""Sessions and `claude-magic doctor` on machines with unusual folders, users and variables."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support.accounts import UIDS, reaching, why_not

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Api

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the conditions are POSIX ones")

_ASK = """
from claude_magic import ClaudeSession, errors
try:
    with ClaudeSession() as session:
        print(session.ask("hello").text)
except errors.ClaudeMagicError as error:
    print(type(error).__name__, error)
"""

_ANSWER = "You said: hello\n"


@dataclass(frozen=True)
class Condition:
    """An environment to run in.

    Attributes
    ----------
    setup
        Shell commands that make it, in an empty folder. ``$TMPDIR`` and ``$HOME`` are folders.
    told
        What the session prints: the answer, or words of the error.
    finding
        What `claude-magic doctor` has to say: a finding's name, its state and a word of it.
    mounts
        Whether it needs root and a mount namespace.
    stranger
        Whether it is run by a user without a passwd entry.
    """

    setup: str
    told: tuple[str, ...] = (_ANSWER,)
    finding: tuple[str, str, str] | None = None
    mounts: bool = False
    stranger: bool = False


CONDITIONS = {
    "temporary folder: noexec": Condition(
        'mount -t tmpfs -o noexec none "$TMPDIR"',
        finding=("temporary files", "limited", "noexec"),
        mounts=True,
    ),
    "temporary folder: read-only": Condition(
        'mount -t tmpfs -o ro none "$TMPDIR"',
        finding=("temporary files", "limited", "read-only"),
        mounts=True,
    ),
    "temporary folder: full": Condition(
        'mount -t tmpfs -o nr_inodes=1 none "$TMPDIR"',
        finding=("temporary files", "limited", "$TMPDIR"),
        mounts=True,
    ),
    "temporary folder: missing": Condition(
        'rmdir "$TMPDIR"', finding=("temporary files", "limited", "missing")
    ),
    "temporary folder: a file": Condition(
        'rmdir "$TMPDIR"; : >"$TMPDIR"', finding=("temporary files", "limited", "$TMPDIR")
    ),
    "temporary folder: too long for a socket": Condition(
        'n=nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn; export TMPDIR="$TMPDIR/$n/$n/$n/$n";'
        ' mkdir -p "$TMPDIR"',
        finding=("temporary files", "limited", "too long"),
    ),
    "temporary folder: not UTF-8": Condition(
        """export TMPDIR="$TMPDIR/$(printf '\\377\\376')"; mkdir "$TMPDIR" """,
        finding=("temporary files", "limited", "UTF-8"),
    ),
    "temporary folder: relative": Condition(
        "mkdir here; export TMPDIR=here", finding=("temporary files", "fine", "here")
    ),
    "temporary folder: none anywhere": Condition(
        'for each in /tmp /var/tmp /usr/tmp; do if [ -d "$each" ]; then mount --bind "$each"'
        ' "$each"; mount -o remount,bind,ro "$each"; fi; done; mount -t tmpfs none "$HOME"',
        told=("StartError", "no folder for temporary files", "mkdir -p ~/tmp", "TMPDIR"),
        finding=("temporary files", "broken", "no folder"),
        mounts=True,
    ),
    "working directory: gone": Condition(
        'mkdir gone; cd gone; rmdir "$PWD"',
        told=("StartError", "working directory", "gone", "%cd ~"),
        finding=("working directory", "broken", "gone"),
    ),
    "working directory: not UTF-8": Condition(
        """mkdir "$(printf '\\377')"; cd "$(printf '\\377')" """,
        told=("StartError", "working directory", "UTF-8", "%cd ~"),
        finding=("working directory", "broken", "UTF-8"),
    ),
    "home: not set": Condition("unset HOME", finding=("home directory", "fine", "/")),
    "home: not set, nor a passwd entry": Condition(
        "unset HOME CLAUDE_CONFIG_DIR",
        told=("StartError", "no home directory", f"user {UIDS[0]}", "export HOME="),
        finding=("home directory", "broken", "HOME"),
        stranger=True,
    ),
    "home: not set, nor a passwd entry, but a configuration folder": Condition(
        "unset HOME",
        told=("StartError", "no home directory", "export HOME="),
        finding=("home directory", "broken", "HOME"),
        stranger=True,
    ),
    "home: set, without a passwd entry": Condition(
        "unset CLAUDE_CONFIG_DIR USER LOGNAME",
        finding=("home directory", "fine", "$HOME"),
        stranger=True,
    ),
    "libraries: a file with the name of one": Condition(
        "echo 'raise SystemExit(1)' >anyio.py", finding=("libraries", "broken", "anyio.py")
    ),
}


@pytest.fixture
def folder() -> Iterator[Path]:
    """Give a folder with a short name that every user can enter."""
    path = Path(tempfile.mkdtemp(dir="/tmp"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


def _run(
    condition: Condition, folder: Path, environment: dict[str, str], *command: str
) -> subprocess.CompletedProcess[str]:
    for name in ("tmp", "home", "work", "staging"):
        (folder / name).mkdir(exist_ok=True)
        if condition.stranger and name != "staging":
            os.chown(folder / name, UIDS[0], UIDS[0])
    whole = ["sh", "-c", f'cd "$WORK"; {condition.setup}\nexec "$@"', "sh", *command]
    if condition.mounts:
        whole = ["unshare", "--mount", "--propagation", "private", *whole]
    if condition.stranger:
        user = ["setpriv", f"--reuid={UIDS[0]}", f"--regid={UIDS[0]}", "--clear-groups"]
        whole = reaching([*user, *whole], folder / "staging")
    # Another user, and a disk that cannot be written, take no measurements of the coverage.
    environment = {key: text for key, text in environment.items() if "COVERAGE" not in key}
    return subprocess.run(  # noqa: S603 - ours
        whole,
        env={
            **environment,
            "TMPDIR": str(folder / "tmp"),
            "HOME": str(folder / "home"),
            "CLAUDE_CONFIG_DIR": str(folder / "home" / "claude"),
            "WORK": str(folder / "work"),
            "IPYTHONDIR": str(folder / "home" / "ipython"),
            "JUPYTER_RUNTIME_DIR": str(folder / "home" / "runtime"),
        },
        capture_output=True,
        text=True,
        check=False,
    )


def _check_possible(condition: Condition, folder: Path) -> None:
    if condition.mounts and (os.getuid() != 0 or shutil.which("unshare") is None):
        pytest.skip("only root can mount, and unshare (util-linux) must be there")
    if condition.stranger:
        (folder / "staging").mkdir()
        reason = why_not(folder / "staging")
        if reason is not None:
            pytest.skip(reason)


@pytest.mark.failure(
    "The temporary, home or working directory is missing, read-only or otherwise unusable",
    then="It works, or the error says how to fix it, and `claude-magic doctor` finds it",
)
@pytest.mark.parametrize("condition", CONDITIONS.values(), ids=CONDITIONS)
def test_a_session_answers_or_says_what_to_do(
    condition: Condition, folder: Path, sterile: dict[str, str], api: Api
) -> None:
    _check_possible(condition, folder)
    ran = _run(condition, folder, {**sterile, **api.environment}, sys.executable, "-c", _ASK)
    if "libraries" in str(condition.finding):
        assert "ShadowedModuleError" in ran.stderr
        assert "mv " in ran.stderr
        return
    assert ran.returncode == 0, ran.stderr
    for words in condition.told:
        assert words in ran.stdout
    assert ran.stderr == ""


@pytest.mark.failure(
    "The temporary, home or working directory is missing, read-only or otherwise unusable",
    then="It works, or the error says how to fix it, and `claude-magic doctor` finds it",
)
@pytest.mark.parametrize("condition", CONDITIONS.values(), ids=CONDITIONS)
def test_the_doctor_finds_it(
    condition: Condition, folder: Path, sterile: dict[str, str], api: Api
) -> None:
    _check_possible(condition, folder)
    command = [sys.executable, "-P", "-m", "claude_magic.cli", "doctor", "--json"]
    if sys.version_info < (3, 11):  # it has no -P
        command[1:2] = []
    ran = _run(condition, folder, {**sterile, **api.environment}, *command)
    assert ran.stdout, ran.stderr
    findings: list[dict[str, Any]] = json.loads(ran.stdout)["findings"]
    assert condition.finding is not None
    name, state, word = condition.finding
    found = [each for each in findings if each["name"] == name]
    assert [each["state"] for each in found] == [state]
    word = word.replace("$TMPDIR", str(folder / "tmp")).replace("$HOME", str(folder / "home"))
    assert word in found[0]["told"]
    assert (state == "fine") == (found[0]["remedy"] == "")
