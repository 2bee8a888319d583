from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from claude_magic.errors import TapeError, TapeMissError
from claude_magic.tape import Conversation, Failure, Reply, Tape, TapeTurn, Text, ToolUse

if TYPE_CHECKING:
    from collections.abc import Callable

    from claude_magic.tape import MessagesRequest

    Ask = Callable[..., MessagesRequest]

TOOL = ToolUse("Read", {"file_path": "a.csv"})


def conversation(name: str, *turns: tuple[str, str]) -> Conversation:
    return Conversation(name, tuple(TapeTurn(you, (Reply.of(said),)) for you, said in turns))


@pytest.fixture
def tape() -> Tape:
    reading = TapeTurn(
        "Read both.",
        (Reply.of("First.", TOOL, TOOL), Reply.of(TOOL), Reply.of("All read.")),
    )
    return Tape(
        "Names",
        (
            conversation("told", ("I am Ada.", "Hello Ada."), ("Who am I?", "Ada.")),
            conversation("untold", ("Who am I?", "I don't know.")),
            conversation("blocks", ("One.\n\nTwo.", "Three."), ("Next?", "Four.")),
            Conversation("reading", (reading,)),
        ),
    )


def said(answer: Reply | Failure) -> str:
    assert isinstance(answer, Reply), answer
    return "".join(step.text for step in answer.steps if isinstance(step, Text))


def missed(answer: Reply | Failure) -> str:
    assert isinstance(answer, Failure), answer
    assert answer.status == 418
    assert answer.kind == "tape_miss"
    return answer.message


def blocks(*texts: str) -> list[dict[str, Any]]:
    return [{"type": "text", "text": text} for text in texts]


def test_the_first_prompt_is_answered(tape: Tape, ask: Ask) -> None:
    assert said(tape.reply(ask("I am Ada."))) == "Hello Ada."


def test_the_same_question_has_another_answer_after_another_history(tape: Tape, ask: Ask) -> None:
    assert said(tape.reply(ask("I am Ada.", "Hello Ada.", "Who am I?"))) == "Ada."
    assert said(tape.reply(ask("Who am I?"))) == "I don't know."


def test_white_space_and_the_models_words_do_not_matter(tape: Tape, ask: Ask) -> None:
    request = ask("\n I am\n  Ada. ", blocks("Hello", "Ada, again."), blocks("Who  am I?\n"))
    assert said(tape.reply(request)) == "Ada."


def test_a_prompt_that_got_no_answer_is_passed_over(tape: Tape, ask: Ask) -> None:
    request = ask("I am Ada.", "Hello Ada.", blocks("What is new?\n", "Who am I?"))
    assert said(tape.reply(request)) == "Ada."
    assert said(tape.reply(ask(blocks("What is new?\n", "Who am I?")))) == "I don't know."


def test_a_recorded_prompt_that_got_no_answer_may_count(tape: Tape, ask: Ask) -> None:
    stopped = blocks("I am Ada.", "[Request interrupted by user]\n", "Who am I?")
    assert said(tape.reply(ask(stopped))) == "Ada."


def test_a_prompt_in_several_blocks_is_one_prompt(tape: Tape, ask: Ask) -> None:
    assert said(tape.reply(ask(blocks("One.", "Two.")))) == "Three."
    assert said(tape.reply(ask(blocks("One.", "Two."), "Three.", "Next?"))) == "Four."


def test_tools_lead_to_the_next_reply(tape: Tape, ask: Ask) -> None:
    def results(count: int) -> list[dict[str, Any]]:
        result = {"type": "tool_result", "tool_use_id": "t", "content": "x"}
        return [result] * count

    first = tape.reply(ask("Read both."))
    assert isinstance(first, Reply)
    assert first.steps == (Text("First."), TOOL, TOOL)
    use = [{"type": "tool_use", "id": "t", "name": "Read", "input": {}}]
    second = tape.reply(ask("Read both.", use, results(2)))
    assert isinstance(second, Reply)
    assert second.steps == (TOOL,)
    assert said(tape.reply(ask("Read both.", use, results(2), use, results(1)))) == "All read."
    told = missed(tape.reply(ask("Read both.", use, results(2), use, results(2))))
    assert "no more replies to “Read both.” after 4 tool results" in told


def test_a_miss_shows_the_prompt_and_how_the_nearest_one_differs(tape: Tape, ask: Ask) -> None:
    assert missed(tape.reply(ask("I am Adam."))).splitlines()[:4] == [
        (
            "The tape “Names” (scripted replies) has no reply to “I am Adam.” at the start of a"
            " conversation."
        ),
        "Nearest prompt on it, at the start of a conversation:",
        "- I am Ada.",
        "+ I am Adam.",
    ]


def test_a_miss_tells_where_the_same_prompt_is_recorded(tape: Tape, ask: Ask) -> None:
    assert missed(tape.reply(ask("I am Ada.", "Hello Ada.", "Next?"))).splitlines()[:2] == [
        "The tape “Names” (scripted replies) has no reply to “Next?” after “I am Ada.”.",
        "It has one to this prompt after “One. Two.”.",
    ]


def test_the_demos_tape_tells_how_to_leave_it(tape: Tape, ask: Ask) -> None:
    assert "`%claude_connect --live` leaves" in missed(tape.reply(ask("Sing!")))


def test_a_history_that_is_not_on_the_tape_is_a_miss(tape: Tape, ask: Ask) -> None:
    told = missed(tape.reply(ask("Sing!", "La la.", "Who am I?")))
    assert "no reply to “Who am I?” after “Sing!”" in told


def test_a_miss_stays_short(tape: Tape, ask: Ask) -> None:
    assert len(missed(tape.reply(ask("x" * 100_000)))) < 700


def test_a_request_without_a_prompt_is_a_miss(tape: Tape, ask: Ask) -> None:
    told = missed(tape.reply(ask("<system-reminder>x</system-reminder>")))
    assert "asked nothing that a person wrote" in told


def test_an_empty_tape_has_nothing(ask: Ask) -> None:
    assert "It is empty." in missed(Tape("Empty", ()).reply(ask("Hello?")))


def test_the_pace_of_the_tape_is_that_of_its_replies(ask: Ask) -> None:
    tape = Tape("Slow", (conversation("a", ("Hi.", "Hello.")),), words_per_second=3.0)
    answer = tape.reply(ask("Hi."))
    assert isinstance(answer, Reply)
    assert answer.words_per_second == 3.0


def test_conversations_may_share_a_beginning_but_not_differ_in_it() -> None:
    one = conversation("one", ("Hi.", "Hello."), ("A?", "a"))
    Tape("T", (one, conversation("two", ("Hi.", "Hello."), ("B?", "b"))))
    with pytest.raises(TapeError, match=r"“Hi\.” has another answer here, in “two”"):
        Tape("T", (one, conversation("two", ("Hi.", "Good day."))))


def test_the_command_that_records_it_can_be_copied() -> None:
    told = "The tape “T” has no reply.\nRecord it: claude-magic tape record a.ipynb"
    assert str(TapeMissError(told, 418)) == told
