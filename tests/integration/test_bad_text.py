"""Text that is not valid Unicode, on each way to the model and back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from claude_magic.session import (
    ClaudeSession,
    Deny,
    ServedTool,
    SessionOptions,
    ToolAnswer,
    ToolDefinition,
)
from claude_magic.session.turn import Told
from claude_magic.tape import Failure, Reply, ToolUse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from support.kernel import Kernel

BAD, GOOD = "caf\ud800", "caf\ufffd"
SCHEMA = {"type": "object", "properties": {}}


def _sent(api: Any) -> str:
    """Return all that was sent, with each character as it is."""
    return json.dumps([request.body for request in api.requests], ensure_ascii=False)


def _check(api: Any) -> None:
    sent = _sent(api)
    sent.encode()
    assert GOOD in sent


@pytest.mark.failure(
    "A text is not valid Unicode",
    then="It is sent with U+FFFD in place of what is invalid, and the cell ends",
)
@pytest.mark.parametrize(
    "prompt",
    [
        BAD,
        [{"type": "text", "text": BAD}],
        [{"type": "text", "text": "a"}, {"type": "text", "text": BAD}],
    ],
    ids=["a text", "a block", "a later block"],
)
def test_a_prompt_is_sent_repaired(connected: Any, prompt: Any) -> None:
    with ClaudeSession() as session:
        session.ask(prompt)
    _check(connected)


def test_a_history_is_sent_repaired(connected: Any) -> None:
    history = [Told("user", BAD), Told("assistant", [{"type": "text", "text": BAD}])]
    with ClaudeSession() as session:
        session.send("Go on.", history).result()
    _check(connected)


@pytest.mark.failure(
    "A text is not valid Unicode",
    then="It is sent with U+FFFD in place of what is invalid, and the cell ends",
)
def test_a_system_prompt_and_descriptions_are_sent_repaired(connected: Any) -> None:
    tool = ToolDefinition("look", f"described {BAD}", SCHEMA)
    options = SessionOptions(system_prompt=f"system {BAD}", client_tools=(tool,))
    with ClaudeSession(options) as session:
        session.ask("Hello")
    _check(connected)
    assert f"described {GOOD}" in _sent(connected)
    assert f"system {GOOD}" in _sent(connected)


@pytest.mark.failure(
    "A text is not valid Unicode",
    then="It is sent with U+FFFD in place of what is invalid, and the cell ends",
)
@pytest.mark.parametrize("raises", [False, True])
def test_what_a_tool_gives_back_is_sent_repaired(connected: Any, *, raises: bool) -> None:
    async def run(_: Mapping[str, Any]) -> ToolAnswer:
        if raises:
            raise OSError(BAD)
        return ToolAnswer(BAD)

    tool = ServedTool(ToolDefinition("look", "Looks.", SCHEMA), run, looks_only=True)
    connected.replies.append(Reply((ToolUse(tool.wire_name, {}),)))
    with ClaudeSession(toolbox=[tool]) as session:
        session.ask("Look.")
    _check(connected)


def test_the_reason_of_a_denial_is_sent_repaired(connected: Any) -> None:
    async def deny(_: Any) -> Deny:
        return Deny(BAD)

    connected.replies.append(Reply((ToolUse("Bash", {"command": "rm none"}),)))
    with ClaudeSession(tools=["Bash"], on_permission=deny) as session:
        session.ask("Run it.")
    _check(connected)


def test_an_error_of_the_api_ends_its_cell(kernel: Kernel, kernel_api: Any) -> None:
    # Claude Code asks again without betas of its own, one after the other, before it gives up.
    kernel_api.replies += [Failure(400, "invalid_request_error", f"no {BAD}")] * 3
    ran = kernel.run("%claude hello")
    assert ran.status == "error"
    assert "The API answered 400: no caf" in ran.error


@pytest.mark.failure(
    "A text is not valid Unicode",
    then="It is sent with U+FFFD in place of what is invalid, and the cell ends",
)
@pytest.mark.parametrize(
    "cell",
    [
        "session.ask('x \\ud800')",
        "from claude_magic.errors import SessionError; raise SessionError('no \\ud800')",
        "from claude_magic import SessionOptions; SessionOptions(name='\\ud800')",
        "get_ipython().run_line_magic('claude', '\\ud800')",
        "get_ipython().run_line_magic('claude', '-s \\ud800 hello')",
        "get_ipython().run_line_magic('claude', '--fork \\ud800 hello')",
        "get_ipython().run_line_magic('claude', '--model \\ud800 hello')",
        "get_ipython().run_line_magic('claude', '--tools \\ud800 hello')",
        "get_ipython().run_line_magic('claude', '--allow \\ud800 hello')",
        "get_ipython().run_line_magic('claude', '--\\ud800 hello')",
        "get_ipython().run_line_magic('claude_connect', '--resume \\ud800')",
        "get_ipython().run_line_magic('claude_connect', '--cwd \\ud800')",
        "get_ipython().run_line_magic('claude_connect', '--tape \\ud800')",
        "get_ipython().run_line_magic('claude_reset', '\\ud800')",
        "get_ipython().run_line_magic('claude_status', '\\ud800')",
        "get_ipython().run_line_magic('config', 'ClaudeMagics.model = \"\\ud800\"')",
    ],
)
def test_a_cell_with_such_text_ends(kernel: Kernel, kernel_api: Any, cell: str) -> None:
    """A reply that cannot be encoded is never sent, and its cell never ends."""
    kernel.run("import claude_magic; session = claude_magic.current_session()")
    ran = kernel.run(cell)
    assert ran.status in {"ok", "error"}
    assert kernel.run("print(1)").stdout == "1\n"
