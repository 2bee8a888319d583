"""What `claude-magic doctor` finds on a machine that a test has made."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import version
from typing import TYPE_CHECKING

import pytest

from claude_magic import __version__
from claude_magic.doctor import Finding, State, is_fine, report

if TYPE_CHECKING:
    from pathlib import Path

SECRETS = {
    "ANTHROPIC_API_KEY": "sk-ant-api03-nobody-may-see-this",
    "ANTHROPIC_BASE_URL": "https://ada:lovelace@gateway.example/v1/path-key",
    "ANTHROPIC_CUSTOM_HEADERS": "X-Key: gateway-header-key",
    "MY_PASSWORD": "correct-horse",
}


def doctor(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - ours
        [sys.executable, "-m", "claude_magic.cli", "doctor", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_tells_what_is_there_and_no_secret(sterile: dict[str, str]) -> None:
    run = doctor({**sterile, **SECRETS, "CLAUDE_MAGIC_TAPE": "replay:a.yaml"}, "--json")
    assert run.returncode == 0, run.stdout + run.stderr
    told = json.loads(run.stdout)
    assert told["claude-magic"] == __version__
    assert told["fine"] is True
    found = {each["name"]: each for each in told["findings"]}
    assert version("claude-agent-sdk") in found["Claude Code"]["told"]
    assert found["login"]["told"] == "an API key"
    assert found["API"]["told"] == "gateway.example, by ANTHROPIC_BASE_URL"
    assert found["tape"]["remedy"] == "unset it to talk to Claude"
    assert version("ipykernel") in found["kernel"]["told"]
    assert found["control channel"]["state"] == "fine"
    assert found["JupyterLab"]["told"] == version("jupyterlab")
    assert found["widgets"]["state"] == "fine"
    assert {"Lab extension", "sandbox"} <= set(found)
    for secret in ("nobody-may-see", "lovelace", "path-key", "header-key", "correct-horse"):
        assert secret not in run.stdout + run.stderr


def test_an_address_that_is_none_is_told(sterile: dict[str, str]) -> None:
    run = doctor({**sterile, **SECRETS, "ANTHROPIC_BASE_URL": "https://[gateway"})
    assert run.returncode == 1
    assert "→ set it to an http or https URL" in run.stdout
    assert "Traceback" not in run.stderr


def test_without_a_login_it_fails_and_says_what_to_do(sterile: dict[str, str]) -> None:
    run = doctor(sterile)
    assert run.returncode == 1
    lines = run.stdout.splitlines()
    (place,) = (number for number, line in enumerate(lines) if "no API key and no login" in line)
    assert lines[place].startswith("✗ login")
    assert "→ run `claude-magic login`, or set ANTHROPIC_API_KEY" in lines[place + 1]
    assert len(lines) < 25


@pytest.mark.parametrize(
    ("state", "fine"),
    [(State.FINE, True), (State.LIMITED, True), (State.BROKEN, False)],
)
def test_what_is_limited_is_told_and_is_fine(state: State, fine: bool) -> None:  # noqa: FBT001
    findings = [Finding("a", State.FINE, "b"), Finding("thing", state, "told", "do it")]
    assert is_fine(findings) is fine
    assert "\n         → do it" in report(findings, as_json=False)
    assert json.loads(report(findings, as_json=True))["findings"][1]["state"] == state.value


def test_a_kernel_that_does_not_start_is_told(sterile: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "ipykernel_launcher.py").write_text("raise SystemExit('broken')")
    run = doctor({**sterile, "ANTHROPIC_API_KEY": "x", "PYTHONPATH": str(tmp_path)})
    assert run.returncode == 1
    assert "✗ kernel" in run.stdout
    assert "-m pip install --force-reinstall ipykernel" in run.stdout
