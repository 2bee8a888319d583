"""The control channel's endpoint in the kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from claude_magic.errors import UsageError
from claude_magic.widgets.control import REQUEST, ControlChannel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .conftest import Wire


def test_a_request_is_answered_by_whoever_opened_its_address(wire: Wire) -> None:
    channel = ControlChannel(wire)
    channel.open("a", lambda content: {"heard": content["word"]})
    channel.open("b", lambda _: {"heard": "by another"})
    assert wire.request(to="a", word="hello") == {"status": "ok", "heard": "hello"}


def test_a_closed_address_says_that_it_is_over(wire: Wire) -> None:
    channel = ControlChannel(wire)
    close = channel.open("a", lambda _: {})
    close()
    close()
    reply = wire.request(to="a")
    assert reply["status"] == "error"
    assert "over by now" in reply["reason"]


def test_closing_an_address_leaves_who_opened_it_since(wire: Wire) -> None:
    channel = ControlChannel(wire)
    close = channel.open("a", lambda _: {"by": "first"})
    channel.open("a", lambda _: {"by": "second"})
    close()
    assert wire.request(to="a")["by"] == "second"


@pytest.mark.parametrize(
    ("error", "reason"),
    [(UsageError("No."), "No."), (KeyError("word"), "KeyError: 'word'")],
)
def test_what_goes_wrong_is_replied(
    wire: Wire,
    error: Exception,
    reason: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(_content: Mapping[str, Any]) -> Mapping[str, Any]:
        raise error

    ControlChannel(wire).open("a", fail)
    assert wire.request(to="a") == {"status": "error", "reason": reason}
    assert bool(caplog.records) == isinstance(error, KeyError)


def test_what_is_no_request_is_replied_to(wire: Wire) -> None:
    ControlChannel(wire)
    wire.control_handlers[REQUEST]("stream", b"", {"content": "no dictionary"})
    assert wire.sent[0][2]["status"] == "error"


def test_a_closed_channel_leaves_the_kernel_as_it_was(wire: Wire) -> None:
    first = ControlChannel(wire)
    second = ControlChannel(wire)
    first.close()
    assert REQUEST in wire.control_handlers  # the second one's
    second.close()
    second.close()
    assert list(wire.control_handlers) == ["shutdown_request"]


@pytest.mark.parametrize("kernel", [None, object()])
def test_a_kernel_without_such_a_table_is_left_alone(kernel: object) -> None:
    channel = ControlChannel(kernel)
    assert not channel.available
    channel.open("a", lambda _: {})()
    channel.close()
