"""The promises of docs/security.md and the failures of docs/failures.md, as the tests state them.

A test states a promise with ``@pytest.mark.promise("Sentence.", against="model")``, and the outcome
of a failure with ``@pytest.mark.failure("Something fails.", then="It is handled.")``. Nothing is
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


@dataclass(frozen=True, slots=True)
class Failure:
    """A failure and its outcome, as one test states it.

    Attributes
    ----------
    event
        What goes wrong.
    outcome
        What happens then.
    test
        As in `Promise`.
    """

    event: str
    outcome: str
    test: str


def promises(tests: Path = TESTS) -> list[Promise]:
    """Return what the tests promise, in the order of their files.

    Raises
    ------
    ValueError
        If a promise cannot be read, or its test may be skipped. The text names the test.
    """
    return [_promise(call, test) for test, call in _marked("promise", tests)]


def failures(tests: Path = TESTS) -> list[Failure]:
    """Return the failures that the tests cause, in the order of their files.

    Raises
    ------
    ValueError
        If a failure cannot be read, or its test may be skipped. The text names the test.
    """
    found = []
    for test, call in _marked("failure", tests):
        event, outcome = _words(call, "then")
        if event is None or outcome is None or "|" in event + outcome:
            raise ValueError(f"{test}: write @pytest.mark.failure('It fails.', then='It goes on.')")
        found.append(Failure(event, outcome, test))
    return found


def table(against: str, tests: Path = TESTS) -> str:
    """Return the promises against an adversary as a Markdown table, each with its tests."""
    rows: dict[tuple[str, ...], list[str]] = {}
    for each in promises(tests):
        if each.against == against:
            rows.setdefault((each.sentence,), []).append(f"`{each.test}`")
    return _markdown(("Promise", "Tests"), rows)


def failures_table(tests: Path = TESTS) -> str:
    """Return the failures as a Markdown table, each with links to its tests from docs/."""
    rows: dict[tuple[str, ...], list[str]] = {}
    for each in failures(tests):
        path, _, name = each.test.partition("::")
        rows.setdefault((each.event, each.outcome), []).append(f"[`{name}`](../{path})")
    return _markdown(("What goes wrong", "What happens then", "Tests"), rows)


def _markdown(heads: tuple[str, ...], rows: dict[tuple[str, ...], list[str]]) -> str:
    lines = [
        f"| {' | '.join(row)} | {' <br> '.join(proofs)} |" for row, proofs in sorted(rows.items())
    ]
    return "\n".join([f"| {' | '.join(heads)} |", "|---" * len(heads) + "|", *lines])


def _marked(name: str, tests: Path) -> Iterator[tuple[str, ast.Call | None]]:
    """Yield the tests with a mark, each with the mark's call; in the order of their files."""
    for path in sorted(tests.rglob("test_*.py")):
        file = path.relative_to(tests.parent).as_posix()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                test = f"{file}::{node.name}"
                marks = [_mark(decorator) for decorator in node.decorator_list]
                stated = [call for mark, call in marks if mark == name]
                if stated and _EXCUSES & {mark for mark, _ in marks}:
                    raise ValueError(f"{test} states a {name} and may be skipped")
                yield from ((test, call) for call in stated)


def _mark(decorator: ast.expr) -> tuple[str, ast.Call | None]:
    """Return the name of a mark of pytest, and its call if it has arguments."""
    call = decorator if isinstance(decorator, ast.Call) else None
    function = call.func if call is not None else decorator
    marked = ast.unparse(function).removeprefix("pytest.mark.")
    return marked, call


def _words(call: ast.Call | None, keyword: str) -> tuple[str | None, str | None]:
    """Return the one argument of a mark and one of its keywords, where they are texts."""
    words = {each.arg: each.value for each in call.keywords} if call is not None else {}
    sentence = call.args[0] if call is not None and len(call.args) == 1 else None
    return _text(sentence), _text(words.get(keyword))


def _text(node: ast.expr | None) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _promise(call: ast.Call | None, test: str) -> Promise:
    sentence, against = _words(call, "against")
    if sentence is None or against is None:
        raise ValueError(f"{test}: write @pytest.mark.promise('Sentence.', against='model')")
    if against not in ADVERSARIES or not sentence.endswith(".") or "|" in sentence:
        known = ", ".join(ADVERSARIES)
        raise ValueError(f"{test}: a promise is a sentence against one of {known}")
    return Promise(sentence, against, test)
