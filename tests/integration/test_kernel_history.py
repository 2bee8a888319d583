"""What Claude can know of a real ipykernel, and do in it."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from support.kernel import Kernel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from support.kernel import Ran

pytestmark = pytest.mark.timeout(120)

_SET_UP = """
from dataclasses import asdict as _asdict
import json as _json
from claude_magic.notebook.kernel.history import CellHistory as _CellHistory
from claude_magic.notebook.kernel.runner import PythonRunner as _PythonRunner

_history = _CellHistory(get_ipython())
_history.start()
_runner = _PythonRunner(get_ipython())

def _jsonable(record):
    fields = _asdict(record)
    fields["pictures"] = [[kind, len(data)] for kind, data in fields["pictures"]]
    return fields

def _recent(count):
    print("<json>" + _json.dumps([_jsonable(cell) for cell in _history.recent(count + 1)[:-1]]))

def _run(code):
    print("<json>" + _json.dumps(_jsonable(_runner.run(code))))
"""


@pytest.fixture(scope="module")
def plain_kernel(
    sterile: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Kernel]:
    kernel = Kernel(sterile, tmp_path_factory.mktemp("notebook"), person=True)
    assert kernel.run(_SET_UP).status == "ok"
    yield kernel
    kernel.close()


def recent(kernel: Kernel, count: int = 1) -> list[dict[str, Any]]:
    """Return the last cells as the history in the kernel knows them."""
    found = told(kernel.run(f"_recent({count})"))
    assert isinstance(found, list)
    return found


def told(ran: Ran) -> Any:
    assert ran.status == "ok", ran.error
    return json.loads(ran.stdout.split("<json>")[1])


def run(kernel: Kernel, code: str, *, before: str = "", after: str = "") -> dict[str, Any]:
    """Run code for the model within a cell that must show nothing else and not fail."""
    ran = kernel.run(f"{before}\n_run({code!r})\n{after}")
    shown = {message["msg_type"] for message in ran.messages}
    assert shown <= {"status", "execute_input", "stream"}, shown
    assert ran.stdout.startswith("<json>"), ran.stdout
    result = told(ran)
    assert isinstance(result, dict)
    return result


# -- the history -------------------------------------------------------------------------------


def test_a_cell_is_remembered_with_what_it_showed(plain_kernel: Kernel) -> None:
    ran = plain_kernel.run(
        "import sys\nprint('out')\nprint('err', file=sys.stderr)\ndisplay('shown')\n6 * 7"
    )
    (cell,) = recent(plain_kernel)
    assert (cell["status"], cell["error"]) == ("ok", None)
    assert cell["outputs"] == "out\nerr\n'shown'\n42\n"
    (shown,) = ran.contents("execute_input")
    assert cell["number"] == shown["execution_count"]


def test_the_id_of_a_cell_is_that_of_the_front_end(plain_kernel: Kernel) -> None:
    client = plain_kernel.client
    content = {
        "code": "'with an id'",
        "silent": False,
        "store_history": True,
        "user_expressions": {},
        "allow_stdin": False,
        "stop_on_error": True,
    }
    message = client.session.msg("execute_request", content, metadata={"cellId": "abc-1"})
    client.shell_channel.send(message)
    plain_kernel.finish(message["header"]["msg_id"])
    assert recent(plain_kernel)[0]["cell_id"] == "abc-1"


def test_what_the_front_end_is_told_does_not_change(plain_kernel: Kernel) -> None:
    cells = [
        "import sys\nprint('a'); print('b', file=sys.stderr)\ndisplay('c')\n'd'",
        "1 / 0",
        "x = (1,\ny",
        "h = display(1, display_id='h')\nh.update(2)",
        "import asyncio\nawait asyncio.sleep(0)\nprint('e')",
        "%nope",
    ]

    def shown(ran: Ran) -> list[object]:
        kinds = ("stream", "display_data", "update_display_data", "execute_result", "error")
        contents = [dict(content) for content in ran.contents(*kinds)]
        for content in contents:
            content.pop("execution_count", None)
            content["traceback"] = [line.split("In[")[0] for line in content.get("traceback", [])]
        return [ran.status, contents]

    watched = [shown(plain_kernel.run(cell)) for cell in cells]
    assert plain_kernel.run("_history.stop()").status == "ok"
    alone = [shown(plain_kernel.run(cell)) for cell in cells]
    assert plain_kernel.run("_history.start()").status == "ok"
    assert watched == alone


def test_the_last_traceback_outlives_cells_that_succeed(plain_kernel: Kernel) -> None:
    plain_kernel.run("def half(x):\n    return x / 0  # here\nhalf(4)")
    (cell,) = recent(plain_kernel)
    assert (cell["status"], cell["error"]) == ("error", "ZeroDivisionError: division by zero")
    trace = plain_kernel.run("print(_history.last_error())").stdout
    assert "return x / 0  # here" in trace
    assert "\x1b" not in trace


@pytest.mark.parametrize(
    ("code", "error", "line"),
    [
        ("x = (1,\ny = 2", "SyntaxError", "x = (1,"),
        ("%no_such_magic", "UsageError", "no_such_magic"),
        ("import asyncio\nawait asyncio.sleep(0)\n1 / 0", "ZeroDivisionError", "1 / 0"),
        ("class B:\n    def __repr__(s): return 1 / 0\nB()", "ZeroDivisionError", "return 1 / 0"),
    ],
)
def test_every_kind_of_failure_has_a_traceback(
    plain_kernel: Kernel, code: str, error: str, line: str
) -> None:
    plain_kernel.run(code)
    (cell,) = recent(plain_kernel)
    assert cell["status"] == "error"
    assert cell["error"].startswith(error)
    assert line in plain_kernel.run("print(_history.last_error())").stdout


def test_a_cell_that_awaits_is_seen(plain_kernel: Kernel) -> None:
    plain_kernel.run("import asyncio\nawait asyncio.sleep(0)\nprint('awaited')\n'result'")
    assert recent(plain_kernel)[0]["outputs"] == "awaited\n'result'\n"


#: Code that is interrupted as it begins to wait, by the signal that front ends send.
INTERRUPTED = [
    "import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(60)",
    (
        "import asyncio, os, signal\n"
        "asyncio.get_running_loop().call_later(0.05, os.kill, os.getpid(), signal.SIGINT)\n"
        "await asyncio.sleep(60)"
    ),
]


@pytest.mark.parametrize("code", INTERRUPTED, ids=["sleep", "await"])
def test_an_interrupted_cell_is_seen(plain_kernel: Kernel, code: str) -> None:
    plain_kernel.run(f"print('begun')\n{code}")
    (cell,) = recent(plain_kernel)
    assert cell["status"] == "error"
    assert cell["outputs"] == "begun\n"
    assert cell["error"].startswith(("KeyboardInterrupt", "CancelledError"))


def test_a_cell_that_prints_very_much_is_kept_in_little(plain_kernel: Kernel) -> None:
    ran = plain_kernel.run("print('begin')\nfor _ in range(1000): print('x' * 5000)\nprint('end')")
    assert len(ran.stdout) == 5_001_010
    (cell,) = recent(plain_kernel)
    assert len(cell["outputs"]) <= 8_000
    assert cell["outputs"].startswith("begin\nx")
    assert cell["outputs"].endswith("x\nend\n")


def test_figures_are_seen(plain_kernel: Kernel) -> None:
    plain_kernel.run("import matplotlib.pyplot as plt\nplt.plot([1, 2]);")
    ran = plain_kernel.run("plt.plot([2, 1]);")
    assert len(ran.contents("display_data")) == 1
    (cell,) = recent(plain_kernel)
    assert [kind for kind, _ in cell["pictures"]] == ["image/png"]


def test_output_of_a_thread_is_seen(plain_kernel: Kernel) -> None:
    ran = plain_kernel.run(
        "import threading\n"
        "t = threading.Thread(target=lambda: (print('text'), display('shown')))\n"
        "t.start(); t.join()"
    )
    assert "text" in ran.stdout
    assert recent(plain_kernel)[0]["outputs"] == "text\n'shown'\n"


# -- running code ------------------------------------------------------------------------------


def test_code_runs_within_a_cell_and_shows_nothing(plain_kernel: Kernel) -> None:
    ran = run(plain_kernel, "import sys\nprint('out')\nprint('err', file=sys.stderr)\n6 * 7")
    assert (ran["stdout"], ran["stderr"], ran["result"]) == ("out\n", "err\n", "42")
    assert (ran["error"], ran["interrupted"]) == (None, False)


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("1 / 0", "ZeroDivisionError"),
        ("x = (1,\ny", "SyntaxError"),
        ("%no_such_magic", "UsageError"),
        ("class B:\n    def __repr__(s): return 1 / 0\nB()", "ZeroDivisionError"),
        ("display(type('B', (), {'__repr__': lambda s: 1 / 0})())", "ZeroDivisionError"),
        ("import sys; sys.exit(1)", "asked to exit"),
        ("exit", "asked to exit"),
        ("quit()", "asked to exit"),
        ("input('Name? ')", "nobody can type"),
        ("import getpass; getpass.getpass()", "nobody can type"),
        ("breakpoint()", "nobody can type"),
        ("import pdb; pdb.set_trace(); x = 1", "nobody can type"),
        ("get_ipython().run_line_magic('debug', '')", "nobody can type"),
    ],
)
def test_what_fails_fails_neither_the_cell_nor_the_kernel(
    plain_kernel: Kernel, code: str, told: str
) -> None:
    ran = run(plain_kernel, code)
    assert told in (ran["error"] or "")
    assert plain_kernel.run("'alive'").status == "ok"


def test_a_cell_after_a_failed_run_is_as_ever(plain_kernel: Kernel) -> None:
    run(plain_kernel, "1 / 0", after="cell_went_on = True")
    ran = plain_kernel.run("print(cell_went_on)\ndisplay('shown')\n'result'")
    assert ran.stdout == "True\n"
    assert [len(ran.contents(kind)) for kind in ("display_data", "execute_result")] == [1, 1]
    assert plain_kernel.run("1 / 0").error_name == "ZeroDivisionError"


def test_it_changes_no_count_and_no_history(plain_kernel: Kernel) -> None:
    before = plain_kernel.run("'before'").contents("execute_result")[0]["execution_count"]
    run(plain_kernel, "'hidden'\n'result'")
    ran = plain_kernel.run("Out[max(Out)], len(In), 'hidden' in str(In[:-2])")
    (result,) = ran.contents("execute_result")
    assert result["execution_count"] == before + 2
    assert result["data"]["text/plain"] == f"('before', {before + 3}, False)"


def test_it_asks_for_no_page_and_no_cell_in_the_front_end(plain_kernel: Kernel) -> None:
    ran = plain_kernel.run("_run('len?')\n_run('get_ipython().set_next_input(\"next\")')")
    texts = [json.loads(part) for part in ran.stdout.split("<json>")[1:]]
    assert "number of items" in texts[0]["stdout"]
    assert texts[1]["stdout"] == "next\n"
    left = plain_kernel.run("print(get_ipython().payload_manager.read_payload())")
    assert left.stdout == "[]\n"


def test_top_level_await_works_in_the_kernels_running_loop(plain_kernel: Kernel) -> None:
    code = (
        "import asyncio, threading\n"
        "async def f():\n    await asyncio.sleep(0.01)\n    return threading.current_thread()\n"
        "(await f()) is threading.main_thread()"
    )
    assert run(plain_kernel, code)["result"] == "True"
    # The kernel's own loop goes on.
    ran = plain_kernel.run("import asyncio\nawait asyncio.sleep(0.01)\nprint('after')")
    assert ran.stdout == "after\n"


def test_top_level_await_works_from_a_cell_that_awaits(plain_kernel: Kernel) -> None:
    ran = run(
        plain_kernel,
        "import asyncio\nawait asyncio.sleep(0.01)\n'inner'",
        before="import asyncio\nawait asyncio.sleep(0)",
        after="await asyncio.sleep(0.01)",
    )
    assert ran["result"] == "'inner'"


def test_a_task_of_a_cell_cannot_be_awaited_and_is_not_hurt(plain_kernel: Kernel) -> None:
    before = "import asyncio\ntask = asyncio.get_running_loop().create_task(asyncio.sleep(0.1, 7))"
    ran = run(plain_kernel, "await task", before=before)
    assert "kernel's own event loop" in ran["error"]
    assert plain_kernel.run("print(await task)").stdout == "7\n"


@pytest.mark.parametrize("code", INTERRUPTED, ids=["sleep", "await"])
def test_an_interrupt_ends_the_code_and_not_the_cell(plain_kernel: Kernel, code: str) -> None:
    ran = run(plain_kernel, f"print('begun')\n{code}", after="went_on = True")
    assert ran["interrupted"]
    assert ran["stdout"] == "begun\n"
    assert "KeyboardInterrupt" in ran["error"]
    assert plain_kernel.run("print(went_on); del went_on").stdout == "True\n"


def test_an_interrupt_of_the_front_end_ends_the_code(plain_kernel: Kernel) -> None:
    code = "open('begun', 'w').close()\nwhile True: pass"
    request = plain_kernel.start(f"_run({code!r})")
    begun = plain_kernel.folder / "begun"
    while not begun.exists():
        time.sleep(0.02)  # there is no event for a file
    plain_kernel.interrupt()
    assert told(plain_kernel.finish(request))["interrupted"]


def test_figures_come_back_and_are_not_shown(start_kernel: Callable[..., Kernel]) -> None:
    kernel = start_kernel()
    assert kernel.run(_SET_UP).status == "ok"
    # In a kernel that has not seen matplotlib yet.
    code = "import matplotlib.pyplot as plt\nplt.plot([1, 2]);"
    for text in (code, "plt.plot([1, 2])\nplt.show()", "fig, ax = plt.subplots()"):
        ran = run(kernel, text)
        assert ran["error"] is None
        assert [kind for kind, _ in ran["pictures"]] == ["image/png"]
    assert run(kernel, "1")["pictures"] == []
    assert len(kernel.run("plt.plot([1, 2]);").contents("display_data")) == 1


def test_output_below_python_is_caught_too(plain_kernel: Kernel) -> None:
    ran = run(
        plain_kernel,
        "import os, subprocess\nsubprocess.run('echo child; echo oops >&2', shell=True)\n"
        "os.write(1, b'raw\\n')\n!echo shell",
    )
    assert sorted(ran["stdout"].split()) == ["child", "raw", "shell"]
    assert ran["stderr"] == "oops\n"
    # And afterwards the kernel's own watch over these works.
    assert (
        "seen"
        in plain_kernel.run("import os, time; os.system('echo seen'); time.sleep(0.3)").stdout
    )


def test_streams_that_the_cells_have_kept_are_caught_too(plain_kernel: Kernel) -> None:
    assert (
        plain_kernel.run(
            "import logging, sys\nlog = logging.getLogger('theirs')\nlog.propagate = False\n"
            "log.addHandler(logging.StreamHandler(sys.stderr))"
        ).status
        == "ok"
    )
    assert run(plain_kernel, "log.warning('careful')")["stderr"] == "careful\n"
    assert plain_kernel.run("log.warning('seen')").stdout == "seen\n"


def test_streams_that_code_has_kept_write_to_the_front_end_later(plain_kernel: Kernel) -> None:
    run(plain_kernel, "import sys; kept = sys.stdout; sys.stdout = None")
    assert plain_kernel.run("print('a'); print('b', file=kept)").stdout == "a\nb\n"


def test_warnings_come_back(plain_kernel: Kernel) -> None:
    ran = run(plain_kernel, "import warnings; warnings.warn('careful')")
    assert "UserWarning: careful" in ran["stderr"]


def test_fifty_megabytes_come_back_as_twenty_kilobytes(plain_kernel: Kernel) -> None:
    ran = run(plain_kernel, "for _ in range(10_000): print('x' * 5_000)\nprint('end')")
    assert len(ran["stdout"]) <= 20_000
    assert ran["stdout"].endswith("x\nend\n")


@pytest.mark.parametrize(
    "magic", ["%timeit -n 1 -r 1 1 + 1", "%%time\nx = 1", "%who", "%%bash\necho x"]
)
def test_magics_work(plain_kernel: Kernel, magic: str) -> None:
    ran = run(plain_kernel, magic)
    assert ran["error"] is None
    assert ran["stdout"]


def test_widgets_displayed_come_back_as_text(plain_kernel: Kernel) -> None:
    ran = plain_kernel.run("_run('import ipywidgets\\ndisplay(ipywidgets.IntSlider(3))')")
    assert "IntSlider(value=3)" in told(ran)["stdout"]
    assert ran.contents("display_data") == []
