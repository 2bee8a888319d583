"""A question with buttons whose cell is interrupted at the worst of times."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from claude_magic.notebook.front_end import FrontEnd
from claude_magic.notebook.permission.question import Question
from claude_magic.notebook.person import Person
from claude_magic.notebook.presence import Presence
from claude_magic.widgets import ControlChannel

if TYPE_CHECKING:
    from .conftest import Cell

QUESTION = Question("Run a command", "ls", "bash", None)


class _Kernel:
    """The edge: what ipykernel has a table of handlers on."""

    def __init__(self) -> None:
        self.control_handlers: dict[str, Any] = {}


@pytest.mark.parametrize("interrupts", [1, 2])
def test_an_interrupt_while_the_question_is_shown_leaves_what_was_asked(
    cell: Cell, monkeypatch: pytest.MonkeyPatch, interrupts: int
) -> None:
    publisher: Any = InteractiveShell.instance().display_pub
    publish, left = publisher.publish, [signal.SIGINT] * interrupts

    def publish_interrupted(*arguments: Any, **keywords: Any) -> None:
        if left:
            signal.raise_signal(left.pop())
        publish(*arguments, **keywords)

    monkeypatch.setattr(publisher, "publish", publish_interrupted)
    presence = Presence()
    presence.note()
    person = Person(
        InteractiveShell.instance(), ControlChannel(_Kernel()), presence, handshake_s=60
    )
    with pytest.raises(KeyboardInterrupt):
        person.ask(QUESTION, None, FrontEnd.NOTEBOOK)
    (record,) = cell.markdown
    assert "✗ Nobody answered:" in record
    assert person.shown is None
