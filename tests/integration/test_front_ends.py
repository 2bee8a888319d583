"""Front ends that ignore updates of outputs, and cells that capture their output.

A user who is asked for permission sees first what is asked about, whatever shows it.
"""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest
from support.console import Console
from support.kernel import CELL_TIMEOUT_S, Ran

from claude_magic.tape import Hold, Reply, Text, ToolUse

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.kernel import Kernel

COMMAND = "echo one\necho two > seen.txt\n" + "\n".join(f"echo line-{n}" for n in range(40))


@pytest.fixture
def stream(start_kernel: Callable[..., Kernel], api: Any) -> Kernel:
    """Give a kernel behind a front end that ignores updates."""
    kernel = start_kernel(api.environment, names_cells=False)
    assert kernel.run("%load_ext claude_magic").status == "ok"
    return kernel


@pytest.fixture
def notebook(start_kernel: Callable[..., Kernel], api: Any) -> Kernel:
    """Give a kernel behind a notebook without our extension."""
    kernel = start_kernel(api.environment)
    assert kernel.run("%load_ext claude_magic").status == "ok"
    return kernel


def _first_shown(message: dict[str, Any]) -> str:
    """Return what a front end without updates shows of a message."""
    content = message["content"]
    match message["msg_type"]:
        case "stream":
            return str(content["text"])
        case "display_data" | "execute_result":
            return str(content["data"].get("text/plain", ""))
    return ""


def _run_asked(kernel: Kernel, code: str, answer: str = "n") -> tuple[Ran, str, str]:
    """Run a cell that asks once; return it, what it had shown by then, and the prompt."""
    request = kernel.start(code)
    prompt = str(kernel.client.get_stdin_msg(timeout=CELL_TIMEOUT_S)["content"]["prompt"])
    shown = ""
    while True:
        try:
            message = kernel.client.get_iopub_msg(timeout=0.3)
        except queue.Empty:
            break
        if message["parent_header"].get("msg_id") == request:
            shown += _first_shown(message)
    kernel.client.input(answer)
    return kernel.finish(request), shown, prompt


@pytest.mark.failure(
    "A front end ignores updates of outputs",
    then="Answers are printed as they stream, and a permission request is printed in full",
)
def test_an_answer_appears_while_it_is_written(stream: Kernel, api: Any) -> None:
    gate = threading.Event()
    api.replies.append(Reply.of(Text("The answer "), Hold(gate), Text("is **quokka**.")))
    request = stream.start("%claude What is it?")
    shown = ""
    while "The answer " not in shown:
        shown += _first_shown(stream.client.get_iopub_msg(timeout=CELL_TIMEOUT_S))
    gate.set()
    ran = stream.finish(request)
    assert ran.stdout.startswith("is **quokka**.\n[claude-")
    assert not ran.contents("update_display_data")


@pytest.mark.failure(
    "A front end ignores updates of outputs",
    then="Answers are printed as they stream, and a permission request is printed in full",
)
@pytest.mark.parametrize(
    ("tool", "arguments", "parts"),
    [
        ("Bash", {"command": COMMAND}, COMMAND.splitlines()),
        ("mcp__kernel__run_python", {"code": COMMAND}, COMMAND.splitlines()),
        ("Write", {"file_path": "new.py", "content": COMMAND}, ["new.py", *COMMAND.splitlines()]),
        ("Read", {"file_path": "/etc/hostname"}, ["/etc/hostname", "outside"]),
    ],
)
def test_a_request_is_shown_whole_before_it_is_asked(
    stream: Kernel, api: Any, tool: str, arguments: dict[str, str], parts: list[str]
) -> None:
    api.replies += [Reply.of(ToolUse(tool, arguments)), Reply.of("Then not.")]
    ran, shown, prompt = _run_asked(stream, "%claude Do it.")
    assert [part for part in parts if part not in shown] == []
    assert prompt.startswith("Run it?")
    assert "Then not." in ran.stdout


def test_other_magics_show_text(stream: Kernel, api: Any) -> None:
    assert "ready" in stream.run("%claude_connect\n%claude_status").stdout
    assert "%%claude" in stream.run("%claude_help").stdout
    assert "--bg needs a notebook" in stream.run("%%claude --bg\nhello").stdout
    assert not api.requests


CAPTURES = {
    "magic": "%%capture\n{}",
    "context": "from IPython.utils.capture import capture_output\nwith capture_output():\n    {}",
    "stdout": "import contextlib, io\nwith contextlib.redirect_stdout(io.StringIO()):\n    {}",
    "assigned": (
        "import io, sys\nbefore, sys.stdout = sys.stdout, io.StringIO()\n{}\nsys.stdout = before"
    ),
    "widget": "import ipywidgets\nwith ipywidgets.Output():\n    {}",
    "decorator": (
        "import ipywidgets\n@ipywidgets.Output().capture()\ndef captured():\n    {}\ncaptured()"
    ),
    "hook": (
        "publisher = get_ipython().display_pub\npublisher.register_hook(drop := lambda _: None)\n"
        "{}\npublisher.unregister_hook(drop)"
    ),
    "publisher": (
        "from IPython.core.displaypub import CapturingDisplayPublisher\nshell = get_ipython()\n"
        "before, shell.display_pub = shell.display_pub, CapturingDisplayPublisher()\n{}\n"
        "shell.display_pub = before"
    ),
}
ASK = "get_ipython().run_line_magic('claude', 'Do it.')"


@pytest.mark.failure(
    "A cell captures its output",
    then="A permission request is shown in full all the same",
)
@pytest.mark.parametrize("front_end", ["stream", "notebook"])
@pytest.mark.parametrize("how", CAPTURES)
def test_a_capture_does_not_capture_a_request(
    request: pytest.FixtureRequest, api: Any, front_end: str, how: str
) -> None:
    kernel: Kernel = request.getfixturevalue(front_end)
    api.replies += [Reply.of(ToolUse("Bash", {"command": COMMAND})), Reply.of("Then not.")]
    ran, shown, prompt = _run_asked(kernel, CAPTURES[how].format(ASK))
    assert ran.status == "ok", ran.error
    assert COMMAND.replace("\n", "\n│ ") in shown or COMMAND in shown
    # The widget may be nowhere on the page.
    assert how not in {"widget", "decorator"} or COMMAND.replace("\n", "\n│ ") in prompt
    assert kernel.run("print(1)").stdout == "1\n"


def test_each_attempt_in_an_output_widget_is_explained_in_the_prompt(
    notebook: Kernel, api: Any
) -> None:
    api.replies += [Reply.of(ToolUse("Bash", {"command": "echo a"})), Reply.of("Then not.")]
    _, asked = notebook.run_answering(CAPTURES["widget"].format(ASK), "what?", "n")
    assert "│ echo a" in asked[0]
    assert asked[1].startswith("Answer y, s, n or q")
    assert "│ echo a" not in asked[1]


@pytest.mark.failure(
    "A permission request cannot be shown",
    then="The call is denied, with the reason",
)
def test_a_request_that_cannot_be_seen_is_denied_with_a_reason(notebook: Kernel, api: Any) -> None:
    """VS Code shows the prompt of an input field in one line, and an `Output` takes the rest."""
    notebook.run("__vsc_ipynb_file__ = 'a.ipynb'")
    api.replies += [Reply.of(ToolUse("Bash", {"command": "echo a"})), Reply.of("Then not.")]
    ran = notebook.run(CAPTURES["widget"].format(ASK))
    assert ran.status == "ok"
    assert "output of this cell is captured" in json.dumps(api.requests[-1].body)


def test_what_is_captured_is_the_complete_answer(notebook: Kernel, api: Any) -> None:
    api.replies.append(Reply.of("The answer ", "is **quokka**."))
    notebook.run("%%capture kept\n%claude What is it?")
    shown = notebook.run("print([each.data for each in kept.outputs])").stdout
    assert shown.count("quokka") == 2, "once as Markdown and once as text"
    api.replies.append(Reply.of("Later."))
    notebook.run("%%capture kept\nget_ipython().run_cell_magic('claude', '--bg', 'And?')")
    assert "Later." in notebook.run("print([each.data for each in kept.outputs])").stdout


# -- terminals -----------------------------------------------------------------------------------


@pytest.mark.failure(
    "A cell captures its output",
    then="A permission request is shown in full all the same",
)
@pytest.mark.parametrize("how", ["magic", "context", "stdout"])
def test_a_capture_in_a_terminal_does_not_capture_a_request(
    console: Console, api: Any, tmp_path: Path, how: str
) -> None:
    (tmp_path / "cell.ipy").write_text(CAPTURES[how].format(ASK))
    api.replies += [Reply.of(ToolUse("Bash", {"command": COMMAND})), Reply.of("Then not.")]
    console.type("get_ipython().run_cell(open('cell.ipy').read());")
    shown = console.wait_for("Run it?")
    assert COMMAND.replace("\n", "\n│ ") in shown
    console.type("n")
    console.read_until_prompt()
    assert "The user said no." in json.dumps(api.requests[-1].body)


@pytest.mark.failure(
    "A permission request cannot be shown",
    then="The call is denied, with the reason",
)
def test_nobody_is_asked_without_a_terminal(
    sterile: dict[str, str], api: Any, tmp_path: Path
) -> None:
    api.replies += [Reply.of(ToolUse("Bash", {"command": "touch ran"})), Reply.of("Then not.")]
    program = "%load_ext claude_magic\n%claude Do it.\ny\ny\n"
    ran = subprocess.run(
        [sys.executable, "-m", "IPython", "--no-banner", "--no-confirm-exit"],
        env={**sterile, **api.environment, "TERM": "dumb"},
        cwd=tmp_path,
        input=program,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        start_new_session=True,
    )
    assert "Then not." in ran.stdout
    assert "the user could not see" in json.dumps(api.requests[-1].body)
    assert not (tmp_path / "ran").exists()


@pytest.mark.failure(
    "A front end ignores updates of outputs",
    then="Answers are printed as they stream, and a permission request is printed in full",
)
def test_jupyter_console_shows_answers_and_requests(
    sterile: dict[str, str], api: Any, tmp_path: Path
) -> None:
    environment = {**sterile, **api.environment}
    console = Console(environment, tmp_path, arguments=["jupyter_console", "--kernel=python3"])
    try:
        console.run("%load_ext claude_magic")
        api.replies += [
            Reply.of("It is **quokka**."),
            Reply.of(ToolUse("Bash", {"command": COMMAND})),
            Reply.of("Then not."),
        ]
        assert "It is **quokka**." in console.run("%claude What is it?")
        console.type("%claude Do it.")
        shown = console.wait_for("Run it?")
        assert COMMAND.replace("\n", "\n│ ") in shown
        console.type("n")
        assert "Then not." in console.read_until_prompt()
    finally:
        console.close()
