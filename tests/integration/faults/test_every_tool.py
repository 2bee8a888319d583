"""Every tool of Claude Code in every permission mode: nothing runs without a decision of ours."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from claude_magic.tape import Reply, ToolUse

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from support.kernel import Kernel

_MODES = ["default", "acceptEdits", "plan", "dontAsk"]

#: Reasons that only our decisions give. A call with invalid arguments has another error.
_OURS = (
    "needs a person's consent and nobody can be asked here",
    "This is a turn for planning: nothing is run or changed.",
    "needs consent and nobody is to be asked",
)
#: Claude Code's own refusal in the mode ``dontAsk``.
_CLAUDE_CODES = "has been denied because Claude Code is running in don't ask mode"

#: Every tool that a session may be given. ToolSearch hides the others and has a test of its own.
_TOOLS = [
    *("Agent", "Bash", "CronCreate", "CronDelete", "CronList", "Edit", "EnterWorktree"),
    *("ExitWorktree", "Glob", "Grep", "Monitor", "NotebookEdit", "Read"),
    *("ReportFindings", "ScheduleWakeup", "SendMessage", "Skill", "TaskCreate", "TaskGet"),
    *("TaskList", "TaskStop", "TaskUpdate", "WebFetch", "WebSearch", "Workflow", "Write"),
]


@dataclass(frozen=True)
class Call:
    """A tool call with valid arguments, which needs consent.

    Attributes
    ----------
    tool
        The tool.
    arguments
        What it is called with; ``{folder}``, ``{outside}`` and ``{found}`` are filled in.
    before
        A call that runs first with consent, so that the arguments are valid.
    finds
        Pattern for ``{found}`` in the result of the call before.
    """

    tool: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    before: tuple[str, Mapping[str, Any]] | None = None
    finds: str = ""


_BACKGROUND = ("Bash", {"command": "sleep 300", "run_in_background": True})
_CRON = {"cron": "0 0 1 1 *", "prompt": "planted", "recurring": False}
_TASK = {"subject": "planted", "description": "planted"}
_WORKFLOW = (
    "export const meta = {name: 'planted', description: 'planted'}\nreturn await agent('planted')\n"
)
_KERNEL = "mcp__kernel__"

#: The table: add a row for a tool or for a way to call it.
CALLS = [
    Call("Read", {"file_path": "{folder}/.env"}),
    Call("Read", {"file_path": ".env"}),
    Call("Read", {"file_path": "link-to-env"}),
    Call("Read", {"file_path": "secrets.json.bak"}),
    Call("Read", {"file_path": "{outside}/planted-name.txt"}),
    Call("Read", {"file_path": "link/planted-name.txt"}),
    Call("Read", {"file_path": "/etc/hostname"}),
    Call("Read", {"file_path": "~/notes.txt"}),
    Call("Grep", {"pattern": "KEY", "path": ".env", "output_mode": "content"}),
    Call("Grep", {"pattern": "KEY", "glob": ".env", "output_mode": "content"}),
    Call("Grep", {"pattern": "KEY", "glob": "*password*", "output_mode": "content"}),
    Call("Grep", {"pattern": "planted", "path": "{outside}", "output_mode": "content"}),
    Call("Grep", {"pattern": "planted", "path": "link", "output_mode": "content"}),
    Call("Glob", {"pattern": "*", "path": "{outside}"}),
    Call("Glob", {"pattern": "{outside}/*"}),
    Call("Glob", {"pattern": "**/.env*"}),
    Call("Edit", {"file_path": "conftest.py", "old_string": "kept", "new_string": "x"}),
    Call("Edit", {"file_path": "{folder}/.env", "old_string": "KEY", "new_string": "x"}),
    Call("Write", {"file_path": "Makefile", "content": "x"}),
    Call("Write", {"file_path": ".github/workflows/x.yml", "content": "x"}),
    Call("Write", {"file_path": "{folder}/.venv/lib/site-packages/x.pth", "content": "x"}),
    Call("Write", {"file_path": "{outside}/written.txt", "content": "x"}),
    Call("Write", {"file_path": "link/written.txt", "content": "x"}),
    Call(
        "NotebookEdit",
        {"notebook_path": "{folder}/bin/kept.ipynb", "cell_id": "a", "new_source": "x"},
        ("Read", {"file_path": "{folder}/bin/kept.ipynb"}),
    ),
    Call("Bash", {"command": "touch {folder}/ran-1"}),
    Call("Bash", {"command": "ls"}),
    Call("Bash", {"command": "cat .env"}),
    Call("Bash", {"command": "touch {folder}/ran-2", "run_in_background": True}),
    Call("Bash", {"command": "touch {folder}/ran-3", "dangerouslyDisableSandbox": True}),
    Call("Bash", {"command": "touch {folder}/ran-4", "timeout": 1000, "description": "x"}),
    Call("Monitor", {"description": "x", "timeout_ms": 1000, "command": "touch {folder}/ran-5"}),
    Call("WebFetch", {"url": "http://127.0.0.1:9/", "prompt": "x"}),
    Call("WebSearch", {"query": "planted"}),
    Call("WebSearch", {"query": "planted", "allowed_domains": ["example.org"]}),
    Call("Agent", {"description": "x", "prompt": "x", "subagent_type": "general-purpose"}),
    Call("Agent", {"description": "x", "prompt": "x", "run_in_background": True}),
    Call("Workflow", {"script": _WORKFLOW}),
    Call("Skill", {"skill": "simplify"}),
    Call("CronCreate", _CRON),
    Call("CronDelete", {"id": "{found}"}, ("CronCreate", _CRON), r"\b([0-9a-f]{8})\b"),
    Call("CronList"),
    Call("ScheduleWakeup", {"delaySeconds": 60, "reason": "x", "prompt": "x"}),
    Call("TaskCreate", _TASK),
    Call("TaskGet", {"taskId": "{found}"}, ("TaskCreate", _TASK), r"#(\d+)"),
    Call("TaskUpdate", {"taskId": "1", "status": "completed"}, ("TaskCreate", _TASK)),
    Call("TaskList"),
    Call("TaskStop", {"task_id": "{found}"}, _BACKGROUND, r"ID: (\w+)"),
    Call("KillShell", {"shell_id": "{found}"}, _BACKGROUND, r"ID: (\w+)"),
    Call("SendMessage", {"to": "main", "summary": "x", "message": "x"}),
    Call("ReportFindings", {"level": "high", "findings": []}),
    Call(f"{_KERNEL}run_python", {"code": "open(r'{folder}/ran-6', 'w').close()"}),
    Call("EnterWorktree", {"name": "planted"}),
    # This changes where Claude Code works: it comes last.
    Call("ExitWorktree", {"action": "keep"}, ("EnterWorktree", {"name": "kept"})),
]


def _filled(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _filled(each, names) for key, each in value.items()}
    if isinstance(value, list):
        return [_filled(each, names) for each in value]
    if not isinstance(value, str):
        return value
    for name, text in names.items():
        value = value.replace(f"{{{name}}}", text)
    return value


def _plant(folder: Path, outside: Path) -> None:
    (outside / "planted-name.txt").write_text("planted-value")
    (folder / ".env").write_text("KEY=planted-value")
    (folder / "secrets.json.bak").write_text("KEY=planted-value")
    (folder / "conftest.py").write_text("kept")
    (folder / "link").symlink_to(outside)
    (folder / "link-to-env").symlink_to(".env")
    (folder / "bin").mkdir()
    (folder / "bin" / "kept.ipynb").write_text(
        '{"cells": [{"cell_type": "code", "id": "a", "source": "kept", "outputs": [], '
        '"metadata": {}, "execution_count": null}], "metadata": {}, "nbformat": 4, '
        '"nbformat_minor": 5}',
    )
    git = ["git", "-C", str(folder), "-c", "user.name=x", "-c", "user.email=x@example.org"]
    for command in (["init", "-q"], ["add", "conftest.py"], ["commit", "-qm", "x"]):
        subprocess.run([*git, *command], check=True)  # noqa: S603


@pytest.mark.timeout(900)
@pytest.mark.parametrize("mode", _MODES)
def test_no_tool_runs_without_a_decision(
    start_kernel: Callable[..., Kernel],
    api: Any,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    figure: Callable[[str], None],
    mode: str,
) -> None:
    outside = tmp_path_factory.mktemp("outside")
    _plant(tmp_path, outside)
    kernel = start_kernel(api.environment, person=False)
    assert kernel.run("%load_ext claude_magic").status == "ok"
    # In a session for planning nothing could be prepared: there it is the turn that plans.
    kernel.run(f"%config ClaudeMagics.permission_mode = {'default' if mode == 'plan' else mode!r}")
    kernel.run(f"%config ClaudeMagics.tools = {_TOOLS!r}")
    names = {"folder": str(kernel.folder), "outside": str(outside)}
    undecided = []
    for call in CALLS:
        if mode == "plan" and call.before is _BACKGROUND:
            continue  # a turn with a mode of its own is refused while a task runs
        replies = []
        if mode == "plan" and call.tool == "NotebookEdit" and call.before is not None:
            # The turn that plans has a Claude Code of its own, which has to read the file first.
            replies.append(Reply.of(ToolUse(call.before[0], _filled(call.before[1], names))))
        elif call.before is not None:
            tool, arguments = call.before
            allowed = {"Bash": "run", "Read": "read"}.get(tool, f"other:{tool}")
            api.replies += [Reply.of(ToolUse(tool, _filled(arguments, names))), Reply.of("Ready.")]
            assert kernel.run(f"%%claude --allow {allowed}\nPrepare.").status == "ok"
            prepared = api.requests[-1].tool_results[-1]
            assert not prepared.is_error, (call, prepared.text)
            found = re.search(call.finds, prepared.text)
            assert found, (call, prepared.text)
            names["found"] = found[1] if call.finds else ""
        filled = _filled(dict(call.arguments), names)
        replies += [Reply.of(ToolUse(call.tool, filled)), Reply.of("Well.")]
        api.replies += replies
        before = len(api.requests)
        ran = kernel.run(f"%%claude {'--plan' if mode == 'plan' else ''}\nGo.")
        assert ran.status == "ok", (call, ran.stdout, ran.error)
        # One request more would be a subagent or a wake-up.
        assert len(api.requests) == before + len(replies), call
        result = api.requests[-1].tool_results[-1]
        reasons = (*_OURS, _CLAUDE_CODES) if mode == "dontAsk" else _OURS
        decided = result.is_error and any(reason in result.text for reason in reasons)
        if not decided:
            undecided.append((call.tool, filled, result.text[:300]))
    assert undecided == []
    assert [path.name for path in tmp_path.glob("ran-*")] == []
    assert not (outside / "written.txt").exists()
    assert (tmp_path / "conftest.py").read_text() == "kept"
    assert "planted-value" not in str([request.body for request in api.requests])
    figure(f"{mode}: {len(CALLS)} calls of {len({call.tool for call in CALLS})} tools, 0 undecided")
