"""Running Python for the model, in the user's namespace and out of the reader's sight."""

from __future__ import annotations

import ast
import asyncio
import builtins
import getpass
import inspect
import io
import itertools
import linecache
import os
import sys
import time
import tokenize
import traceback
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from IPython.core.async_helpers import get_asyncio_loop
from IPython.core.error import StdinNotImplementedError

from claude_magic.notebook.interrupts import Interrupts

from .bounded_text import BoundedText, bounded, plain
from .capture import Capture
from .output import PICTURE_TYPES, Output, Picture, pictures_in
from .private_loop import PrivateLoop, run_in
from .stand_in import StandIn
from .traceback_text import summary_of, traceback_of, traceback_text, without_ours

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator, Sequence
    from types import CodeType

    from IPython.core.interactiveshell import InteractiveShell

#: The longest text of each kind that is handed back, in characters.
MAX_TEXT = 20_000
#: So many pictures are handed back, each of so many bytes.
MAX_PICTURES = 8
MAX_PICTURE_BYTES = 3_500_000

_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class RunResult:
    """What became of some code.

    Attributes
    ----------
    stdout
        What it wrote to standard output and displayed, in order, as plain text.
    stderr
        What it wrote to standard error, warnings included.
    result
        The last expression's value as IPython would show it, or None if there is none.
    error
        The traceback of the exception that ended it, or that a magic showed; None if all is well.
    pictures
        The pictures and figures that it displayed.
    interrupted
        Whether the kernel was interrupted while it ran, even if the code went on.
    elapsed_s
        How long it took, in seconds.
    """

    stdout: str
    stderr: str
    result: str | None
    error: str | None
    pictures: tuple[Picture, ...]
    interrupted: bool
    elapsed_s: float


class PythonRunner:
    """Runs code in the user's namespace while a cell is running, and hands back what it showed.

    The code runs as a cell does: magics work, the last expression is the result, top-level `await`
    works, figures of the inline backend are drawn at the end. But nothing reaches the front end;
    ``In``, ``Out``, ``_`` and the execution count stay as they are; no event of IPython's is
    triggered; an exception, `sys.exit` or `exit()` fails neither the cell nor the kernel; and
    nobody can be asked for input.

    Top-level `await` runs in the thread's own event loop where none is running. In a kernel one
    is; there a private loop runs on the same thread (see `PrivateLoop`): tasks and connections
    that cells have made cannot be awaited, those of earlier code can, and tasks that it leaves
    behind go on only while other code awaits.

    Main thread only, one run at a time. `close` ends the private loop.

    Parameters
    ----------
    shell
        The shell whose namespace it is.
    """

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
        self._loop = PrivateLoop()
        self._run: _Run | None = None

    @property
    def running(self) -> bool:
        """Whether code is running now; it may not itself have more code run."""
        return self._run is not None

    def run(self, code: str) -> RunResult:
        """Run `code` and return what became of it; whatever the code raises is in the result.

        While it runs, SIGINT raises `KeyboardInterrupt` in it; the handler that was there before
        is put back.

        Raises
        ------
        RuntimeError
            If code is running already: it may not have more code run.
        """
        if self._run is not None:
            raise RuntimeError("Code that runs for Claude cannot have Claude run more code.")
        self._run = _Run(self._shell, self._loop)
        try:
            return self._run.run(code)
        finally:
            self._run = None

    def close(self) -> None:
        """End the private event loop and what code has left running in it."""
        self._loop.close()


@contextmanager
def _tracing_kept() -> Iterator[None]:
    """Leave a debugger or a coverage tool in place, which code that starts pdb would end."""
    before = sys.gettrace()
    # A debugger follows every frame on the stack, ours and those that called us included.
    frames = [(frame, frame.f_trace) for frame, _ in traceback.walk_stack(None)]
    try:
        yield
    finally:
        if sys.gettrace() is not before:
            for frame, trace in frames:
                frame.f_trace = trace
            sys.settrace(before)


class _Run:
    """One run: its code, and what has become of it so far."""

    def __init__(self, shell: InteractiveShell, loop: PrivateLoop) -> None:
        self._shell = shell
        self._loop = loop
        self._name = f"<claude-{next(_numbers)}>"
        self._output = Output(
            BoundedText(MAX_TEXT),
            BoundedText(MAX_TEXT),
            max_pictures=MAX_PICTURES,
            max_picture_bytes=MAX_PICTURE_BYTES,
        )
        self._capture = Capture(shell, self._output)
        self._interrupts = Interrupts()
        self._result: str | None = None
        self._error: str | None = None
        self._shown: BaseException | None = None

    def run(self, code: str) -> RunResult:
        began_s = time.monotonic()
        with _tracing_kept(), self._interrupts, self._capture, self._out_of_sight():
            # Figures and tracebacks run code of the user's as well: reprs, draw methods.
            self._guarded(lambda: self._execute(code))
            self._guarded(self._flush_figures)
        return RunResult(
            stdout=bounded(self._output.stdout, MAX_TEXT),
            stderr=self._output.stderr,
            result=self._result,
            error=self._error,
            pictures=self._output.pictures,
            interrupted=self._interrupts.arrived,
            elapsed_s=time.monotonic() - began_s,
        )

    def _guarded(self, step: Callable[[], None]) -> None:
        """Take a step that may raise anything, at any time; none once it was interrupted."""
        if self._interrupts.arrived:
            return
        try:
            self._interrupts.armed = True
            try:
                step()
            except BaseException as error:  # noqa: BLE001 - all that code may raise
                self._failed(error)
            self._interrupts.armed = False
        except KeyboardInterrupt:  # after the code's end, or while the traceback was made
            self._interrupts.armed = False
            self._error = self._error or "KeyboardInterrupt"

    def _failed(self, error: BaseException) -> None:
        self._shown = error
        if isinstance(error, SystemExit):
            self._error = (
                f"{summary_of(error)}\nThe code asked to exit and was ended; the kernel goes on."
            )
            return
        trace = error.__traceback__
        while trace is not None and trace.tb_frame.f_code.co_filename != self._name:
            trace = trace.tb_next
        self._error = traceback_of(self._shell, error, without_ours(trace))

    # -- the code ------------------------------------------------------------------------------

    def _execute(self, code: str) -> None:
        shell = self._shell
        with shell.builtin_trap:
            cell = shell.transform_cell(code)
            lines = [f"{line}\n" for line in cell.splitlines()]
            # No time of change, so that it is kept for the tracebacks of later cells.
            linecache.cache[self._name] = (len(cell), None, lines, self._name)
            module = shell.transform_ast(shell.compile.ast_parse(cell, filename=self._name))
            body = module.body
            # A cell that cannot be compiled to its end does nothing.
            codes = [self._compiled(statement, "exec") for statement in body[:-1]]
            if body:
                shown = isinstance(body[-1], ast.Expr) and not _ends_in_semicolon(cell)
                codes.append(self._compiled(body[-1], "single" if shown else "exec"))
            if any(code.co_flags & inspect.CO_COROUTINE for code in codes):
                stopped = self._run_coroutine(self._awaited(codes))
                if stopped is not None:
                    raise stopped
            else:
                for step in codes:
                    exec(step, shell.user_global_ns, shell.user_ns)  # noqa: S102 - its purpose

    async def _awaited(self, codes: Sequence[CodeType]) -> StopIteration | None:
        """Run all statements; return what a coroutine may not raise."""
        shell = self._shell
        try:
            for code in codes:
                made = eval(code, shell.user_global_ns, shell.user_ns)  # noqa: S307 - its purpose
                if code.co_flags & inspect.CO_COROUTINE:
                    await made
        except StopIteration as stopped:
            return stopped
        return None

    def _compiled(self, statement: ast.stmt, mode: str) -> CodeType:
        shell = self._shell
        flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT if shell.autoawait else 0
        made: Any = (
            ast.Interactive([statement]) if mode == "single" else ast.Module([statement], [])
        )
        with shell.compile.extra_flags(flags):
            return shell.compile(made, self._name, mode)

    def _run_coroutine(
        self, steps: Coroutine[Any, Any, StopIteration | None]
    ) -> StopIteration | None:
        shell = self._shell
        if asyncio._get_running_loop() is not None:  # noqa: SLF001
            return self._loop.run(steps)
        if str(shell.loop_runner) == "asyncio":
            return run_in(get_asyncio_loop(), steps)
        stopped: StopIteration | None = shell.loop_runner(steps)
        return stopped

    def _flush_figures(self) -> None:
        """Display the figures that the code has drawn, as the inline backend does after a cell."""
        inline = sys.modules.get("matplotlib_inline.backend_inline")
        if inline is not None:
            flush = inline.flush_figures
            if flush in self._shell.events.callbacks["post_execute"]:
                before, self._error = self._error, None
                flush()
                self._error = before or self._error

    # -- what it must not do -------------------------------------------------------------------

    @contextmanager
    def _out_of_sight(self) -> Iterator[None]:
        """Keep from the shell and the reader what goes neither to a stream nor to a display."""
        shell = self._shell
        ours = self._capture.catches

        def instead(what: Callable[..., Any]) -> Callable[[Any], Callable[..., Any]]:
            def make(original: Callable[..., Any]) -> Callable[..., Any]:
                def stand_in(*args: Any, **kwargs: Any) -> Any:
                    return (what if ours() else original)(*args, **kwargs)

                return stand_in

            return make

        with ExitStack() as undo:
            stand_ins: list[tuple[object, str, Callable[..., Any]]] = [
                (shell, "_showtraceback", self._traceback_shown),
                (shell, "ask_exit", _exit),
                (shell, "set_next_input", self._next_input),
                (shell, "debugger", _refuse_debugger),
                (builtins, "input", _refuse_input),
                (getpass, "getpass", _refuse_input),
                (sys, "breakpointhook", _refuse_debugger),
            ]
            for owner, name, what in stand_ins:
                if hasattr(owner, name):  # the plainest shell has nothing to exit from
                    undo.enter_context(StandIn(owner, name, instead(what)))
            undo.callback(setattr, sys, "displayhook", sys.displayhook)
            sys.displayhook = self._take_result
            undo.callback(setattr, sys, "stdin", sys.stdin)
            sys.stdin = _NoInput()
            undo.enter_context(_nothing_to_read())
            undo.callback(setattr, shell, "call_pdb", shell.call_pdb)
            shell.call_pdb = False
            undo.callback(setattr, shell.hooks, "show_in_pager", shell.hooks.show_in_pager)
            shell.hooks.show_in_pager = self._page
            yield

    def _take_result(self, value: object) -> None:
        """Take the value of the last expression, in the place of `sys.displayhook`."""
        if value is None:
            return
        shown_before = self._shown
        formatter: Any = self._shell.display_formatter
        bundle, _ = formatter.format(value, include=["text/plain", *PICTURE_TYPES])
        text = bundle.get("text/plain")
        if text is not None:
            self._result = bounded(plain(bounded(str(text), MAX_TEXT)), MAX_TEXT)
        elif self._shown is not shown_before:
            self._result = f"<{type(value).__name__} object whose repr failed>"
        for picture in pictures_in(bundle):
            self._output.display({picture.media_type: picture.data})

    def _traceback_shown(self, _: type, error: BaseException, lines: Sequence[str]) -> None:
        self._shown = error
        self._error = traceback_text(lines)

    def _next_input(self, text: str, *_: Any, **__: Any) -> None:
        self._output.write("stdout", f"{text}\n")

    def _page(self, data: Any, *_: Any, **__: Any) -> None:
        text = data.get("text/plain", "") if isinstance(data, dict) else str(data)
        self._output.write("stdout", f"{text}\n")


def _ends_in_semicolon(cell: str) -> bool:
    """Tell whether the result of a cell is not wanted."""
    last = ""
    with suppress(tokenize.TokenError, SyntaxError):
        for token in tokenize.generate_tokens(io.StringIO(cell).readline):
            if token.type not in _BLANK:
                last = token.string
    return last == ";"


_BLANK = {tokenize.ENDMARKER, tokenize.NL, tokenize.NEWLINE, tokenize.COMMENT}


def _exit(*_: Any, **__: Any) -> NoReturn:
    raise SystemExit


def _refuse_input(prompt: object = "", *_: Any, **__: Any) -> NoReturn:
    asked = f" ({str(prompt)!r})" if prompt else ""
    raise StdinNotImplementedError(
        f"The code asked for input{asked}, but it runs for Claude and nobody can type into it. "
        "Put the value into the code, or ask the user for it in your answer.",
    )


def _refuse_debugger(*_: Any, **__: Any) -> NoReturn:
    raise StdinNotImplementedError(
        "The code asked for a debugger, but it runs for Claude and nobody can type into it. "
        "Print what you want to see.",
    )


class _NoInput(io.TextIOBase):
    """Stands in for `sys.stdin`, from which nothing can be read."""

    def readable(self) -> bool:
        return True

    def read(self, _: int | None = -1, /) -> str:
        _refuse_input()

    def readline(self, _: int = -1, /) -> str:  # type: ignore[override]
        _refuse_input()


@contextmanager
def _nothing_to_read() -> Iterator[None]:
    """Let child processes find the end of standard input at once, rather than wait for it."""
    try:
        saved = os.dup(0)
    except OSError:  # it is closed
        yield
        return
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    try:
        yield
    finally:
        os.dup2(saved, 0)
        os.close(saved)
