"""Only a cell sends a prompt: no other process does, and no file that somebody left."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import time
import uuid
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from support.processes import carriers, listeners

from claude_magic import ClaudeCodeChatModel, ClaudeSession
from claude_magic.errors import StartError
from claude_magic.session import environment
from claude_magic.session.options import SCHEDULING_TOOLS
from claude_magic.session.sdk import request
from claude_magic.tape import Reply, ToolUse

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.kernel import Kernel

#: Stands in everything that is sent to Claude Code from outside.
INJECTED = "planted-prompt-4711"

#: A planted prompt that is sent at all is sent within 2 s; this is how long none may come, in
#: seconds.
SILENCE_S = 4.0

#: Lines by which a process may try to talk to Claude Code; others can be added.
MESSAGES = {
    "peer message": {"type": "message", "from": "x", "to": "main", "message": INJECTED},
    "user message": {"type": "user", "message": {"role": "user", "content": INJECTED}},
    "text": {"type": "message", "content": INJECTED, "text": INJECTED},
    "control request": {
        "type": "control_request",
        "request_id": "1",
        "request": {"subtype": "initialize"},
    },
}

#: Opens and closes Claude Code's messaging socket.
SWITCH = "CLAUDE_CODE_HARBOR_KITE"

DISABLE_CRON = "CLAUDE_CODE_DISABLE_CRON"

SCHEDULE_FILE = ".claude/scheduled_tasks.json"

_NOW_MS = int(time.time() * 1000)

#: A schedule whose one prompt was due yesterday, so that it is sent at once.
SCHEDULE = {
    "tasks": [
        {
            "id": "ab12cd34",
            "cron": "* * * * *",
            "prompt": INJECTED,
            "createdAt": _NOW_MS - 86_400_000,
        },
        {
            "id": "ab12cd35",
            "cron": "* * * * *",
            "prompt": INJECTED,
            "createdAt": _NOW_MS - 86_400_000,
            "recurring": True,
            "permanent": True,
        },
    ],
}

#: Files from which Claude Code takes, or once took, work of its own; others can be added.
FILES = {
    SCHEDULE_FILE: json.dumps(SCHEDULE),
    ".claude/loop.md": INJECTED,
    ".claude/mailbox/main.json": json.dumps([MESSAGES["peer message"]]),
    ".claude/routines/planted.md": f"---\nschedule: '* * * * *'\n---\n{INJECTED}",
    ".claude/agent-registry.json": json.dumps({"agents": [{"name": "x", "prompt": INJECTED}]}),
}


def _send_all(path: str) -> None:
    """Send every message to a socket, each on a connection of its own, and wait for an answer."""
    for message in MESSAGES.values():
        with socket.socket(socket.AF_UNIX) as connection, suppress(OSError):
            connection.settimeout(1)
            connection.connect(path)
            connection.sendall(json.dumps(message).encode() + b"\n")
            connection.recv(500)


def _assert_silence(api: Any) -> None:
    """Wait for a request that no cell sent; there must be none."""
    server = api.server
    with pytest.raises(TimeoutError):
        server.wait_for_requests(len(server.requests) + 1, SILENCE_S)


def _family(mark: str) -> list[int]:
    """Return a session's supervisor, its Claude Code, and all that this started."""
    found = carriers(f"UNINVITED={mark}")
    assert len(found) >= 2, "there is no supervisor and no Claude Code"
    return found


@pytest.mark.promise("Other programs cannot send prompts to a session.", against="local")
@pytest.mark.parametrize(
    "way",
    ["connected", "asked", "resumed", "forked", "crashed", "other options", "chat model"],
)
def test_nothing_listens(
    connected: Any,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    way: str,
) -> None:
    mark = str(uuid.uuid4())
    # Neither the kernel's environment nor the session's can open the socket.
    monkeypatch.setenv(SWITCH, "1")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    chosen = {"UNINVITED": mark, SWITCH: "1"}
    if way == "chat model":
        with ClaudeCodeChatModel(environment=chosen, use_continuous_session=True) as model:
            model.invoke("Hello")
            assert listeners(_family(mark)) == []
        return
    with ClaudeSession(environment=chosen) as session:
        if way != "connected":
            session.ask("Hello")
        if way == "resumed":
            session.reconnect()
        if way == "other options":
            session.choose(system_prompt="Other.")
            session.ask("Hello again")
        if way == "crashed":
            assert session.pids is not None
            os.kill(session.pids[1], signal.SIGKILL)
            session.ask("Hello again")
        if way == "forked":
            with session.fork():
                assert listeners(_family(mark)) == []
        assert listeners(_family(mark)) == []
    assert not [*tmp_path.iterdir()]


@pytest.mark.promise("Other programs cannot send prompts to a session.", against="local")
def test_nothing_listens_while_a_command_runs_in_the_background(
    connected: Any,
    tmp_path: Path,
) -> None:
    mark, pipe = str(uuid.uuid4()), tmp_path / "pipe"
    os.mkfifo(pipe)
    command = {"command": f"read x < {pipe}", "run_in_background": True}
    connected.replies += [Reply.of(ToolUse("Bash", command)), Reply.of("It runs.")]
    options: dict[str, Any] = {
        "tools": ("Bash",),
        "allowed_tools": ("Bash",),
        "environment": {"UNINVITED": mark},
    }
    with ClaudeSession(**options) as session:
        assert session.ask("Run it.").text == "It runs."
        assert len(_family(mark)) >= 3, "the command does not run"
        assert listeners(_family(mark)) == []
        _assert_silence(connected)


@pytest.mark.promise("Other programs cannot send prompts to a session.", against="local")
@pytest.mark.parametrize("refused", [True, False], ids=["refused", "control"])
def test_a_message_is_refused_where_claude_code_listens_all_the_same(
    connected: Any,
    monkeypatch: pytest.MonkeyPatch,
    refused: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """A version of Claude Code that does not know the switch must not take messages either."""
    mark = str(uuid.uuid4())
    monkeypatch.delitem(environment.FORCED, SWITCH)
    if not refused:
        monkeypatch.delitem(request.SETTINGS, "crossSessionInbound")
    with ClaudeSession(environment={"UNINVITED": mark}) as session:
        session.ask("Hello")
        (socket_told,) = listeners(_family(mark))
        _send_all(socket_told.partition(" unix ")[2])
        if not refused:
            asked = connected.server.wait_for_requests(2)
            assert INJECTED in json.dumps(asked[-1].body)
            return
        _assert_silence(connected)
        session.ask("Hello again")
    assert not [each for each in connected.requests if INJECTED in json.dumps(each.body)]


@pytest.mark.promise("A folder cannot send prompts by itself.", against="sender")
@pytest.mark.parametrize("place", ["project", "home", "config"])
def test_planted_files_send_nothing(
    connected: Any,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    place: str,
) -> None:
    folder, project = tmp_path / place, tmp_path / "project"
    if place == "home":
        monkeypatch.setenv("HOME", str(folder))
    if place == "config":
        monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(folder))
    project.mkdir(exist_ok=True)
    for name, text in FILES.items():
        _plant(folder / (name.removeprefix(".claude/") if place == "config" else name), text)
    with ClaudeSession(cwd=project, tools=("Read",), environment={DISABLE_CRON: "0"}) as session:
        session.ask("Hello")
        _assert_silence(connected)
        session.ask("Hello again")
    bodies = [json.dumps(each.body) for each in connected.requests]
    assert len(bodies) == 2
    assert not [body for body in bodies if INJECTED in body]


def test_a_planted_schedule_would_be_sent_by_claude_code_alone(
    connected: Any,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """The control: without our switch the planted schedule is sent at once."""
    _plant(tmp_path / SCHEDULE_FILE, FILES[SCHEDULE_FILE])
    monkeypatch.setattr(request, "SCHEDULING_TOOLS", frozenset({"Read"}))
    with ClaudeSession(cwd=tmp_path, tools=("Read",)):
        (asked,) = connected.server.wait_for_requests(1)
        assert INJECTED in json.dumps(asked.body)


@pytest.mark.promise("A folder cannot send prompts by itself.", against="sender")
@pytest.mark.parametrize("tool", sorted(SCHEDULING_TOOLS))
@pytest.mark.parametrize("kind", ["file", "dangling link", "folder"])
def test_a_session_that_may_schedule_does_not_start_with_a_planted_schedule(
    connected: Any,
    tmp_path: Path,
    tool: str,
    kind: str,
) -> None:
    path = tmp_path / SCHEDULE_FILE
    path.parent.mkdir()
    if kind == "file":
        _plant(path, FILES[SCHEDULE_FILE])
    elif kind == "dangling link":
        path.symlink_to(tmp_path / "later.json")
    else:
        path.mkdir()
    with (
        pytest.raises(StartError, match=f"(?s){re.escape(str(path))}.*leave out {tool}"),
        ClaudeSession(cwd=tmp_path, tools=("Read", tool)) as session,
    ):
        session.ask("Hello")
    assert connected.requests == []


def test_a_session_that_may_schedule_starts_elsewhere(connected: Any, tmp_path: Path) -> None:
    with ClaudeSession(cwd=tmp_path, tools=tuple(SCHEDULING_TOOLS)) as session:
        assert session.ask("Hello").text == "You said: Hello"
    assert "CronCreate" in connected.requests[0].tools


@pytest.mark.promise("A folder cannot send prompts by itself.", against="sender")
def test_a_kernel_in_a_strangers_folder_sends_only_what_its_cells_say(
    start_kernel: Callable[..., Kernel],
    api: Any,
    tmp_path: Path,
) -> None:
    for name, text in FILES.items():
        _plant(tmp_path / name, text)
    kernel = start_kernel(api.environment, person=False)
    assert kernel.run("%load_ext claude_magic").status == "ok"
    assert kernel.run("%claude_connect").status == "ok"
    _assert_silence(api)
    for cell in ("%%claude\nHello", "%%claude -s other\nHello", "%%claude --fork third\nHello"):
        assert kernel.run(cell).status == "ok"
    _assert_silence(api)
    assert len(api.requests) == 3
    assert not [each for each in api.requests if INJECTED in json.dumps(each.body)]


def _plant(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
