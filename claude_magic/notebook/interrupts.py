"""When an interrupt of the kernel raises, and when it only is remembered."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType, TracebackType

    from typing_extensions import Self


class Interrupts:
    """SIGINT while a block runs: it raises where the block can take it, and is remembered.

    Attributes
    ----------
    arrived
        Whether there was one.
    armed
        Whether it raises: nowhere in our own beginnings and ends.
    """

    def __init__(self) -> None:
        self.arrived = False
        self.armed = False
        self._before: Any = None

    def __enter__(self) -> Self:
        # Only the main thread may set handlers, and only it is interrupted.
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._arrive)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    @contextmanager
    def raised(self) -> Iterator[None]:
        """Raise a KeyboardInterrupt for one that has arrived already, and where one arrives."""
        try:
            self.armed = True
            if self.arrived:
                raise KeyboardInterrupt
            yield
        finally:
            self.armed = False

    def _arrive(self, number: int, frame: FrameType | None) -> None:
        self.arrived = True
        if self.armed:
            signal.default_int_handler(number, frame)
