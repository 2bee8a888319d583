"""A path that changes between the decision about it and its use gains nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from claude_magic import Allow, ClaudeSession, Deny
from claude_magic.notebook.permission import action_of, needs_consent, parse_rules
from claude_magic.tape import Reply, ToolUse

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from claude_magic import PermissionRequest
    from claude_magic.session import PermissionAnswer

_CANARY = "planted-value-4711"


@dataclass(frozen=True)
class Swap:
    """A tool call through a link that leads elsewhere as soon as the call is decided.

    Attributes
    ----------
    tool
        A tool that looks at or writes ``flip``.
    before, after
        Where the link leads at first and then.
    """

    tool: str
    before: str
    after: str


_SWAPS = [
    Swap("Grep", "in.txt", "folder"),
    Swap("Grep", "in.txt", ".env"),
    Swap("Grep", "in.txt", "../outside"),
    Swap("Grep", "folder", ".env"),
    Swap("Grep", "folder", "../outside/out.txt"),
    Swap("Grep", "plain", "folder"),
    Swap("Read", "in.txt", ".env"),
    Swap("Read", "in.txt", "folder/.env"),
    Swap("Read", "in.txt", "../outside/out.txt"),
    Swap("Read", "nothing", ".env"),
    Swap("Write", "new.txt", "conftest.py"),
    Swap("Write", "new.txt", "../outside/out.txt"),
]
_ARGUMENTS: dict[str, dict[str, Any]] = {
    "Grep": {"pattern": "planted", "path": "flip", "output_mode": "content"},
    "Read": {"file_path": "flip"},
    "Write": {"file_path": "flip", "content": "written"},
}


def _plant(root: Path) -> Path:
    work = root / "work"
    for folder in (work / "folder", work / "plain", root / "outside"):
        folder.mkdir(parents=True)
    (work / "in.txt").write_text("nothing here")
    (work / "plain" / "in.txt").write_text("nothing here")
    for secret in (work / ".env", work / "folder" / ".env", root / "outside" / "out.txt"):
        secret.write_text(_CANARY)
    (work / "conftest.py").write_text("kept")
    return work


@pytest.mark.parametrize("moment", ["hook", "answer"])
@pytest.mark.parametrize("swap", _SWAPS, ids=lambda swap: f"{swap.tool}-{swap.before}-{swap.after}")
def test_a_link_that_changes_after_the_decision_gains_nothing(
    connected: Any,
    tmp_path: Path,
    times: Callable[[int, int], int],
    swap: Swap,
    moment: str,
) -> None:
    work = _plant(tmp_path)
    flip = work / "flip"
    rules = parse_rules("edit:**")

    def lead_to(target: str) -> None:
        flip.unlink(missing_ok=True)
        flip.symlink_to(target)

    def needs_person(request: PermissionRequest) -> bool:
        action = action_of(request, work)
        if any(rule.allows(action, work) for rule in rules):
            return False
        return needs_consent(action, work)

    def consent_for(request: PermissionRequest) -> bool:
        needed = needs_person(request) or action_of(request, work).request != request
        if moment == "hook":
            lead_to(swap.after)
        return needed

    async def decide(request: PermissionRequest) -> PermissionAnswer:
        action = action_of(request, work)
        allowed = not needs_person(request)
        if moment == "answer":
            lead_to(swap.after)
        return Allow(action.request.arguments) if allowed else Deny("It needs a person.")

    with ClaudeSession(
        tools=["Grep", "Read", "Write"],
        permission_mode="default",
        cwd=work,
        on_permission=decide,
        consent_for=consent_for,
    ) as session:
        for _ in range(times(1, 10)):
            lead_to(swap.before)
            connected.replies += [
                Reply.of(ToolUse(swap.tool, _ARGUMENTS[swap.tool])),
                Reply.of("Well."),
            ]
            session.ask("Go.")
    assert _CANARY not in str([request.body for request in connected.requests])
    assert (work / "conftest.py").read_text() == "kept"
    assert (tmp_path / "outside" / "out.txt").read_text() == _CANARY
    assert (work / ".env").read_text() == _CANARY


@pytest.mark.parametrize("moment", ["hook", "answer"])
def test_a_file_that_becomes_a_folder_gains_nothing(
    connected: Any,
    tmp_path: Path,
    moment: str,
) -> None:
    work = _plant(tmp_path)
    place = work / "a.txt"
    place.write_text("nothing here")

    def become_a_folder() -> None:
        if place.is_file():
            place.unlink()
            place.mkdir()
            for name in (".env", "b.txt"):
                (place / name).write_text(_CANARY)

    def consent_for(request: PermissionRequest) -> bool:
        action = action_of(request, work)
        needed = needs_consent(action, work) or action.request != request
        if moment == "hook":
            become_a_folder()
        return needed

    async def decide(request: PermissionRequest) -> PermissionAnswer:
        action = action_of(request, work)
        allowed = parse_rules("read:a.txt")[0].allows(action, work)
        become_a_folder()
        return Allow(action.request.arguments) if allowed else Deny("It needs a person.")

    connected.replies += [
        Reply.of(ToolUse("Grep", {**_ARGUMENTS["Grep"], "path": "a.txt"})),
        Reply.of("Well."),
    ]
    with ClaudeSession(
        tools=["Grep"],
        cwd=work,
        on_permission=decide,
        consent_for=consent_for,
    ) as session:
        session.ask("Go.")
    assert _CANARY not in str([request.body for request in connected.requests])
