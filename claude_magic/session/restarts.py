"""How often a process may go away before nobody starts it again."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING

from claude_magic.errors import RestartLimitError

if TYPE_CHECKING:
    from collections.abc import Callable

#: So many restarts are made within `WINDOW_S` seconds, and no more.
MAX_RESTARTS = 5
WINDOW_S = 180.0


class RestartBudget:
    """Counts the restarts of one session, so that what always fails is not tried for ever.

    Parameters
    ----------
    clock
        Tells the time, in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._spent_s: deque[float] = deque()

    def spend(self) -> None:
        """Take note of a restart.

        Raises
        ------
        RestartLimitError
            If there were too many of late.
        """
        now_s = self._clock()
        while self._spent_s and now_s - self._spent_s[0] > WINDOW_S:
            self._spent_s.popleft()
        if len(self._spent_s) >= MAX_RESTARTS:
            raise RestartLimitError(MAX_RESTARTS, WINDOW_S)
        self._spent_s.append(now_s)
