from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from claude_magic.widgets.control import REPLY, REQUEST

if TYPE_CHECKING:
    from collections.abc import Mapping


class Wire:
    """The edge: what ipykernel hands over and takes."""

    def __init__(self) -> None:
        self.sent: list[tuple[Any, ...]] = []
        self.control_handlers: dict[str, Any] = {"shutdown_request": print}
        self.session = self

    def send(self, *message: Any) -> None:
        self.sent.append(message)

    def request(self, **content: Any) -> Mapping[str, Any]:
        parent = {"content": content}
        self.control_handlers[REQUEST]("stream", b"front end", parent)
        stream, kind, reply, to, ident = self.sent.pop()
        assert (stream, kind, to, ident) == ("stream", REPLY, parent, b"front end")
        assert isinstance(reply, dict)
        return reply


@pytest.fixture
def wire() -> Wire:
    return Wire()
