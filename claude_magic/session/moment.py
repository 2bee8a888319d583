"""When something was, by the reader's clock."""

from __future__ import annotations

import time


def moment(at_s: float) -> str:
    """Say a time as short as it is clear: the hour of today, or the date with it.

    Parameters
    ----------
    at_s
        By `time.time()`.
    """
    then = time.localtime(at_s)
    today = then[:3] == time.localtime()[:3]
    return time.strftime("%H:%M" if today else "%Y-%m-%d %H:%M", then)
