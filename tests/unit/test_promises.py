"""The table of promises names tests that exist and can fail."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support.promises import ADVERSARIES, TESTS, failures, failures_table, promises, table

if TYPE_CHECKING:
    from pathlib import Path

DOCS = TESTS.parent / "docs" / "security.md"
FAILURES = TESTS.parent / "docs" / "failures.md"

MARK = '@pytest.mark.promise("It holds.", against="model")\n'


@pytest.mark.parametrize("against", ADVERSARIES)
def test_there_are_promises_against_every_adversary_and_the_docs_have_them(against: str) -> None:
    assert [each for each in promises() if each.against == against]
    assert table(against) in DOCS.read_text(encoding="utf-8")


def test_the_docs_have_all_failures() -> None:
    assert failures()
    assert failures_table() in FAILURES.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "mark",
    [
        '@pytest.mark.failure("It fails.")',
        '@pytest.mark.failure(then="It goes on.")',
        '@pytest.mark.failure("It | fails.", then="It goes on.")',
        '@pytest.mark.failure("It fails.", then="It goes on.")\n@pytest.mark.skip',
    ],
)
def test_a_failure_without_an_outcome_or_a_proof_is_refused(tmp_path: Path, mark: str) -> None:
    tests = _folder(tmp_path, f"{mark}\ndef test_a():\n    pass\n")
    with pytest.raises(ValueError, match=r"tests/test_it\.py::test_a"):
        failures(tests)


def test_every_test_of_the_tables_exists_once() -> None:
    stated = [each.test for each in promises()] + [each.test for each in failures()]
    for test in stated:
        path, _, name = test.partition("::")
        source = (TESTS.parent / path).read_text(encoding="utf-8")
        assert source.count(f"def {name}(") == 1, test


def _folder(tmp_path: Path, source: str) -> Path:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_it.py").write_text(source)
    return tmp_path / "tests"


def test_a_promise_is_collected_with_all_its_tests(tmp_path: Path) -> None:
    tests = _folder(
        tmp_path, f"{MARK}def test_a():\n    pass\n{MARK}async def test_b():\n    pass\n"
    )
    assert [each.test for each in promises(tests)] == [
        "tests/test_it.py::test_a",
        "tests/test_it.py::test_b",
    ]
    assert table("model", tests).splitlines()[2:] == [
        "| It holds. | `tests/test_it.py::test_a` <br> `tests/test_it.py::test_b` |",
    ]


@pytest.mark.parametrize(
    "decorators",
    [
        f"{MARK}@pytest.mark.skip\n",
        f"{MARK}@pytest.mark.skip(reason='x')\n",
        f"@pytest.mark.xfail\n{MARK}",
        MARK.replace("model", "nobody"),
        MARK.replace(', against="model"', ""),
        MARK.replace('"It holds.", ', ""),
        MARK.replace("holds.", "holds"),
        MARK.replace("holds.", "ho|ds."),
        "@pytest.mark.promise\n",
    ],
)
def test_a_promise_without_proof_is_refused(tmp_path: Path, decorators: str) -> None:
    tests = _folder(tmp_path, f"{decorators}def test_a():\n    pass\n")
    with pytest.raises(ValueError, match=r"tests/test_it\.py::test_a"):
        promises(tests)
