from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from IPython.terminal.interactiveshell import TerminalInteractiveShell
from traitlets.config import Config

from claude_magic.notebook.kernel.history import CellHistory
from claude_magic.notebook.kernel.runner import PythonRunner

if TYPE_CHECKING:
    from collections.abc import Iterator

    from IPython.core.interactiveshell import InteractiveShell


@pytest.fixture
def shell() -> Iterator[InteractiveShell]:
    """Give the one IPython shell of this process, that of a terminal."""
    config = Config()
    config.HistoryManager.hist_file = ":memory:"
    config.HistoryManager.enabled = False
    config.TerminalInteractiveShell.simple_prompt = True
    TerminalInteractiveShell.clear_instance()
    shell = TerminalInteractiveShell.instance(config=config)
    yield shell
    shell.restore_sys_module_state()
    TerminalInteractiveShell.clear_instance()


@pytest.fixture
def runner(shell: InteractiveShell) -> Iterator[PythonRunner]:
    runner = PythonRunner(shell)
    yield runner
    runner.close()


@pytest.fixture
def history(shell: InteractiveShell) -> Iterator[CellHistory]:
    history = CellHistory(shell, size=5)
    history.start()
    yield history
    history.stop()
