"""Whatever goes wrong with a question denies."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

import pytest

from claude_magic import Allow, ClaudeSession, Deny
from claude_magic.errors import TurnInterruptedError
from claude_magic.session import PermissionAsked, PermissionDenied
from claude_magic.tape import Reply, ToolUse

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from claude_magic import PermissionRequest


@pytest.fixture
def tool(connected: Any, tmp_path: Path) -> Iterator[ToolUse]:
    """Have the model ask for a tool that needs consent, and say what came of it."""
    tool = ToolUse("Write", {"file_path": str(tmp_path / "note.txt"), "content": "written"})
    connected.replies += [
        Reply.of(tool),
        lambda request: Reply.of(f"{request.tool_results[-1].text}"),
    ]
    yield tool
    assert not connected.server.errors


def _session(folder: Path, on_permission: Any) -> ClaudeSession:
    return ClaudeSession(tools=["Write"], cwd=folder, on_permission=on_permission)


async def _raise(_request: PermissionRequest) -> Allow:
    raise RuntimeError("the dialog broke")


async def _nonsense(_request: PermissionRequest) -> Allow:
    return cast("Allow", "yes")


def _not_awaitable(_request: PermissionRequest) -> Allow:
    return Allow()


async def _refuse(_request: PermissionRequest) -> Deny:
    return Deny("Not today.")


@pytest.mark.promise("A permission request that fails is denied.", against="model")
@pytest.mark.parametrize(
    ("callback", "reason"),
    [
        (_raise, "the dialog broke"),
        (_nonsense, "'yes' is neither Allow nor Deny"),
        (_not_awaitable, "TypeError"),
        (_refuse, "Not today."),
        (None, "nobody can be asked"),
    ],
)
def test_a_question_that_fails_denies(
    tool: ToolUse,
    tmp_path: Path,
    callback: Any,
    reason: str,
) -> None:
    with _session(tmp_path, callback) as session:
        events = list(session.send("Write it."))
        assert reason in events[-1].text  # type: ignore[union-attr]
    (denied,) = [event for event in events if isinstance(event, PermissionDenied)]
    assert (denied.name, dict(denied.arguments)) == (tool.name, dict(tool.input))
    assert reason in denied.reason
    assert denied.asked == (callback is not None)
    assert not (tmp_path / "note.txt").exists()


def test_what_is_allowed_beforehand_is_not_asked(tool: ToolUse, tmp_path: Path) -> None:
    # With a warning, which here is an error, the SDK would say so into whichever cell runs.
    options = {"tools": ["Write"], "allowed_tools": ["Write"], "cwd": tmp_path}
    with ClaudeSession(on_permission=_refuse, **options) as session:  # type: ignore[arg-type]
        events = list(session.send("Write it."))
    assert (tmp_path / "note.txt").read_text() == "written"
    assert not any(isinstance(event, (PermissionAsked, PermissionDenied)) for event in events)


def test_what_is_allowed_runs_as_it_was_allowed(tool: ToolUse, tmp_path: Path) -> None:
    async def change(request: PermissionRequest) -> Allow:
        return Allow({**request.arguments, "content": "changed"})

    with _session(tmp_path, change) as session:
        events = list(session.send("Write it."))
    assert (tmp_path / "note.txt").read_text() == "changed"
    # It was decided at once, and nobody had to wait for a question.
    assert not any(isinstance(event, (PermissionAsked, PermissionDenied)) for event in events)


def test_a_refusal_may_stop_the_turn(tool: ToolUse, tmp_path: Path, connected: Any) -> None:
    async def stop(_request: PermissionRequest) -> Deny:
        return Deny("Stop.", stop=True)

    with _session(tmp_path, stop) as session:
        with pytest.raises(TurnInterruptedError):
            session.ask("Write it.")
        connected.replies.clear()
        assert session.ask("And now?").text.endswith("And now?")
    assert not (tmp_path / "note.txt").exists()


def test_an_interrupt_cancels_the_question(tool: ToolUse, tmp_path: Path, connected: Any) -> None:
    cancelled = []

    async def wait(_request: PermissionRequest) -> Allow:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append("cancelled")
            raise
        return Allow()

    with _session(tmp_path, wait) as session:
        turn = session.send("Write it.")
        for event in turn:
            if isinstance(event, PermissionAsked):
                break
        with pytest.raises(TurnInterruptedError):
            turn.result()
        connected.replies.clear()
        assert session.ask("And now?").text.endswith("And now?")
    assert cancelled == ["cancelled"]
    assert not (tmp_path / "note.txt").exists()
