from __future__ import annotations

import re
from typing import TYPE_CHECKING

from claude_magic.tape import (
    Conversation,
    OtherBlock,
    Reply,
    Rules,
    Tape,
    TapeTurn,
    Text,
    Thinking,
    ToolOutcome,
    ToolUse,
    Usage,
    demo_tape,
)
from claude_magic.tape.tape_text import tape_text

if TYPE_CHECKING:
    from pathlib import Path


def again(tape: Tape, folder: Path) -> Tape:
    file = folder / "again.yaml"
    file.write_text(tape_text(tape), encoding="utf-8")
    return Tape.load(file)


def test_all_that_is_recorded_is_read_again(tmp_path: Path) -> None:
    look = ToolUse("Read", {"file_path": "«folder»/a.csv", "limit": 5}, outcome=ToolOutcome("1: a"))
    denied = ToolUse("Bash", {"command": "ls\npwd"}, outcome=ToolOutcome("denied", is_error=True))
    silent = ToolUse("Glob", {"day": "2026-01-02", "on": True}, outcome=ToolOutcome(""))
    replies = (
        Reply.of(Thinking("Hm."), Text("Let me\n\n  look: "), look),
        Reply((denied, silent), usage=Usage(3, 5, 7, 11)),
        Reply(
            (OtherBlock({"type": "redacted_thinking", "data": "x"}), Text("yes")), usage=Usage(1, 2)
        ),
    )
    cut = Reply((Text("Once upon"),), "max_tokens", Usage(1, 2))
    client = Reply((ToolUse("mcp__client__f"),), usage=Usage(1, 2))
    nothing = Reply((), usage=Usage(1, 0))
    turns = tuple(
        TapeTurn(you, answer)
        for you, answer in (("Look.\n\n  Well?", replies), ("41", (cut,)), ("a: b", (client,)))
    )
    rules = Rules(frozenset({"times"}), {"run": re.compile(r"run-\d+")})
    tape = Tape(
        "T",
        (Conversation("one", turns), Conversation("two", (TapeTurn("Hm?", (nothing,)),))),
        label="recorded replies",
        rules=rules,
    )
    read = again(tape, tmp_path)
    assert read.conversations == tape.conversations
    assert (read.title, read.label, read.rules) == ("T", "recorded replies", rules)


def test_a_tape_written_by_hand_stays_what_it_is(tmp_path: Path) -> None:
    tape = demo_tape()
    read = again(tape, tmp_path)
    assert read.conversations == tape.conversations
    assert read.words_per_second == tape.words_per_second


def test_the_text_is_one_that_a_person_reads_and_diffs() -> None:
    call = ToolUse("Read", {"file_path": "a.csv"}, outcome=ToolOutcome("1: a\n2: b"))
    turn = TapeTurn("Look.", (Reply((call,), usage=Usage(9, 5)), Reply.of("Ä: two\nlines")))
    assert tape_text(Tape("T", (Conversation("c", (turn,)),))) == (
        "claude-magic-tape: 1\n"
        "title: T\n"
        "label: scripted replies\n"
        "conversations:\n"
        "  - name: c\n"
        "    turns:\n"
        "      - you: Look.\n"
        "        claude:\n"
        "          - tool:\n"
        "              name: Read\n"
        "              input:\n"
        "                file_path: a.csv\n"
        "              result: |-\n"
        "                1: a\n"
        "                2: b\n"
        "          - usage: {input: 9, output: 5}\n"
        "          - text: |-\n"
        "              Ä: two\n"
        "              lines\n"
    )
