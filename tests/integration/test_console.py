"""IPython in a terminal: rendered or plain text, the same conversation, Ctrl-C."""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING, Any

import pytest
from support.console import Console

from claude_magic.tape import Failure, Hold, Reply, Text, ToolUse

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def rich_console(sterile: dict[str, str], api: Any, tmp_path: Path) -> Iterator[Console]:
    console = Console({**sterile, **api.environment}, tmp_path, terminal="xterm")
    console.run("%load_ext claude_magic")
    yield console
    console.close()


def test_an_answer_is_rendered_in_a_terminal_that_can_be_rewritten(
    rich_console: Console, api: Any
) -> None:
    gate = threading.Event()
    answer = "# Title\n\nIt is **quokka** \x1b[2J[red]here[/]. "
    api.replies.append(Reply.of(Text(answer), Hold(gate), Text("More.\n\n- a\n- b")))
    rich_console.type("%claude What's the secret word?")
    rich_console.wait_for("quokka")
    gate.set()
    raw = rich_console.read_until_prompt()
    shown = re.sub(r"\x1b\[[?\d;]*[A-Za-z]", "", raw)
    assert "[2J[red]here[/]. More." in shown
    assert "**" not in raw
    assert "\x1b[2J" not in raw
    assert re.search(r"• a\s+• b\s+\[claude-\S+ · \d+\.\d s", shown)


def test_ctrl_c_gives_the_cursor_back(rich_console: Console, api: Any) -> None:
    api.replies.append(Reply.of(Text("Once upon a time "), Hold(threading.Event()), Text("…")))
    rich_console.type("%claude Tell me a story.")
    rich_console.wait_for("Once upon a time")
    rich_console.press_ctrl_c()
    shown = rich_console.read_until_prompt()
    assert "TurnInterruptedError" in shown
    assert "Once upon a time" in shown
    assert shown.rindex("\x1b[?25h") > shown.rfind("\x1b[?25l")


def test_a_conversation_in_a_terminal(console: Console, api: Any, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("The secret word is quokka.")
    api.replies += [
        Reply.of("Let me look.", ToolUse("Read", {"file_path": str(tmp_path / "notes.txt")})),
        Reply.of("It is **quokka**.", "Anything else?"),
    ]
    shown = console.run("%claude What's the secret word?")
    lines = shown.splitlines()
    assert lines[0] == "Let me look."
    assert lines[1].startswith("✓ Read")
    assert lines[2:5] == ["It is **quokka**.", "", "Anything else?"]
    assert re.fullmatch(r"\[claude-\S+ · \d+\.\d s · .* in .*/ .* out( · .*)?\]", lines[5])
    status = console.run("%claude_status")
    assert "ready" in status
    assert re.search(r"turns +1", status)


def test_what_goes_wrong_is_said_in_a_line(console: Console, api: Any) -> None:
    assert "UsageError" in console.run("%claude --nonsense hello")
    assert not api.requests
    api.replies += [
        Reply.of(ToolUse("Read", {"file_path": "/etc/shadow"})),
        Reply.of("Then not."),
        Failure(529, "overloaded_error", "busy"),
        Reply.of("Back again."),
    ]
    console.type("%claude Read it.")
    console.wait_for("Run it?")
    console.type("n")
    assert "Not allowed: Read /etc/shadow" in console.read_until_prompt()
    shown = console.run("%claude And now?")
    assert "[The API answered 529; retry 1 of" in shown
    assert "Back again." in shown


def test_ctrl_c_stops_the_answer_and_nothing_else(console: Console, api: Any) -> None:
    api.replies.append(Reply.of(Text("Once upon a time "), Hold(threading.Event()), Text("…")))
    console.type("%claude Tell me a story.")
    console.wait_for("Once upon a time")
    console.press_ctrl_c()
    assert "TurnInterruptedError" in console.read_until_prompt()
    shown = console.run("%claude Go on.")
    assert "Tell me a story." in shown
    assert "Once upon a time" in str(api.requests[-1].body)


@pytest.mark.parametrize(
    ("lines", "prompt"),
    [
        (["%%claude", ">>> x = 1", "In [1]: y?", "%time", "", ""], ">>> x = 1\nIn [1]: y?\n%time"),
        (['%claude it\'s """ what?'], 'it\'s """ what?'),
        (["%claude why \\", ">>> is that?"], "why >>> is that?"),
        (["x = %claude what is this?"], "what is this?"),
    ],
)
def test_a_prompt_is_sent_as_it_is_typed(
    console: Console, api: Any, lines: list[str], prompt: str
) -> None:
    console.run("%load_ext claude_magic")
    for line in lines:
        console.type(line)
    console.read_until_prompt()
    assert [request.prompt for request in api.requests] == [prompt]
