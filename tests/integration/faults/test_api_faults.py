"""The API fails in every way that it can; the reader is told, and the next cell works."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from claude_magic.tape import Cut, Failure, MessagesServer, Pause, Reply, Stall, Text

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.kernel import Kernel, Ran

#: Claude Code tries so often again in these tests, to be quick; by itself it does ten times.
RETRIES = 2


@dataclass(frozen=True)
class Fault:
    """A way to fail, and what the reader is told of it.

    Attributes
    ----------
    reply
        What the API answers.
    error
        The error that fails the cell.
    told
        What its text says.
    retried
        Whether the cell shows that it is tried again.
    options
        What the conversation is started with.
    """

    reply: Reply | Failure
    error: str
    told: tuple[str, ...]
    retried: bool = False
    options: dict[str, Any] = field(default_factory=dict)


FAULTS = {
    "400": Fault(
        Failure(400, "invalid_request_error", "max_tokens: must be above 0"),
        "PromptRejectedError",
        ("400", "max_tokens: must be above 0", "was removed", "Change the prompt"),
    ),
    "401": Fault(
        Failure(401, "authentication_error", "invalid x-api-key"),
        "AuthenticationError",
        ("401", "Check ANTHROPIC_API_KEY", "claude-magic login"),
        retried=True,
    ),
    "403": Fault(
        Failure(403, "permission_error", "not for this key"),
        "AuthenticationError",
        ("403: not for this key", "Check ANTHROPIC_API_KEY"),
    ),
    "404": Fault(
        Failure(404, "not_found_error", "model: no such model"),
        "ModelNotFoundError",
        ("404", "model", "Choose another model"),
    ),
    "413": Fault(
        Failure(413, "request_too_large", "Request exceeds the maximum size"),
        "ContextTooLongError",
        ("%claude_reset",),
    ),
    "429": Fault(
        Failure(429, "rate_limit_error", "slow down"),
        "RateLimitError",
        ("429", "Wait a little"),
        retried=True,
    ),
    "500": Fault(
        Failure(500, "api_error", "Internal server error"),
        "ServerError",
        ("500", "Run the cell again"),
        retried=True,
    ),
    "529": Fault(
        Failure(529, "overloaded_error", "Overloaded"),
        "OverloadedError",
        ("529", "Wait a little"),
        retried=True,
    ),
    "truncated": Fault(
        # Claude Code forgets what came in the same moment as the end.
        Reply.of(Text("Once upon "), Pause(0.1), Cut()),
        "ApiConnectionError",
        ("The connection to the API failed", "Run the cell again"),
        retried=True,
    ),
    "stalled": Fault(
        Reply.of(Text("Once upon "), Stall()),
        "TurnTimeoutError",
        ("within 2 s", "deadline_s"),
        options={"deadline_s": 2.0},
    ),
}


def _fail(kernel: Kernel, api: Any, fault: Fault, prompt: str) -> Ran:
    environment = {"CLAUDE_CODE_MAX_RETRIES": str(RETRIES)}
    kernel.converse(environment=environment, **fault.options)
    assert kernel.run("%%claude\nHello").status == "ok"
    api.replies[:] = [fault.reply] * 30
    ran = kernel.run(f"%%claude\n{prompt}")
    api.replies.clear()
    return ran


@pytest.mark.failure(
    "The API refuses, is overloaded, cut off or silent",
    then="Retries show, then an error with its status and a remedy; the next cell works",
)
@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_fails_its_cell_and_no_other(
    kernel: Kernel,
    kernel_api: Any,
    name: str,
    figure: Callable[[str], None],
) -> None:
    fault = FAULTS[name]
    ran = _fail(kernel, kernel_api, fault, "Tell me.")
    assert ran.error_name == fault.error, ran.error
    assert len(ran.error.splitlines()) <= 3
    for text in fault.told:
        assert text in ran.error
    retries = [text for text in ran.told if "retry" in text]
    assert bool(retries) == fault.retried, ran.told
    if retries:
        assert f"retry 1 of {RETRIES} in " in retries[0]
    after = kernel.run("%%claude\nAre you there?")
    assert after.status == "ok"
    assert "Are you there?" in after.answers[0]
    assert "resumed" not in after.footer
    figure(f"{ran.error_name} after {ran.elapsed_s:.1f} s, {len(retries)} retries shown")


@pytest.mark.failure(
    "The API cannot be reached",
    then="An error after the retries; the next cell works once it is back",
)
def test_an_api_that_is_not_there(
    kernel: Kernel,
    kernel_api: Any,
    figure: Callable[[str], None],
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    kernel.converse(
        environment={
            "CLAUDE_CODE_MAX_RETRIES": str(RETRIES),
            "ANTHROPIC_BASE_URL": f"http://127.0.0.1:{port}",
        },
    )
    ran = kernel.run("%%claude\nHello")
    assert ran.error_name == "ApiConnectionError"
    assert "The connection to the API failed" in ran.error
    assert any(f"failed; retry 1 of {RETRIES} in " in text for text in ran.told), ran.told
    with MessagesServer(kernel_api.otherwise, token=kernel_api.server.token, port=port):
        after = kernel.run("%%claude\nAre you there?")
    assert after.answers == ["You said: Hello\n\nAre you there?"], after.error
    figure(f"{ran.error_name} after {ran.elapsed_s:.1f} s, the next cell answered")


def test_a_fault_that_passes_is_waited_for(kernel: Kernel, kernel_api: Any) -> None:
    kernel.converse()
    overloaded = Failure(529, "overloaded_error", "Overloaded")
    kernel_api.replies[:] = [overloaded, overloaded, Reply.of("There you are.")]
    ran = kernel.run("%%claude\nHello")
    assert ran.answers == ["There you are."]
    shown = [text for text in ran.told if "retry" in text]
    assert [text.split(" in ")[0] for text in shown] == [
        "The API answered 529; retry 1 of 10",
        "The API answered 529; retry 2 of 10",
    ]


def _versions(ran: Ran) -> list[str]:
    """Return every version of the answer that the cell showed, the last one last."""
    contents = ran.contents("display_data", "update_display_data")
    texts = [content["data"].get("text/markdown", "") for content in contents]
    return [text for text in texts if text and not text.startswith("<sub>")]


def test_a_stream_that_is_cut_says_each_word_once(kernel: Kernel, kernel_api: Any) -> None:
    kernel.converse()
    words = [f"word{number} " for number in range(200)]
    for cut in (3, 50, 120):
        text = "".join(words)
        begun = Reply((Text("".join(words[:cut])), Cut()), words_per_second=400)
        kernel_api.replies[:] = [begun, Reply.of(text)]
        ran = kernel.run("%%claude\nCount.")
        assert ran.answers == [text]
        for earlier, later in zip(_versions(ran), _versions(ran)[1:], strict=False):
            assert later.startswith(earlier.rstrip()), (earlier[-40:], later[-40:])


@pytest.mark.parametrize("name", ["truncated", "stalled"])
def test_what_was_said_before_a_fault_stays_in_the_cell(
    kernel: Kernel,
    kernel_api: Any,
    name: str,
) -> None:
    ran = _fail(kernel, kernel_api, FAULTS[name], "Tell me.")
    assert [text.strip() for text in ran.answers] == ["Once upon"]
