"""Tells a process that is frozen from one that is only quiet."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from claude_magic.errors import ConnectionLostError

if TYPE_CHECKING:
    from .sdk import Client

#: While a turn is under way its process is asked for a sign of life after so long without one, in
#: seconds.
PING_AFTER_S = 1.0

#: A sign of life takes a millisecond, also while the API is silent or a tool runs; a process that
#: gave none within `PING_TIMEOUT_S` seconds so many times in a row is taken for frozen.
PING_TIMEOUT_S = 2.0
PINGS_MISSED = 3


async def frozen(client: Client) -> bool:
    """Wait for signs of life, and ask for them, until there is none.

    Returns
    -------
    bool
        True once it is frozen; False if it went away, of which its reader knows more.
    """
    began_s = time.monotonic()
    missed = 0
    while missed < PINGS_MISSED:
        wait_s = max(began_s, client.heard_s) + PING_AFTER_S - time.monotonic()
        if wait_s > 0:
            missed = 0
            await asyncio.sleep(wait_s)
            continue
        try:
            await asyncio.wait_for(client.ping(), PING_TIMEOUT_S)
        except asyncio.TimeoutError:
            missed += 1
        except ConnectionLostError:
            return False
    return True
