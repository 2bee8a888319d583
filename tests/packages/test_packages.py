"""The wheel and the sdist, as they come to somebody else's machine, which has no Node."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import tarfile
import zipfile
from typing import TYPE_CHECKING

import pytest
from support.installation import (
    INSTALLING,
    PIP_TIMEOUT_S,
    REPOSITORY,
    clean_checkout,
    files_of_the_repository,
    run,
)
from support.sterile import sterile_environment

if TYPE_CHECKING:
    from pathlib import Path

EXTENSION = "share/jupyter/labextensions/claude-magic/"

#: What a page loads of the extension, in bytes: 28,000 of it are the request and the panel, which
#: kernels sent to each page before.
PAGE_WEIGHT = 80_000

pytestmark = pytest.mark.timeout(2 * PIP_TIMEOUT_S)


@pytest.fixture(scope="module")
def no_node(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A PATH on which there is what an installation may need, and no Node."""
    folder = tmp_path_factory.mktemp("bin")
    for name in ("bash", "env", "git", "sh", "uname"):
        found = shutil.which(name)
        if found is not None:
            (folder / name).symlink_to(found)
    assert shutil.which("node", path=str(folder)) is None
    return str(folder)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, no_node: str) -> Path:
    """A folder with the sdist of a clean checkout and the wheel made of it, without Node."""
    root = tmp_path_factory.mktemp("build")
    checkout = clean_checkout(root / "checkout")
    environment = {**INSTALLING, "PATH": no_node}
    run([sys.executable, "-m", "build", "--outdir", root / "dist", checkout], environment, root)
    return root / "dist"


def _members(archive: Path) -> dict[str, int]:
    """Return the files of an archive and their sizes in bytes, without an sdist's own folder."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            return {each.filename: each.file_size for each in wheel.infolist()}
    with tarfile.open(archive) as sdist:
        return {each.name.partition("/")[2]: each.size for each in sdist.getmembers()}


def test_both_hold_the_built_extension_and_a_page_loads_little_of_it(built: Path) -> None:
    wheel = _members(next(built.glob("*.whl")))
    data = {name.partition(".data/data/")[2]: size for name, size in wheel.items()}
    held = {name[len(EXTENSION) :]: size for name, size in data.items() if EXTENSION in name}
    assert {"package.json", "install.json"} <= set(held)
    scripts = {name: size for name, size in held.items() if name.endswith(".js")}
    assert any(name.startswith("static/remoteEntry.") for name in scripts)
    assert sum(scripts.values()) <= PAGE_WEIGHT, scripts

    sdist = _members(next(built.glob("*.tar.gz")))
    assert {f"labextension/dist/{name}" for name in scripts} <= set(sdist)
    assert not [name for name in sdist if "node_modules" in name]


def _check(bin_: Path, no_node: str, home: Path) -> None:
    """Look whether all faces of an installed package are there."""
    environment = {**sterile_environment(home), "PATH": f"{bin_}{os.pathsep}{no_node}"}
    listed = run([bin_ / "jupyter", "labextension", "list"], environment, home)
    plain = re.sub(r"\x1b\[\d+m", "", listed)
    assert re.search(r"claude-magic v[\d.]+ enabled OK \(python, claude-magic\)", plain), listed
    # It restores saved scripts when a notebook is opened.
    assert "anywidget" not in plain
    code = (
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "shell = InteractiveShell.instance()\n"
        "shell.run_line_magic('load_ext', 'claude_magic')\n"
        "shell.run_line_magic('claude_help', '')\n"
        "from claude_magic.widgets import CorePanel, StatusPanel\n"
        "from claude_magic.session import SessionRegistry\n"
        "StatusPanel(SessionRegistry()), CorePanel(SessionRegistry())\n"
        "shell.run_line_magic('unload_ext', 'claude_magic')\n"
    )
    assert "%%claude" in run([bin_ / "python", "-c", code], environment, home)


def test_wheel_and_sdist_install_into_a_clean_environment_with_nothing_missing(
    built: Path, no_node: str, tmp_path: Path
) -> None:
    run([sys.executable, "-m", "venv", tmp_path / "venv"], os.environ, tmp_path)
    bin_ = tmp_path / "venv" / "bin"
    environment = {**INSTALLING, "PATH": no_node}
    install: list[str | Path] = [bin_ / "python", "-m", "pip", "install", "--quiet"]
    wheel, sdist = next(built.glob("*.whl")), next(built.glob("*.tar.gz"))

    run([*install, f"{wheel}[demo]"], environment, tmp_path)
    _check(bin_, no_node, tmp_path / "wheel")
    installed = run([bin_ / "python", "-m", "pip", "list"], environment, tmp_path)
    assert "ipywidgets" in installed
    assert "anywidget" not in installed
    assert not (tmp_path / "venv" / "share/jupyter/labextensions/anywidget").exists()

    run([*install[:3], "uninstall", "--quiet", "--yes", "claude-magic"], environment, tmp_path)
    assert not (tmp_path / "venv" / EXTENSION).exists()
    run([*install, sdist], environment, tmp_path)
    _check(bin_, no_node, tmp_path / "sdist")
    run([bin_ / "python", "-m", "pip", "check"], environment, tmp_path)


def test_no_lock_file_carries_the_address_of_a_registry() -> None:
    tracked = files_of_the_repository()
    locks = [name for name in tracked if re.search(r"(-lock\.json|\.lock)$", name)]
    assert "labextension/package-lock.json" in locks
    for name in locks:
        lock = json.loads((REPOSITORY / name).read_text())
        assert not [key for key, package in lock["packages"].items() if "resolved" in package]


def test_python_and_the_extension_have_one_version() -> None:
    from claude_magic import __version__  # noqa: PLC0415

    for name in ("package.json", "package-lock.json"):
        assert (
            json.loads((REPOSITORY / "labextension" / name).read_text())["version"] == __version__
        )
