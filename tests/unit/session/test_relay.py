"""How events reach another thread."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from claude_magic.session.events import TextDelta, ToolStarted
from claude_magic.session.relay import EVERY_S, Relay

if TYPE_CHECKING:
    from claude_magic.session.events import Event


def _piece(number: int) -> TextDelta:
    return TextDelta(str(number), 0)


def test_pieces_that_come_at_once_go_together() -> None:
    handed: list[list[Event]] = []
    pieces = [_piece(number) for number in range(1000)]

    async def come() -> None:
        all_there = asyncio.Event()

        def take(events: list[Event]) -> None:
            handed.append(events)
            if sum(map(len, handed)) == len(pieces):
                all_there.set()

        relay = Relay(take)
        for piece in pieces:
            relay(piece)
        await asyncio.wait_for(all_there.wait(), 10)

    asyncio.run(come())
    # The first one waits for nothing.
    assert handed[0] == pieces[:1]
    assert [event for events in handed for event in events] == pieces
    # Where the machine stood still in between, some more.
    assert len(handed) < len(pieces) / 10


def test_the_first_piece_behind_something_else_waits_for_nothing() -> None:
    handed: list[list[Event]] = []

    async def come() -> None:
        relay = Relay(handed.append, every_s=1000)
        for event in (_piece(0), ToolStarted("1", "Read", {}), _piece(1)):
            relay(event)
            assert handed[-1][-1] is event

    asyncio.run(come())


def test_what_is_no_piece_waits_for_nothing() -> None:
    handed: list[list[Event]] = []
    started = ToolStarted("1", "Read", {})

    async def come() -> None:
        relay = Relay(handed.append)
        for event in (_piece(0), _piece(1), _piece(2), started):
            relay(event)
        assert [event for events in handed for event in events][-1] is started
        count = len(handed)
        await asyncio.sleep(2 * EVERY_S)
        assert len(handed) == count

    asyncio.run(come())
    assert [event for events in handed for event in events] == [
        _piece(0),
        _piece(1),
        _piece(2),
        started,
    ]
