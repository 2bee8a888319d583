"""Catches what code writes and displays, and keeps it from the front end."""

from __future__ import annotations

import codecs
import io
import os
import sys
import threading
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any

from .output import PICTURE_TYPES
from .stand_in import StandIn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from IPython.core.interactiveshell import InteractiveShell

    from .output import Output

#: How long to wait for the last words of child processes, in seconds.
LAST_WORDS_S = 0.2

_STREAMS = {"stdout": 1, "stderr": 2}


class Capture:
    """For the time of a block, everything that code shows goes into an `Output`.

    `sys.stdout` and `sys.stderr` are replaced; who kept the ones before, such as a logging
    handler, is caught as well, and so are child processes and libraries that write to the file
    descriptors 1 and 2 (not on Windows). Threads that ran before are let through to the front end
    as ever: theirs is not what the code shows. Streams that the code kept, such as a logging
    handler's, lead to the front end after the block.

    Main thread only.

    Parameters
    ----------
    shell
        Whose displays are caught.
    output
        Where everything goes.
    """

    def __init__(self, shell: InteractiveShell, output: Output) -> None:
        self._shell = shell
        self._output = output
        self._strangers: frozenset[threading.Thread] = frozenset()
        self._undo = ExitStack()
        self._pid = os.getpid()

    def __enter__(self) -> None:
        # Threads, not their idents: those are given to new threads again.
        self._strangers = frozenset(threading.enumerate()) - {threading.current_thread()}
        with ExitStack() as undo:
            for name, number in _STREAMS.items():
                self._catch_stream(undo, name, number)
            publisher = self._shell.display_pub
            undo.enter_context(StandIn(publisher, "publish", self._or_let_through(self._display)))
            undo.enter_context(
                StandIn(publisher, "clear_output", self._or_let_through(self._clear))
            )
            # A terminal shows no pictures, so IPython makes none there.
            formatters: Any = self._shell.display_formatter
            for kind in PICTURE_TYPES:
                formatter = formatters.formatters[kind]
                undo.callback(setattr, formatter, "enabled", formatter.enabled)
                formatter.enabled = True
            self._undo = undo.pop_all()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._undo.close()
        self._strangers = frozenset()

    def catches(self) -> bool:
        """Tell whether what this thread does is to be caught."""
        return threading.current_thread() not in self._strangers

    def _or_let_through(
        self, take: Callable[..., Any]
    ) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        def make(original: Callable[..., Any]) -> Callable[..., Any]:
            def caught(*args: Any, **kwargs: Any) -> Any:
                return (take if self.catches() else original)(*args, **kwargs)

            return caught

        return make

    def _display(
        self,
        data: Mapping[str, Any],
        *_: Any,
        transient: Mapping[str, Any] | None = None,
        update: bool = False,
        **__: Any,
    ) -> None:
        self._output.display(data, (transient or {}).get("display_id"), update=update)

    def _clear(self, wait: bool = False) -> None:  # noqa: FBT001, FBT002 - IPython's signature
        self._output.clear(wait=wait)

    def _catch_stream(self, undo: ExitStack, name: str, number: int) -> None:
        before = getattr(sys, name)
        own = getattr(sys, f"__{name}__")
        _flush(before)
        _flush(own)
        let_through = getattr(before, "write", _drop)
        descriptor = _Descriptor(number, lambda text: self._output.write(name, text))
        if descriptor.open():
            undo.callback(descriptor.close)
            # What waits in the buffer then was written by the code.
            undo.callback(_flush, own)
            if before is own:
                let_through = descriptor.write_through
        undo.callback(setattr, sys, name, before)
        stream = _CaughtStream(self, name, number, before, let_through)
        undo.callback(stream.end)
        setattr(sys, name, stream.text)
        kept = StandIn(before, "write", lambda _: stream.write)
        with suppress(AttributeError, TypeError):  # a stream that lets nobody touch it, or none
            kept.put()
            undo.callback(kept.take_away)

    def take(self, name: str, text: str) -> None:
        """Take what was written to ``"stdout"`` or ``"stderr"``."""
        self._output.write(name, text)

    @property
    def in_child(self) -> bool:
        """Whether this is a forked child, which cannot tell its parent what it writes."""
        return os.getpid() != self._pid


class _CaughtStream(io.RawIOBase):
    """What takes the bytes that go to the stream in `sys.stdout`'s or `sys.stderr`'s place.

    Attributes
    ----------
    text
        That stream.
    """

    def __init__(
        self,
        capture: Capture,
        name: str,
        number: int,
        before: Any,
        let_through: Callable[[str], Any],
    ) -> None:
        self._capture: Capture | None = capture
        self._number = number
        self._name = name
        self._before = before
        self._let_through = let_through
        self.text = io.TextIOWrapper(
            self,  # type: ignore[type-var]
            encoding="utf-8",
            errors="backslashreplace",
            newline="",
            write_through=True,
        )

    def end(self) -> None:
        """Write to the stream before from now on."""
        self._capture = None

    def writable(self) -> bool:
        """Say yes."""
        return True

    def fileno(self) -> int:
        """Return the descriptor that child processes should write to."""
        return self._number

    def close(self) -> None:
        """Stay open: no code closes the streams of others."""

    def write(self, data: Any) -> int:
        """Take bytes; or text, from who kept the stream before."""
        text = data if isinstance(data, str) else bytes(data).decode("utf-8", "replace")
        capture = self._capture
        if capture is None:
            if self._before is not None:
                self._before.write(text)
        elif capture.in_child:
            os.write(self._number, text.encode("utf-8", "backslashreplace"))
        elif capture.catches():
            capture.take(self._name, text)
        else:
            self._let_through(text)
        return len(data)


class _Descriptor:
    """A file descriptor whose writers are caught for a time.

    Parameters
    ----------
    number
        1 or 2.
    take
        Gets the text, in a thread of ours.
    """

    def __init__(self, number: int, take: Callable[[str], None]) -> None:
        self._number = number
        self._take = take
        self._over = False
        self._ended = threading.Event()

    def open(self) -> bool:
        """Begin; return whether that was possible."""
        if os.name != "posix":
            return False
        try:
            self._saved = os.dup(self._number)
        except OSError:  # it is closed
            return False
        self._reading, writing = os.pipe()
        os.dup2(writing, self._number)
        os.close(writing)
        name = f"claude-magic-output-{self._number}"
        threading.Thread(target=self._read, name=name, daemon=True).start()
        return True

    def close(self) -> None:
        """Put the descriptor back and wait a moment for what was written last."""
        os.dup2(self._saved, self._number)
        os.close(self._saved)
        # A child process that lives on keeps the pipe open.
        self._ended.wait(LAST_WORDS_S)
        self._over = True

    def write_through(self, text: str) -> None:
        """Write to where the descriptor led before."""
        os.write(self._saved, text.encode("utf-8", "backslashreplace"))

    def _read(self) -> None:
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        try:
            while data := os.read(self._reading, 1 << 16):
                if self._over:  # children that were left write where they would have
                    with suppress(OSError):
                        os.write(self._number, data)
                else:
                    self._take(decoder.decode(data))
        finally:
            os.close(self._reading)
            self._ended.set()


def _flush(stream: Any) -> None:
    with suppress(AttributeError, OSError, ValueError):
        stream.flush()


def _drop(_: str) -> None:
    """Write nowhere: there was no stream."""
