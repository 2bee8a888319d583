"""Claude Code's own Grep, with the glob by which we keep it away from secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from claude_magic import Allow, ClaudeSession
from claude_magic.notebook.permission import action_of
from claude_magic.tape import Reply, ToolUse

if TYPE_CHECKING:
    from pathlib import Path

    from claude_magic import PermissionRequest

SECRETS = [".env", ".ENV.local", "server.Key", "deep/credentials.json", ".ssh/config"]
OTHERS = ["a.py", "deep/b.txt", "envy.md", ".hidden"]


@pytest.mark.parametrize("glob", [None, "*", "{*.py,*.txt,.*,*.md}", "!*.none"])
def test_a_search_finds_everything_but_secrets(
    connected: Any, tmp_path: Path, glob: str | None
) -> None:
    for name in (*SECRETS, *OTHERS):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("TOKEN=1\n")
    arguments = {"pattern": "TOKEN", "output_mode": "content"}
    if glob is not None:
        arguments["glob"] = glob
    connected.replies += [
        Reply.of(ToolUse("Grep", arguments)),
        lambda request: Reply.of(request.tool_results[-1].text),
    ]

    async def allow(request: PermissionRequest) -> Allow:
        return Allow(action_of(request, tmp_path).request.arguments)

    with ClaudeSession(
        tools=["Grep"], cwd=tmp_path, on_permission=allow, consent_for=lambda _request: True
    ) as session:
        answer = list(session.send("Look for it."))[-1].text  # type: ignore[union-attr]
    assert all(f"{name}:" in answer for name in OTHERS)
    assert not any(f"{name}:" in answer for name in SECRETS)
