"""A turn in a terminal: what is complete stays, and nothing steers the terminal but us."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_magic.notebook.renderers import ConsoleRenderer
from claude_magic.notebook.renderers.terminals import (
    PlainTerminal,
    RichTerminal,
    harmless,
    open_terminal,
)
from claude_magic.session import (
    BackgroundReply,
    PermissionDenied,
    TextDelta,
    TextWithdrawn,
    ThinkingDelta,
    ThinkingFinished,
    ToolFinished,
    ToolStarted,
    TurnFinished,
    TurnStarted,
    Usage,
)

if TYPE_CHECKING:
    from claude_magic.session import Event, SessionStatus

    from .conftest import Clock

END = TurnFinished("", Usage(10, 20), 0.0, 1.0, "claude-test", "5f1c0a52")
HEIGHT = 12

#: What would steer a terminal, in ways that Markdown leaves as it is and in some that it decodes.
HOSTILE = (
    "a\x1b[2J\x9b31mb\x07\r\x08c &#27;[31m &#x9b;5m &#x202e;d [bold red]e[/] \x1b]8;;http://x\x07"
)


class Screen(io.StringIO):
    """A terminal that is `HEIGHT` lines high, as far as rich steers one.

    Attributes
    ----------
    lines
        All that was ever shown: what has scrolled out of view, and what is in view.
    """

    def __init__(self) -> None:
        super().__init__()
        self.lines = [""]
        self.raw = ""
        self._row = self._column = 0

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self.raw += text
        for piece in re.findall(r"\x1b\[[?\d;]*[A-Za-z]|[\r\n]|[^\x1b\r\n]+|\x1b", text):
            self._take(piece)
        return len(text)

    def _take(self, piece: str) -> None:
        if piece == "\n":
            self._row, self._column = self._row + 1, 0
            if self._row == len(self.lines):
                self.lines.append("")
        elif piece == "\r":
            self._column = 0
        elif found := re.fullmatch(r"\x1b\[(\d*)A", piece):
            in_view = max(0, len(self.lines) - HEIGHT)
            self._row = max(in_view, self._row - int(found[1] or 1))
        elif piece == "\x1b[2K":
            self.lines[self._row] = ""
        elif piece.startswith("\x1b"):
            assert re.fullmatch(r"\x1b\[([\d;]*m|\?25[lh])", piece), repr(piece)
        else:
            line = self.lines[self._row].ljust(self._column)
            after = line[self._column + len(piece) :]
            self.lines[self._row] = line[: self._column] + piece + after
            self._column += len(piece)

    @property
    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self.lines)


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Screen:
    screen = Screen()
    for name, value in {"TERM": "xterm", "COLUMNS": "60", "LINES": str(HEIGHT)}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("NO_COLOR", raising=False)
    return screen


def show(renderer: ConsoleRenderer, clock: Clock, *events: Event) -> None:
    for event in events:
        renderer.show(event)
        clock.now_s += 0.05
        if renderer.due_s == 0:
            renderer.refresh()


def stream(text: str, block: int = 0) -> list[Event]:
    return [TextDelta(text[start : start + 10], block) for start in range(0, len(text), 10)]


def test_the_whole_answer_is_left_rendered_however_long_it_is(
    screen: Screen, status: SessionStatus, clock: Clock
) -> None:
    paragraphs = [f"Paragraph **{number}** of the answer." for number in range(30)]
    steps = "\n".join(f"- step {number}" for number in range(40))  # higher than the screen
    renderer = ConsoleRenderer(status, RichTerminal(screen, clock))
    show(renderer, clock, TurnStarted("m"), *stream("\n\n".join([*paragraphs, steps, "End."])), END)
    expected = [f"Paragraph {number} of the answer.\n" for number in range(30)]
    expected += [f" • step {number}" for number in range(40)]
    expected += ["\nEnd.\n", "[claude-test · 1.0 s · 10 in / 20 out]"]
    assert screen.text.strip("\n") == "\n".join(expected)
    assert screen.raw.count("\x1b[?25l") == screen.raw.count("\x1b[?25h")


def test_text_is_in_view_before_its_block_is_complete(
    screen: Screen, status: SessionStatus, clock: Clock
) -> None:
    renderer = ConsoleRenderer(status, RichTerminal(screen, clock))
    assert renderer.due_s == 0
    renderer.refresh()
    assert screen.text.strip() == "Waiting for Claude …"
    show(renderer, clock, *stream("The **median** is the mid"))
    clock.now_s += 1
    renderer.refresh()
    assert screen.text.strip() == "The median is the mid"


@pytest.mark.parametrize("terminal", [RichTerminal, PlainTerminal])
def test_nothing_that_is_shown_steers_the_terminal(
    screen: Screen, status: SessionStatus, clock: Clock, terminal: type[RichTerminal]
) -> None:
    renderer = ConsoleRenderer(status, terminal(screen))
    show(
        renderer,
        clock,
        TextDelta(HOSTILE, 0),
        TextDelta(f"\n\n```py\n{HOSTILE}\n```\n\n`{HOSTILE}` [{HOSTILE}](http://{HOSTILE})", 0),
        ThinkingDelta(HOSTILE),
        ThinkingFinished(HOSTILE, "x"),
        ToolStarted("1", "Read", {"file_path": HOSTILE}),
        PermissionDenied("Read", {"file_path": HOSTILE}),
        ToolFinished("1", "Read", is_error=True, text=HOSTILE),
        BackgroundReply(HOSTILE, HOSTILE),
        TextWithdrawn(0),
        END,
    )
    ours = re.sub(r"\x1b\[(?:[\d;]*m|\?25[lh]|2K|1A)|\r", "", screen.raw)
    if terminal is RichTerminal:
        for code in re.findall(r"\x1b\[([\d;]*)m", screen.raw):
            assert set(code.split(";")) <= {"0", "", "1", "2", "3", "4"}, "no colours of our own"
        assert screen.raw.count("\r") == len(re.findall(r"\r\x1b\[", screen.raw))
    else:
        assert screen.raw == ours
    assert ours == harmless(ours)
    assert "[bold red]" in ours


@given(st.text())
def test_what_is_harmless_has_no_control_but_line_ends_and_tabs(text: str) -> None:
    left = harmless(text)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", left)
    assert re.sub(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", "", text) == left


def test_a_tool_and_thinking_are_a_line_each(
    screen: Screen, status: SessionStatus, clock: Clock
) -> None:
    renderer = ConsoleRenderer(status, RichTerminal(screen, clock))
    show(
        renderer,
        clock,
        ThinkingDelta("hm"),
        ThinkingFinished("hm", "x"),
        TextDelta("Let me look.", 0),
        ToolStarted("1", "Read", {"file_path": "a"}),
        ToolFinished("1", "Read", is_error=False, text="secret"),
        ToolStarted("2", "Read", {"file_path": "b"}),
        ToolFinished("2", "Read", is_error=True, text="1\n\n2\n3\n4"),
        TextDelta("Done.", 1),
        END,
    )
    assert screen.text.strip().splitlines() == [
        "[Thought for less than 1 s]",
        "",
        "Let me look.",
        "",
        "✓ Read a",
        "✗ Read b",
        "  1",
        "  2",
        "  3",
        "  …",
        "",
        "Done.",
        "",
        "[claude-test · 1.0 s · 10 in / 20 out]",
    ]


def test_what_was_said_stays_where_it_is_withdrawn(
    screen: Screen, status: SessionStatus, clock: Clock
) -> None:
    renderer = ConsoleRenderer(status, RichTerminal(screen, clock))
    show(renderer, clock, TextDelta("Once", 0), TextWithdrawn(0), TextDelta("Twice", 0), END)
    assert screen.text.strip().splitlines()[:5] == [
        "Once",
        "",
        "[the connection broke; Claude says this again]",
        "",
        "Twice",
    ]


def test_without_colour_there_is_none(
    screen: Screen, status: SessionStatus, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    renderer = ConsoleRenderer(status, RichTerminal(screen, clock))
    show(renderer, clock, *stream("# A\n\n```python\ndef f(): 'x'\n```\n"), END)
    assert not re.search(r"\x1b\[[\d;]*[34][0-8]", screen.raw)


def test_a_renderer_that_fails_gives_the_cursor_back(
    screen: Screen, status: SessionStatus, clock: Clock
) -> None:
    renderer = ConsoleRenderer(status, RichTerminal(screen, clock))
    show(renderer, clock, TextDelta("Hello", 0))
    with pytest.raises(AttributeError):
        renderer.show(ToolStarted("1", "Read", None))  # type: ignore[arg-type]
    assert screen.raw.rstrip().endswith("\x1b[2K")
    assert screen.raw.count("\x1b[?25l") == screen.raw.count("\x1b[?25h") == 1


def test_what_cannot_be_rewritten_gets_the_text_as_it_is_written(
    status: SessionStatus, clock: Clock
) -> None:
    pipe = io.StringIO()
    renderer = ConsoleRenderer(status, open_terminal(pipe))
    show(renderer, clock, *stream("It is **2**."), *stream("Good?", 1), END)
    assert pipe.getvalue() == "It is **2**.\n\nGood?\n[claude-test · 1.0 s · 10 in / 20 out]\n"


def test_a_terminal_that_cannot_move_its_cursor_is_taken_for_a_pipe(
    screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(open_terminal(screen), RichTerminal)
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(open_terminal(screen), PlainTerminal)


def test_rich_is_loaded_only_for_a_terminal() -> None:
    code = "import sys, claude_magic.notebook.renderers; print('rich' in sys.modules)"
    command = [sys.executable, "-c", code]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - ours
    assert ran.stdout == "False\n"
