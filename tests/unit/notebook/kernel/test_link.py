"""The order in which a kernel is found and heard."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import comm

from claude_magic.notebook.kernel.history import CellHistory
from claude_magic.notebook.link import Link
from claude_magic.notebook.person import Person
from claude_magic.notebook.presence import Presence
from claude_magic.notebook.wire import ADDRESS
from claude_magic.session import SessionRegistry
from claude_magic.widgets import ControlChannel
from claude_magic.widgets.control import REQUEST

if TYPE_CHECKING:
    import pytest
    from IPython.core.interactiveshell import InteractiveShell


class Kernel:
    """The edge: what ipykernel hands over and takes."""

    def __init__(self) -> None:
        self.control_handlers: dict[str, Any] = {}
        self.session = self
        self.replies: list[dict[str, Any]] = []

    def send(self, _stream: object, _kind: str, reply: dict[str, Any], *_: object) -> None:
        self.replies.append(reply)

    def greet(self) -> None:
        parent = {"content": {"to": ADDRESS, "do": "hello", "version": "0"}}
        self.control_handlers[REQUEST]("stream", b"front end", parent)


def test_a_page_that_greets_as_soon_as_it_hears_of_the_comm_is_answered(
    shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = Kernel()
    page = threading.Thread(target=kernel.greet)
    create = comm.create_comm

    def create_and_hear(**kwargs: Any) -> Any:
        made = create(**kwargs)
        page.start()
        # Time enough to be refused; an answer comes only when this function has returned.
        page.join(0.2)
        return made

    monkeypatch.setattr(comm, "create_comm", create_and_hear)
    control = ControlChannel(kernel)
    presence = Presence()
    person = Person(shell, control, presence)
    link = Link(shell, CellHistory(shell), control, person, presence)
    sessions = SessionRegistry()
    link.open(sessions)
    page.join()
    link.close()
    sessions.close()
    assert [reply["status"] for reply in kernel.replies] == ["ok"]
    assert presence.wait()
