"""What it takes to install this repository as somebody else would: a copy, and the network."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

REPOSITORY = Path(__file__).parents[2]

#: How long pip may take for one step, in seconds. With all dependencies it takes about 60.
PIP_TIMEOUT_S = 600

#: What pip and npm need to reach their index, taken before the tests' environment is made sterile.
_NETWORK = re.compile(
    r"(HOME|LANG|PIP_.*|npm_config_.*|NODE_EXTRA_CA_CERTS|SSL_CERT_\w+|\w+_proxy)", re.IGNORECASE
)
INSTALLING = {name: value for name, value in os.environ.items() if _NETWORK.fullmatch(name)}


def run(command: Sequence[str | Path], environment: Mapping[str, str], folder: Path) -> str:
    """Run a step of an installation in a folder; return what it said, and fail where it fails."""
    ran = subprocess.run(  # noqa: S603 - ours
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PIP_TIMEOUT_S,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout
    return ran.stdout


def files_of_the_repository() -> list[str]:
    """Return the names of all files that are, or are going to be, in Git."""
    listed = ["git", "ls-files", "-co", "--exclude-standard"]
    return run(listed, os.environ, REPOSITORY).splitlines()


def clean_checkout(folder: Path) -> Path:
    """Copy this repository, without anything that was built in it, to a new folder."""
    for name in files_of_the_repository():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(REPOSITORY / name, folder / name)
    return folder
