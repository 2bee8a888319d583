"""Session stores on their real servers and IPython in a terminal, for the tests that want one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from support.console import Console
from support.stores import KINDS, emptied, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.stores import Server


@pytest.fixture(scope="module", params=KINDS)
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Server | None, str]]:
    """Give a store of each kind in turn: its server, where it has one, and its URL."""
    with running(request.param, tmp_path_factory.mktemp(request.param)) as found:
        yield found


@pytest.fixture
def url(server: tuple[Server | None, str]) -> str:
    """Give the URL of an empty store."""
    return emptied(server[1])


@pytest.fixture
def console(sterile: dict[str, str], api: Any, tmp_path: Path) -> Iterator[Console]:
    """Give IPython in a terminal, with claude_magic loaded."""
    console = Console({**sterile, **api.environment}, tmp_path)
    console.run("%load_ext claude_magic")
    yield console
    console.close()
