"""Claude in the kernel: what it is told, what it looks up, what it runs and proposes."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import pytest

from claude_magic.tape import Hold, Reply, Text, ToolUse

if TYPE_CHECKING:
    from pathlib import Path

    from support.kernel import Kernel, Ran

_RESET = "%reset -f -s\n%claude_reset"


@pytest.fixture(autouse=True)
def _fresh(kernel: Kernel) -> None:
    kernel.run("%reset -f")
    kernel.run("%claude_reset")


def _asked(request: Any) -> list[Any]:
    """Return the content of a request's last prompt, without what Claude Code adds."""
    *_, content = [turn["content"] for turn in request.messages if turn["role"] == "user"]
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
    return [block for block in blocks if "<system-reminder>" not in block.get("text", "")]


def _context(request: Any) -> str:
    """Return what the last message of a request says of the notebook."""
    texts = [block["text"] for block in _asked(request) if block["type"] == "text"]
    return "\n".join(text for text in texts if text.startswith("<notebook-context>"))


def _call(kernel: Kernel, api: Any, tool: str, **arguments: Any) -> tuple[Ran, list[Any]]:
    """Have Claude call a tool of the kernel; return the cell and the content of the result."""
    api.replies += [Reply.of(ToolUse(f"mcp__kernel__{tool}", arguments)), Reply.of("Well.")]
    ran = kernel.run("%%claude\nGo.")
    assert ran.status == "ok", ran.error
    (result,) = [block for block in _asked(api.requests[-1]) if block["type"] == "tool_result"]
    content = result["content"]
    return ran, [{"type": "text", "text": content}] if isinstance(content, str) else content


def _text(content: list[Any]) -> str:
    return "\n".join(block.get("text", "") for block in content)


# -- what is told ------------------------------------------------------------------------------


def test_new_variables_are_told_once_and_without_values(kernel: Kernel, kernel_api: Any) -> None:
    kernel.run("sales = [8127364, 2]\npassword = 'planted-value'")
    kernel.run("%%claude\nHello.")
    told = _context(kernel_api.requests[-1])
    assert "sales" in told
    assert "list" in told
    for value in ("8127364", "planted-value"):
        assert value not in str(kernel_api.requests[-1].body)
    kernel.run("%%claude\nHello again.")
    assert _context(kernel_api.requests[-1]) == ""
    kernel.run("sales = {}")
    kernel.run("%%claude\nAnd now?")
    assert "dict" in _context(kernel_api.requests[-1])
    assert len(_context(kernel_api.requests[-1]).encode()) < 1200


def test_a_failed_cell_is_told(kernel: Kernel, kernel_api: Any) -> None:
    kernel.run("1 / 0")
    kernel.run("%%claude\nHello.")
    assert "ZeroDivisionError: division by zero" in _context(kernel_api.requests[-1])


def test_nothing_is_told_where_it_is_not_wanted(kernel: Kernel, kernel_api: Any) -> None:
    kernel.run("sales = [1, 2]")
    kernel.run("%%claude --no-context\nHello.")
    assert _context(kernel_api.requests[-1]) == ""
    assert kernel_api.requests[-1].prompt == "Hello."


def test_what_would_be_sent_can_be_seen(kernel: Kernel, kernel_api: Any) -> None:
    kernel.run("sales = [1, 2]")
    shown = kernel.run("%%claude_context\nWhat is in @sales?").stdout
    assert kernel_api.requests == []
    kernel.run("%%claude\nWhat is in @sales?")
    content = _asked(kernel_api.requests[-1])
    sent = "\n\n".join(block["text"] for block in content)
    assert shown.strip() == sent.strip()


# -- mentions ----------------------------------------------------------------------------------


def test_a_mentioned_variable_goes_along_once_and_the_text_stays(
    kernel: Kernel,
    kernel_api: Any,
) -> None:
    kernel.run("note = 'see @other'\nother = 'not this'")
    prompt = "Read @note, and @note again; mail ada@note.org, @nobody, and {x} $y."
    kernel.run(f"%%claude --no-context\n{prompt}")
    text, attached = _asked(kernel_api.requests[-1])
    assert text["text"] == prompt
    assert "see @other" in attached["text"]
    assert "not this" not in str(kernel_api.requests[-1].body)


def test_decorators_are_no_mentions(kernel: Kernel, kernel_api: Any) -> None:
    kernel.run("from functools import cache\nvalue = 3")
    prompt = "@cache\ndef f(): ...\n```python\n@value\nclass A: ...\n```"
    kernel.run(f"%%claude --no-context\n{prompt}")
    assert kernel_api.requests[-1].prompt == prompt
    assert len(_asked(kernel_api.requests[-1])) == 1


def test_a_mentioned_figure_and_image_file_are_seen(kernel: Kernel, kernel_api: Any) -> None:
    kernel.run(
        "import matplotlib\nmatplotlib.use('agg')\nimport matplotlib.pyplot as plt\n"
        "figure = plt.figure(figsize=(2, 2)); figure.savefig('plot.png')\npath = 'plot.png'"
    )
    kernel.run("%%claude --no-context\nCompare @figure with @path.")
    content = _asked(kernel_api.requests[-1])
    assert [block["type"] for block in content if block["type"] == "image"] == ["image"] * 2


# -- tools -------------------------------------------------------------------------------------


def test_variables_are_listed_without_values(kernel: Kernel, kernel_api: Any) -> None:
    kernel.run("sales = [8127364, 2]\nname = 'Ada'")
    ran, content = _call(kernel, kernel_api, "list_variables")
    assert "sales: list" in _text(content)
    assert "8127364" not in _text(content)
    assert any("✓" in text for text in ran.markdown)


def test_a_variable_is_inspected_and_secrets_are_masked(kernel: Kernel, kernel_api: Any) -> None:
    key = "sk-ant-" + "api03-" + "a1B2" * 20
    kernel.run(f"settings = {{'region': 'eu', 'api_key': 'planted', 'note': '{key}'}}")
    _, content = _call(kernel, kernel_api, "inspect_variable", name="settings")
    assert "eu" in _text(content)
    assert "planted" not in _text(content)
    assert key not in json.dumps(kernel_api.requests[-1].body)


def test_a_repr_that_hangs_or_raises_breaks_nothing(kernel: Kernel, kernel_api: Any) -> None:
    kernel.run(
        "import time\nclass Slow:\n    def __repr__(self): time.sleep(60)\n"
        "class Bad:\n    def __repr__(self): raise ValueError('made up')\nslow, bad = Slow(), Bad()"
    )
    ran, content = _call(kernel, kernel_api, "inspect_variable", name="slow")
    assert ran.elapsed_s < 10
    assert "repr" in _text(content)
    _, content = _call(kernel, kernel_api, "inspect_variable", name="bad")
    assert "made up" in _text(content)


def test_the_last_error_and_the_recent_cells_are_shown(kernel: Kernel, kernel_api: Any) -> None:
    kernel.run("def f(x):\n    return 1 / x")
    kernel.run("print('printed text')")
    kernel.run("f(0)")
    _, content = _call(kernel, kernel_api, "last_error")
    assert "return 1 / x" in _text(content)
    assert "ZeroDivisionError" in _text(content)
    _, content = _call(kernel, kernel_api, "recent_cells", count=4)
    assert "printed text" in _text(content)
    assert "f(0)" in _text(content)


def test_python_runs_in_the_kernel_where_a_person_says_yes(
    kernel: Kernel,
    kernel_api: Any,
) -> None:
    kernel.run("x = 20")
    kernel_api.replies += [
        Reply.of(ToolUse("mcp__kernel__run_python", {"code": "y = x + 1\nprint('hi')\ny * 2"})),
        Reply.of("Well."),
    ]
    ran, asked = kernel.run_answering("%%claude\nGo.", "y")
    assert ran.status == "ok", ran.error
    assert len(asked) == 1
    assert any("y = x + 1" in text for text in ran.markdown)
    result = str(_asked(kernel_api.requests[-1]))
    assert "hi" in result
    assert "42" in result
    assert kernel.run("print(y)").stdout == "21\n"


@pytest.mark.parametrize("answer", ["n: not now", "", "q"])
def test_python_does_not_run_where_a_person_says_no(
    kernel: Kernel,
    kernel_api: Any,
    answer: str,
) -> None:
    kernel_api.replies += [
        Reply.of(ToolUse("mcp__kernel__run_python", {"code": "y = 1"})),
        Reply.of("Well."),
    ]
    ran, _ = kernel.run_answering("%%claude\nGo.", answer)
    assert "NameError" in kernel.run("y").error
    if answer == "n: not now":
        assert "not now" in str(_asked(kernel_api.requests[-1]))
    if answer == "q":
        assert ran.error_name == "TurnInterruptedError"


def test_a_yes_for_the_session_is_not_asked_again(kernel: Kernel, kernel_api: Any) -> None:
    call = Reply.of(ToolUse("mcp__kernel__run_python", {"code": "y = 1"}))
    kernel_api.replies += [call, call, Reply.of("Well.")]
    ran, asked = kernel.run_answering("%%claude\nGo.", "s")
    assert ran.status == "ok"
    assert len(asked) == 1
    assert (
        "kernel" in kernel.run("%claude_status").contents("display_data")[0]["data"]["text/plain"]
    )


def test_a_cell_may_allow_it_beforehand(kernel: Kernel, kernel_api: Any) -> None:
    kernel_api.replies += [
        Reply.of(ToolUse("mcp__kernel__run_python", {"code": "y = 1"})),
        Reply.of("Well."),
    ]
    assert kernel.run("%%claude --allow kernel\nGo.").status == "ok"
    assert kernel.run("print(y)").stdout == "1\n"


def test_the_value_of_a_secret_variable_is_masked_wherever_it_comes_out(
    kernel: Kernel,
    kernel_api: Any,
) -> None:
    kernel.run("password = 'hunter2-and-more'\nlogin = ['ada', password]")
    code = "print(*login)\nlogin"
    kernel_api.replies += [
        Reply.of(ToolUse("mcp__kernel__run_python", {"code": code})),
        Reply.of(ToolUse("mcp__kernel__inspect_variable", {"name": "login"})),
        Reply.of("Well."),
    ]
    assert kernel.run("%%claude --allow kernel\nLook at @login.").status == "ok"
    sent = str(kernel_api.requests[-1].body["messages"])
    assert "hunter2" not in sent
    assert sent.count("•••") >= 4


def test_an_interrupt_stops_the_code_and_then_the_turn(kernel: Kernel, kernel_api: Any) -> None:
    code = "import time\nprint('begun', flush=True)\nbegun = True\ntime.sleep(60)"
    kernel_api.replies += [Reply.of(ToolUse("mcp__kernel__run_python", {"code": code}))]
    request = kernel.start("%%claude --allow kernel\nGo.")
    shown = ""
    while "run_python" not in shown:
        message = kernel.client.get_iopub_msg(timeout=30)
        if message["parent_header"].get("msg_id") == request:
            shown += str(message["content"])
    threading.Event().wait(0.5)  # until the code is in its sleep, which tells nobody
    kernel.interrupt()
    ran = kernel.finish(request)
    assert ran.error_name == "TurnInterruptedError"
    assert ran.elapsed_s < 10
    assert kernel.run("print(begun)").stdout == "True\n"
    assert kernel.run("%%claude\nStill there?").status == "ok"


def test_an_interrupt_cancels_the_question(kernel: Kernel, kernel_api: Any) -> None:
    kernel_api.replies += [Reply.of(ToolUse("mcp__kernel__run_python", {"code": "y = 1"}))]
    request = kernel.start("%%claude\nGo.")
    kernel.client.get_stdin_msg(timeout=30)
    kernel.interrupt()
    assert kernel.finish(request).error_name == "TurnInterruptedError"
    assert "NameError" in kernel.run("y").error
    assert kernel.run("%%claude\nStill there?").status == "ok"


# -- cells -------------------------------------------------------------------------------------


def test_proposed_cells_are_inserted_and_their_outcome_is_known(
    kernel: Kernel,
    kernel_api: Any,
) -> None:
    cells = [
        {"kind": "markdown", "source": "# First"},
        {"kind": "code", "source": "total = 1 + 1"},
        {"kind": "code", "source": "total / 0"},
    ]
    kernel_api.replies += [
        Reply.of(ToolUse("mcp__kernel__propose_cells", {"cells": cells})),
        Reply.of("There."),
    ]
    ran = kernel.run("%%claude\nGo.")
    assert ran.payload == [
        {"source": "set_next_input", "text": "total = 1 + 1", "replace": False},
    ]
    shown = "\n".join(ran.markdown)
    assert "# First" in shown
    assert "total / 0" in shown
    kernel.run("total = 1 + 1")
    kernel.run("total / 0")
    kernel.run("%%claude\nAnd now?")
    told = _context(kernel_api.requests[-1])
    assert "`total = 1 + 1`: ok" in told
    assert "`total / 0`: ZeroDivisionError" in told


# -- answers as values ---------------------------------------------------------------------------


def test_an_answer_becomes_a_value(kernel: Kernel, kernel_api: Any) -> None:
    kernel_api.replies.append(Reply.of('```json\n{"a": [1, 2]}\n```'))
    kernel.run("%%claude --as json -o value\nGo.")
    assert kernel.run("print(value['a'])").stdout == "[1, 2]\n"
    kernel_api.replies.append(Reply.of("No JSON here."))
    ran = kernel.run("%%claude --as json -o value\nGo.")
    assert ran.error_name == "AnswerError"
    assert kernel.run("print(value['a'])").stdout == "[1, 2]\n"


def test_an_answer_meets_a_schema(kernel: Kernel, kernel_api: Any) -> None:
    kernel.run(
        "from dataclasses import dataclass\n@dataclass\nclass City:\n    name: str\n    people: int"
    )
    kernel_api.replies += [
        Reply.of(ToolUse("StructuredOutput", {"name": "Oslo", "people": 700000})),
        Reply.of("Done."),
    ]
    ran = kernel.run("%%claude --schema City -o city\nThe largest city of Norway?")
    assert ran.status == "ok", ran.error
    assert kernel.run("print(city)").stdout == "City(name='Oslo', people=700000)\n"
    # The turn after it is one like any other again.
    kernel.run("%%claude\nHello.")
    names = [tool["name"] for tool in kernel_api.requests[-1].body["tools"]]
    assert "StructuredOutput" not in names


@pytest.mark.parametrize(("option", "replace"), [("--cell", False), ("--here", True)])
def test_the_code_of_an_answer_goes_into_a_cell(
    kernel: Kernel,
    kernel_api: Any,
    option: str,
    replace: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    kernel_api.replies.append(Reply.of("So:\n\n```python\nx = 1\n```\n"))
    ran = kernel.run(f"%%claude {option}\nSet x\nto 1.")
    (payload,) = ran.payload
    text = "# Set x\n# to 1.\nx = 1" if replace else "x = 1"
    assert payload == {"source": "set_next_input", "text": text, "replace": replace}


# -- single turns --------------------------------------------------------------------------------


def test_options_hold_for_one_turn(kernel: Kernel, kernel_api: Any) -> None:
    kernel.run("%%claude\nMy name is Ada.")
    model = kernel_api.requests[-1].model
    kernel.run("%%claude --model claude-haiku-4-5 --tools none\nWho am I?")
    assert kernel_api.requests[-1].model == "claude-haiku-4-5"
    names = {tool["name"] for tool in kernel_api.requests[-1].body["tools"]}
    assert "Read" not in names
    ran = kernel.run("%%claude\nAnd now?")
    assert kernel_api.requests[-1].model == model
    assert ran.answers == ["You said: My name is Ada. / Who am I? / And now?"]


def test_once_leaves_nothing_in_the_conversation(kernel: Kernel) -> None:
    kernel.run("%%claude\nMy name is Ada.")
    assert kernel.run("%%claude --once\nWho am I?").answers == ["You said: Who am I?"]
    assert kernel.run("%%claude\nHello.").answers == ["You said: My name is Ada. / Hello."]


def test_a_turn_in_the_background_is_shown_in_its_cell(kernel: Kernel, kernel_api: Any) -> None:
    gate = threading.Event()
    kernel_api.replies.append(Reply.of(Text("Once "), Hold(gate), Text("upon a time.")))
    cell = kernel.start("%%claude --bg -o story\nTell me a story.")
    assert kernel.finish(cell).status == "ok"
    assert kernel.run("print(1 + 1)").stdout == "2\n"
    gate.set()
    shown = ""
    while "upon a time." not in shown or "Waiting" in shown:
        message = kernel.client.get_iopub_msg(timeout=30)
        if message["msg_type"] == "update_display_data":
            assert message["parent_header"]["msg_id"] == cell
            shown = message["content"]["data"]["text/markdown"]
    assert kernel.run("print(story)").stdout == "Once upon a time.\n"
    assert kernel.run("%claude_stop").status == "error"


def test_a_turn_in_the_background_can_be_stopped(kernel: Kernel, kernel_api: Any) -> None:
    kernel_api.replies.append(Reply.of(Text("Once "), Hold(threading.Event())))
    cell = kernel.start("%%claude --bg\nTell me a story.")
    kernel.finish(cell)
    shown = ""
    while "Once" not in shown:
        message = kernel.client.get_iopub_msg(timeout=30)
        shown = str(message["content"].get("data"))
    assert kernel.run("%claude_stop").status == "ok"
    assert kernel.run("%%claude\nGo on.").status == "ok"


def test_the_last_error_is_explained(kernel: Kernel, kernel_api: Any) -> None:

    kernel.run("prices = [1]\nprices[3]")
    kernel.run("%claude_fix")
    sent = str(_asked(kernel_api.requests[-1]))
    assert "prices[3]" in sent
    assert "IndexError: list index out of range" in sent


def test_code_that_claude_runs_cannot_ask_claude(kernel: Kernel, kernel_api: Any) -> None:
    kernel_api.replies += [
        Reply.of(ToolUse("mcp__kernel__run_python", {"code": "%claude Hello"})),
        Reply.of("Well."),
    ]
    assert kernel.run("%%claude --allow kernel\nGo.").status == "ok"
    assert "cannot ask Claude" in str(_asked(kernel_api.requests[-1]))
    assert len(kernel_api.requests) == 2


# -- permission ----------------------------------------------------------------------------------

#: Every tool that acts or looks, with what needs consent.
_ACTIONS: list[tuple[str, dict[str, str]]] = [
    ("Read", {"file_path": "{folder}/.env"}),
    ("Read", {"file_path": "{outside}/planted-name.txt"}),
    ("Grep", {"pattern": "KEY", "path": "{folder}/.env", "output_mode": "content"}),
    ("Grep", {"pattern": "planted", "path": "{outside}", "output_mode": "content"}),
    ("Glob", {"pattern": "*", "path": "{outside}"}),
    ("Edit", {"file_path": "{folder}/kept.txt", "old_string": "kept", "new_string": "changed"}),
    ("Write", {"file_path": "{folder}/written.txt", "content": "x"}),
    ("NotebookEdit", {"notebook_path": "{folder}/kept.ipynb", "new_source": "changed"}),
    ("Bash", {"command": "touch {folder}/ran.txt"}),
    ("mcp__kernel__run_python", {"code": "open(r'{folder}/python.txt', 'w').close()"}),
    ("WebFetch", {"url": "http://127.0.0.1:9/", "prompt": "x"}),
    ("WebSearch", {"query": "x"}),
    ("Agent", {"description": "x", "prompt": "planted", "subagent_type": "general-purpose"}),
]
_MODES = ["default", "acceptEdits", "plan", "dontAsk"]
_KEPT_NOTEBOOK = (
    '{"cells": [{"cell_type": "code", "id": "a", "source": "kept", "outputs": [], "metadata": {}, '
    '"execution_count": null}], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'
)


@pytest.mark.parametrize("mode", _MODES)
def test_nothing_runs_that_nobody_approved(
    start_kernel: Any,
    api: Any,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    mode: str,
) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (outside / "planted-name.txt").write_text("planted-value")
    (tmp_path / ".env").write_text("KEY=planted-value")
    (tmp_path / "kept.txt").write_text("kept")
    (tmp_path / "kept.ipynb").write_text(_KEPT_NOTEBOOK)
    kernel = start_kernel(api.environment, person=False)
    kernel.run("%load_ext claude_magic")
    kernel.run(f"%config ClaudeMagics.permission_mode = {mode!r}")
    tools = sorted({name for name, _ in _ACTIONS if "__" not in name})
    kernel.run(f"%config ClaudeMagics.tools = {tools!r}")
    denied = 0
    for name, arguments in _ACTIONS:
        if mode == "acceptEdits" and name in {"Edit", "Write", "NotebookEdit"}:
            continue  # that is what this mode allows
        filled = {
            key: text.format(folder=kernel.folder, outside=outside)
            for key, text in arguments.items()
        }
        api.replies += [Reply.of(ToolUse(name, filled)), Reply.of("Well.")]
        before = len(api.requests)
        assert kernel.run("%%claude\nGo.").status == "ok"
        # One request more would be somebody who acts in Claude's name.
        assert len(api.requests) == before + 2, name
        offered = {tool["name"] for tool in api.requests[-1].body["tools"]}
        assert name in offered, offered
        result = api.requests[-1].tool_results[-1]
        assert result.is_error, (name, result.text)
        assert "planted" not in result.text.replace(str(outside / "planted-name.txt"), ""), name
        denied += 1
    assert (tmp_path / "kept.txt").read_text() == "kept"
    assert (tmp_path / "kept.ipynb").read_text() == _KEPT_NOTEBOOK
    assert not {"written.txt", "ran.txt", "python.txt"} & {each.name for each in tmp_path.iterdir()}
    assert "planted-value" not in str([request.body for request in api.requests])
    print(f"{mode}: 0 of {denied} unapproved actions ran")  # noqa: T201 - the figure


def test_a_turn_for_planning_changes_nothing_whatever_is_allowed(
    kernel: Kernel,
    kernel_api: Any,
) -> None:
    kernel_api.replies += [
        Reply.of(ToolUse("mcp__kernel__run_python", {"code": "planned = 1"})),
        Reply.of("Well."),
    ]
    assert kernel.run("%%claude --plan --allow kernel\nGo.").status == "ok"
    assert "NameError" in kernel.run("planned").error


def test_a_cell_that_allows_one_command_allows_no_other(kernel: Kernel, kernel_api: Any) -> None:
    folder = kernel.folder
    kernel_api.replies += [
        Reply.of(ToolUse("Bash", {"command": f"touch {folder}/allowed"})),
        Reply.of(ToolUse("Bash", {"command": f"touch {folder}/allowed; touch {folder}/not"})),
        Reply.of("Well."),
    ]
    ran, asked = kernel.run_answering(f'%%claude --allow "run:touch {folder}/allowed"\nGo.', "n")
    assert ran.status == "ok"
    assert len(asked) == 1
    assert (folder / "allowed").exists()
    assert not (folder / "not").exists()
    # The turn after it allows nothing any more.
    kernel_api.replies += [
        Reply.of(ToolUse("Bash", {"command": f"touch {folder}/allowed"})),
        Reply.of("Well."),
    ]
    _, asked = kernel.run_answering("%%claude\nGo.", "n")
    assert len(asked) == 1


def test_a_turn_may_have_a_budget_of_its_own(kernel: Kernel, kernel_api: Any) -> None:
    kernel.run("%%claude\nMy name is Ada.")
    call = Reply.of(ToolUse("mcp__kernel__list_variables", {}))
    kernel_api.replies += [call, call, call, Reply.of("Well.")]
    assert kernel.run("%%claude --max-cost 0.000001\nGo.").error_name == "TurnLimitError"
    kernel_api.replies.clear()
    assert kernel.run("%%claude\nWho am I?").status == "ok"


def test_help_names_every_magic(kernel: Kernel) -> None:
    (shown,) = kernel.run("%claude_help").contents("display_data")
    text = shown["data"]["text/markdown"]
    for name in ("%%claude", "%claude_connect", "%claude_fix", "%claude_stop", "--schema NAME"):
        assert f"`{name}" in text or f" {name}`" in text


def test_what_one_cell_allows_holds_for_its_own_turn(kernel: Kernel, kernel_api: Any) -> None:
    # A turn in the background asks nobody, whatever a cell allows that waits behind it.
    gate = threading.Event()
    kernel_api.replies += [
        Reply.of(Text("Well, "), Hold(gate), ToolUse("mcp__kernel__run_python", {"code": "z = 1"})),
        Reply.of("Then not."),
        Reply.of("Yours."),
    ]
    kernel.finish(kernel.start("%%claude --bg\nGo."))
    cell = kernel.start("%%claude --allow kernel\nAnd I?")
    gate.set()
    assert kernel.finish(cell).status == "ok"
    assert "NameError" in kernel.run("z").error


def test_a_turn_in_the_background_may_be_allowed_something(
    kernel: Kernel,
    kernel_api: Any,
) -> None:
    folder = kernel.folder
    command = f"touch {folder}/by-a-turn-in-the-background"
    kernel_api.replies += [Reply.of(ToolUse("Bash", {"command": command})), Reply.of("Done.")]
    cell = kernel.start(f'%%claude --bg --allow "run:{command}"\nGo.')
    kernel.finish(cell)
    shown = ""
    while "Done." not in shown:
        shown = str(kernel.client.get_iopub_msg(timeout=30)["content"].get("data"))
    assert (folder / "by-a-turn-in-the-background").exists()


def test_once_takes_options(kernel: Kernel, kernel_api: Any) -> None:
    assert kernel.run("%%claude --once --model claude-haiku-4-5\nHello.").status == "ok"
    assert kernel_api.requests[-1].model == "claude-haiku-4-5"


@pytest.mark.parametrize(
    ("cell", "told"),
    [
        ("%%claude --bg --here\nGo.", "--bg goes without"),
        ("%claude --here Go.", "for %%claude cells"),
        ("%%claude --once --bg\nGo.", "--once goes without"),
        ("%%claude --as json --schema x\nGo.", "no variable 'x'"),
        ("%%claude --cell --here\nGo.", "exclude each other"),
        ("%%claude --as xml\nGo.", "invalid choice"),
        ("%%claude --allow everything\nGo.", "everything"),
        ("%%claude --max-cost nothing\nGo.", "no amount above 0"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    kernel: Kernel,
    kernel_api: Any,
    cell: str,
    told: str,
) -> None:
    assert told in kernel.run(cell).stdout
    assert kernel_api.requests == []


def test_what_was_proposed_with_an_answer_that_is_refused_is_dropped(
    kernel: Kernel,
    kernel_api: Any,
) -> None:
    cells = [{"kind": "code", "source": "x = 1"}]
    kernel_api.replies += [
        Reply.of(ToolUse("mcp__kernel__propose_cells", {"cells": cells})),
        Reply.of("No JSON."),
    ]
    assert kernel.run("%%claude --as json\nGo.").error_name == "AnswerError"
    assert kernel.run("%%claude\nAnd now?").payload == []


def test_a_secret_in_an_error_of_a_proposed_cell_is_masked(
    kernel: Kernel,
    kernel_api: Any,
) -> None:
    key = "sk-ant-" + "api03-" + "a1B2" * 20
    source = f"raise ValueError('bad key {key}')"
    kernel_api.replies += [
        Reply.of(
            ToolUse("mcp__kernel__propose_cells", {"cells": [{"kind": "code", "source": source}]})
        ),
        Reply.of("There."),
    ]
    kernel.run("%%claude\nGo.")
    kernel.run(source)
    kernel.run("%%claude\nAnd now?")
    told = _context(kernel_api.requests[-1])
    assert "ValueError" in told
    assert key not in told


def test_the_failed_cell_is_explained_and_not_a_prompt_that_failed(
    kernel: Kernel,
    kernel_api: Any,
) -> None:
    kernel.run("prices = [1]\nprices[3]")
    kernel_api.replies.append(Reply.of("No JSON."))
    kernel.run("%%claude --as json\nWhat?")
    kernel.run("%claude_fix")
    sent = str(_asked(kernel_api.requests[-1]))
    assert "prices[3]" in sent
    assert "What?" not in sent
    # The title of a conversation is what the person wrote.
    assert "notebook-context" not in str(
        kernel.run("%claude_sessions --past").contents("display_data")
    )


# -- what no one expects -----------------------------------------------------------------------


def test_what_stands_in_for_something_else_breaks_no_prompt(
    kernel: Kernel,
    kernel_api: Any,
) -> None:
    # Flask's `request` raises where its class is asked for.
    kernel.run(
        "class Proxy:\n    @property\n    def __class__(self): raise RuntimeError('no context')\n"
        "proxy = Proxy()\nglobals()[5] = 'no name'"
    )
    ran = kernel.run("%%claude --no-context\nWhat is @proxy?")
    assert ran.status == "ok", ran.error
    assert "Proxy" in _asked(kernel_api.requests[-1])[1]["text"]
    _, content = _call(kernel, kernel_api, "list_variables")
    assert "proxy: Proxy" in _text(content)
    kernel.run("del globals()[5]")


def test_what_is_no_character_is_replaced_and_the_cell_ends(
    kernel: Kernel,
    kernel_api: Any,
) -> None:
    kernel_api.replies += [Reply.of("Half: \ud800."), Reply.of("```python\nx = '\ud800'\n```")]
    ran = kernel.run("%%claude\nGo.")
    assert ran.answers == ["Half: \ufffd."], ran.error
    ran = kernel.run("%%claude --cell\nGo.")
    assert [each["text"] for each in ran.payload] == ["x = '\ufffd'"], ran.error
    cells = [{"kind": kind, "source": f"{kind} \ud800"} for kind in ("code", "markdown")]
    ran, _ = _call(kernel, kernel_api, "propose_cells", cells=cells)
    assert [each["text"] for each in ran.payload] == ["code \ufffd"]
    assert any("markdown \ufffd" in text for text in ran.markdown)
