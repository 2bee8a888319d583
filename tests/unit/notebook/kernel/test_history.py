"""What the cells of an IPython without a kernel did."""

from __future__ import annotations

import gc
import io
import logging
import os
import sys
import threading
import weakref
from typing import TYPE_CHECKING, Any

import pytest

from claude_magic.notebook.kernel.history import CellHistory

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

#: A valid picture of one pixel.
PNG = (
    b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00\x1f"
    b"\x15\xc4\x89\x00\x00\x00\rIDATx\x9cc\xf8\xff\xff?\x00\x05\xfe\x02\xfe\xa75\x81\x84\x00\x00"
    b"\x00\x00IEND\xaeB`\x82"
)


def run(shell: InteractiveShell, code: str) -> None:
    shell.run_cell(code, store_history=True)


def test_a_cell_is_remembered_with_what_it_showed(
    shell: InteractiveShell, history: CellHistory
) -> None:
    run(shell, "import sys\nprint('out')\nprint('err', file=sys.stderr)\n6 * 7")
    (cell,) = history.recent(9)
    assert cell.number == 1
    assert cell.cell_id is None
    assert cell.status == "ok"
    assert cell.error is None
    assert cell.outputs == "out\nerr\n42\n"
    assert cell.source.endswith("6 * 7")
    assert not cell.is_prompt
    assert 0 < cell.elapsed_s < 60


def test_the_reader_sees_what_he_would_see_without_us(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    cells = ["print('a')\n'b'", "display('c')", "1 / 0", "def", "%nope"]
    seen = []
    for watched in (False, True):
        history = CellHistory(shell)
        if watched:
            history.start()
        shell.execution_count = 1
        for cell in cells:
            run(shell, cell)
        history.stop()
        seen.append(capsys.readouterr())
    # An address in the name of an input is all that differs.
    assert seen[0] == seen[1]
    assert "ZeroDivisionError" in seen[0].out


def test_nothing_of_the_shell_is_changed_between_cells(
    shell: InteractiveShell, history: CellHistory
) -> None:
    def changed() -> list[object]:
        owners: list[Any] = [shell.display_pub, shell.displayhook, shell]
        names = {"publish", "clear_output", "write_format_data", "write_output_prompt"}
        found = [owner for owner in owners if names & vars(owner).keys()]
        return [*found, *[shell for _ in ["_showtraceback"] if "_showtraceback" in vars(shell)]]

    run(shell, "assert 'publish' in vars(get_ipython().display_pub)")
    run(shell, "1 / 0")
    assert history.recent(2)[0].status == "ok"
    assert changed() == []


def test_the_last_cells_are_remembered_oldest_first(
    shell: InteractiveShell, history: CellHistory
) -> None:
    for number in range(8):
        run(shell, f"{number}")
    assert [cell.source for cell in history.recent(50)] == ["3", "4", "5", "6", "7"]
    assert [cell.source for cell in history.recent(2)] == ["6", "7"]
    assert history.recent(0) == []


def test_the_cell_that_runs_is_there_too(shell: InteractiveShell, history: CellHistory) -> None:
    shell.user_ns["history"] = history
    run(shell, "print('so far')\nseen = history.recent(1)[0]")
    seen = shell.user_ns["seen"]
    assert (seen.status, seen.outputs) == ("running", "so far\n")
    assert history.recent(1)[0].status == "ok"
    assert seen.status == "running"


def test_the_traceback_of_the_last_failed_cell_outlives_cells_that_succeed(
    shell: InteractiveShell, history: CellHistory
) -> None:
    assert history.last_error() is None
    run(shell, "def half(x):\n    return x / 0  # here\n\nhalf(4)")
    run(shell, "'fine'")
    failed, fine = history.recent(2)
    assert (failed.status, failed.error) == ("error", "ZeroDivisionError: division by zero")
    assert failed.outputs == ""
    assert fine.status == "ok"
    trace = history.last_error()
    assert trace is not None
    assert "return x / 0  # here" in trace
    assert "half(4)" in trace
    assert trace.endswith("ZeroDivisionError: division by zero")
    assert "\x1b" not in trace
    assert "async_helpers" not in trace


@pytest.mark.parametrize(
    ("code", "error", "told"),
    [
        ("x = (1,\ny = 2", "SyntaxError", "x = (1,"),
        ("if True:\nx = 1", "IndentationError", "x = 1"),
        ("%no_such_magic", "UsageError", "no_such_magic"),
        ("import sys; sys.exit(3)", "SystemExit", "SystemExit: 3"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt", "raise KeyboardInterrupt"),
    ],
)
@pytest.mark.filterwarnings("ignore:To exit")
def test_every_kind_of_failure_has_a_traceback(
    shell: InteractiveShell, history: CellHistory, code: str, error: str, told: str
) -> None:
    run(shell, code)
    (cell,) = history.recent(1)
    assert cell.status == "error"
    assert (cell.error or "").startswith(error)
    assert told in (history.last_error() or "")


@pytest.mark.skipif(sys.version_info < (3, 11), reason="exception groups came with 3.11")
def test_an_exception_group_has_a_traceback(shell: InteractiveShell, history: CellHistory) -> None:
    run(shell, "raise ExceptionGroup('many', [ValueError('one'), TypeError('two')])")
    trace = history.last_error() or ""
    assert "ValueError: one" in trace
    assert "TypeError: two" in trace


def test_an_endless_traceback_is_bounded(shell: InteractiveShell, history: CellHistory) -> None:
    run(shell, "raise ValueError('begin ' + 'x' * 10**6 + ' end')")
    trace = history.last_error() or ""
    assert len(trace) <= 20_000
    assert "characters left out" in trace
    assert trace.endswith("end")
    assert len(history.recent(1)[0].error or "") <= 500


def test_a_cell_that_prints_very_much_is_kept_in_little(
    shell: InteractiveShell, history: CellHistory
) -> None:
    before, sys.stdout = sys.stdout, io.StringIO()
    try:
        run(shell, "print('begin')\nfor _ in range(2000): print('x' * 5000)\nprint('end')")
    finally:
        sys.stdout = before
    outputs = history.recent(1)[0].outputs
    assert len(outputs) <= 8_000
    assert outputs.startswith("begin\nxxx")
    assert outputs.endswith("xxx\nend\n")


def test_what_is_displayed_is_kept_as_text_and_pictures(
    shell: InteractiveShell, history: CellHistory
) -> None:
    shell.user_ns["png"] = PNG
    run(
        shell,
        "from IPython.display import Image, display\n"
        "get_ipython().display_pub.publish({'text/plain': 'a picture', 'image/png': png})\n"
        "display({'text/plain': 'told'}, raw=True)",
    )
    (cell,) = history.recent(1)
    assert cell.outputs == "a picture\ntold\n"
    assert cell.pictures == (("image/png", PNG),)


def test_pictures_are_bounded_in_number_and_size(
    shell: InteractiveShell, history: CellHistory, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish = "get_ipython().display_pub.publish({{'image/png': {data}}})\n"
    run(shell, publish.format(data="b'x' * 10**7") + publish.format(data="b'y'") * 6)
    (cell,) = history.recent(1)
    assert len(cell.pictures) == 4
    assert "picture left out: it has 10,000,000 bytes" in cell.outputs
    for _ in range(4):
        run(shell, publish.format(data="b'z' * 1_900_000") * 3)
    run(shell, "'next'")
    kept = [sum(len(picture.data) for picture in cell.pictures) for cell in history.recent(5)]
    assert sum(kept) <= 16_000_000
    assert kept[3] == 5_700_000


def test_a_cleared_output_is_gone(shell: InteractiveShell, history: CellHistory) -> None:
    run(
        shell,
        "from IPython.display import clear_output\n"
        "for n in range(3):\n    clear_output(wait=True)\n    print(n)\n"
        "clear_output(wait=True)",
    )
    assert history.recent(1)[0].outputs == "2\n"


def test_of_an_updated_display_the_last_form_counts(
    shell: InteractiveShell, history: CellHistory
) -> None:
    run(
        shell,
        "h = display('0 %', display_id=True)\nfor n in range(100): h.update(f'{n} % done')",
    )
    outputs = history.recent(1)[0].outputs
    assert outputs == "'0 %'\n\n[updated display]\n'99 % done'"


@pytest.mark.parametrize(
    ("code", "is_prompt"),
    [
        ("%%claude -o x\nHello", True),
        ("\n%%claude", True),
        ("x = 1\n  %claude hello", True),
        ("answer = %claude hello", True),
        ("%claude_status", False),
        ("'%claude'", False),
        ("%%claudette\nx", False),
    ],
)
def test_prompts_are_marked(
    shell: InteractiveShell, history: CellHistory, code: str, *, is_prompt: bool
) -> None:
    run(shell, code)
    assert history.recent(1)[0].is_prompt == is_prompt


def test_a_failed_prompt_is_no_error_of_the_users(
    shell: InteractiveShell, history: CellHistory
) -> None:
    run(shell, "1 / 0")
    run(shell, "%%claude\nthere is no such magic here")
    assert history.recent(1)[0].status == "error"
    assert "ZeroDivisionError" in (history.last_error() or "")


def test_a_cell_that_runs_cells_is_one_cell(shell: InteractiveShell, history: CellHistory) -> None:
    run(
        shell,
        "run = get_ipython().run_cell\nrun('print(1)')\nrun('')\nrun('1 / 0')\nprint(2)",
    )
    run(shell, "'next'")
    cells = history.recent(5)
    assert len(cells) == 2
    assert cells[0].outputs == "1\n2\n"
    assert "ZeroDivisionError" in (cells[0].error or "")


def test_blank_cells_are_none(shell: InteractiveShell, history: CellHistory) -> None:
    run(shell, "")
    run(shell, "\n \n")
    run(shell, "1")
    assert [cell.source for cell in history.recent(5)] == ["1"]


def test_an_error_of_ours_breaks_no_cell_and_is_logged(
    shell: InteractiveShell,
    history: CellHistory,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    class Hostile(str):
        __slots__ = ()

        def __getitem__(self, _: object) -> str:
            raise RuntimeError("no slices")

    shell.user_ns["hostile"] = Hostile("hostile")
    with caplog.at_level(logging.DEBUG):
        run(shell, "import sys\n_ = sys.stdout.write(hostile)\nfine = True")
    assert shell.user_ns["fine"]
    assert history.recent(1)[0].status == "ok"
    assert "hostile" in capsys.readouterr().out
    assert "not noted" in caplog.text


def test_output_of_other_threads_is_seen_by_the_reader_and_by_us(
    shell: InteractiveShell, history: CellHistory, capsys: pytest.CaptureFixture[str]
) -> None:
    go, done = threading.Event(), threading.Event()

    def work() -> None:
        go.wait(10)
        sys.stdout.write("from a thread\n")
        done.set()

    thread = threading.Thread(target=work)
    thread.start()
    shell.user_ns.update(go=go, done=done)
    run(shell, "go.set()\nassert done.wait(10)")
    thread.join()
    assert history.recent(1)[0].outputs == "from a thread\n"
    assert capsys.readouterr().out == "from a thread\n"


def test_streams_that_the_cell_replaces_are_left_alone(
    shell: InteractiveShell, history: CellHistory
) -> None:
    before = sys.stdout
    try:
        run(shell, "import io, sys\nprint('seen')\nsys.stdout = mine = io.StringIO()\nprint('x')")
        assert sys.stdout is shell.user_ns["mine"]
        assert "write" not in vars(sys.stdout)
    finally:
        sys.stdout = before
    assert history.recent(1)[0].outputs == "seen\n"


def test_top_level_await_is_seen(shell: InteractiveShell, history: CellHistory) -> None:
    run(shell, "import asyncio\nawait asyncio.sleep(0)\nprint('awaited')\n1 / 0")
    (cell,) = history.recent(1)
    assert cell.outputs == "awaited\n"
    assert cell.error == "ZeroDivisionError: division by zero"


def test_starting_and_stopping_are_idempotent(
    shell: InteractiveShell, history: CellHistory
) -> None:
    history.start()
    run(shell, "1")
    history.stop()
    history.stop()
    run(shell, "2")
    assert [cell.source for cell in history.recent(5)] == ["1"]
    history.start()
    run(shell, "3")
    assert [cell.source for cell in history.recent(5)] == ["1", "3"]


def test_it_may_be_started_and_stopped_in_a_cell(
    shell: InteractiveShell, history: CellHistory
) -> None:
    shell.user_ns["history"] = history
    run(shell, "history.stop()\nprint(1)\nhistory.start()")
    run(shell, "print(2)")
    assert history.recent(1)[0].outputs == "2\n"
    assert "_showtraceback" not in vars(shell)


def test_nothing_of_the_users_is_kept_alive(shell: InteractiveShell, history: CellHistory) -> None:
    run(shell, "class Thing: pass\ndef fail(thing): 1 / 0\nthing = Thing()")
    watched = weakref.ref(shell.user_ns["thing"])
    run(shell, "fail(thing)")
    run(shell, "del thing\nimport sys\nsys.last_value = sys.last_exc = sys.last_traceback = None")
    shell.last_execution_result = None
    shell.InteractiveTB.tb = None
    shell.InteractiveTB.etype = shell.InteractiveTB.evalue = None  # type: ignore[attr-defined]
    gc.collect()
    assert watched() is None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_waits_for_no_lock_of_ours(
    shell: InteractiveShell, history: CellHistory
) -> None:
    held, release = threading.Event(), threading.Event()

    class Slow(str):
        """Takes its time to be noted, so that the child is forked meanwhile."""

        __slots__ = ()

        def __getitem__(self, key: Any) -> str:
            held.set()
            release.wait(30)
            return str(self)[key]

    shell.user_ns.update(slow=Slow("slow"), held=held, release=release)
    run(
        shell,
        "import os, sys, threading, signal\n"
        "thread = threading.Thread(target=sys.stdout.write, args=[slow])\n"
        "thread.start()\nassert held.wait(10)\n"
        "child = os.fork()\n"
        "if not child:\n    signal.alarm(10)\n    print('child')\n    os._exit(7)\n"
        "_, status = os.waitpid(child, 0)\nrelease.set()\nthread.join()",
    )
    assert os.WEXITSTATUS(shell.user_ns["status"]) == 7
