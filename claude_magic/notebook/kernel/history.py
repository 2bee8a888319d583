"""What the last cells did: their source, what they showed, and how they ended."""

from __future__ import annotations

import logging
import os
import re
import sys
import threading
import time
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from claude_magic.notebook.failure import is_own_failure

from .bounded_text import BoundedText, bounded
from .output import Output
from .stand_in import StandIn
from .traceback_text import summary_of, traceback_of, traceback_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from IPython.core.interactiveshell import (
        ExecutionInfo,
        ExecutionResult,
        InteractiveShell,
    )

    from .output import Picture

# In a kernel, warnings that nobody handles are shown in whichever cell runs; so all is "debug".
_logger = logging.getLogger(__name__)

#: So much of a cell's source and of what it shows is kept, in characters.
MAX_SOURCE = 20_000
MAX_OUTPUT = 8_000
#: So many pictures of a cell are kept, each of so many bytes, and so many bytes of all cells.
MAX_PICTURES = 4
MAX_PICTURE_BYTES = 2_000_000
MAX_ALL_PICTURES_BYTES = 16_000_000

_PROMPT_CELL = re.compile(r"\s*%%claude(_\w+)?(\s|$)")
_PROMPT_LINE = re.compile(r"^[ \t]*([\w, ]+=[ \t]*)?%claude(_fix)?([ \t]|$)", re.MULTILINE)


@dataclass(slots=True)
class CellRun:
    """One execution of a cell.

    Attributes
    ----------
    number
        The execution count, or None if the cell was run without history.
    cell_id
        The front end's id of the cell, or None where it gives none.
    source
        As it was written; the middle of a very long one is left out.
    status
        How it stands. ``"error"`` also if a magic in it showed a traceback and went on.
    error
        The exception's type and message in one line, or None.
    is_own_failure
        Whether it failed because a magic of ours did, and not through the user's code.
    outputs
        What it wrote and displayed and its result, in order and as plain text, without the
        traceback; the middle is left out if it is long. Of a ``%%claude`` cell nothing is kept.
    pictures
        What it displayed, as far as there is room.
    is_prompt
        Whether it is a ``%%claude`` cell or has a ``%claude`` line.
    started_s
        When it began, in seconds since the epoch.
    elapsed_s
        How long it took, or has taken so far, in seconds.
    """

    number: int | None
    cell_id: str | None
    source: str
    status: Literal["running", "ok", "error"]
    error: str | None
    is_own_failure: bool
    outputs: str
    pictures: tuple[Picture, ...]
    is_prompt: bool
    started_s: float
    elapsed_s: float


class CellHistory:
    """What the last cells of a shell did.

    From `start` to `stop` it watches the shell. While a cell runs it listens in on what the cell
    writes (`sys.stdout.write` and `sys.stderr.write` of the streams that are there when it
    begins), displays (``display_pub.publish``), results in (``displayhook.write_format_data``) and
    on tracebacks (``_showtraceback``); all of it goes where it goes without us. Between cells
    nothing of the shell is changed. Output of other threads counts for the cell that runs. What a
    child process writes is seen in a kernel, not in a terminal.

    `start` and `stop` are for the main thread; the rest may be called from any.

    Parameters
    ----------
    shell
        The shell to watch.
    size
        So many cells are remembered.
    """

    def __init__(self, shell: InteractiveShell, size: int = 50) -> None:
        self._shell = shell
        self._cells: deque[_Watch] = deque(maxlen=size)
        # By thread: ipykernel 7 runs the cells of subshells in threads of their own.
        self._running: dict[int, _Watch] = {}
        self._taps: list[StandIn] = []
        self._last_error: str | None = None
        self._last_failure: CellRun | None = None
        self._watching = False
        self._here = threading.local()
        self._pid = os.getpid()

    # -- watching ------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to watch; from the next cell on, if it is called in one."""
        if not self._watching:
            self._shell.events.register("pre_run_cell", self._begin)
            self._shell.events.register("post_run_cell", self._end)
            self._watching = True

    def stop(self) -> None:
        """Watch no longer; what is remembered stays."""
        if self._watching:
            self._shell.events.unregister("pre_run_cell", self._begin)
            self._shell.events.unregister("post_run_cell", self._end)
            self._watching = False
        self._untap()
        self._running.clear()

    # -- asking --------------------------------------------------------------------------------

    def recent(self, count: int) -> list[CellRun]:
        """Return the last `count` cells, oldest first; the one that runs is the last of them."""
        return [watch.seen() for watch in list(self._cells)[-count:]] if count > 0 else []

    def last_failure(self) -> CellRun | None:
        """Return the cell that `last_error` is of; None if none has failed."""
        return self._last_failure

    def last_error(self) -> str | None:
        """Return the traceback of the last cell that failed, or None if none has.

        As IPython showed it, with the source lines, as plain text; the middle of a very long one
        is left out. Successful cells since then change nothing, nor do prompts that failed: theirs
        are not the user's errors.
        """
        return self._last_error

    # -- what the shell tells ------------------------------------------------------------------

    def _begin(self, info: ExecutionInfo) -> None:
        try:
            self._try_to_begin(info)
        except Exception:
            _logger.debug("a cell could not be watched", exc_info=True)

    def _try_to_begin(self, info: ExecutionInfo) -> None:
        thread = threading.get_ident()
        within = self._running.get(thread)
        if within is not None:
            within.nested.append(info)  # a cell that runs cells is one cell
            return
        watch = _Watch(info, self._number(info), self._cell_id(info))
        self._cells.append(watch)
        self._running[thread] = watch
        self._forget_pictures()
        if len(self._running) == 1:
            self._tap()

    def _end(self, result: ExecutionResult | None) -> None:
        try:
            self._try_to_end(result)
        except Exception:
            _logger.debug("the end of a cell could not be noted", exc_info=True)

    def _try_to_end(self, result: ExecutionResult | None) -> None:
        thread = threading.get_ident()
        watch = self._running.get(thread)
        if watch is None or watch.outlives(result):
            return
        del self._running[thread]
        if not self._running:
            self._untap()
        error = None
        if result is not None:
            error = result.error_before_exec or result.error_in_exec
        trace = watch.shown_traceback
        if error is not None and (watch.shown_error is not error or trace is None):
            # Usage errors, groups and custom handlers do not come by where we listen.
            frames = error.__traceback__
            # The first frame is IPython's.
            trace = traceback_of(self._shell, error, frames and frames.tb_next)
        watch.finish(result, error)
        if trace is not None and not watch.run.is_own_failure:
            self._last_error, self._last_failure = trace, watch.seen()

    def _number(self, info: ExecutionInfo) -> int | None:
        # From IPython 9 the shell's own count is that of the next cell by now.
        return self._shell.displayhook.prompt_count if info.store_history else None

    def _cell_id(self, info: ExecutionInfo) -> str | None:
        told = getattr(info, "cell_id", None)
        kernel = getattr(self._shell, "kernel", None)
        if told is None and kernel is not None:
            request = kernel.get_parent("shell") or {}
            told = (request.get("metadata") or {}).get("cellId")
        return str(told) if told is not None else None

    def _forget_pictures(self) -> None:
        """Let go of the oldest cells' pictures when all together are too large."""
        room = MAX_ALL_PICTURES_BYTES
        for watch in reversed(self._cells):
            room -= watch.picture_bytes
            if room < 0:
                watch.forget_pictures()

    # -- listening in --------------------------------------------------------------------------

    def _tap(self) -> None:
        shell = self._shell
        for owner, name, make in [
            (sys.stdout, "write", self._tee("stdout")),
            (sys.stderr, "write", self._tee("stderr")),
            (shell.display_pub, "publish", self._listening(self._displayed)),
            (shell.display_pub, "clear_output", self._listening(self._cleared)),
            (shell.displayhook, "write_output_prompt", self._listening(_ignored)),
            (shell.displayhook, "write_format_data", self._listening(self._resulted)),
            (shell, "_showtraceback", self._listening(self._failed)),
        ]:
            tap = StandIn(owner, name, make)
            try:
                tap.put()
            except (AttributeError, TypeError):
                # A stream that lets nobody touch it, or none at all: nothing of it is seen.
                _logger.debug("the %s of a cell cannot be seen", name, exc_info=True)
            else:
                self._taps.append(tap)

    def _untap(self) -> None:
        while self._taps:
            self._taps.pop().take_away()

    def _tee(self, stream: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        def make(write: Callable[..., Any]) -> Callable[..., Any]:
            def write_too(text: str, *args: Any, **kwargs: Any) -> Any:
                __tracebackhide__ = True
                written = write(text, *args, **kwargs)
                self._wrote(stream, text)
                return written

            return write_too

        return make

    def _listening(
        self, note: Callable[..., None]
    ) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Return what makes of a method one that `note` hears of first."""

        def make(method: Callable[..., Any]) -> Callable[..., Any]:
            def listened(*args: Any, **kwargs: Any) -> Any:
                __tracebackhide__ = True
                # In a terminal these print, and that is not what the cell prints.
                with self._deaf():
                    try:
                        note(*args, **kwargs)
                    except Exception:
                        _logger.debug("something of a cell was not noted", exc_info=True)
                    return method(*args, **kwargs)

            return listened

        return make

    @contextmanager
    def _deaf(self) -> Iterator[None]:
        """Do not listen to what this thread writes."""
        before = getattr(self._here, "deaf", False)
        self._here.deaf = True
        try:
            yield
        finally:
            self._here.deaf = before

    def _watch_of_now(self) -> _Watch | None:
        """Return the cell that this thread's output belongs to."""
        found = self._running.get(threading.get_ident())
        if found is None:
            found = next(iter(self._running.values()), None)
        return found

    def _wrote(self, stream: str, text: str) -> None:
        # A forked child's locks may be held by threads that it does not have.
        if getattr(self._here, "deaf", False) or os.getpid() != self._pid:
            return
        try:
            watch = self._watch_of_now()
            if watch is not None and watch.output is not None:
                watch.output.write(stream, text)
        except Exception:
            with self._deaf():
                _logger.debug("what a cell wrote was not noted", exc_info=True)

    def _displayed(
        self,
        data: Mapping[str, Any],
        *_: Any,
        transient: Mapping[str, Any] | None = None,
        update: bool = False,
        **__: Any,
    ) -> None:
        watch = self._watch_of_now()
        if watch is not None and watch.output is not None:
            display_id = (transient or {}).get("display_id")
            watch.output.display(data, display_id, update=update)

    def _cleared(self, wait: bool = False) -> None:  # noqa: FBT001, FBT002 - IPython's signature
        watch = self._watch_of_now()
        if watch is not None and watch.output is not None:
            watch.output.clear(wait=wait)

    def _resulted(self, data: Mapping[str, Any], *_: Any, **__: Any) -> None:
        watch = self._watch_of_now()
        if watch is not None and watch.output is not None:
            watch.output.display(data)

    def _failed(self, _: type, error: BaseException, lines: Sequence[str]) -> None:
        watch = self._watch_of_now()
        if watch is not None:
            watch.shown_error = error
            watch.shown_traceback = traceback_text(lines)


def _ignored(*_: Any, **__: Any) -> None:
    """Note nothing."""


class _Watch:
    """What is known of one execution of a cell while it runs and after.

    Attributes
    ----------
    nested
        The cells that it is running itself.
    output
        What it shows; None of a prompt, whose answer the conversation holds.
    shown_error, shown_traceback
        The last traceback that was shown while it ran.
    """

    def __init__(self, info: ExecutionInfo, number: int | None, cell_id: str | None) -> None:
        source = info.raw_cell or ""
        is_prompt_cell = _PROMPT_CELL.match(source) is not None
        self.run = CellRun(
            number=number,
            cell_id=cell_id,
            source=bounded(source, MAX_SOURCE),
            status="running",
            error=None,
            is_own_failure=False,
            outputs="",
            pictures=(),
            is_prompt=is_prompt_cell or _PROMPT_LINE.search(source) is not None,
            started_s=time.time(),
            elapsed_s=0.0,
        )
        self.nested: list[ExecutionInfo] = []
        self.output: Output | None = None
        if not is_prompt_cell:
            text = BoundedText(MAX_OUTPUT)
            self.output = Output(
                text, text, max_pictures=MAX_PICTURES, max_picture_bytes=MAX_PICTURE_BYTES
            )
        self.shown_error: BaseException | None = None
        self.shown_traceback: str | None = None
        self._info: ExecutionInfo | None = info
        self._began_s = time.monotonic()

    def outlives(self, result: ExecutionResult | None) -> bool:
        """Tell whether what ended is only a cell that this one ran."""
        info = result.info if result is not None else None
        if info is None:
            return bool(self.nested and self.nested.pop())
        for nested in self.nested:
            if nested is info:
                self.nested.remove(nested)
                return True
        # Of a cell that an exception of IPython's own ended there is another description.
        return info is not self._info and (
            self._info is None
            or (info.raw_cell, info.store_history)
            != (self._info.raw_cell, self._info.store_history)
        )

    def finish(self, result: ExecutionResult | None, error: BaseException | None) -> None:
        """Note how it ended, and hold on to no object of the user's."""
        shown = error or self.shown_error
        failed = shown is not None or result is None or not result.success
        self.run.status = "error" if failed else "ok"
        if shown is not None:
            self.run.error = summary_of(shown)
        elif failed:
            self.run.error = "It was interrupted."
        # A prompt cell runs none of the user's code.
        is_prompt_cell = self.output is None
        self.run.is_own_failure = failed and (
            is_prompt_cell or (shown is not None and is_own_failure(shown))
        )
        self.run.elapsed_s = time.monotonic() - self._began_s
        self._info = self.shown_error = None
        self.nested.clear()

    def seen(self) -> CellRun:
        """Return how it stands, as a copy."""
        run = replace(self.run)
        if run.status == "running":
            run.elapsed_s = time.monotonic() - self._began_s
        if self.output is not None:
            run.outputs, run.pictures = self.output.stdout, self.output.pictures
        return run

    @property
    def picture_bytes(self) -> int:
        """How much its pictures take, in bytes."""
        pictures = self.output.pictures if self.output is not None else ()
        return sum(len(picture.data) for picture in pictures)

    def forget_pictures(self) -> None:
        """Let go of its pictures."""
        if self.output is not None:
            self.output.forget_pictures()
