"""The magics in a real kernel, through the real Claude Code, against the loopback API."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from typing import TYPE_CHECKING, Any

import pytest
from support.processes import wait_until_gone

from claude_magic.tape import Failure, Hold, Reply, Text, ToolUse

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.kernel import Kernel


pytestmark = pytest.mark.timeout(120)


def test_a_cell_shows_the_answer_as_markdown(kernel: Kernel, kernel_api: Any) -> None:
    kernel_api.replies.append(Reply.of("The median is **2**."))
    ran = kernel.run("%%claude\nWhat is the median of 3, 1 and 2?")
    assert ran.status == "ok"
    assert "The median is **2**." in ran.markdown


def test_the_context_is_kept_from_cell_to_cell(kernel: Kernel, kernel_api: Any) -> None:
    kernel.run("%%claude\nMy name is Ada.")
    ran = kernel.run("%%claude\nWhat is my name?")
    assert ran.answers[-1] == "You said: My name is Ada. / What is my name?"
    assert len(kernel_api.requests) == 2


def test_reset_ends_the_conversation_and_the_next_cell_starts_a_new_one(kernel: Kernel) -> None:
    kernel.run("%%claude\nMy name is Ada.")
    ran = kernel.run("%claude_reset")
    assert ran.status == "ok"
    assert "new conversation" in ran.stdout
    ran = kernel.run("%%claude\nWhat is my name?")
    assert ran.answers[-1] == "You said: What is my name?"


def test_a_disconnected_session_goes_on_with_its_context(kernel: Kernel) -> None:
    kernel.run("%%claude\nMy name is Ada.")
    assert "disconnected" in kernel.run("%claude_disconnect").stdout.lower()
    assert "ready" in kernel.run("%claude_connect").stdout
    ran = kernel.run("%%claude\nWhat is my name?")
    assert ran.answers[-1] == "You said: My name is Ada. / What is my name?"


@pytest.mark.parametrize(
    "body",
    [
        "-o x --model y is what I type",
        "/cost",
        "@/etc/passwd says {braces} and {1 + 1}",
        "$HOME costs $5, 'quoted \"text\" and it's fine",
        "Does this end in a question?",
        "%claude and %%claude and !ls",
        "first\n\n  indented\n\ttabbed\\ \\n backslash",
        "Übung № 5 — ∑ 🦊",
        ">>> print(1)\n1\n>>> print(2)",
        "In [1]: print(1)\nOut[1]: 1",
        "%claude What is my name?\n%%claude and this?",
        "trailing spaces  \n\n  and an indented end?",
    ],
)
def test_a_body_reaches_the_model_as_it_was_written(
    kernel: Kernel, kernel_api: Any, body: str
) -> None:
    assert kernel.run(f"%%claude\n{body}").status == "ok"
    (request,) = kernel_api.requests
    assert request.prompt == body


@pytest.mark.parametrize(
    "line",
    [
        "What is my name?",
        "it's {braces} $HOME",
        "two  spaces, 'quotes\" -o x",
        "Is it? Or not??",
    ],
)
def test_a_line_reaches_the_model_as_it_was_written(
    kernel: Kernel, kernel_api: Any, line: str
) -> None:
    assert kernel.run(f"%claude {line}").status == "ok"
    (request,) = kernel_api.requests
    assert request.prompt == line


def test_a_dash_before_a_prompt_is_possible(kernel: Kernel, kernel_api: Any) -> None:
    assert kernel.run("%claude -- -1 is negative").status == "ok"
    (request,) = kernel_api.requests
    assert request.prompt == "-1 is negative"


@pytest.mark.parametrize(
    ("cell", "told"),
    [
        ("%%claude\n\n   \n", "empty"),
        ("%claude", "empty"),
        ("%%claude --model\nHello", "--model needs a value"),
        ("%%claude --nonsense\nHello", "--nonsense is not an option"),
        ("%%claude explain\nHello", "not an option"),
        ("%%claude -o\nHello", "-o needs a value"),
        ("%%claude -o 1x\nHello", "1x"),
        ("%%claude -o class\nHello", "class"),
        ("%claude --nonsense Hello", "--nonsense is not an option"),
        ("%claude_reset now", "There is no conversation 'now'; there are: main."),
        ("%claude_reset --all now", "exclude each other"),
        ("%claude_disconnect now", "There is no conversation 'now'"),
        ("%claude_status a b", "unrecognized arguments: b"),
        ("%claude_sessions --all", "--all goes with --past"),
        ("%%claude -s a/b\nHello", "name='a/b': must be"),
        ("%%claude --fork main\nHello", "There is a conversation 'main' already"),
        ("%%claude -s nobody --fork new\nHello", "There is no conversation 'nobody'"),
        ("%claude_connect --tools read", "made of names of tools, which are Agent, Bash"),
        ("%claude_connect --last --resume 123456", "--last and --resume exclude each other"),
        ("%claude_connect --resume 12345", "too short"),
        ("%claude_connect --resume 00000000-0000", "There is no conversation '00000000-0000'"),
        ("%claude_connect -s other --demo", "for all conversations"),
        ("%claude_connect --effort huge", "huge"),
        ("%claude_connect --cwd /does/not/exist", "/does/not/exist"),
        ("%claude_connect --tools ''", "tools"),
        ("%claude_connect --model ''", "model"),
        ("%claude_connect --demo --live", "exclude each other"),
    ],
)
def test_bad_input_is_a_usage_error_and_nothing_is_sent(
    kernel: Kernel,
    kernel_api: Any,
    cell: str,
    told: str,
) -> None:
    ran = kernel.run(cell)
    assert ran.status == "error"
    assert told in ran.stdout
    assert "Traceback" not in ran.stdout + ran.error
    assert kernel.run("%%claude\nstill here").status == "ok"
    assert [request.prompt for request in kernel_api.requests] == ["still here"]


def test_the_reply_is_kept_in_a_variable(kernel: Kernel, kernel_api: Any) -> None:
    kernel_api.replies.append(Reply.of("The answer is **42**."))
    kernel.run("%%claude -o reply\nWhat is the answer?")
    ran = kernel.run("print(reply); print(reply.usage.output_tokens > 0, reply.elapsed_s > 0)")
    assert ran.stdout == "The answer is **42**.\nTrue True\n"


def test_a_turn_streams_into_the_cell_while_it_is_written(kernel: Kernel, kernel_api: Any) -> None:
    gate = threading.Event()
    kernel_api.replies.append(Reply.of(Text("The beginning "), Hold(gate), Text("and the end.")))
    seen: list[str] = []

    def watch(message: dict[str, Any]) -> None:
        text = message["content"].get("data", {}).get("text/markdown", "")
        if "The beginning" in text:
            seen.append(text)
            gate.set()  # only now may the model go on

    ran = kernel.finish(kernel.start("%%claude\nTell me."), watch)
    assert ran.status == "ok"
    assert seen[0].strip() == "The beginning"
    assert "The beginning and the end." in ran.markdown


def test_without_a_person_each_output_is_published_once(
    start_kernel: Callable[..., Kernel],
    api: Any,
) -> None:
    kernel = start_kernel(api.environment, person=False)
    kernel.run("%load_ext claude_magic")
    api.replies.append(Reply.of("One **answer**."))
    ran = kernel.run("%%claude\nTell me.")
    kinds = [message["msg_type"] for message in ran.messages]
    assert "update_display_data" not in kinds
    assert ran.markdown == ["One **answer**."]


def test_an_interrupt_keeps_the_text_the_process_and_the_context(
    kernel: Kernel, kernel_api: Any
) -> None:
    kernel.run("%%claude\nMy name is Ada.")
    before = kernel.pids()
    kernel_api.replies.append(
        Reply.of(Text("Once upon a time "), Hold(threading.Event()), Text("…"))
    )

    def stop(message: dict[str, Any]) -> None:
        if "Once upon" in message["content"].get("data", {}).get("text/markdown", ""):
            kernel.interrupt()

    ran = kernel.finish(kernel.start("%%claude\nTell me a story."), stop)
    assert ran.status == "error"
    assert ran.error_name == "TurnInterruptedError"
    assert any("Once upon a time" in text for text in ran.markdown)
    assert kernel.pids() == before
    ran = kernel.run("%%claude\nGo on.")
    assert ran.status == "ok"
    (*_, last) = kernel_api.requests
    said = [(turn.role, turn.text.strip()) for turn in last.visible_turns]
    assert ("user", "My name is Ada.") in said
    assert ("user", "Tell me a story.") in said
    assert ("assistant", "Once upon a time") in said
    assert said[-1] == ("user", "Go on.")


def test_an_interrupt_of_another_cell_leaves_claude_alone(kernel: Kernel) -> None:
    kernel.run("%%claude\nMy name is Ada.")
    before = kernel.pids()
    request = kernel.start("import time\nprint('running', flush=True)\ntime.sleep(60)")

    def stop(message: dict[str, Any]) -> None:
        if message["msg_type"] == "stream":
            kernel.interrupt()

    assert kernel.finish(request, stop).error_name == "KeyboardInterrupt"
    assert kernel.pids() == before
    ran = kernel.run("%%claude\nWhat is my name?")
    assert ran.answers[-1].startswith("You said: My name is Ada. /")


def test_a_failed_turn_fails_its_cell_in_a_few_lines(kernel: Kernel, kernel_api: Any) -> None:
    kernel_api.replies.append(
        Failure(429, "rate_limit_error", "slow down", {"x-should-retry": "false"})
    )
    ran = kernel.run("%%claude\nHello")
    assert ran.status == "error"
    assert ran.error_name == "RateLimitError"
    assert "429" in ran.error
    assert len(ran.error.splitlines()) <= 3
    assert kernel.run("%%claude\nHello again").status == "ok"


def test_without_key_and_login_a_cell_says_what_to_do_in_three_lines(
    start_kernel: Callable[..., Kernel],
    api: Any,
) -> None:
    kernel = start_kernel({"ANTHROPIC_BASE_URL": api.server.url})
    kernel.run("%load_ext claude_magic")
    ran = kernel.run("%%claude\nHello")
    assert ran.status == "error"
    assert ran.error_name == "NotLoggedInError"
    lines = ran.error.splitlines()
    assert len(lines) == 3
    assert "no API key and no login" in lines[0]
    assert "claude-magic login" in lines[1]
    assert "ANTHROPIC_API_KEY" in lines[1]
    assert "%claude_connect --demo" in lines[2]
    reason = "import claude_magic; print(claude_magic.current_session().status.reason)"
    assert "no API key and no login" in kernel.run(reason).stdout
    assert not api.server.requests


def test_a_tool_runs_and_shows_as_one_line(kernel: Kernel, kernel_api: Any) -> None:
    notes = kernel.folder / "notes.txt"
    notes.write_text("The secret word is quokka.")
    kernel_api.replies += [
        Reply.of("Let me look.", ToolUse("Read", {"file_path": str(notes)})),
        lambda request: Reply.of(f"It says {'quokka' in request.tool_results[-1].text}."),
    ]
    ran = kernel.run("%%claude\nWhat does notes.txt say?")
    assert ran.status == "ok"
    assert ran.answers[0] == "Let me look."
    assert ran.answers[1].startswith("<details><summary>✓ <code>Read ")
    assert "quokka" in ran.answers[1]
    assert ran.answers[2] == "It says True."


def test_what_needs_consent_is_denied_and_said(kernel: Kernel, kernel_api: Any) -> None:
    kernel_api.replies += [
        Reply.of(ToolUse("Read", {"file_path": "/etc/shadow"})),
        lambda request: Reply.of(f"Denied: {request.tool_results[-1].is_error}"),
    ]
    ran, asked = kernel.run_answering("%%claude\nRead it.", "n")
    assert ran.status == "ok"
    assert len(asked) == 1
    assert any("Not allowed" in text and "/etc/shadow" in text for text in ran.markdown)
    assert "Denied: True" in ran.markdown
    assert not list(kernel.folder.glob(".claude*"))


def test_where_nobody_can_be_asked_it_is_denied_and_said(
    start_kernel: Callable[..., Kernel],
    api: Any,
) -> None:
    kernel = start_kernel(api.environment, person=False)
    kernel.run("%load_ext claude_magic")
    api.replies += [
        Reply.of(ToolUse("Bash", {"command": "ls"})),
        lambda request: Reply.of(f"Denied: {request.tool_results[-1].is_error}"),
    ]
    ran = kernel.run("%%claude\nRun it.")
    assert ran.status == "ok"
    assert any("Not allowed, because nobody could be asked" in text for text in ran.markdown)
    assert "Denied: True" in ran.markdown


SLOW_SDK = """
import sys, threading
may_import = threading.Event()
class Slow:
    def find_spec(self, name, path, target=None):
        if name == "claude_agent_sdk":
            may_import.wait()
sys.meta_path.insert(0, Slow())
"""


def test_loading_returns_at_once_and_connects_in_the_background(
    start_kernel: Callable[..., Kernel],
    api: Any,
) -> None:
    kernel = start_kernel(api.environment)
    kernel.run(SLOW_SDK)
    # The SDK cannot be imported before the next cell, for which this one must have ended.
    ran = kernel.run(
        "%load_ext claude_magic\n"
        "import claude_magic\n"
        "print(claude_magic.current_session().state.value)",
    )
    assert ran.stdout in {"new\n", "connecting\n"}
    ran = kernel.run("may_import.set(); claude_magic.current_session().connect()")
    assert ran.status == "ok", ran.error
    assert not api.server.requests


def test_unloading_takes_everything_away(
    start_kernel: Callable[..., Kernel],
    api: Any,
) -> None:
    kernel = start_kernel(api.environment)
    kernel.run("%load_ext claude_magic")
    kernel.run("%%claude\nHello")
    pids = kernel.pids()
    assert kernel.run("%unload_ext claude_magic").status == "ok"
    assert wait_until_gone(pids, within_s=5) == []
    assert kernel.run("%%claude\nHello").status == "error"
    assert kernel.run("%load_ext claude_magic").status == "ok"
    assert kernel.run("%%claude\nHello").status == "ok"


def test_the_demo_is_entered_on_request_only_and_says_so(
    start_kernel: Callable[..., Kernel],
) -> None:
    kernel = start_kernel()
    kernel.run("%load_ext claude_magic")
    assert "scripted replies" in kernel.run("%claude_connect --demo").stdout
    ran = kernel.run("%claude What is my name?")
    assert ran.status == "ok"
    assert any("new conversation" in text for text in ran.markdown)
    assert any("scripted replies" in text for text in ran.markdown)
    ran = kernel.run("%claude Something that nobody scripted")
    assert ran.status == "error"
    assert ran.error_name == "TapeMissError"
    assert "What is my name?" in ran.error


_SERVERS = "import threading; print(*(thread.name for thread in threading.enumerate()))"


def test_the_demo_is_for_all_conversations_and_can_be_left(
    start_kernel: Callable[..., Kernel],
    api: Any,
) -> None:
    kernel = start_kernel(api.environment)
    kernel.run("%load_ext claude_magic")
    kernel.run("%%claude -s research\nHello.")
    assert kernel.run("%claude_connect --demo").status == "ok"
    assert kernel.run("%claude_sessions").contents("display_data")
    ran = kernel.run("%%claude -s other\nWhat is my name?")
    assert any("scripted replies" in text for text in ran.markdown)
    assert len(api.requests) == 1
    assert kernel.run("%claude_connect --live").status == "ok"
    assert kernel.run("%%claude\nHello again.").answers == ["You said: Hello again."]
    assert kernel.run("%%claude -s other\nAnd you?").answers == ["You said: And you?"]


def test_a_demo_that_cannot_begin_leaves_no_server(start_kernel: Callable[..., Kernel]) -> None:
    kernel = start_kernel()
    kernel.run("%load_ext claude_magic")
    ran = kernel.run("%claude_connect --demo --cwd /does/not/exist")
    assert "a directory that exists" in ran.stdout
    assert "claude-magic-tape" not in kernel.run(_SERVERS).stdout
    assert "scripted replies" in kernel.run("%claude_connect --demo").stdout
    assert "claude-magic-tape" in kernel.run(_SERVERS).stdout


def test_a_reset_that_is_not_possible_changes_nothing(kernel: Kernel) -> None:
    directory = kernel.folder / "gone"
    directory.mkdir()
    kernel.converse(cwd=str(directory))
    kernel.run("%%claude\nMy name is Ada.")
    directory.rmdir()
    ran = kernel.run("%claude_reset")
    assert "a directory that exists" in ran.stdout
    ran = kernel.run("%%claude\nWho am I?")
    assert ran.answers == ["You said: My name is Ada. / Who am I?"]
    directory.mkdir()
    assert "Disconnected" in kernel.run("%claude_reset").stdout


def test_the_bodies_of_other_magics_are_left_alone(kernel: Kernel) -> None:
    line = "%claude What is my name?"
    kernel.run(f"%%writefile written.txt\n{line}\n")
    assert (kernel.folder / "written.txt").read_text() == f"{line}\n"
    ran = kernel.run(f'text = """\n{line}\n"""\nprint(text.strip())')
    assert ran.stdout == f"{line}\n"


def test_a_new_option_leaves_the_others_as_they_were(kernel: Kernel) -> None:
    options = "o = claude_magic.current_session().options; print(o.tools, o.effort)"
    kernel.run("import claude_magic\n%claude_connect --tools none")
    kernel.run("%claude_connect --effort low")
    assert kernel.run(options).stdout == "() low\n"
    kernel.run("%claude_connect --tools Read,Glob,Grep")
    assert kernel.run(options).stdout == "('Read', 'Glob', 'Grep') low\n"


def test_loading_twice_keeps_the_conversation(kernel: Kernel) -> None:
    kernel.run("%%claude\nMy name is Ada.")
    assert kernel.run("claude_magic.load_ipython_extension(get_ipython())").status == "ok"
    ran = kernel.run("%%claude\nWhat is my name?")
    assert ran.answers[-1] == "You said: My name is Ada. / What is my name?"


def test_a_second_interrupt_does_not_wait_and_keeps_the_text(
    kernel: Kernel,
    kernel_api: Any,
) -> None:
    kernel.run("%%claude\nHello")
    _, claude = kernel.pids()
    kernel_api.replies.append(Reply.of(Text("Once upon a time "), Hold(threading.Event())))
    seen: list[str] = []

    def stop(message: dict[str, Any]) -> None:
        if "Once upon" in message["content"].get("data", {}).get("text/markdown", "") and not seen:
            os.kill(claude, signal.SIGSTOP)  # it will not hear the first interrupt
            seen.append("stopped")
            kernel.interrupt()
            kernel.interrupt()

    ran = kernel.finish(kernel.start("%%claude\nTell me a story."), stop)
    with contextlib.suppress(ProcessLookupError):  # taken for frozen and ended by now
        os.kill(claude, signal.SIGCONT)
    assert ran.error_name == "TurnInterruptedError"
    assert "Once upon a time " in ran.answers
    ran = kernel.run("%%claude\nGo on.")
    assert (ran.status, ran.error) == ("ok", "")
