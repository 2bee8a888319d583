"""The promises of docs/security.md, as the tests state them.

A test states a promise with ``@pytest.mark.promise("Sentence.", against="model")``. Nothing is
imported to collect them: the sources are parsed.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

TESTS = Path(__file__).parents[1]

#: The adversaries of a promise, by the word that a test names them with.
ADVERSARIES = {
    "model": "Anyone who influences model output",
    "sender": "Anyone who sends a notebook, tape, folder or store",
    "local": "Any other local user or program",
}

#: Decorators that keep a test from failing, so that it proves nothing.
_EXCUSES = {"skip", "xfail"}


@dataclass(frozen=True, slots=True)
class Promise:
    """A promise that one test states.

    Attributes
    ----------
    sentence
        The promise.
    against
        A key of `ADVERSARIES`.
    test
        The test, as pytest takes it: ``path::name``, from the root of the repository.
    """

    sentence: str
    against: str
    test: str


def promises(tests: Path = TESTS) -> list[Promise]:
    """Return what the tests promise, in the order of their files.

    Raises
    ------
    ValueError
        If a promise cannot be read, or its test may be skipped. The text names the test.
    """
    return [each for path in sorted(tests.rglob("test_*.py")) for each in _stated(path, tests)]


def table(against: str, tests: Path = TESTS) -> str:
    """Return the promises against an adversary as a Markdown table, each with its tests."""
    rows: dict[str, list[str]] = {}
    for each in promises(tests):
        if each.against == against:
            rows.setdefault(each.sentence, []).append(each.test)
    lines = [
        f"| {sentence} | {' <br> '.join(f'`{test}`' for test in proofs)} |"
        for sentence, proofs in sorted(rows.items())
    ]
    return "\n".join(["| Promise | Tests |", "|---|---|", *lines])


def _stated(path: Path, tests: Path) -> Iterator[Promise]:
    name = path.relative_to(tests.parent).as_posix()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            test = f"{name}::{node.name}"
            marks = [_mark(decorator) for decorator in node.decorator_list]
            stated = [call for mark, call in marks if mark == "promise"]
            if stated and _EXCUSES & {mark for mark, _ in marks}:
                raise ValueError(f"{test} states a promise and may be skipped")
            for call in stated:
                yield _promise(call, test)


def _mark(decorator: ast.expr) -> tuple[str, ast.Call | None]:
    """Return the name of a mark of pytest, and its call if it has arguments."""
    call = decorator if isinstance(decorator, ast.Call) else None
    function = call.func if call is not None else decorator
    marked = ast.unparse(function).removeprefix("pytest.mark.")
    return marked, call


def _promise(call: ast.Call | None, test: str) -> Promise:
    words = {each.arg: each.value for each in call.keywords} if call is not None else {}
    sentence = call.args[0] if call is not None and len(call.args) == 1 else None
    against = words.get("against")
    if not (isinstance(sentence, ast.Constant) and isinstance(against, ast.Constant)):
        raise ValueError(  # noqa: TRY004 - of a source, not of a value
            f"{test}: write @pytest.mark.promise('Sentence.', against='model')"
        )
    told, whom = str(sentence.value), str(against.value)
    if whom not in ADVERSARIES or not told.endswith(".") or "|" in told:
        known = ", ".join(ADVERSARIES)
        raise ValueError(f"{test}: a promise is a sentence against one of {known}")
    return Promise(told, whom, test)
