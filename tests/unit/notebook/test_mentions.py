from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from claude_magic.errors import UsageError
from claude_magic.notebook.mentions import attachments

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.skipif(sys.platform != "linux", reason="nothing else refuses root to read a file")
def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    path = tmp_path / "memory.png"
    path.symlink_to("/proc/self/mem")
    with pytest.raises(UsageError, match="cannot be read"):
        list(attachments("See @path.", {"path": str(path)}))
