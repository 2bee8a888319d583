"""Several conversations in one kernel, and those of earlier kernels."""

from __future__ import annotations

import os
import re
import signal
import threading
from typing import TYPE_CHECKING, Any

import pytest
from support.processes import alive, wait_until_gone

from claude_magic.tape import Hold, Reply, Text, ToolUse

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.kernel import Kernel, Ran

_CONFIG = "%config ClaudeMagics.{assignment}"


def _table(ran: Ran) -> list[list[str]]:
    """Return the cells of the table that a cell showed."""
    assert ran.status == "ok", ran.error
    (text,) = [content["data"]["text/plain"] for content in ran.contents("display_data")]
    return [re.split(r"\s{2,}", line) for line in text.splitlines()]


@pytest.fixture
def start(
    start_kernel: Callable[..., Kernel],
    api: Any,
    tmp_path: Path,
) -> Callable[[str], Kernel]:
    """Give a function that starts a notebook's kernel, with conversations of the test's own."""

    def start_notebook(notebook: str) -> Kernel:
        configuration = str(tmp_path / "claude")
        kernel = start_kernel(
            {**api.environment, "JPY_SESSION_NAME": notebook, "CLAUDE_CONFIG_DIR": configuration},
        )
        assert kernel.run("%load_ext claude_magic").status == "ok"
        return kernel

    return start_notebook


def test_named_conversations_never_see_each_others_context(kernel: Kernel) -> None:
    kernel.run("%%claude\nMy name is Ada.")
    kernel.run("%%claude -s research\nI study whales.")
    kernel.run("%claude -s travel I am in Oslo.")
    ran = kernel.run("%%claude --session research\nWhat do I study?")
    assert ran.answers == ["You said: I study whales. / What do I study?"]
    assert " · research · " in f" · {ran.markdown[-1]}".replace("<sub>", " · ")
    ran = kernel.run("%%claude\nWhat is my name?")
    assert ran.answers == ["You said: My name is Ada. / What is my name?"]
    assert "main" not in ran.markdown[-1]


def test_a_branch_goes_its_own_way(kernel: Kernel) -> None:
    kernel.run("%%claude\nMy name is Ada.")
    ran = kernel.run("%%claude --fork bolder\nCall me Countess.")
    assert ran.answers == ["You said: My name is Ada. / Call me Countess."]
    ran = kernel.run("%%claude\nCall me Ms. Lovelace.")
    assert ran.answers == ["You said: My name is Ada. / Call me Ms. Lovelace."]
    ran = kernel.run("%%claude -s bolder --fork boldest\nCall me Queen.")
    assert ran.answers == ["You said: My name is Ada. / Call me Countess. / Call me Queen."]
    ran = kernel.run("%%claude -s bolder\nWho am I?")
    assert ran.answers == ["You said: My name is Ada. / Call me Countess. / Who am I?"]


def test_the_table_lists_them(kernel: Kernel) -> None:
    kernel.run("%%claude\nHello.")
    kernel.run("%%claude -s research\nHello.")
    kernel.run("%%claude -s research\nHello again.")
    kernel.run("%claude_disconnect research")
    header, main, research = _table(kernel.run("%claude_sessions"))
    assert header == ["name", "state", "turns", "last use", "cost"]
    assert main[:3] == ["main", "ready", "1"]
    assert research[:3] == ["research", "parked", "2"]
    assert re.fullmatch(r"\d\d:\d\d", research[3])
    assert re.fullmatch(r"\$0\.0\d\d\d", research[4])


def test_a_named_conversation_is_reset_alone_or_with_all(kernel: Kernel) -> None:
    kernel.run("%%claude\nMy name is Ada.")
    for name in ("a", "b", "c"):
        kernel.run(f"%%claude -s {name}\nThis is {name}.")
    assert "'a' has ended" in kernel.run("%claude_reset a").stdout
    assert [row[0] for row in _table(kernel.run("%claude_sessions"))[1:]] == ["main", "b", "c"]
    assert kernel.run("%%claude -s a\nWho is this?").answers == ["You said: Who is this?"]
    assert "b, c, a ended, too" in kernel.run("%claude_reset --all").stdout
    assert [row[:3] for row in _table(kernel.run("%claude_sessions"))[1:]] in (
        [["main", "connecting", "0"]],
        [["main", "ready", "0"]],
    )
    assert kernel.run("%%claude\nWhat is my name?").answers == ["You said: What is my name?"]


def test_at_most_so_many_have_a_process_and_the_others_resume(kernel: Kernel) -> None:
    names = ["main", "a", "b", "c", "d", "e"]
    for name in names:
        kernel.run(f"%%claude -s {name}\nThis is {name}.")
    states = {row[0]: row[1] for row in _table(kernel.run("%claude_sessions"))[1:]}
    assert states == {
        "main": "parked",
        "a": "parked",
        **dict.fromkeys(["b", "c", "d", "e"], "ready"),
    }
    for name in names:
        ran = kernel.run(f"%%claude -s {name}\nWho is this?")
        assert ran.answers == [f"You said: This is {name}. / Who is this?"]


def test_a_status_of_its_own_in_the_one_panel(kernel: Kernel) -> None:
    kernel.run("%%claude -s research\nHello.")
    (shown,) = kernel.run("%claude_status research").contents("display_data")
    assert "name         research" in shown["data"]["text/plain"]
    (again,) = kernel.run("%claude_status").contents("display_data")
    widget = "application/vnd.jupyter.widget-view+json"
    assert shown["data"][widget]["model_id"] == again["data"][widget]["model_id"]
    assert "name         research" not in again["data"]["text/plain"]
    assert "name " not in again["data"]["text/plain"]


def test_an_interrupt_stops_the_named_conversation_of_the_cell(
    kernel: Kernel,
    kernel_api: Any,
) -> None:
    kernel.run("%%claude -s research\nHello.")
    asked = len(kernel_api.server.requests)
    kernel_api.replies.append(Reply.of(Text("Once "), Hold(threading.Event())))
    cell = kernel.start("%%claude -s research\nTell me a story.")
    kernel_api.server.wait_for_requests(asked + 1)
    kernel.interrupt()
    assert kernel.finish(cell).error_name == "TurnInterruptedError"
    ran = kernel.run("%%claude -s research\nGo on.")
    assert "Tell me a story." in ran.answers[0]


# -- across kernels ------------------------------------------------------------------------------


def test_a_restarted_kernel_goes_on_with_the_notebooks_last_conversation(
    start: Callable[[str], Kernel],
) -> None:
    first = start("/notes/one.ipynb")
    first.run("%%claude\nMy name is Ada.")
    first.run("%%claude\nI study whales.")
    first.manager.restart_kernel(now=False)
    first.client.wait_for_ready(timeout=60)
    first.run("%load_ext claude_magic")
    assert "ready" in first.run("%claude_connect --last").stdout
    _, main = _table(first.run("%claude_sessions"))
    assert main[2] == "2"
    assert float(main[4].lstrip("$")) > 0
    ran = first.run("%%claude\nWho am I?")
    assert ran.answers == ["You said: My name is Ada. / I study whales. / Who am I?"]


def test_the_conversations_of_a_killed_kernel_can_be_resumed(
    start: Callable[[str], Kernel],
) -> None:
    first = start("/notes/one.ipynb")
    first.run("%%claude\nMy name is Ada, <b>and</b>\nI study whales.")
    first.run("%%claude -s other\nMy name is Bob.")
    os.kill(first.pid, signal.SIGKILL)

    elsewhere = start("/notes/two.ipynb")
    ran = elsewhere.run("%claude_sessions --past")
    (shown,) = ran.contents("display_data")
    assert shown["data"]["text/plain"] == "This notebook has no earlier conversation."
    ran = elsewhere.run("%claude_connect --last")
    assert ran.status == "error"
    assert "This notebook has no earlier conversation" in ran.stdout
    ran = elsewhere.run("%claude_sessions --past --all")
    header, other, main = _table(ran)
    assert header == ["id", "began with", "turns", "last use", "cost", "where"]
    assert main[1] == "My name is Ada, <b>and</b> I study whales."
    assert main[-1] == other[-1] == "/notes/one.ipynb"
    (shown,) = ran.contents("display_data")
    assert "&#60;b&#62;and&#60;/b&#62;" in shown["data"]["text/html"]

    assert "ready" in elsewhere.run(f"%claude_connect -s bob --resume {other[0]}").stdout
    ran = elsewhere.run("%%claude -s bob\nWho am I?")
    assert ran.answers == ["You said: My name is Bob. / Who am I?"]
    ran = elsewhere.run(f"%claude_connect --resume {other[0]}")
    assert ran.status == "error"
    assert "open here already, as 'bob'" in ran.stdout


def _kill_in_mid_text(kernel: Kernel, cell: str) -> None:
    """Run a cell, and kill its kernel as soon as the cell has shown some text."""
    request = kernel.start(cell)
    shown = ""
    while "Once" not in shown:
        message = kernel.client.get_iopub_msg(timeout=30)
        if message["parent_header"].get("msg_id") == request:
            shown = str(message["content"])
    os.kill(kernel.pid, signal.SIGKILL)


@pytest.mark.parametrize("first", ["%%claude\nMy name is Ada.", "pass"])
def test_a_prompt_that_a_killed_kernel_took_along_is_not_in_the_conversation_twice(
    start: Callable[[str], Kernel],
    api: Any,
    first: str,
) -> None:
    killed = start("/notes/one.ipynb")
    killed.run(first)
    for _ in range(2):  # the second kernel is killed in the same way
        api.replies.append(Reply.of(Text("Once "), Hold(threading.Event())))
        _kill_in_mid_text(killed, "%%claude\nTell me a story.")
        killed = start("/notes/one.ipynb")
        assert "ready" in killed.run("%claude_connect --last").stdout
    ran = killed.run("%%claude\nTell me a story.")
    said = "My name is Ada. / " if "Ada" in first else ""
    assert ran.answers == [f"You said: {said}Tell me a story."]
    assert "the turn that it cut off was left out" in ran.footer
    ran = killed.run("%%claude\nAnother one.")
    assert ran.answers == [f"You said: {said}Tell me a story. / Another one."]
    assert "left out" not in ran.footer


def test_a_killed_kernel_takes_no_answer_along(
    start: Callable[[str], Kernel],
) -> None:
    killed = start("/notes/one.ipynb")
    killed.run("%%claude\nMy name is Ada.")
    # It is killed in the moment in which the second answer is there.
    code = (
        "from claude_magic import current_session\n"
        "from claude_magic.session import TurnFinished\n"
        "import os, signal\n"
        "turn = current_session().send('I study whales.')\n"
        "turn.subscribe(lambda event: isinstance(event, TurnFinished) "
        "and os.kill(os.getpid(), signal.SIGKILL))\n"
        "turn.result()"
    )
    pid = killed.pid
    killed.start(code)
    assert wait_until_gone([pid], within_s=30) == []
    second = start("/notes/one.ipynb")
    second.run("%claude_connect --last")
    ran = second.run("%%claude\nWho am I?")
    assert ran.answers == ["You said: My name is Ada. / I study whales. / Who am I?"]


def test_what_another_kernel_was_answered_stays(start: Callable[[str], Kernel], api: Any) -> None:
    first, second = start("/notes/one.ipynb"), start("/notes/one.ipynb")
    first.run("%%claude\nMy name is Ada.")
    _, claude = first.pids()
    api.replies.append(Reply.of(ToolUse("Bash", {"command": "tail -f /dev/null"})))
    cell = first.start('%%claude --allow "run"\nRun it.')
    shown = ""
    while "tail" not in shown:
        message = first.client.get_iopub_msg(timeout=30)
        if message["parent_header"].get("msg_id") == cell:
            shown += str(message["content"])
    os.kill(claude, signal.SIGKILL)
    assert first.finish(cell).error_name == "ConnectionLostError"
    first.run("%claude_disconnect")
    second.run("%claude_connect --last")
    second.run("%%claude\nI study whales.")
    second.run("%claude_disconnect")
    ran = first.run("%%claude\nWho am I?")
    assert ran.answers == ["You said: My name is Ada. / I study whales. / Who am I?"]


def test_a_second_kernel_is_told_who_has_a_conversation(
    start: Callable[[str], Kernel],
) -> None:
    first = start("/notes/one.ipynb")
    first.run("%%claude\nMy name is Ada.")
    second = start("/notes/one.ipynb")
    ran = second.run("%claude_connect --last")
    assert ran.error_name == "SessionHeldError"
    assert f"another kernel: /notes/one.ipynb, pid {first.pid}, since" in ran.error
    # Nothing has changed by that.
    assert second.run("%%claude\nWho am I?").answers == ["You said: Who am I?"]

    (connect,) = re.findall(r"%claude_connect --resume \w+ --fork", ran.error)
    assert second.run(f"{connect} ours").status == "ok"
    assert second.run("%%claude -s ours\nWho?").answers == ["You said: My name is Ada. / Who?"]
    assert first.run("%%claude\nAnd I?").answers == ["You said: My name is Ada. / And I?"]

    first.run("%claude_disconnect")
    assert second.run(connect.removesuffix(" --fork")).status == "ok"
    ran = second.run("%%claude\nWho am I?")
    assert ran.answers == ["You said: My name is Ada. / And I? / Who am I?"]
    # The first kernel is told in its turn, as often as it asks, until the second one lets go.
    for _ in range(7):
        assert first.run("%%claude\nAnd I?").error_name == "SessionHeldError"
    second.run("%claude_reset")
    ran = first.run("%%claude\nGood-bye.")
    assert ran.answers == ["You said: My name is Ada. / And I? / Who am I? / Good-bye."]


def test_last_is_of_a_name_and_may_be_run_again(start: Callable[[str], Kernel]) -> None:
    first = start("/notes/one.ipynb")
    first.run("%%claude\nMy name is Ada.")
    first.run("%%claude -s other\nMy name is Bob.")
    first.close()
    second = start("/notes/one.ipynb")
    ran = second.run("%claude_connect --last -s nobody")
    assert "This notebook has no earlier conversation 'nobody'." in ran.stdout
    assert "ready" in second.run("%claude_connect --last -s other").stdout
    ran = second.run("%%claude -s other\nWho am I?")
    assert ran.answers == ["You said: My name is Bob. / Who am I?"]
    for said in ("", "I study whales. / "):
        assert "ready" in second.run("%claude_connect --last").stdout
        ran = second.run("%%claude\nI study whales.")
        assert ran.answers == [f"You said: My name is Ada. / {said}I study whales."]


def test_an_earlier_conversation_goes_on_with_other_options(
    start: Callable[[str], Kernel],
    api: Any,
) -> None:
    first = start("/notes/one.ipynb")
    first.run("%%claude\nMy name is Ada.")
    first.close()
    second = start("/notes/one.ipynb")
    connect = "%claude_connect --last --model claude-haiku-4-5 --tools none"
    assert "claude-haiku-4-5" in second.run(connect).stdout
    assert second.run("%%claude\nWho?").answers == ["You said: My name is Ada. / Who?"]
    assert api.requests[-1].model == "claude-haiku-4-5"
    names = [tool["name"] for tool in api.requests[-1].body["tools"]]
    assert names
    assert all(name.startswith("mcp__kernel__") for name in names)
    ran = second.run(connect)
    assert "open here already, as 'main'" in ran.stdout


# -- configuration -------------------------------------------------------------------------------


def test_a_configured_value_holds_for_the_conversation_that_has_not_begun(
    kernel: Kernel,
    kernel_api: Any,
) -> None:
    ran = kernel.run(_CONFIG.format(assignment="system_prompt = 'Speak like a pirate.'"))
    try:
        assert ran.stdout == ""
        kernel.run("%%claude\nHello.")
        assert "Speak like a pirate." in kernel_api.requests[0].system
        ran = kernel.run(_CONFIG.format(assignment="system_prompt = 'Speak like a poet.'"))
        assert "holds for conversations that start from now on" in ran.stdout
        kernel.run("%%claude\nHello again.")
        assert "Speak like a pirate." in kernel_api.requests[1].system
        kernel.run("%%claude -s poem\nHello.")
        assert "Speak like a poet." in kernel_api.requests[2].system
        kernel.run("%claude_reset")
        kernel.run("%%claude\nHello.")
        assert "Speak like a poet." in kernel_api.requests[3].system
    finally:
        kernel.run("get_ipython().magics_manager.registry['ClaudeMagics'].system_prompt = None")


@pytest.mark.parametrize(
    ("assignment", "told"),
    [
        ("effort = 'huge'", "any of ['low', 'medium', 'high', 'xhigh', 'max'] or None"),
        ("permission_mode = 'bypassPermissions'", "'default', 'acceptEdits', 'plan', 'dontAsk'"),
        ("tools = ['read']", "names of tools, which are Agent, Bash"),
        ("max_live_sessions = 0", "0"),
        ("deadline_s = -1", "a number above 0"),
        ("budget_usd = 0", "a number above 0"),
        ("extra_directories = ['/does/not/exist']", "a directory that exists"),
        ("model = ''", "a non-empty text"),
        ("modell = 'opus'", "ClaudeMagics has no 'modell'; there are: budget_usd, deadline_s"),
    ],
)
def test_an_impossible_value_is_refused_with_those_that_are_allowed(
    kernel: Kernel,
    assignment: str,
    told: str,
) -> None:
    name = assignment.split(maxsplit=1)[0]
    before = kernel.run(f"%config ClaudeMagics.{name}").stdout if name != "modell" else ""
    assert told in kernel.run(_CONFIG.format(assignment=assignment)).stdout
    if name != "modell":
        assert kernel.run(f"%config ClaudeMagics.{name}").stdout == before
    # A refusal does not stand in the way of what is set after it.
    assert kernel.run(_CONFIG.format(assignment="max_live_sessions = 4")).stdout == ""


def test_a_configuration_file_is_read_and_checked(
    start_kernel: Callable[..., Kernel],
    api: Any,
    tmp_path: Any,
) -> None:
    folder = tmp_path / "ipython" / "profile_default"
    folder.mkdir(parents=True)
    file = folder / "ipython_config.py"
    environment = {**api.environment, "IPYTHONDIR": str(folder.parent)}
    file.write_text("c.ClaudeMagics.model = 'claude-haiku-4-5'\nc.ClaudeMagics.deadline_s = 60\n")
    kernel = start_kernel(environment)
    kernel.run("%load_ext claude_magic")
    kernel.run("%%claude\nHello.")
    assert api.requests[0].model == "claude-haiku-4-5"
    file.write_text("c.ClaudeMagics.efort = 'high'\n")
    kernel = start_kernel(environment)
    ran = kernel.run("%load_ext claude_magic")
    assert "ClaudeMagics has no 'efort'" in ran.error + ran.stdout
    assert "effort" in ran.error + ran.stdout


_WAIT_UNTIL_PARKED = """
import threading
from claude_magic import SessionState, current_session
for name in ("main", "a"):
    parked = threading.Event()
    end = current_session(name).subscribe(
        lambda status: status.state is SessionState.PARKED and parked.set()
    )
    assert parked.wait(10), name
    end()
"""


def test_lowering_the_number_of_processes_takes_effect_at_once(kernel: Kernel) -> None:
    pids = {}
    for name in ("main", "a", "b"):
        kernel.run(f"%%claude -s {name}\nThis is {name}.")
        pids[name] = kernel.pids(name)
    assert all(alive(pid) for each in pids.values() for pid in each)
    kernel.run(_CONFIG.format(assignment="max_live_sessions = 1"))
    try:
        assert kernel.run(_WAIT_UNTIL_PARKED).status == "ok"
        assert wait_until_gone([*pids["main"], *pids["a"]], within_s=5) == []
        assert all(map(alive, pids["b"]))
    finally:
        kernel.run(_CONFIG.format(assignment="max_live_sessions = 4"))
