from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from claude_magic.tape import (
    Conversation,
    Failure,
    Reply,
    Rules,
    Tape,
    TapeTurn,
    ToolOutcome,
    ToolUse,
)
from claude_magic.tape.differences import changed_values, difference

if TYPE_CHECKING:
    from collections.abc import Callable

    from claude_magic.tape import MessagesRequest

    Ask = Callable[..., MessagesRequest]

LOOK = "mcp__kernel__inspect_variable"


def tape_of(*uses: ToolUse, rules: Rules | None = None) -> Tape:
    turn = TapeTurn("Look.", (Reply.of(*uses), Reply.of("Seen.")))
    return Tape("T", (Conversation("c", (turn,)),), rules=rules)


def looked(ask: Ask, *results: str | dict[str, Any], name: str = LOOK) -> MessagesRequest:
    calls = [
        {"type": "tool_use", "id": f"t{number}", "name": name, "input": {"name": "x"}}
        for number in range(len(results))
    ]
    told = [
        {"type": "tool_result", "tool_use_id": f"t{number}"}
        | (result if isinstance(result, dict) else {"content": result})
        for number, result in enumerate(results)
    ]
    # In whichever order they come: a call and its result belong together by their id.
    return ask("Look.", calls, told[::-1])


def use(result: str, *, failed: bool = False, name: str = LOOK) -> ToolUse:
    return ToolUse(name, {"name": "x"}, outcome=ToolOutcome(result, failed))


def changed(answer: Reply | Failure) -> str:
    assert isinstance(answer, Failure), answer
    assert answer.status == 418
    return answer.message


def test_the_same_result_goes_on(ask: Ask) -> None:
    tape = tape_of(use("hill 118\n<x at «address»>"), use("b"))
    assert tape.reply(looked(ask, "hill 118  \n<x at 0x7fe5558a35d0>", "b")) == Reply.of("Seen.")


def test_another_result_is_told_with_the_values_that_changed(ask: Ask) -> None:
    told = changed(
        tape_of(use("name metres\nhill 118.0")).reply(looked(ask, "name metres\nhill 120.5"))
    )
    assert told.splitlines()[:6] == [
        "The tape “T” (scripted replies), after “Look.”:",
        'inspect_variable(name="x") gave another result than when the tape was recorded.',
        "Changed: 118.0 → 120.5",
        "  name metres",
        "- hill 118.0",
        "+ hill 120.5",
    ]


def test_each_call_is_compared_with_its_own_result(ask: Ask) -> None:
    told = changed(tape_of(use("a"), use("b")).reply(looked(ask, "a", "c")))
    assert "Changed: b → c" in told


def test_a_result_that_nobody_knows_is_not_compared(ask: Ask) -> None:
    tape = tape_of(ToolUse(LOOK, {"name": "x"}))
    assert tape.reply(looked(ask, "whatever")) == Reply.of("Seen.")


def test_a_denied_tool_is_told(ask: Ask) -> None:
    denied = {"content": "Nobody can be asked.", "is_error": True}
    told = changed(tape_of(use("5050")).reply(looked(ask, denied)))
    assert "failed or was denied; when the tape was recorded it did not" in told
    assert "+ Nobody can be asked." in told
    told = changed(tape_of(use("denied", failed=True)).reply(looked(ask, "5050")))
    assert "succeeded; when the tape was recorded it failed or was denied" in told


def test_how_claude_code_words_a_failure_may_change_with_its_version(ask: Ask) -> None:
    failed = {"content": "No such file", "is_error": True}
    tape = tape_of(use("File does not exist", failed=True, name="Read"))
    assert tape.reply(looked(ask, failed, name="Read")) == Reply.of("Seen.")
    tape = tape_of(use("     1→a,b".replace("     1→", "1: "), name="Read"))
    assert tape.reply(looked(ask, "     1→a,b", name="Read")) == Reply.of("Seen.")
    assert tape.reply(looked(ask, "1\ta,b", name="Read")) == Reply.of("Seen.")


def test_what_claude_code_says_of_its_own_work_may_change_too(ask: Ask) -> None:
    tape = tape_of(use("The file has been updated.", name="Edit"))
    assert tape.reply(looked(ask, "Updated.", name="Edit")) == Reply.of("Seen.")
    told = changed(tape_of(use("118", name="Bash")).reply(looked(ask, "120", name="Bash")))
    assert "Changed: 118 → 120" in told


def test_files_may_be_found_in_any_order(ask: Ask) -> None:
    tape = tape_of(use("a.csv\nb.csv", name="Glob"))
    assert tape.reply(looked(ask, "b.csv\na.csv", name="Glob")) == Reply.of("Seen.")
    assert "c.csv" in changed(tape.reply(looked(ask, "a.csv\nc.csv", name="Glob")))


def test_the_kernels_own_failure_is_compared(ask: Ask) -> None:
    failed = {"content": "KeyError: 'y'", "is_error": True}
    assert "KeyError" in changed(
        tape_of(use("KeyError: 'x'", failed=True)).reply(looked(ask, failed))
    )


def test_a_picture_that_is_gone_is_told(ask: Ask) -> None:
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aa"}}
    tape = tape_of(use("figure\n\n«image/png»"))
    both = {"content": [{"type": "text", "text": "figure"}, image]}
    assert tape.reply(looked(ask, both)) == Reply.of("Seen.")
    assert "image" in changed(tape.reply(looked(ask, "figure")))


@pytest.mark.parametrize(
    ("before", "now", "told"),
    [
        ("mean 5.5, n=10", "mean 6.25, n=10", ["5.5 → 6.25"]),
        ("a 1 b 2", "a 3 b 4", ["1 → 3", "2 → 4"]),
        ("1,024 rows", "1,025 rows", ["1,024 → 1,025"]),
        ("x", "x 5", ["nothing → 5"]),
        ("same", "same", []),
    ],
)
def test_values_are_found_within_their_lines(before: str, now: str, told: list[str]) -> None:
    assert changed_values(before, now) == told


def test_a_difference_is_short_and_begins_where_lines_begin_to_differ() -> None:
    before, now = "word " * 60 + "one " + "x " * 200, "word " * 60 + "two " + "x " * 200
    lines = difference(before, now).splitlines()
    assert all(len(line) < 130 for line in lines)
    assert "one" in lines[0]
    assert "two" in lines[1]
    many = difference("\n".join("abcdefghijklmnopqrstuvwxyz"), "")
    assert many.splitlines()[-1] == "… and 14 more lines"
