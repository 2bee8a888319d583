"""The package as a whole: what it exports, what importing it costs."""

from __future__ import annotations

import subprocess
import sys

import claude_magic

HEAVY = (
    "claude_agent_sdk",
    "langchain_core",
    "anywidget",
    "ipywidgets",
    "starlette",
    "yaml",
    "claude_magic.session.stores",
)


def _loaded_by(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(*(name for name in {HEAVY!r} if name in sys.modules))"
    run = subprocess.run(  # noqa: S603 - ours
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(run.stdout.split())


def test_importing_it_loads_nothing_heavy() -> None:
    assert _loaded_by("import claude_magic") == set()


def test_a_session_and_the_magics_load_nothing_heavy_either() -> None:
    assert _loaded_by("from claude_magic import ClaudeSession") == set()
    assert _loaded_by("import claude_magic.notebook") == set()
    assert _loaded_by("import claude_magic.tape") == set()


def test_every_public_name_is_there_and_documented() -> None:
    for name in claude_magic.__all__:
        assert getattr(claude_magic, name) is not None
        if name != "__version__":
            assert getattr(claude_magic, name).__doc__
    assert sorted(claude_magic.__all__) == dir(claude_magic)


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    assert not hasattr(claude_magic, "nonsense")
