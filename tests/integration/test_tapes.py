"""Tapes from the recording to the replay: the real Claude Code, real kernels, real tools."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from support.kernel import Kernel

from claude_magic import ClaudeSession, SessionOptions
from claude_magic.tape import (
    Conversation,
    Deck,
    Mode,
    Reply,
    Tape,
    TapeTurn,
    Text,
    Thinking,
    ToolUse,
    offline_demo,
    tape_of,
)
from claude_magic.tape.tape_text import tape_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from claude_magic.tape import MessagesRequest

pytestmark = pytest.mark.timeout(180)

LOOK = ToolUse("mcp__kernel__inspect_variable", {"name": "metres"})
CELLS = (
    "%load_ext claude_magic",
    "metres = {'hill': 118, 'dale': 20}",
    "%%claude\nWhich of my stations lies highest?",
    "%%claude --allow kernel,run\nPrint it, in the kernel and in the shell.",
    "%%claude\nThank you.",
)


@pytest.fixture
def scripted(api: Any) -> Any:
    """Give a far end that calls tools, as Claude would; it knows nothing of tapes."""

    def answer(request: MessagesRequest) -> Reply:
        ran = request.tool_result_count
        if request.prompt.startswith("Which"):
            return (
                Reply.of("The **hill**.") if ran else Reply.of(Thinking("Look."), "I look.", LOOK)
            )
        if request.prompt.startswith("Print") and not ran:
            return Reply.of(
                ToolUse("mcp__kernel__run_python", {"code": "print(max(metres.values()))"}),
                ToolUse("Bash", {"command": "pwd && echo 118", "description": "Print"}),
            )
        return Reply.of("Done." if ran else "You are welcome.")

    api.otherwise = answer
    return api


def run_cells(kernel: Kernel, *cells: str) -> list[str]:
    """Run cells that succeed and return the answers."""
    answers = []
    for cell in cells:
        ran = kernel.run(cell)
        assert ran.status == "ok", ran.error or ran.stdout
        answers += [text for text in ran.answers if not text.startswith("<details>")]
    return answers


@pytest.fixture
def in_folder(sterile: dict[str, str], tmp_path: Path) -> Any:
    """Give a function that starts a kernel in a folder of its own, with nobody in front of it."""
    kernels: list[Kernel] = []

    def start(name: str, environment: dict[str, str] | None = None) -> Kernel:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        kernel = Kernel({**sterile, **(environment or {})}, folder, person=False)
        kernels.append(kernel)
        return kernel

    yield start
    for kernel in kernels:
        kernel.close()


def test_what_is_recorded_in_one_kernel_replays_in_another_without_an_api(
    scripted: Any,
    in_folder: Callable[..., Kernel],
    tmp_path: Path,
) -> None:
    tape = tmp_path / "tapes" / "stations.yaml"
    recording = in_folder("one", scripted.environment)
    connect = f"%claude_connect --tape {tape}"
    said = run_cells(recording, CELLS[0], f"{connect} --record", *CELLS[1:])
    assert "The **hill**." in said
    asked = len(scripted.requests)
    assert len(Tape.load(tape).turns) == 3
    for trace in (str(tmp_path), scripted.server.token, scripted.server.url):
        assert trace not in tape.read_text()
    assert "«folder»" in tape.read_text()

    replaying = in_folder("two")
    assert run_cells(replaying, CELLS[0], connect, *CELLS[1:]) == said
    assert len(scripted.requests) == asked

    # The regression that the author wants to see.
    run_cells(replaying, connect, "metres = {'hill': 118, 'dale': 120}")
    ran = replaying.run(CELLS[2])
    assert ran.status == "error"
    assert ran.error_name == "TapeMissError"
    assert 'inspect_variable(name="metres") gave another result' in ran.error
    assert "Changed: 20 → 120" in ran.error
    assert f"`%claude_connect --tape {tape} --record`" in ran.error

    # The permission is the cell's: nobody can be asked here.
    run_cells(replaying, connect, CELLS[1], CELLS[2])
    ran = replaying.run(CELLS[3].replace("--allow kernel,run", ""))
    assert "failed or was denied; when the tape was recorded it did not" in ran.error


def test_a_prompt_that_is_not_on_the_tape_fails_its_cell_with_a_difference(
    scripted: Any,
    in_folder: Callable[..., Kernel],
    tmp_path: Path,
) -> None:
    tape = tmp_path / "a.yaml"
    kernel = in_folder("one", {**scripted.environment, "CLAUDE_MAGIC_TAPE": f"record:{tape}"})
    run_cells(kernel, CELLS[0], "%claude Thank you, Claude.")
    other = in_folder("two", {"CLAUDE_MAGIC_TAPE": str(tape)})
    run_cells(other, CELLS[0], "%claude Thank you, Claude.")
    ran = other.run("%claude Thank you, Clyde.")
    assert ran.error_name == "TapeMissError"
    assert "- Thank you, Claude." in ran.error
    assert "+ Thank you, Clyde." in ran.error
    assert f"CLAUDE_MAGIC_TAPE=record:{tape}" in ran.error
    # The conversation is not spoilt.
    assert other.run("%claude_reset").status == "ok"
    run_cells(other, "%claude Thank you, Claude.")


def test_by_a_variable_a_tape_grows_where_it_lacks_something(
    scripted: Any,
    in_folder: Callable[..., Kernel],
    tmp_path: Path,
) -> None:
    tape = tmp_path / "a.yaml"
    variables = {**scripted.environment, "CLAUDE_MAGIC_TAPE": f"auto:{tape}"}
    run_cells(in_folder("one", variables), CELLS[0], "%claude Thanks.")
    kernel = in_folder("two", variables)
    run_cells(kernel, CELLS[0], "%claude Thanks.")
    assert len(scripted.requests) == 1
    run_cells(kernel, "%claude Thanks again.")
    assert len(scripted.requests) == 2
    assert len(Tape.load(tape).turns) == 2


def test_what_code_asks_in_the_kernel_is_on_the_tape_too(
    scripted: Any,
    in_folder: Callable[..., Kernel],
    tmp_path: Path,
) -> None:
    tape = tmp_path / "a.yaml"
    load = "%load_ext claude_magic\nfrom claude_magic import ClaudeCodeChatModel, ClaudeSession"
    model = "print(ClaudeCodeChatModel().invoke('Thanks.').text)"
    session = "with ClaudeSession() as session:\n    print(session.ask('Thanks a lot.').text)"
    kernel = in_folder("one", scripted.environment)
    run_cells(kernel, load, f"%claude_connect --tape {tape} --record", model, session)
    assert len(Tape.load(tape).turns) == 2

    replaying = in_folder("two", {"CLAUDE_MAGIC_TAPE": str(tape)})
    for cell in (load, f"%claude_connect --tape {tape}"):
        run_cells(replaying, cell)
        for asking in (model, session):
            assert replaying.run(asking).stdout.strip() == "You are welcome."
    assert len(scripted.requests) == 2
    # What the kernel was started with is there again, for all that follows.
    told = "import os; print('ANTHROPIC_BASE_URL' in os.environ, os.environ['CLAUDE_MAGIC_TAPE'])"
    assert replaying.run(told).stdout.split()[0] == "True"
    run_cells(replaying, "%claude_connect --live")
    assert replaying.run(told).stdout.split() == ["False", str(tape)]


def test_a_recording_after_a_replay_asks_the_api(
    scripted: Any,
    in_folder: Callable[..., Kernel],
    tmp_path: Path,
) -> None:
    kernel = in_folder("one", scripted.environment)
    run_cells(kernel, CELLS[0])
    for number, switch in enumerate(("a.yaml --record", "a.yaml", "b.yaml --record"), 1):
        run_cells(kernel, f"%claude_connect --tape {tmp_path}/{switch}", "%claude Thanks.")
        assert len(scripted.requests) == (number + 1) // 2


#: Connects to a port many times, and keeps all connections until its input ends.
FLOOD = """
import socket, sys
kept = []
for _ in range(int(sys.argv[2])):
    client = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 30)
    client.sendall(b"POST /v1/messages HTTP/1.1\\r\\nHost: a\\r\\n")
    kept.append(client)
print("flooded", flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
@pytest.mark.parametrize("limit", [256, 1024])
@pytest.mark.parametrize("mode", ["record", "replay", "demo"])
def test_another_process_cannot_use_up_the_kernels_files(
    mode: str,
    limit: int,
    scripted: Any,
    in_folder: Callable[..., Kernel],
    tmp_path: Path,
) -> None:
    tape = tmp_path / "a.yaml"
    turn = TapeTurn("Thanks.", (Reply.of("You are welcome."),))
    tape.write_text(tape_text(Tape("T", (Conversation("c", (turn,)),))))
    connect = {"demo": "--demo", "replay": f"--tape {tape}", "record": f"--tape {tape} --record"}
    kernel = in_folder("one", scripted.environment if mode == "record" else None)
    low = f"resource.setrlimit(resource.RLIMIT_NOFILE, ({limit}, {limit}))"
    run_cells(kernel, f"import os, resource\n{low}", CELLS[0], f"%claude_connect {connect[mode]}")
    port = kernel.run("print(os.environ['ANTHROPIC_BASE_URL'].rpartition(':')[2])").stdout.strip()
    with subprocess.Popen(  # noqa: S603 - ours
        [sys.executable, "-c", FLOOD, port, "900"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as flood:
        assert flood.stdout is not None
        assert flood.stdout.readline() == "flooded\n"
        assert kernel.run("print(len(open(os.devnull).read()))").stdout == "0\n"
        asked = "What is my name?" if mode == "demo" else "Thanks."
        (answer,) = run_cells(kernel, f"%%claude\n{asked}")[-1:]
        assert answer
        flood.communicate("")


def test_a_secret_of_the_kernel_is_on_no_tape_and_a_replay_needs_none(
    scripted: Any,
    in_folder: Callable[..., Kernel],
    tmp_path: Path,
) -> None:
    tape = tmp_path / "a.yaml"
    secret, named = "Kernel-Pw-77xQ", "Said-Pw-55tR"
    prompt = f"%%claude\nTry {secret}, then password: {named}"
    scripted.otherwise = lambda request: Reply.of(f"You said: {request.prompt}")
    kernel = in_folder("one", scripted.environment)
    run_cells(kernel, CELLS[0], f"%claude_connect --tape {tape} --record")
    run_cells(kernel, f"db = {{'password': {secret!r}}}", prompt)
    written = tape.read_text()
    assert secret not in written
    assert named not in written
    assert (
        "4 secrets masked: 2 in prompts, 2 in answers"
        in kernel.run("%claude_connect --live").stdout
    )
    replaying = in_folder("two", {"CLAUDE_MAGIC_TAPE": str(tape)})
    (said,) = run_cells(replaying, CELLS[0], prompt)[-1:]
    assert "You said: Try •••, then password: •••" in said


@pytest.mark.parametrize("cell", ["%load_ext claude_magic", "%claude_connect --tape no.yaml"])
def test_a_tape_that_is_not_there_fails_the_cell(
    cell: str,
    in_folder: Callable[..., Kernel],
) -> None:
    variable = {"CLAUDE_MAGIC_TAPE": "no.yaml"} if cell.startswith("%load") else {}
    kernel = in_folder("one", variable)
    if not variable:
        run_cells(kernel, CELLS[0])
    ran = kernel.run(cell)
    assert ran.error_name == "TapeError"
    assert "There is no tape" in ran.error
    assert "Record it: " in ran.error


def test_a_login_is_recorded_with_like_a_key(
    scripted: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ANTHROPIC_BASE_URL", scripted.server.url)
    monkeypatch.setenv("CLAUDE_CODE_OAUTH_TOKEN", scripted.server.token)
    path = tmp_path / "a.yaml"
    with Deck(path, Mode.RECORD) as deck:
        options = SessionOptions(environment=deck.environment, label=deck.label)
        with ClaudeSession(options) as session:
            assert session.ask("Thanks.").text == "You are welcome."
    (request,) = scripted.requests
    assert request.headers["authorization"] == f"Bearer {scripted.server.token}"
    assert deck.recorded_count == 1
    assert scripted.server.token not in path.read_text()


def test_a_replay_sends_no_credential_of_its_own_and_needs_none(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "a.yaml"
    turn = TapeTurn("Thanks.", (Reply.of("You are welcome."),))
    path.write_text(tape_text(Tape("T", (Conversation("c", (turn,)),))))
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "the-gateways-token")
    monkeypatch.setenv("CLAUDE_CODE_OAUTH_TOKEN", "the-logins-token")
    monkeypatch.setenv("CLAUDE_CODE_USE_BEDROCK", "1")
    monkeypatch.setenv("ANTHROPIC_CUSTOM_HEADERS", "X-Key: the-gateways-header")
    with Deck(path, Mode.REPLAY) as deck:
        with ClaudeSession(SessionOptions(environment=deck.environment)) as session:
            assert session.ask("Thanks.").text == "You are welcome."
        (request,) = deck.requests
    assert "the-" not in str(request.headers)


def test_sessions_in_another_order_and_at_once_play_what_was_recorded(
    scripted: Any,
    tmp_path: Path,
    connected: Any,
) -> None:
    scripted.otherwise = lambda request: Reply.of(f"You said: {request.prompt}")
    path = tmp_path / "a.yaml"
    prompts = ("One.", "Two.", "Three.")
    with Deck(path, Mode.RECORD) as deck:
        options = SessionOptions(environment=deck.environment)
        for prompt in prompts:
            with ClaudeSession(options) as session:
                session.ask(prompt)
    with Deck(path, Mode.REPLAY) as deck:
        options = SessionOptions(environment=deck.environment)
        sessions = [ClaudeSession(options) for _ in prompts]
        turns = [
            session.send(prompt)
            for session, prompt in zip(sessions, reversed(prompts), strict=True)
        ]
        said = [turn.result().text for turn in turns]
        for session in sessions:
            session.close()
        assert said == ["You said: Three.", "You said: Two.", "You said: One."]
        assert deck.unused == []


# -- the command -----------------------------------------------------------------------------------


def notebook(folder: Path, *cells: str) -> Path:
    path = folder / "stations.ipynb"
    document = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    nbformat.write(document, path)
    return path


def command(*arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - ours
        [sys.executable, "-m", "claude_magic.cli", "tape", *map(str, arguments)],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_records_shows_replays_and_checks(scripted: Any, tmp_path: Path) -> None:
    path = notebook(tmp_path, *CELLS)
    missing = command("check", path)
    assert missing.returncode == 1
    assert f"Record it: claude-magic tape record {path}" in missing.stderr

    recorded = command("record", "--save", path, **scripted.environment)
    assert recorded.returncode == 0, recorded.stderr
    assert "5 answers recorded" in recorded.stdout
    assert "The **hill**." in path.read_text()
    asked = len(scripted.requests)

    shown = command("show", path).stdout
    assert "     you  Which of my stations lies highest?" in shown
    assert '   calls  inspect_variable(name="metres")' in shown
    assert "    gave  metres: dict" in shown

    assert "The **hill**." in command("replay", tape_of(path)).stdout
    checked = command("check", path)
    assert (checked.returncode, checked.stdout) == (0, f"{path}: fine\n")

    strict = ("--nbval", "--nbval-current-env", "--claude-tape=replay")
    assert "5 passed" in pytest_run(tmp_path, *strict, path.name)

    added = command("record", "--add", path, **scripted.environment)
    assert "0 answers recorded" in added.stdout
    assert len(scripted.requests) == asked

    notebook(tmp_path, *CELLS[:-1])
    checked = command("check", path)
    assert checked.returncode == 1
    assert "not played to its end: “Thank you.”" in checked.stderr

    leaking = tape_of(path).read_text().replace("You are welcome", "You are in /home/ada")
    tape_of(path).write_text(leaking)
    path.unlink()
    checked = command("check", tape_of(path))
    assert checked.returncode == 1
    assert "a folder of a machine or a secret stands here" in checked.stderr


def test_a_recording_that_fails_tells_what_was_recorded(scripted: Any, tmp_path: Path) -> None:
    path = notebook(tmp_path, CELLS[0], CELLS[4], "1 / 0", "%%claude\nThanks again.")
    recorded = command("record", path, **scripted.environment)
    assert recorded.returncode == 1
    assert "ZeroDivisionError" in recorded.stderr
    assert f"1 answers recorded in {tape_of(path)}" in recorded.stdout


def test_a_check_of_several_looks_at_all_of_them(tmp_path: Path) -> None:
    turn = TapeTurn("Where are you?", (Reply.of("In /home/ada."),))
    good = TapeTurn("Thanks.", (Reply.of("You are welcome."),))
    paths = [tmp_path / f"{name}.yaml" for name in "abc"]
    for path, told in zip(paths, (turn, good, turn), strict=True):
        path.write_text(tape_text(Tape("T", (Conversation("c", (told,)),))))
    checked = command("check", *paths, tmp_path / "none.yaml")
    assert checked.returncode == 1
    assert checked.stdout == f"{paths[1]}: fine\n"
    for path in (paths[0], paths[2], tmp_path / "none.yaml"):
        assert str(path) in checked.stderr


# -- pytest ----------------------------------------------------------------------------------------

PLAIN = """
from claude_magic import ClaudeSession

def test_thanks(claude_tape):
    with ClaudeSession() as session:
        assert session.ask("Thanks.").text == "You are welcome."
"""


def pytest_run(folder: Path, *arguments: str, **variables: str) -> str:
    ran = subprocess.run(  # noqa: S603 - ours
        [
            sys.executable,
            *("-m", "pytest", "-q", "-c", os.devnull, "--rootdir", str(folder)),
            *("-p", "no:cacheprovider", *arguments),
        ],
        cwd=folder,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    return ran.stdout + ran.stderr


def test_nbval_runs_on_the_tape_beside_the_notebook(scripted: Any, tmp_path: Path) -> None:
    path = notebook(tmp_path, *CELLS)
    nbval = ("--nbval-lax", "--nbval-current-env", path.name)
    told = pytest_run(tmp_path, *nbval, "--claude-tape=replay")
    assert "Record it: claude-magic tape record stations.ipynb" in told
    told = pytest_run(tmp_path, *nbval, "--claude-tape=record", **scripted.environment)
    assert "5 passed" in told
    assert "tapes/stations.yaml: 5 answers recorded" in told
    told = pytest_run(tmp_path, *nbval, "--claude-tape=replay")
    assert "5 passed" in told
    notebook(tmp_path, *CELLS[:2], CELLS[2].replace("highest", "lowest"))
    told = pytest_run(tmp_path, *nbval, "--claude-tape=replay")
    assert "1 failed, 2 passed" in told
    assert "+ Which of my stations lies lowest?" in told
    assert "not played to its end: “Thank you.”" in told


def test_a_plain_test_has_a_tape_of_its_own(scripted: Any, tmp_path: Path) -> None:
    (tmp_path / "test_plain.py").write_text(PLAIN)
    told = pytest_run(tmp_path)
    assert "Record it: pytest --claude-tape=record test_plain.py::test_thanks" in told
    told = pytest_run(tmp_path, "--claude-tape=record", **scripted.environment)
    assert "1 passed" in told, told
    (turn,) = Tape.load(tmp_path / "tapes" / "test_plain" / "test_thanks.yaml").turns.values()
    assert turn.replies[0].steps == (Text("You are welcome."),)
    assert "1 passed" in pytest_run(tmp_path)


CLASSES = """
from claude_magic import ClaudeSession

class TestOne:
    def test_it(self, claude_tape):
        with ClaudeSession() as session:
            assert session.ask("Thanks.").text == "You are welcome."

class TestTwo:
    def test_it(self, claude_tape):
        with ClaudeSession() as session:
            assert session.ask("Thanks a lot.").text == "You are welcome."
"""


def test_tests_of_one_name_in_two_classes_have_two_tapes(scripted: Any, tmp_path: Path) -> None:
    (tmp_path / "test_plain.py").write_text(CLASSES)
    told = pytest_run(tmp_path, "--claude-tape=record", **scripted.environment)
    assert "2 passed" in told, told
    tapes = (tmp_path / "tapes" / "test_plain").iterdir()
    assert sorted(tape.name for tape in tapes) == ["TestOne.test_it.yaml", "TestTwo.test_it.yaml"]
    assert "2 passed" in pytest_run(tmp_path)


@pytest.mark.parametrize("asks", [False, True], ids=["asks nothing", "asks"])
def test_a_notebook_without_a_tape_may_be_one_that_asks_nothing(
    tmp_path: Path, *, asks: bool
) -> None:
    path = notebook(tmp_path, CELLS[0], CELLS[4] if asks else "print(1)")
    checked = command("check", path)
    told = pytest_run(tmp_path, "--nbval-lax", "--nbval-current-env", "--claude-tape=replay")
    if asks:
        assert checked.returncode == 1
        assert "Record it: claude-magic tape record" in checked.stderr
        assert "1 failed, 1 passed" in told
    else:
        assert checked.returncode == 0, checked.stderr
        assert "2 passed" in told


def test_a_check_hears_of_what_a_cell_has_caught(scripted: Any, tmp_path: Path) -> None:
    model = "ClaudeCodeChatModel().invoke('Thanks.')"
    load = "from claude_magic import ClaudeCodeChatModel"
    path = notebook(tmp_path, load, model)
    assert command("record", path, **scripted.environment).returncode == 0
    caught = f"try:\n    {model.replace('Thanks', 'No thanks')}\nexcept Exception:\n    pass"
    checked = command("check", notebook(tmp_path, load, model, caught))
    assert checked.returncode == 1
    assert "+ No thanks." in checked.stderr


# -- the shipped tape ------------------------------------------------------------------------------


def test_all_that_the_shipped_tape_says_reaches_the_reader() -> None:
    with offline_demo() as demo:
        for conversation in demo.tape.conversations:
            with ClaudeSession(SessionOptions(environment=demo.environment)) as session:
                for turn in conversation.turns:
                    last = [step for step in turn.replies[-1].steps if isinstance(step, Text)][-1]
                    assert session.ask(turn.you).text.endswith(last.text)
