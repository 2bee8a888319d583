"""The permission question, from the front end's first word to the answer."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

from claude_magic.widgets import ControlChannel, PermissionQuestion, Verdict
from claude_magic.widgets.permission_question import MAX_REASON

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from .conftest import Wire

    Ask = Callable[..., PermissionQuestion]

#: No test waits so long, in seconds.
LONG_S = 60.0


@pytest.fixture
def ask(wire: Wire) -> Iterator[Ask]:
    questions: list[PermissionQuestion] = []

    def make(body: str = "ls", **options: Any) -> PermissionQuestion:
        questions.append(PermissionQuestion(ControlChannel(wire), "Run a command", body, **options))
        return questions[-1]

    yield make
    for question in questions:
        question.close()


def _say(wire: Wire, question: PermissionQuestion, **content: Any) -> Mapping[str, Any]:
    return wire.request(to=question.shown["address"], **content)


@pytest.mark.parametrize(
    ("said", "verdict"),
    [
        ({"choice": "once", "reason": "why"}, Verdict("once", "why")),
        ({"choice": "no"}, Verdict("no")),
        ({"choice": "no", "reason": None}, Verdict("no")),
        ({"choice": "no", "reason": "x" * 9999}, Verdict("no", "x" * MAX_REASON)),
        ({"choice": "stop"}, Verdict("stop")),
    ],
)
def test_an_answer_is_what_was_said(
    ask: Ask, wire: Wire, said: dict[str, Any], verdict: Verdict
) -> None:
    question = ask()
    assert not question.reached
    assert _say(wire, question, do="ready") == {"status": "ok", "over": False}
    assert _say(wire, question, do="answer", **said) == {"status": "ok", "over": True}
    assert question.wait(LONG_S) == verdict
    assert question.reached


def test_the_first_answer_counts(ask: Ask, wire: Wire) -> None:
    question = ask()
    _say(wire, question, do="answer", choice="no")
    assert "answered already" in _say(wire, question, do="answer", choice="once")["reason"]
    assert question.wait(LONG_S) == Verdict("no")


def test_no_answer_for_the_session_where_each_has_to_be_allowed(ask: Ask, wire: Wire) -> None:
    question = ask(rule=None)
    assert "only once" in _say(wire, question, do="answer", choice="session")["reason"]
    assert question.wait(0) is None
    question = ask(rule="run:ls")
    assert _say(wire, question, do="answer", choice="session")["status"] == "ok"


def test_a_question_that_no_front_end_shows_is_given_up_and_takes_no_answer(
    ask: Ask,
    wire: Wire,
) -> None:
    question = ask()
    assert question.wait(0.01, wake_every_s=0.001) is None
    assert _say(wire, question, do="ready") == {"status": "ok", "over": True}
    assert question.reached
    assert _say(wire, question, do="answer", choice="once")["status"] == "error"


def test_a_closed_question_hears_nothing(ask: Ask, wire: Wire) -> None:
    question = ask()
    address = question.shown["address"]
    question.close()
    question.close()
    reply = wire.request(to=address, do="answer", choice="once")
    assert "over by now" in reply["reason"]


def test_no_two_questions_share_an_address(ask: Ask) -> None:
    first, second = ask(), ask()
    addresses = {question.shown["address"] for question in (first, second)}
    assert len(addresses) == 2
    assert min(map(len, addresses)) >= 32


def test_a_question_is_no_widget_that_a_notebook_could_keep(ask: Ask) -> None:
    assert not hasattr(ask(), "_repr_mimebundle_")
    assert "ipywidgets" not in vars(sys.modules[PermissionQuestion.__module__])


@pytest.mark.parametrize(
    ("body", "language"),
    [
        ("", "bash"),
        ("\n\n  x = 1 \n\n", "python"),
        ("a\r\nb\t\f", "python"),
        ("{ not json", "json"),
        ("x", "no such language"),
        ("x", None),
        ("⟨U+202E⟩ 'é' \N{GRINNING FACE}", "python"),
        ("y" * 300_000, "python"),
    ],
)
def test_all_of_the_body_is_shown(ask: Ask, body: str, language: str | None) -> None:
    question = ask(body, language=language)
    assert "".join(text for _, text in question.shown["body"]) == body


def test_the_lines_of_a_diff_are_told_apart(ask: Ask) -> None:
    question = ask("@@ -1 +1 @@\n-old\n+new", language="diff")
    colours = {text: name for name, text in question.shown["body"]}
    assert (colours["@@ -1 +1 @@"], colours["-old"], colours["+new"]) == ("gu", "gd", "gi")
    assert question.shown["lines"] == 3
