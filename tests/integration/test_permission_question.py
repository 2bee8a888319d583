"""The question with buttons, over the control channel of a kernel whose cell waits for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from support.kernel import question_of

from claude_magic.tape import Reply, ToolUse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.kernel import Kernel

_CODE = "y = 20 + 1\nprint('hi')"


@pytest.fixture
def kernel(kernel: Kernel) -> Iterator[Kernel]:
    """Give a kernel that has not asked anybody yet, and that forgets whom it asked."""
    kernel.run("%reload_ext claude_magic\nfor name in {'y'} & set(globals()): del globals()[name]")
    yield kernel
    kernel.run("%reload_ext claude_magic")


@pytest.fixture
def asks(kernel_api: Any) -> None:
    """Have the model ask for Python to be run in the kernel, twice at most."""
    call = Reply.of(ToolUse("mcp__kernel__run_python", {"code": _CODE}))
    kernel_api.replies += [call, Reply.of("Well.")]


def _told(kernel_api: Any) -> str:
    """Return what the model was told of its call."""
    return "\n".join(result.text for result in kernel_api.requests[-1].tool_results)


def _has_run(kernel: Kernel) -> bool:
    return "NameError" not in kernel.run("y").error


def test_the_question_shows_all_that_would_run(kernel: Kernel, asks: None) -> None:
    ran, (shown,) = kernel.run_pressing("%%claude\nGo.", {"choice": "once"})
    assert ran.status == "ok", ran.error
    assert shown["title"] == "Run Python in this kernel"
    assert "".join(text for _, text in shown["body"]) == _CODE
    assert ["kn", "import"] not in shown["body"]
    assert any(name.startswith("s") and "'hi'" in text for name, text in shown["body"])
    assert shown["lines"] == 2
    assert shown["rule"] == "kernel"
    assert _has_run(kernel)


@pytest.mark.parametrize(
    ("press", "mark", "told"),
    [
        ({"choice": "no"}, "✗ You said no:", "The user said no."),
        ({"choice": "no", "reason": " not <b>now</b> "}, "✗ You said no:", "not <b>now</b>"),
        ({"choice": "stop"}, "✗ You stopped here:", ""),
        (None, "✗ Nobody answered:", ""),
    ],
)
def test_nothing_runs_but_by_a_yes(
    kernel: Kernel,
    kernel_api: Any,
    asks: None,
    press: dict[str, Any] | None,
    mark: str,
    told: str,
) -> None:
    ran, _ = kernel.run_pressing("%%claude\nGo.", press)
    assert not _has_run(kernel)
    (record,) = [text for text in ran.markdown if mark in text]
    assert "y &#61; 20" in record or "y = 20" in record
    assert "<b>" not in record
    if told:
        assert told in _told(kernel_api)
        assert ran.status == "ok"
    else:
        assert ran.error_name == "TurnInterruptedError"


def test_an_answer_for_the_session_is_not_asked_again(kernel: Kernel, kernel_api: Any) -> None:
    call = Reply.of(ToolUse("mcp__kernel__run_python", {"code": _CODE}))
    kernel_api.replies += [call, call, Reply.of("Well."), call, Reply.of("Well.")]
    ran, asked = kernel.run_pressing("%%claude\nGo.", {"choice": "session"})
    assert ran.status == "ok", ran.error
    assert len(asked) == 1
    assert any("✓ You allowed this in this session:" in text for text in ran.markdown)
    _, asked = kernel.run_pressing("%%claude\nAgain.")
    assert not asked


def test_what_is_no_answer_does_not_count(kernel: Kernel, asks: None) -> None:
    replies: list[dict[str, Any]] = []
    kernel.greet()

    def fumble(message: dict[str, Any]) -> None:
        address = question_of(message)
        if address is None or replies:
            return
        kernel.press(address, do="ready")
        nonsense: list[dict[str, Any]] = [
            {"do": "answer", "choice": "yes"},
            {"do": "answer", "choice": ["once"]},
            {"do": "answer"},
            {"do": "allow"},
        ]
        replies.extend(kernel.press(address, **press) for press in nonsense)
        replies.append(kernel.press(address[:-1], do="answer", choice="once"))
        kernel.press(address, do="answer", choice="no")
        replies.append(kernel.press(address, do="answer", choice="once"))

    ran = kernel.finish(kernel.start("%%claude\nGo."), fumble)
    assert ran.status == "ok", ran.error
    assert [reply["status"] for reply in replies] == ["error"] * 6
    assert not _has_run(kernel)


def test_a_front_end_without_the_extension_is_asked_in_text_at_once(
    kernel: Kernel,
    kernel_api: Any,
) -> None:
    call = Reply.of(ToolUse("mcp__kernel__run_python", {"code": _CODE}))
    kernel_api.replies += [call, call, Reply.of("Well.")]
    ran, asked = kernel.run_answering("%%claude\nGo.", "n", "n")
    assert len(asked) == 2
    assert not _has_run(kernel)
    assert not any(question_of(message) for message in ran.messages)
    assert sum("**Run Python in this kernel**" in text for text in ran.markdown) == 2


def test_a_page_that_greets_but_shows_nothing_is_waited_for_once(
    kernel: Kernel,
    kernel_api: Any,
) -> None:
    call = Reply.of(ToolUse("mcp__kernel__run_python", {"code": _CODE}))
    kernel_api.replies += [call, call, Reply.of("Well.")]
    kernel.greet()
    ran, asked = kernel.run_answering("%%claude\nGo.", "n", "n")
    assert len(asked) == 2
    assert not _has_run(kernel)
    # The second request is never offered with buttons.
    assert len({question_of(message) for message in ran.messages} - {None}) == 1
    assert sum("**Run Python in this kernel**" in text for text in ran.markdown) == 2


def test_a_report_that_comes_late_has_the_next_request_wait_for_buttons(
    kernel: Kernel,
    kernel_api: Any,
) -> None:
    call = Reply.of(ToolUse("mcp__kernel__run_python", {"code": _CODE}))
    kernel_api.replies += [call, Reply.of("Well."), call, Reply.of("Well.")]
    kernel.greet()
    request = kernel.start("%%claude\nGo.")
    kernel.client.get_stdin_msg(timeout=30)
    opened: list[dict[str, Any]] = []

    def note(message: dict[str, Any]) -> None:
        address = question_of(message)
        if address is not None and not opened:
            opened.append(kernel.press(address, do="ready"))
            kernel.client.input("n")

    kernel.finish(request, note)
    assert opened == [{"status": "ok", "over": True}]
    # Without another greeting.
    decided: list[dict[str, Any]] = []

    def allow(message: dict[str, Any]) -> None:
        address = question_of(message)
        if address is not None and not decided:
            kernel.press(address, do="ready")
            decided.append(kernel.press(address, do="answer", choice="once"))

    ran = kernel.finish(kernel.start("%%claude\nAgain."), allow)
    assert ran.status == "ok", ran.error
    assert decided == [{"status": "ok", "over": True}]
    assert _has_run(kernel)
