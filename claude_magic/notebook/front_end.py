"""What stands in front of the kernel, as far as it changes what a cell may show."""

from __future__ import annotations

import os
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from claude_magic.well_formed import well_formed

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


class FrontEnd(Enum):
    """The three kinds of front end."""

    #: JupyterLab, Notebook, VS Code, Colab: outputs can be rewritten, a person is there.
    NOTEBOOK = "notebook"
    #: nbclient, nbval, papermill, nbconvert: nobody is there, outputs are compared or stored.
    BATCH = "batch"
    #: IPython in a terminal, or a shell without a kernel.
    CONSOLE = "console"


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
    request = kernel.get_parent("shell")
    # A front end that answers no input() has no person in front of it.
    if request and request.get("content", {}).get("allow_stdin", False):
        return FrontEnd.NOTEBOOK
    return FrontEnd.BATCH
