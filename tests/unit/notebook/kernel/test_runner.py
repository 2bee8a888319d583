"""Code for the model in an IPython without a kernel, while a cell runs."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import threading
import time
import warnings
from typing import TYPE_CHECKING, Any

import pytest

from claude_magic.notebook.kernel.bounded_text import plain

if TYPE_CHECKING:
    from collections.abc import Callable

    from IPython.core.interactiveshell import InteractiveShell

    from claude_magic.notebook.kernel.history import CellHistory
    from claude_magic.notebook.kernel.runner import PythonRunner, RunResult

#: Interrupts this process as a front end does.
INTERRUPT = "import os, signal; os.kill(os.getpid(), signal.SIGINT)\n"


def test_what_code_writes_and_results_in_comes_back_and_is_not_shown(
    runner: PythonRunner, capfd: pytest.CaptureFixture[str]
) -> None:
    ran = runner.run("import sys\nprint('out')\nprint('err', file=sys.stderr)\n6 * 7")
    assert (ran.stdout, ran.stderr, ran.result) == ("out\n", "err\n", "42")
    assert (ran.error, ran.pictures, ran.interrupted) == (None, (), False)
    assert 0 < ran.elapsed_s < 60
    assert capfd.readouterr() == ("", "")


def test_code_shares_the_users_namespace(shell: InteractiveShell, runner: PythonRunner) -> None:
    shell.user_ns["x"] = 20
    assert runner.run("y = x + 1\ndef twice(v): return 2 * v\n[twice(v) for v in [y]]").result == (
        "[42]"
    )
    assert shell.user_ns["y"] == 21
    assert runner.run("twice(y)").result == "42"


def test_it_leaves_no_trace_in_the_shell(shell: InteractiveShell, runner: PythonRunner) -> None:
    seen: list[object] = []
    for event in ("pre_execute", "pre_run_cell", "post_execute", "post_run_cell"):
        shell.events.register(event, lambda *_: seen.append(event))  # noqa: B023

    def state() -> list[object]:
        of_shell = {name: id(value) for name, value in vars(shell).items()}
        of_shell.pop("_last_input_line", None)  # what IPython has looked at last
        streams = [sys.stdout, sys.stderr, sys.stdin, sys.displayhook, sys.excepthook]
        return [of_shell, list(vars(shell.display_pub)), shell.hooks.show_in_pager, *streams]

    before = state()
    for code in ("print(1)\n'result'", "1 / 0", "def"):
        runner.run(code)
        assert state() == before
    assert seen == []
    assert shell.execution_count == 1
    assert shell.user_ns["Out"] == {}
    assert shell.user_ns["In"] == [""]
    assert shell.user_ns["_"] == ""


def test_the_underscore_is_the_users_and_may_be_assigned(
    shell: InteractiveShell, runner: PythonRunner
) -> None:
    shell.run_cell("'of the user'", store_history=True)
    assert runner.run("_").result == "'of the user'"
    runner.run("'another'")
    assert runner.run("_").result == "'of the user'"
    runner.run("_ = 3")
    assert shell.user_ns["_"] == 3


@pytest.mark.parametrize("code", ["6 * 7;", "x = 42", "None", "", "  \n", "# nothing", "6;  # ;"])
def test_without_an_expression_at_the_end_there_is_no_result(
    runner: PythonRunner, code: str
) -> None:
    ran = runner.run(code)
    assert (ran.result, ran.error) == (None, None)


def test_an_exception_comes_back_with_its_source_lines(
    shell: InteractiveShell, runner: PythonRunner, capfd: pytest.CaptureFixture[str]
) -> None:
    ran = runner.run("print('before')\ndef half(x):\n    return x / 0  # here\nhalf(4)")
    assert ran.stdout == "before\n"
    assert ran.error is not None
    assert "return x / 0  # here" in ran.error
    assert "half(4)" in ran.error
    assert ran.error.endswith("ZeroDivisionError: division by zero")
    assert "\x1b" not in ran.error
    assert "runner.py" not in ran.error
    # What the code has defined keeps its source lines.
    shell.run_cell("half(4)")
    assert "return x / 0" in plain(capfd.readouterr().out)


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("x = (1,\ny = 2", "SyntaxError"),
        ("print('not')\nreturn 1", "SyntaxError"),
        ("if True:\nx = 1", "IndentationError"),
        ("%no_such_magic", "UsageError"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("next(iter([]))", "StopIteration"),
        ("import asyncio\nawait asyncio.sleep(0)\nnext(iter([]))", "StopIteration"),
        ("raise GeneratorExit", "GeneratorExit"),
        ("class Bad(Exception):\n    def __str__(s): return 1 / 0\nraise Bad", "Bad"),
        ("def f(): f()\nf()", "RecursionError"),
        (
            "try:\n    1 / 0\nexcept Exception as e:\n    raise ValueError('v') from e",
            "direct cause",
        ),
    ],
)
def test_every_kind_of_failure_is_told(runner: PythonRunner, code: str, told: str) -> None:
    ran = runner.run(code)
    assert told in (ran.error or "")
    assert "runner.py" not in (ran.error or "")
    assert ran.stdout == ""
    assert not ran.interrupted
    assert runner.run("1 + 1").result == "2"


@pytest.mark.parametrize(
    "code", ["import sys; sys.exit(3)", "exit", "exit()", "quit()", "raise SystemExit"]
)
def test_code_that_exits_ends_nothing_but_itself(
    shell: InteractiveShell, runner: PythonRunner, code: str
) -> None:
    ran = runner.run(f"{code}\nafter = 1" if "\n" not in code and code != "exit" else code)
    assert "asked to exit" in (ran.error or "")
    assert "after" not in shell.user_ns
    assert shell.keep_running  # type: ignore[attr-defined]
    assert ran.stderr == ""


@pytest.mark.parametrize(
    "code",
    [
        "input('Your name? ')",
        "import getpass; getpass.getpass('Password')",
        "import sys; sys.stdin.readline()",
        "import sys; sys.stdin.read()",
        "for line in __import__('sys').stdin: pass",
        "breakpoint()",
        "import pdb; pdb.Pdb().set_trace(); x = 1",
    ],
)
def test_code_that_wants_input_is_told_that_nobody_can_type(
    runner: PythonRunner, code: str
) -> None:
    ran = runner.run(code)
    assert "nobody can type" in (ran.error or "")
    assert "_refuse" not in (ran.error or "")


def test_code_that_starts_a_debugger_ends_nobody_elses(runner: PythonRunner) -> None:
    def trace(_frame: object, _event: str, _argument: object) -> None:
        """Follow nothing."""

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        runner.run("import pdb; pdb.Pdb().set_trace(); x = 1")
        kept = sys.gettrace()
    finally:
        sys.settrace(before)
    assert kept is trace


def test_a_child_process_that_reads_finds_the_end(runner: PythonRunner) -> None:
    assert runner.run("import os; os.system('cat; echo read')").stdout == "read\n"


def test_output_below_python_is_caught_too(
    runner: PythonRunner, capfd: pytest.CaptureFixture[str]
) -> None:
    ran = runner.run(
        "import os, subprocess\nos.write(1, b'raw\\n')\n"
        "subprocess.run('echo child; echo oops >&2', shell=True);\n!echo shell"
    )
    assert ran.error is None
    assert sorted(ran.stdout.split()) == ["child", "raw", "shell"]
    assert ran.stderr == "oops\n"
    assert capfd.readouterr() == ("", "")


def test_who_kept_the_streams_before_is_caught_too(
    runner: PythonRunner, shell: InteractiveShell, capfd: pytest.CaptureFixture[str]
) -> None:
    handler = logging.StreamHandler(sys.stderr)
    shell.user_ns["log"] = logging.getLogger("of the user")
    shell.user_ns["log"].addHandler(handler)
    assert runner.run("log.warning('careful')").stderr == "careful\n"
    shell.user_ns["log"].warning("seen")
    shell.user_ns["log"].removeHandler(handler)
    assert capfd.readouterr().err == "seen\n"


def test_who_keeps_our_streams_writes_to_the_front_end_later(
    runner: PythonRunner, shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    assert runner.run("import sys\nkept = sys.stdout\nprint('caught')").stdout == "caught\n"
    print("seen", file=shell.user_ns["kept"])
    assert capsys.readouterr().out == "seen\n"
    assert runner.run("print('again', file=kept)").stdout == "again\n"


def test_streams_that_code_replaces_are_put_back(runner: PythonRunner) -> None:
    before = (sys.stdout, sys.stderr, sys.displayhook)
    ran = runner.run("import io, sys\nprint(1)\nsys.stdout = sys.stderr = io.StringIO()\nprint(2)")
    assert ran.stdout == "1\n"
    assert (sys.stdout, sys.stderr, sys.displayhook) == before


def test_output_of_threads_that_ran_before_goes_where_it_went(
    runner: PythonRunner, shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    go, done = threading.Event(), threading.Event()

    def work() -> None:
        go.wait(10)
        sys.stdout.write("of before\n")
        done.set()

    thread = threading.Thread(target=work)
    thread.start()
    shell.user_ns.update(go=go, done=done)
    ran = runner.run(
        "import threading\ngo.set()\nassert done.wait(10)\n"
        "t = threading.Thread(target=print, args=['of now'])\nt.start(); t.join()"
    )
    thread.join()
    assert ran.stdout == "of now\n"
    assert capsys.readouterr().out == "of before\n"


def test_fifty_megabytes_come_back_as_twenty_kilobytes(runner: PythonRunner) -> None:
    ran = runner.run("print('begin')\nfor _ in range(10_000): print('x' * 5_000)\nprint('end')")
    assert len(ran.stdout) <= 20_000
    assert ran.stdout.startswith("begin\nx")
    assert ran.stdout.endswith("x\nend\n")
    assert "characters left out" in ran.stdout


def test_a_child_process_may_write_very_much(runner: PythonRunner) -> None:
    ran = runner.run(
        "import os\nos.system('head -c 30000000 /dev/zero | tr \"\\\\0\" y; echo end')"
    )
    assert len(ran.stdout) <= 20_000
    assert ran.stdout.endswith("yend\n")


def test_a_huge_result_and_a_huge_traceback_are_bounded(runner: PythonRunner) -> None:
    assert len(runner.run("'x' * 10**6").result or "") <= 20_000
    assert len(runner.run("raise ValueError('x' * 10**6)").error or "") <= 20_000


def test_a_result_whose_repr_raises_is_named(runner: PythonRunner) -> None:
    ran = runner.run("class Bad:\n    def __repr__(self): return 1 / 0\nBad()")
    assert ran.result == "<Bad object whose repr failed>"
    assert "ZeroDivisionError" in (ran.error or "")


def test_what_is_displayed_comes_back(runner: PythonRunner, shell: InteractiveShell) -> None:
    shell.user_ns["png"] = png = b"\x89PNG\r\n\x1a\n and so on"
    ran = runner.run(
        "class Picture:\n    def _repr_png_(self): return png\n    def __repr__(self): return 'P'\n"
        "print('a')\ndisplay(Picture())\ndisplay({'text/plain': 'b'}, raw=True)\nPicture()"
    )
    assert ran.stdout == "a\nP\nb\n"
    assert ran.result == "P"
    assert ran.pictures == (("image/png", png), ("image/png", png))
    assert shell.display_formatter is not None
    assert not shell.display_formatter.formatters["image/png"].enabled


def test_cleared_output_is_gone(runner: PythonRunner) -> None:
    ran = runner.run(
        "from IPython.display import clear_output\n"
        "for n in range(3):\n    clear_output(wait=True)\n    print(n)"
    )
    assert ran.stdout == "2\n"


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("%timeit -n 1 -r 1 1 + 1", "loop"),
        ("%%time\nx = 1", "Wall time"),
        ("%%capture kept\nprint('x')", ""),
        ("len?", "Return the number of items"),
        ("%pinfo len", "Return the number of items"),
        ("x = !echo listed\nprint(x[0])", "listed"),
    ],
)
def test_magics_work(runner: PythonRunner, code: str, told: str) -> None:
    ran = runner.run(code)
    assert ran.error is None
    assert told in ran.stdout
    assert runner.run("print('still caught')").stdout == "still caught\n"


def test_a_script_that_fails_in_a_magic_is_told(runner: PythonRunner, tmp_path: Any) -> None:
    script = tmp_path / "script.py"
    script.write_text("print('in script')\n1 / 0\n")
    ran = runner.run(f"%run {script}")
    assert ran.stdout == "in script\n"
    assert "ZeroDivisionError" in (ran.error or "")


def test_top_level_await_works(runner: PythonRunner) -> None:
    ran = runner.run(
        "import asyncio\nasync def f():\n    await asyncio.sleep(0)\n    return 42\n"
        "print('before')\nx = await f()\n(await f()) + x"
    )
    assert (ran.stdout, ran.result, ran.error) == ("before\n", "84", None)


async def test_top_level_await_works_within_a_running_loop(
    runner: PythonRunner, shell: InteractiveShell
) -> None:
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    code = "import asyncio\nloop = asyncio.get_running_loop()\nawait asyncio.sleep(0.01)\n"
    assert runner.run(f"{code}asyncio.current_task() is not None").result == "True"
    assert shell.user_ns["loop"] is not loop
    assert asyncio.get_running_loop() is loop
    assert asyncio.current_task() is task
    await asyncio.sleep(0)
    # Of one run the loop serves the next.
    assert runner.run("import asyncio\nf = asyncio.Event()\nawait asyncio.sleep(0)").error is None
    assert runner.run("f.set()\nawait f.wait()").result == "True"
    assert runner.run("await asyncio.sleep(0)\nloop is asyncio.get_running_loop()").result == "True"


async def test_what_belongs_to_the_outer_loop_cannot_be_awaited_and_does_not_hang(
    runner: PythonRunner, shell: InteractiveShell
) -> None:
    shell.user_ns["outer"] = outer = asyncio.ensure_future(asyncio.sleep(0, "outer"))
    error = runner.run("await outer").error or ""
    assert "belongs to the kernel's own event loop" in error
    assert "private_loop.py" not in error
    assert await outer == "outer"


async def test_tasks_that_code_leaves_go_on_with_the_next_await(runner: PythonRunner) -> None:
    runner.run(
        "import asyncio\nran = []\nasync def later():\n    await asyncio.sleep(0)\n"
        "    await asyncio.sleep(0)\n    ran.append(1)\n"
        "task = asyncio.create_task(later())\nawait asyncio.sleep(0)"
    )
    assert runner.run("await task\nran").result == "[1]"


def test_an_error_after_an_await_has_its_source_lines(runner: PythonRunner) -> None:
    ran = runner.run("import asyncio\nawait asyncio.sleep(0)\n1 / 0  # here")
    assert "1 / 0  # here" in (ran.error or "")
    assert "asyncio/" not in (ran.error or "")


def test_an_interrupt_ends_the_code_and_the_handler_is_put_back(
    runner: PythonRunner, shell: InteractiveShell
) -> None:
    handled: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: handled.append(number))
    try:
        ran = runner.run(f"print('before')\n{INTERRUPT}import time; time.sleep(30)\nafter = 1")
        assert ran.interrupted
        assert ran.stdout == "before\n"
        assert "KeyboardInterrupt" in (ran.error or "")
        assert "after" not in shell.user_ns
        os.kill(os.getpid(), signal.SIGINT)
        assert handled == [signal.SIGINT]
    finally:
        signal.signal(signal.SIGINT, before)
    assert not runner.run("1").interrupted


def test_code_that_handles_an_interrupt_goes_on_and_it_is_told(runner: PythonRunner) -> None:
    ran = runner.run(
        f"import time\ntry:\n    {INTERRUPT.strip()}; time.sleep(30)\n"
        "except KeyboardInterrupt:\n    print('stopped early')\n"
    )
    assert (ran.stdout, ran.error, ran.interrupted) == ("stopped early\n", None, True)


class Interrupter:
    """Interrupts the main thread once `started` is set, and until `stopped` is.

    A signal that comes just before a system call does not end it, so one may not be enough.
    """

    def __init__(self, shell: InteractiveShell) -> None:
        self.started, self.stopped = threading.Event(), threading.Event()
        shell.user_ns.update(started=self.started, stopped=self.stopped)

    def __enter__(self) -> None:
        self.thread = threading.Thread(target=self._interrupt)
        self.thread.start()

    def __exit__(self, *_: object) -> None:
        self.stopped.set()
        self.thread.join()

    def _interrupt(self) -> None:
        self.started.wait(10)
        while not self.stopped.is_set():
            # From a thread of its own a process would interrupt that thread.
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
            self.stopped.wait(1)


@pytest.mark.parametrize("within", [False, True], ids=["no loop", "a running loop"])
def test_an_interrupt_ends_an_await_and_its_ends_run(
    runner: PythonRunner, shell: InteractiveShell, *, within: bool
) -> None:
    code = (
        "import asyncio\nasync def wait():\n    try:\n        started.set()\n"
        "        await asyncio.sleep(30)  # here\n    finally:\n"
        "        await asyncio.sleep(0)\n        print('ended')\nawait wait()"
    )

    async def in_loop() -> RunResult:
        return runner.run(code)

    with Interrupter(shell):
        ran = asyncio.run(in_loop()) if within else runner.run(code)
    assert ran.interrupted
    assert ran.stdout == "ended\n"
    assert "KeyboardInterrupt" in (ran.error or "")
    if sys.version_info >= (3, 11):
        assert "await asyncio.sleep(30)  # here" in (ran.error or "")
    assert ran.elapsed_s < 10
    assert runner.run("await asyncio.sleep(0)\n1").result == "1"


def test_a_repr_that_never_ends_can_be_interrupted(
    runner: PythonRunner, shell: InteractiveShell
) -> None:
    with Interrupter(shell):
        ran = runner.run(
            "class Slow:\n    def __repr__(self):\n        started.set()\n"
            "        try:\n            import time; time.sleep(30)\n"
            "        finally:\n            stopped.set()\nSlow()"
        )
    assert ran.interrupted
    assert ran.elapsed_s < 10


def interrupt_in(moment_s: float) -> None:
    """Interrupt the main thread after so many seconds."""
    time.sleep(moment_s)
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)


def test_an_interrupt_at_any_moment_leaves_the_shell_as_it_was(
    runner: PythonRunner, shell: InteractiveShell
) -> None:
    watched: Callable[[], list[object]] = lambda: [  # noqa: E731
        sys.stdout, sys.stderr, sys.stdin, sys.displayhook, signal.getsignal(signal.SIGINT),
        "publish" in vars(shell.display_pub), "_showtraceback" in vars(shell),
    ]  # fmt: skip
    caught = []
    before_handler = signal.signal(signal.SIGINT, lambda *_: caught.append(1))
    try:
        before = watched()
        arrived = 0
        for number in range(60):
            moment_s = number * 0.0002
            thread = threading.Thread(
                target=interrupt_in,
                args=[moment_s],
            )
            thread.start()
            ran = runner.run("for _ in range(2000): pass\n1")
            thread.join()
            arrived += ran.interrupted
            assert watched() == before
        assert arrived + len(caught) == 60
    finally:
        signal.signal(signal.SIGINT, before_handler)


def test_code_cannot_have_more_code_run(runner: PythonRunner, shell: InteractiveShell) -> None:
    shell.user_ns["runner"] = runner
    assert "cannot have Claude run more" in (runner.run("runner.run('1')").error or "")
    assert not runner.running


def test_a_run_in_a_cell_is_not_in_the_history(
    shell: InteractiveShell, runner: PythonRunner, history: CellHistory
) -> None:
    shell.user_ns["runner"] = runner
    shell.run_cell("print('a')\nran = runner.run('print(1)\\n1 / 0')\nprint('b')")
    (cell,) = history.recent(5)
    assert (cell.status, cell.outputs) == ("ok", "a\nb\n")
    assert history.last_error() is None
    ran = shell.user_ns["ran"]
    assert ran.stdout == "1\n"
    assert "ZeroDivisionError" in ran.error


def test_a_child_that_lives_on_does_not_hold_up_the_result(
    runner: PythonRunner, shell: InteractiveShell
) -> None:
    ran = runner.run(
        "import subprocess\n"
        "child = subprocess.Popen('echo begun; read x', shell=True, stdin=subprocess.PIPE)\n"
        "import time; time.sleep(0.1)"
    )
    assert ran.stdout == "begun\n"
    assert ran.elapsed_s < 5
    child = shell.user_ns["child"]
    child.communicate(b"x\n")
    assert child.wait(10) == 0


def test_what_a_forked_child_prints_is_caught(runner: PythonRunner) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        ran = runner.run(
            "import os\nchild = os.fork()\n"
            "if not child:\n    print('child')\n    os._exit(0)\n_ = os.waitpid(child, 0)"
        )
    assert ran.stdout == "child\n"


def test_figures_of_the_inline_backend_come_back(
    shell: InteractiveShell, runner: PythonRunner, capfd: pytest.CaptureFixture[str]
) -> None:
    assert runner.run("%matplotlib inline").error is None
    ran = runner.run("import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()\nprint('x')")
    assert [picture.media_type for picture in ran.pictures] == ["image/png"]
    assert ran.pictures[0].data.startswith(b"\x89PNG")
    ran = runner.run("fig, ax = plt.subplots()\nax.plot([1, 2]);")
    assert len(ran.pictures) == 1
    assert runner.run("1").pictures == ()
    assert capfd.readouterr() == ("", "")
