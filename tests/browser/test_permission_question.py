"""The permission question, answered in JupyterLab while its cell is running."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from claude_magic.tape import Reply, Text, ToolUse

if TYPE_CHECKING:
    from collections.abc import Callable

    from claude_magic.tape import MessagesRequest

    from .conftest import Notebook

    OpenNotebook = Callable[..., Notebook]

_CODE = """\
rates = [round(mm / 25.4, 2) for mm in rainfall]
print(f"{max(rates)} inches at most")
rates[:3]"""

#: Would run if the question were shown as HTML, or as Markdown that is trusted.
_HOSTILE = "print('<img src=x onerror=\"window.owned = true\">')\n# ``` <script>window.owned = true"


def _call(code: str = _CODE) -> Reply:
    return Reply.of(ToolUse("mcp__kernel__run_python", {"code": code}))


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_question_shows_what_would_run_and_a_button_lets_it(
    open_notebook: OpenNotebook,
    scripted: Callable[..., str],
    theme: str,
) -> None:
    load = scripted(
        Reply.of(
            Text("I convert the rainfall first."),
            ToolUse("mcp__kernel__run_python", {"code": _CODE}),
        ),
        Reply.of("The wettest month had **3.58 inches**."),
    )
    notebook = open_notebook(
        load + "\nrainfall = [72, 58, 64, 41, 55, 38, 29, 47, 66, 83, 91, 77]",
        "%%claude\nHow much is @rainfall in inches?",
        "rates[10]",
    )
    if theme == "dark":
        notebook.command("apputils:change-theme", theme="JupyterLab Dark")
    notebook.run(0)
    # Where the tests' server is concerns nobody who looks at the README.
    notebook.command("notebook:hide-cell-code")
    notebook.start(1)
    once = notebook.decision("Allow once")
    assert _CODE in notebook.question.locator(".cm-body").inner_text()
    notebook.wait_for_text(1, "Waiting for your decision")
    notebook.screenshot(f"question-{theme}", of=notebook.page.locator(".jp-NotebookPanel"))
    once.click()
    notebook.wait_for_text(1, "The wettest month")
    assert notebook.page.locator(".claude-magic-question").count() == 0
    notebook.wait_for_text(1, "You allowed this once:")
    assert not notebook.output(1).get_by_text("Waiting for your decision").count()
    notebook.screenshot(f"question-answered-{theme}")
    notebook.run(2)
    assert "3.58" in notebook.output(2).inner_text()


def test_a_no_tells_claude_why_and_stop_ends_the_turn(
    open_notebook: OpenNotebook,
    scripted: Callable[..., str],
) -> None:
    told: list[MessagesRequest] = []

    def note(request: MessagesRequest) -> Reply:
        told.append(request)
        return Reply.of("Then not.")

    load = scripted(_call("y = 1"), note, _call("y = 2"))
    notebook = open_notebook(load, "%%claude\nGo.", "%%claude\nGo on.", "'y' in globals()")
    notebook.run(0)
    notebook.start(1)
    notebook.decision("No")
    notebook.question.get_by_role("textbox").fill("use x instead")
    # Enter in the field is a no, too.
    notebook.question.get_by_role("textbox").press("Enter")
    notebook.wait_for_text(1, "Then not.")
    notebook.wait_for_text(1, "You said no:")
    assert "use x instead" in told[0].tool_results[-1].text
    notebook.start(2)
    notebook.decision("Stop").click()
    notebook.wait_for_text(2, "You stopped here:")
    notebook.wait_until_idle()
    notebook.run(3)
    assert "False" in notebook.output(3).inner_text()


def test_an_answer_for_the_session_is_not_asked_again_and_interrupting_cancels(
    open_notebook: OpenNotebook,
    scripted: Callable[..., str],
) -> None:
    write = Reply.of(ToolUse("Write", {"file_path": "note.txt", "content": "Hello.\n" * 200}))
    load = scripted(_call("y = 1"), _call("y = 2"), Reply.of("Both ran."), write)
    notebook = open_notebook(load, "%%claude\nGo.", "%%claude\nWrite.", "y")
    notebook.run(0)
    notebook.start(1)
    notebook.decision("Allow in this session").click()
    notebook.wait_for_text(1, "Both ran.")
    notebook.start(2)
    notebook.decision("Allow once")
    # Long content scrolls, and says so.
    assert "200 lines" in notebook.question.inner_text()
    notebook.screenshot("question-long")
    notebook.command("notebook:interrupt-kernel")
    notebook.wait_for_text(2, "Nobody answered:")
    notebook.wait_for_end(2)
    notebook.run(3)
    assert "2" in notebook.output(3).inner_text()


@pytest.mark.promise(
    "Only the user's own click or key answers a permission request.",
    against="model",
)
def test_no_script_and_no_chance_presses_a_button(
    open_notebook: OpenNotebook,
    scripted: Callable[..., str],
) -> None:
    load = scripted(_call(_HOSTILE), Reply.of("Well."))
    notebook = open_notebook(load, "%%claude\nGo.", "'ran' in globals()")
    notebook.run(0)
    notebook.start(1)
    question = notebook.question
    question.wait_for()
    once = question.get_by_role("button", name="Allow once")
    # A click that was meant for what stood here a moment ago.
    once.dispatch_event("click")
    once = notebook.decision("Allow once")
    notebook.screenshot("question-hostile")
    # Nothing in it is alive, and nobody but a person can press.
    alive = "script, img, [onerror]"
    assert notebook.output(1).locator(alive).count() == question.locator(alive).count() == 0
    assert "onerror" in question.inner_text()
    once.evaluate("button => { button.focus(); button.click(); }")
    once.dispatch_event("click")
    once.dispatch_event("keydown", {"key": "Enter"})
    question.get_by_role("textbox").dispatch_event("keydown", {"key": "Enter"})
    # The question has not taken the focus from where somebody is typing.
    assert question.count() == 1
    assert not notebook.output(1).get_by_text("You allowed").count()
    notebook.decision("No").press("Enter")
    notebook.wait_for_text(1, "You said no:")
    assert notebook.page.evaluate("window.owned") is None


def test_a_page_that_is_loaded_anew_shows_the_question_again(
    open_notebook: OpenNotebook,
    scripted: Callable[..., str],
) -> None:
    load = scripted(_call("y = 1"), Reply.of("Well."))
    notebook = open_notebook(load, "%%claude\nGo.", "y")
    notebook.run(0)
    notebook.start(1)
    notebook.decision("Allow once")
    notebook.page.reload()
    notebook.question.wait_for()
    assert "y = 1" in notebook.question.inner_text()
    notebook.screenshot("question-again")
    notebook.decision("Allow once").click()
    notebook.question.wait_for(state="detached")
    notebook.wait_until_idle()
    notebook.run(2)
    assert "1" in notebook.output(2).inner_text()


def test_the_keyboard_is_enough_and_the_question_takes_no_focus(
    open_notebook: OpenNotebook,
    scripted: Callable[..., str],
) -> None:
    load = scripted(_call("y = 1"), Reply.of("Well."))
    notebook = open_notebook(load, "%%claude\nGo.", "y")
    notebook.run(0)
    notebook.start(1)
    notebook.decision("Allow once")
    focused = "document.activeElement.closest('.claude-magic-question')"
    assert notebook.page.evaluate(f"{focused} === null")
    notebook.question.locator(".cm-body").focus()
    notebook.page.keyboard.press("Tab")
    assert notebook.page.evaluate("document.activeElement.textContent") == "Allow once"
    notebook.page.keyboard.press("Space")
    notebook.wait_for_text(1, "Well.")
    notebook.run(2)
    assert "1" in notebook.output(2).inner_text()
