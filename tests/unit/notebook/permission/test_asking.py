from __future__ import annotations

import pytest

from claude_magic.notebook.permission import Choice, Kind, Question, Rule, ask_in_text
from claude_magic.notebook.permission.asking import MAX_ATTEMPTS

QUESTION = Question("Run a command", "ls\nRun it? [y]es once", "bash", "It may take 90 s.")

RULE = Rule(Kind.RUN, "ls", exact=True)


class Person:
    """Answers line by line, and then has gone; sees what is written and what is prompted."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.seen: list[str] = []

    def read(self, prompt: str) -> str:
        self.seen.append(prompt)
        if not self.answers:
            raise EOFError
        return self.answers.pop(0)

    def write(self, text: str) -> None:
        self.seen.append(text)


@pytest.mark.parametrize(
    ("answer", "choice", "reason"),
    [
        ("y", Choice.ONCE, ""),
        (" YES ", Choice.ONCE, ""),
        ("once", Choice.ONCE, ""),
        ("s", Choice.SESSION, ""),
        ("Session", Choice.SESSION, ""),
        ("q", Choice.STOP, ""),
        ("stop", Choice.STOP, ""),
        ("n", Choice.NO, ""),
        ("no", Choice.NO, ""),
        ("", Choice.NO, ""),
        ("   ", Choice.NO, ""),
        ("n because it is late", Choice.NO, "because it is late"),
        ("n: use b.txt", Choice.NO, "use b.txt"),
        ("No, use b.txt", Choice.NO, "use b.txt"),
        ("n - later", Choice.NO, "later"),
        ("n:", Choice.NO, ""),
    ],
)
def test_an_answer_is_a_choice(answer: str, choice: Choice, reason: str) -> None:
    person = Person(answer)
    assert ask_in_text(QUESTION, person.read, person.write, RULE) == (choice, reason)
    assert len(person.seen) == 4


@pytest.mark.parametrize(
    "answer", ["yn", "ye", "sure", "ok", "1", "nothing", "y n", "y;", "\uff59", "да"]
)
def test_nothing_but_a_clear_yes_allows(answer: str) -> None:
    person = Person(answer, "s")
    assert ask_in_text(QUESTION, person.read, person.write, RULE) == (Choice.SESSION, "")
    assert person.seen.count(person.seen[3]) == 2


def test_who_does_not_answer_says_no() -> None:
    person = Person()
    assert ask_in_text(QUESTION, person.read, person.write, RULE) == (Choice.NO, "")


def test_who_cannot_be_understood_says_no() -> None:
    person = Person(*["what?"] * MAX_ATTEMPTS, "y")
    assert ask_in_text(QUESTION, person.read, person.write, RULE) == (Choice.NO, "")
    assert person.answers == ["y"]


def test_an_interrupt_goes_through() -> None:
    def interrupted(_prompt: str) -> str:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ask_in_text(QUESTION, interrupted, Person().write)


def test_the_body_is_shown_whole_and_cannot_pose_as_the_question() -> None:
    body = "\n".join(f"line {n}" for n in range(500))
    person = Person("n")
    ask_in_text(Question("Title", body), person.read, person.write, RULE)
    title, shown, prompt = person.seen
    assert title == "Title"
    assert shown.split("\n") == [f"│ line {n}" for n in range(500)]
    assert prompt == "Run it? [y]es once, [s]ession (run=ls), [n]o, [q] stop: "


def test_the_prompt_says_what_the_session_stands_for() -> None:
    person = Person("n")
    rule = Rule.for_exactly(Kind.RUN, "a\nb\u202e")
    ask_in_text(QUESTION, person.read, person.write, rule)
    assert "[s]ession (run:a⟨U+000A⟩b⟨U+202E⟩), [n]o" in person.seen[-1]


def test_where_each_has_to_be_asked_for_there_is_no_yes_for_the_session() -> None:
    person = Person("s", "y")
    assert ask_in_text(QUESTION, person.read, person.write) == (Choice.ONCE, "")
    assert not any("session" in text for text in person.seen)
