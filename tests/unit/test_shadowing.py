"""Local files with the names of dependencies: found before they run."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

#: Files next to a notebook, and whether they stand for a dependency.
FILES = {
    "claude_agent_sdk.py": True,
    "anyio.py": True,
    "mcp/__init__.py": True,
    "pydantic.py": True,
    "filelock.py": True,
    "httpx/__init__.py": True,
    "uvicorn.py": True,
    "rich/__init__.py": True,
    "pygments.py": True,
    "sniffio.py": True,
    "anyio.pyc": True,
    "pydantic_core.abi3.so": True,
    "mcp/notes.txt": False,
    "mcp/server.py": False,  # a folder without __init__.py comes last
    "my_anyio.py": False,
    "anyio.txt": False,
    "analysis.py": False,
    "pytest.py": False,  # installed, and nothing that we need
    "statistics.py": False,
}

#: Each in a fresh interpreter whose working directory comes first, as in a kernel.
WAYS = {
    "load_ext": "import claude_magic\nclaude_magic.load_ipython_extension(None)",
    "a session": "from claude_magic import ClaudeSession",
    "the chat model": "from claude_magic import ClaudeCodeChatModel",
    "a demo": "from claude_magic.tape import offline_demo\noffline_demo().start()",
    "a file that came later": (
        "from claude_magic import ClaudeSession\nsession = ClaudeSession()\n"
        "open('anyio.py', 'w').write('raise SystemExit(9)')\nsession.connect()"
    ),
}

_CHECK = "from claude_magic.shadowing import refuse_shadowed\nrefuse_shadowed()"


def _run(folder: Path, code: str) -> subprocess.CompletedProcess[str]:
    code = f"import sys\nsys.path.insert(0, '')\n{code}"
    command = [sys.executable, "-I", "-c", code]
    return subprocess.run(  # noqa: S603 - ours
        command, cwd=folder, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(("name", "stands"), FILES.items())
def test_only_what_stands_for_a_dependency_is_refused(
    tmp_path: Path, name: str, *, stands: bool
) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("raise SystemExit(9)")
    ran = _run(tmp_path, _CHECK)
    assert ran.returncode == int(stands), ran.stderr
    if stands:
        assert "ShadowedModuleError" in ran.stderr
        assert str(path) in ran.stderr
        assert "it was not run" in ran.stderr


@pytest.mark.failure(
    "A local file shadows a dependency",
    then="`%load_ext` reports it and does not run it",
)
@pytest.mark.parametrize(("way", "code"), WAYS.items())
def test_it_is_not_run_whatever_comes_first(tmp_path: Path, way: str, code: str) -> None:
    if "later" not in way:
        (tmp_path / "anyio.py").write_text("raise SystemExit(9)")
    ran = _run(tmp_path, code)
    assert ran.returncode == 1
    assert "ShadowedModuleError" in ran.stderr


def test_the_remedy_can_be_pasted(tmp_path: Path) -> None:
    folder = tmp_path / "it's a folder"
    (folder / "mcp").mkdir(parents=True)
    (folder / "mcp" / "__init__.py").write_text("raise SystemExit(9)")
    ran = _run(folder, _CHECK)
    *_, remedy = ran.stderr.strip().splitlines()
    subprocess.run(["sh", "-c", remedy], check=True)  # noqa: S603, S607 - ours
    assert (folder / "my_mcp" / "__init__.py").exists()
    assert _run(folder, _CHECK).returncode == 0


def test_what_has_been_imported_already_is_told(tmp_path: Path) -> None:
    (tmp_path / "anyio.py").write_text("")
    ran = _run(tmp_path, f"import anyio\n{_CHECK}")
    assert "was imported in the place of the library 'anyio'" in ran.stderr


def test_a_working_directory_behind_the_libraries_or_gone_is_none_of_it(tmp_path: Path) -> None:
    (tmp_path / "anyio.py").write_text("raise SystemExit(9)")
    assert _run(tmp_path, f"sys.path.append(sys.path.pop(0))\n{_CHECK}").returncode == 0
    gone = tmp_path / "gone"
    gone.mkdir()
    assert _run(gone, f"import os\nos.rmdir(os.getcwd())\n{_CHECK}").returncode == 0
