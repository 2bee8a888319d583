"""What Binder makes of `binder/`, as far as it can be seen without building its image."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.sterile import sterile_environment

_ROOT = Path(__file__).parents[2]
_BINDER = _ROOT / "binder"

#: What Jupyter's place is taken by: it asks as a kernel would, and tells where it is.
_ASKING = """
import os
from claude_magic import ClaudeSession

with ClaudeSession() as session:
    print(session.status.label)
    print(session.ask("My name is Ada. What is the median of 3, 1 and 2?").text.strip())
print(os.environ["CLAUDE_CONFIG_DIR"])
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    sterile = sterile_environment(tmp_path / "home")
    sterile["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), sterile["PATH"]])
    return sterile


def test_repo2docker_finds_what_it_needs(environment: dict[str, str]) -> None:
    read = subprocess.run(  # noqa: S603 - ours
        [sys.executable, "-m", "repo2docker", "--no-build", "--debug", str(_ROOT)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    told = read.stdout + read.stderr
    assert read.returncode == 0, told
    assert "environment for python=3.12" in told
    assert "RUN ./binder/postBuild" in told
    assert 'ENV R2D_ENTRYPOINT="${REPO_DIR}/binder/start"' in told


def test_what_binder_starts_talks_to_the_demo_which_ends_with_it(
    environment: dict[str, str],
) -> None:
    # Returns when the demo has let go of standard error, too.
    ran = _start(environment, "-c", _ASKING)
    assert ran.returncode == 0, ran.stderr
    label, answer, folder = ran.stdout.splitlines()
    assert label == "scripted replies"
    assert answer.endswith("so the median is **2**.")
    assert not Path(folder).exists()


def test_binder_starts_nothing_without_the_demo(
    environment: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "claude_magic.py").write_text("raise RuntimeError('not today')")
    ran = _start({**environment, "PYTHONPATH": str(tmp_path)}, "-c", "print('started')")
    assert ran.returncode == 1
    assert ran.stdout == ""
    assert "not today" in ran.stderr
    assert "The offline demo has not started" in ran.stderr


def test_the_welcome_page_leads_to_every_notebook() -> None:
    page = (_BINDER / "welcome.md").read_text()
    linked = {(_BINDER / link).resolve() for link in re.findall(r"\]\(([^)]+\.ipynb)\)", page)}
    there = {*(_ROOT / "notebooks").glob("*.ipynb"), _BINDER / "own-key.ipynb"}
    assert linked == {notebook.resolve() for notebook in there}
    assert "Scripted replies" in page
    viewers = json.loads((_BINDER / "overrides.json").read_text())
    assert viewers["@jupyterlab/docmanager-extension:plugin"]["defaultViewers"]["markdown"]


def _start(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python in the place of Jupyter."""
    return subprocess.run(  # noqa: S603 - ours
        [str(_BINDER / "start"), "python", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
