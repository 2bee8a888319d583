from __future__ import annotations

from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

from claude_magic.errors import TapeError
from claude_magic.tape import Conversation, Reply, Tape, TapeTurn, Text, Thinking, ToolUse

if TYPE_CHECKING:
    from pathlib import Path

HEAD = "claude-magic-tape: 1\ntitle: T\n"
TURN = HEAD + "conversations:\n  - name: c\n    turns:\n      - you: Hi.\n        claude: "


def load(tmp_path: Path, text: str) -> Tape:
    file = tmp_path / "test.tape.yaml"
    file.write_text(text, encoding="utf-8")
    return Tape.load(file)


def test_a_tape_is_read(tmp_path: Path) -> None:
    tape = load(
        tmp_path,
        dedent(
            """
            claude-magic-tape: 1
            title: First conversation
            label: made-up replies
            words_per_second: 20
            conversations:
              - name: greeting
                turns:
                  - you: |
                      My name is Ada.
                      Yours?
                    claude: |
                      Hello **Ada**.

                      I am Claude.
                  - you: 41
                    claude: yes
              - name: reading
                turns:
                  - you: Look.
                    claude:
                      - thinking: Hm.
                      - text: Let me look.
                      - tool:
                          name: Read
                          input: {file_path: a.csv, limit: 5, deep: {day: 2026-01-02, on: [true]}}
                      - tools:
                          - name: Glob
                          - {name: Grep, input: {pattern: "5"}}
                      - text: Done.
            """,
        ),
    )
    assert tape.title == "First conversation"
    assert tape.label == "made-up replies"
    assert tape.words_per_second == 20.0
    arguments = {"file_path": "a.csv", "limit": 5, "deep": {"day": "2026-01-02", "on": [True]}}
    assert tape.conversations == (
        Conversation(
            "greeting",
            (
                TapeTurn(
                    "My name is Ada.\nYours?",
                    (Reply.of("Hello **Ada**.\n\nI am Claude."),),
                ),
                TapeTurn("41", (Reply.of("yes"),)),
            ),
        ),
        Conversation(
            "reading",
            (
                TapeTurn(
                    "Look.",
                    (
                        Reply.of(Thinking("Hm."), Text("Let me look."), ToolUse("Read", arguments)),
                        Reply.of(ToolUse("Glob"), ToolUse("Grep", {"pattern": "5"})),
                        Reply.of("Done."),
                    ),
                ),
            ),
        ),
    )
    assert tape.conversations[0].turns[0].line == 9


def test_a_tape_says_scripted_replies_and_has_no_pace_of_its_own(tmp_path: Path) -> None:
    tape = load(tmp_path, TURN + "Hello.\n")
    assert tape.label == "scripted replies"
    assert tape.words_per_second is None


def test_a_path_may_be_a_text(tmp_path: Path) -> None:
    load(tmp_path, TURN + "Hello.\n")
    assert Tape.load(str(tmp_path / "test.tape.yaml")).title == "T"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "1: expected a tape, but the file is empty"),
        ("- a", "1: expected fields `claude-magic-tape:`, `title:`"),
        ("a: [", "1: not YAML"),
        ("a: b\n  c: d", "2: not YAML"),
        ("a: \x07", "1: not YAML"),
        ("title: T", "1: expected a field `claude-magic-tape:`"),
        ("claude-magic-tape: 1\ntitle: T", "1: expected a field `conversations:`"),
        ("claude-magic-tape: 2\ntitle: T\nconversations: []", "1: expected claude-magic-tape: 1"),
        (HEAD + "titel: T", "3: expected only the fields"),
        (HEAD + "title: T", "3: expected `title:` once"),
        (HEAD + "[1]: 2", "3: expected only the fields"),
        (HEAD + "conversations: []", "3: expected a list with at least one item"),
        (HEAD + "conversations: x", "3: expected a list with at least one item"),
        (TURN + "a\nwords_per_second: 0", "8: expected a number above 0"),
        (TURN + "a\nwords_per_second: fast", "8: expected a number above 0"),
        (TURN + "a\nwords_per_second: .inf", "8: expected a number above 0"),
        (TURN + "a\nkeep: [days]", "8: expected kinds among ids"),
        (TURN + "a\nignore: x", "8: expected regular expressions"),
        (TURN + "a\nignore: {x: '('}", "8: expected a regular expression: missing )"),
        (TURN + "\n          - usage: {input: x, output: 1}", "8: expected a number of tokens"),
        (TURN + "\n          - block: x", "8: expected a block of the Messages API"),
        (
            TURN + "\n          - tool: {name: Read, result: a, failed: b}",
            "8: expected one of `result:`",
        ),
        (TURN + "\n          - tool: {name: Read, result: [a]}", "8: expected a text"),
        (HEAD + "conversations:\n  - turns: []", "4: expected a field `name:`"),
        (HEAD + "conversations:\n  - name:\n    turns: []", "5: expected a list"),
        (TURN.removesuffix("        claude: "), "6: expected a field `claude:`"),
        (TURN + "''", "7: expected a text"),
        (TURN + "[]", "7: expected a list"),
        (TURN + "\n          - say: x", "8: expected only the fields `text:`"),
        (TURN + "\n          - {}", "8: expected exactly one of `text:`"),
        (TURN + "\n          - {text: a, thinking: b}", "8: expected exactly one of"),
        (TURN + "\n          - tool: Read\n          - text: x", "8: expected fields `name:`"),
        (TURN + "\n          - tool: {name: Read, input: x}\n", "8: expected the tool's arguments"),
        (TURN + "\n          - tool: {name: Read}\n", "8: expected an answer after the tool's"),
        (
            TURN + "a\n      - you: Hi.\n        claude: b\n  - name: d",
            "10: expected a field `turns",
        ),
        (
            TURN + "a\n  - name: d\n    turns:\n      - {you: Hi., claude: b}\n",
            "10: “Hi.” has another answer here, in “d”",
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(TapeError) as refused:
        load(tmp_path, text)
    assert str(refused.value).startswith(f"test.tape.yaml:{told}")


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(TapeError, match=r"none\.yaml: the tape cannot be read: .*No such file"):
        Tape.load(tmp_path / "none.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"title: caf\xe9")
    with pytest.raises(TapeError, match=r"latin\.yaml: the tape cannot be read"):
        Tape.load(tmp_path / "latin.yaml")
