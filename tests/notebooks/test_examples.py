"""The example notebooks, exactly as shipped, on their tapes: under nbval, and as `tape check`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from claude_magic.tape import Tape, tape_of, tapes_in

_FOLDER = Path(__file__).parents[2] / "notebooks"
_NOTEBOOKS = sorted(_FOLDER.glob("*.ipynb"))

_each = pytest.mark.parametrize("notebook", _NOTEBOOKS, ids=lambda path: path.stem)


@_each
def test_a_notebook_shows_what_is_stored_in_it(notebook: Path, tmp_path: Path) -> None:
    nbval = _python(
        *("-m", "pytest", "-q", "--nbval", "--nbval-current-env", "--claude-tape=replay"),
        *("-c", os.devnull, "--rootdir", str(tmp_path), "-p", "no:cacheprovider"),
        str(notebook),
    )
    assert nbval.returncode == 0, nbval.stdout + nbval.stderr
    assert "not played to its end" not in nbval.stdout


@_each
def test_a_notebook_is_stored_with_its_outputs_and_nothing_of_a_machine(notebook: Path) -> None:
    document = json.loads(notebook.read_text())
    answers = [
        output["data"]["text/markdown"]
        for cell in document["cells"]
        for output in cell.get("outputs", ())
        if "text/markdown" in output.get("data", {})
    ]
    assert any("scripted replies" in "".join(answer) for answer in answers)
    assert set(document["metadata"]) == {"kernelspec"}
    for trace in ("/home/", "/root/", "/tmp/"):  # noqa: S108 - looked for, not used
        assert trace not in notebook.read_text()
    # A cell may say where a cluster listens; what an API's address was must not be stored.
    assert "127.0.0.1" not in str([cell.get("outputs") for cell in document["cells"]])


@_each
def test_a_notebook_says_where_its_answers_come_from(notebook: Path) -> None:
    (intro, *_rest) = json.loads(notebook.read_text())["cells"]
    assert "*scripted replies*" in "".join(intro["source"])
    assert f"tapes/{notebook.stem}.yaml" in notebook.read_text()
    assert Tape.load(tape_of(notebook)).label == "scripted replies"


def test_every_tape_belongs_to_a_notebook() -> None:
    assert [tape_of(notebook) for notebook in _NOTEBOOKS] == tapes_in(_FOLDER)


def test_the_demo_command_runs_a_notebook_and_writes_a_page(tmp_path: Path) -> None:
    demo = _demo(_NOTEBOOKS[0], tmp_path)
    assert demo.returncode == 0, demo.stderr
    assert "scripted replies" in demo.stdout
    assert "Your name is Ada." in demo.stdout
    assert "Your name is Ada." in (tmp_path / "01-first-conversation.html").read_text()
    assert (tmp_path / "01-first-conversation.ipynb").exists()


def test_the_demo_command_answers_a_notebook_without_a_tape_and_fails_where_a_cell_does(
    tmp_path: Path,
) -> None:
    document = json.loads(_NOTEBOOKS[0].read_text())
    document["cells"][8]["source"] = "%%claude\nSomething that nobody scripted"
    broken = tmp_path / "broken.ipynb"
    broken.write_text(json.dumps(document))
    demo = _demo(broken, tmp_path / "output")
    assert demo.returncode == 1
    assert "Hello Ada." in demo.stdout
    assert "a cell failed" in demo.stderr


def _demo(notebook: Path, output: Path) -> subprocess.CompletedProcess[str]:
    return _python("-m", "claude_magic.cli", "demo", "--output", str(output), str(notebook))


def _python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - ours
        [sys.executable, *arguments], capture_output=True, text=True, check=False, cwd=_FOLDER
    )
