"""Front ends, by what they can do with the outputs of a cell."""

from __future__ import annotations

import os
import re
import sys
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from claude_magic.well_formed import well_formed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from IPython.core.interactiveshell import InteractiveShell


class FrontEnd(Enum):
    """The four kinds of front end."""

    #: JupyterLab, Notebook, VS Code, Colab: a user is there, and outputs can be rewritten.
    NOTEBOOK = "notebook"
    #: jupyter console, qtconsole, Spyder: a user is there, and outputs stay as they first appear.
    STREAM = "stream"
    #: nbclient, nbval, papermill, nbconvert: nobody is there, outputs are compared or stored.
    BATCH = "batch"
    #: IPython in a terminal, or a shell without a kernel.
    CONSOLE = "console"


#: A message id as jupyter_client makes it, with a counter at its end. The front ends that are
#: written in Python ignore updates of outputs.
_FROM_PYTHON = re.compile(r".*_\d+")


def notebook_path(shell: InteractiveShell) -> str:
    """Return the path of the notebook in front of the kernel, or else the working directory.

    By it a later kernel finds this one's conversations again.
    """
    # Jupyter Server sets the one, VS Code the other; batch runners and consoles set neither.
    told = os.environ.get("JPY_SESSION_NAME") or shell.user_ns.get("__vsc_ipynb_file__")
    if told:
        return well_formed(str(told))
    try:
        return well_formed(str(Path.cwd()))
    except OSError:  # it no longer exists
        return os.environ.get("PWD") or os.sep


def front_end(shell: InteractiveShell) -> FrontEnd:
    """Tell the kind of front end that runs the present cell. Main thread only."""
    kernel = getattr(shell, "kernel", None)
    if kernel is None:
        return FrontEnd.CONSOLE
    request = kernel.get_parent("shell") or {}
    # A front end that answers no input() has no user in front of it.
    if not request.get("content", {}).get("allow_stdin", False):
        return FrontEnd.BATCH
    return FrontEnd.NOTEBOOK if _rewrites_outputs(shell, request) else FrontEnd.STREAM


def in_vs_code(shell: InteractiveShell) -> bool:
    """Return whether VS Code runs the kernel, which shows an input prompt in one line."""
    return "__vsc_ipynb_file__" in shell.user_ns or "VSCODE_PID" in os.environ


def _rewrites_outputs(shell: InteractiveShell, request: Mapping[str, Any]) -> bool:
    """Return whether there is evidence that the sender of a request shows updates of outputs."""
    if request.get("metadata", {}).get("cellId"):
        return True
    if _FROM_PYTHON.fullmatch(request.get("header", {}).get("msg_id", "")):
        return False
    served = "JPY_SESSION_NAME" in os.environ or "google.colab" in sys.modules
    return served or in_vs_code(shell)
