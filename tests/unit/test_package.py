"""The package as a whole: what it exports, what importing it costs."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

import claude_magic
import claude_magic.masking
import claude_magic.notebook.renderers

ROOT = Path(claude_magic.__file__).parents[1]

HEAVY = (
    "claude_agent_sdk",
    "langchain_core",
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


def test_importing_it_loads_nothing_that_the_interpreter_has_not() -> None:
    code = (
        "import sys, importlib, warnings, __future__; before = set(sys.modules);"
        "import claude_magic; print(*set(sys.modules) - before)"
    )
    # Without site, whose .pth files may load anything; its folder is the package's.
    run = subprocess.run(  # noqa: S603 - ours
        [sys.executable, "-S", "-c", f"import sys; sys.path.append({str(ROOT)!r}); {code}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert set(run.stdout.split()) == {
        "claude_magic",
        "claude_magic._version",
        "claude_magic.lazily",
    }


def test_what_only_a_turn_needs_is_not_loaded_with_the_magics() -> None:
    parts = (
        "claude_magic.masking.texts",
        "claude_magic.notebook.kernel.views",
        "claude_magic.notebook.renderers.live",
    )
    code = f"import sys, claude_magic.notebook; print(*sys.modules.keys() & set({parts!r}))"
    run = subprocess.run(  # noqa: S603 - ours
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.split() == []


def test_an_export_that_is_not_there_is_an_attribute_error() -> None:
    for package in (claude_magic, claude_magic.masking, claude_magic.notebook.renderers):
        with pytest.raises(AttributeError, match=f"module '{package.__name__}' has no .* 'wombat'"):
            _ = package.wombat


@pytest.mark.skipif(
    importlib.util.find_spec("rfc3987_syntax") is None,
    reason="jsonschema has no grammar of URIs here",
)
def test_the_sdk_comes_without_a_grammar_that_nobody_needs() -> None:
    code = """
import sys
import claude_magic.session.sdk
print("lark" in sys.modules, "rfc3987_syntax" in sys.modules)
import jsonschema
check = jsonschema.FormatChecker().conforms
print(check("http://exämple.org/", "iri"), check("no uri", "iri"), "lark" in sys.modules)
"""
    run = subprocess.run(  # noqa: S603 - ours
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.split() == ["False", "False", "True", "False", "True"]


def test_every_public_name_is_there_and_documented() -> None:
    for name in claude_magic.__all__:
        assert getattr(claude_magic, name) is not None
        if name != "__version__":
            assert getattr(claude_magic, name).__doc__
    assert sorted(claude_magic.__all__) == dir(claude_magic)


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    assert not hasattr(claude_magic, "nonsense")
