"""One conversation on two machines, which have nothing in common but a session store."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.processes import wait_until_gone
from support.sterile import sterile_environment

from claude_magic import ClaudeSession
from claude_magic.errors import SessionHeldError, StartError, UsageError
from claude_magic.session.stores import PROJECT, Key, open_store
from claude_magic.tape import Hold, Reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Api
    from support.kernel import Kernel
    from support.stores import Server


@pytest.fixture
def machine(
    api: Api,
    url: str,
    tmp_path: Path,
    start_kernel: Callable[..., Kernel],
) -> Callable[[str], Kernel]:
    """Give a function that starts a kernel in a home and a project of its own, by its name."""

    def start(name: str) -> Kernel:
        home = tmp_path / name
        (home / "project").mkdir(parents=True, exist_ok=True)
        environment = sterile_environment(home)
        aws = {key: value for key, value in os.environ.items() if key.startswith("AWS_")}
        kernel = start_kernel({**environment, **aws, **api.environment}, folder=home / "project")
        assert kernel.run("%load_ext claude_magic").status == "ok"
        ran = kernel.run(f"%config ClaudeMagics.session_store = {url!r}")
        assert ran.status == "ok", ran.error
        return kernel

    return start


def session_id(kernel: Kernel) -> str:
    return kernel.run(
        "import claude_magic; print(claude_magic.current_session().session_id)"
    ).stdout.strip()


def said(api: Api) -> list[str]:
    """Return what the model was told last: the conversation as a person sees it."""
    return [turn.text for turn in api.requests[-1].visible_turns]


def kill(kernel: Kernel) -> None:
    """Kill a kernel and its Claude Code, all at once."""
    pids = [kernel.pid, *kernel.pids()]
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    assert not wait_until_gone(pids, 10)


def status(kernel: Kernel) -> str:
    """Return what a kernel's conversation says of its store."""
    return kernel.run("print(claude_magic.current_session().status.store_behind)").stdout


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait for a store; there is no event for what another process writes into it."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def wait_for_turns(url: str, known: str, turns: int) -> None:
    """Wait until a store has so many turns of a conversation."""
    with closing(open_store(url)) as store:
        wait_for(
            lambda: json.loads(store.note(PROJECT, known, "record") or "{}").get("turns") == turns
        )


only_sqlite = pytest.mark.parametrize("server", ["sqlite"], indirect=True)


def test_a_conversation_goes_on_elsewhere_when_its_machine_is_gone(
    machine: Callable[[str], Kernel], api: Api, url: str
) -> None:
    first = machine("first")
    first.run("%%claude\nMy name is Ada.")
    first.run("%%claude\nI live in London.")
    known = session_id(first)
    wait_for_turns(url, known, 2)
    kill(first)
    second = machine("second")
    past = second.run("%claude_sessions --past --all")
    assert known[:8] in str(past.messages)
    ran = second.run(f"%claude_connect --resume {known[:8]}")
    assert ran.status == "ok", ran.error
    assert "turns        2" in ran.stdout
    ran = second.run("%%claude\nWho am I, and where?")
    assert ran.status == "ok", ran.error
    assert said(api) == [
        "My name is Ada.",
        "You said: My name is Ada.",
        "I live in London.",
        "You said: My name is Ada. / I live in London.",
        "Who am I, and where?",
    ]


def test_a_conversation_goes_on_without_its_store_and_catches_up(
    machine: Callable[[str], Kernel],
    api: Api,
    url: str,
    server: tuple[Server | None, str],
    tmp_path: Path,
) -> None:
    if url.startswith("s3"):
        pytest.skip("moto keeps nothing when it ends; the client is the same as in other tests")
    process, _ = server
    first = machine("first")
    ran = [first.run("%%claude\nMy name is Ada.")]
    known = session_id(first)
    wait_for_turns(url, known, 1)
    folder = Path(url.removeprefix("sqlite:///")).parent
    if process is not None:
        process.kill()
    else:
        folder.rename(folder.with_suffix(".away"))
    ran.append(first.run("%%claude\nI live in London."))
    assert ran[-1].status == "ok", ran[-1].error
    wait_for(lambda: "behind since" in status(first))
    ran.append(first.run("%%claude\nI am 36."))
    assert "the session store is behind since" in ran[-1].footer
    assert said(api)[-1] == "I am 36."
    if process is not None:
        process.start()
    else:
        folder.with_suffix(".away").rename(folder)
    wait_for_turns(url, known, 3)
    ran.append(first.run("%%claude\nWho am I?"))
    assert "the session store" not in ran[-1].footer
    wait_for_turns(url, known, 4)
    ran.append(first.run("%claude_status"))
    ran.append(first.run("print(claude_magic.current_session().options)"))
    ran.append(first.run("print(claude_magic.current_session().status)"))
    assert url.rpartition("@")[2] in ran[-1].stdout  # it is named
    assert "open-sesame" not in str([each.messages for each in ran])
    kill(first)
    second = machine("second")
    second.run(f"%claude_connect --resume {known}")
    second.run("%%claude\nAgain: who?")
    assert [turn for turn in said(api) if not turn.startswith("You said")] == [
        "My name is Ada.",
        "I live in London.",
        "I am 36.",
        "Who am I?",
        "Again: who?",
    ]


@only_sqlite
def test_a_conversation_comes_back(machine: Callable[[str], Kernel], api: Api) -> None:
    first, second = machine("first"), machine("second")
    first.run("%%claude\nOne.")
    known = session_id(first)
    first.run("%claude_disconnect")
    for number, kernel in enumerate((second, first, second, first)):
        ran = kernel.run(f"%claude_connect --resume {known}")
        assert ran.status == "ok", ran.error
        kernel.run(f"%%claude\nThen {number}.")
        kernel.run("%claude_disconnect")
    assert [turn for turn in said(api) if not turn.startswith("You said")] == [
        "One.", "Then 0.", "Then 1.", "Then 2.", "Then 3.",
    ]  # fmt: skip


@only_sqlite
def test_one_machine_at_a_time_goes_on(machine: Callable[[str], Kernel], api: Api) -> None:
    first, second = machine("first"), machine("second")
    first.run("%%claude\nOne.")
    known = session_id(first)
    ran = second.run(f"%claude_connect --resume {known}")
    assert ran.error_name == "SessionHeldError"
    assert f"pid {first.pid}" in ran.error
    ran = second.run(f"%claude_connect --resume {known} --fork branch")
    assert ran.status == "ok", ran.error
    second.run("%%claude -s branch\nOn a branch.")
    assert said(api)[0] == "One."
    first.run("%claude_disconnect")
    ran = second.run(f"%claude_connect --resume {known}")
    assert ran.status == "ok", ran.error


@only_sqlite
def test_a_turn_that_was_cut_off_is_left_out_elsewhere(
    machine: Callable[[str], Kernel], api: Api, url: str
) -> None:
    first = machine("first")
    first.run("%%claude\nMy name is Ada.")
    known = session_id(first)
    pids = first.pids()
    never = threading.Event()
    api.replies.append(Reply.of("Half", Hold(never)))
    first.start("%%claude\nThis is cut off.")
    with closing(open_store(url)) as store:
        key = Key(PROJECT, known)
        wait_for(lambda: "This is cut off." in json.dumps(store.load(key)))
        wait_for(lambda: '"under_way": []' not in (store.note(PROJECT, known, "record") or ""))
    for pid in (first.pid, *pids):
        os.kill(pid, signal.SIGKILL)
    assert not wait_until_gone([first.pid, *pids], 10)
    never.set()
    second = machine("second")
    second.run(f"%claude_connect --resume {known}")
    ran = second.run("%%claude\nWho am I?")
    assert "left out" in ran.footer
    assert said(api) == ["My name is Ada.", "You said: My name is Ada.", "Who am I?"]


@only_sqlite
def test_what_is_not_in_a_store_is_not_found(machine: Callable[[str], Kernel], url: str) -> None:
    kernel = machine("first")
    ran = kernel.run("%claude_connect --resume 12345678")
    assert "There is no conversation '12345678'" in ran.stdout
    ran = kernel.run("%config ClaudeMagics.session_store = 'redis://:open-sesame@127.0.0.1:1/0'")
    ran = kernel.run("%claude_connect --resume 12345678")
    assert ran.error_name == "StoreError"
    assert "open-sesame" not in str(ran.messages)
    ran = kernel.run("%claude_sessions --past")
    assert "Only what is on this machine is listed." in ran.stdout


@only_sqlite
def test_scripted_replies_are_not_kept(machine: Callable[[str], Kernel], url: str) -> None:
    kernel = machine("first")
    kernel.run("%claude_connect --demo")
    ran = kernel.run("%%claude\nMy name is Ada. What is the median of 3, 1 and 2?")
    assert ran.status == "ok", ran.error
    kernel.run("%claude_connect --live")
    with closing(open_store(url)) as store:
        assert store.sessions(PROJECT) == {}


@only_sqlite
def test_two_folders_of_one_process_are_two_machines(
    connected: Api, url: str, tmp_path: Path
) -> None:
    def session(name: str, resume: str | None = None) -> ClaudeSession:
        environment = {"CLAUDE_CONFIG_DIR": str(tmp_path / name)}
        return ClaudeSession(
            resume=resume, environment=environment, session_store=url, cwd=tmp_path
        )

    first = session("first")
    first.ask("One.")
    with pytest.raises(SessionHeldError, match="this kernel"):
        session("second", first.session_id).connect()
    first.close()
    with session("second", first.session_id) as second:
        second.ask("Two.")
        assert second.status.turns == 2
        branch = second.fork()
        branch.ask("On a branch.")
        branch.close()
        with pytest.raises(UsageError, match="session_store"):
            second.choose(session_store=None)
    assert said(connected)[0] == "One."
    with closing(open_store(url)) as store:
        texts = json.dumps(store.load(Key(PROJECT, branch.session_id)))
        assert all(text in texts for text in ("One.", "Two.", "On a branch."))
    with pytest.raises(StartError, match="there is no conversation"):
        session("third", "12345678-1234-4234-8234-123456789abc").connect()


def test_without_a_store_nothing_of_it_is_loaded(kernel: Kernel) -> None:
    assert kernel.run("%%claude\nHello").status == "ok"
    ran = kernel.run("import sys; print(*sys.modules)")
    loaded = set(ran.stdout.split())
    assert "claude_magic.session.sdk" in loaded
    assert not loaded & {"redis", "psycopg", "boto3", "claude_magic.session.stores.write_behind"}
    assert (
        "claude-magic-store"
        not in kernel.run(
            "import threading; print(*(each.name for each in threading.enumerate()))"
        ).stdout
    )
