"""Whatever happens to its processes, a conversation holds exactly what was answered, in order.

Random sequences of turns, crashes, branches, parking, later kernels and stores; each ends with a
request that shows what the model is told. The seed is in the name of a test that fails.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from claude_magic import ClaudeSession
from claude_magic.errors import ConnectionLostError
from claude_magic.session import SessionOptions, TextDelta, ToolFinished, ToolStarted
from claude_magic.tape import MessagesServer, Reply, Text, ToolUse

from .conftest import FULL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from claude_magic.session import TurnFinished
    from claude_magic.tape import MessagesRequest

#: A crash is aimed at each position of a message up to this one.
POSITIONS = 40

#: The sequences are run in so many tests, so that one that fails does not hide the others.
TESTS = 6

#: So many sequences at a time: starting a process takes two cores.
AT_ONCE = 2

TOOLS = ("Bash", "Read")


#: Called once when the request for a prompt comes.
ON_REQUEST: dict[str, Callable[[], object]] = {}


def _answer(request: MessagesRequest) -> Reply:
    """Answer a prompt: "Say ID", "Tell ID" slowly, "Use ID COUNT" tools, "Hang ID COUNT" in one."""
    verb, number, *counts = [t.texts[-1] for t in request.visible_turns if t.role == "user"][
        -1
    ].split()
    with suppress(KeyError):
        ON_REQUEST.pop(request.prompt)()
    done = request.tool_result_count
    if counts and done < int(counts[0]):
        return Reply.of(ToolUse("Bash", {"command": f"true {number} {done}"}))
    if verb == "Hang":
        return Reply.of(ToolUse("Bash", {"command": "tail -f /dev/null", "timeout": 600_000}))
    if verb == "Tell":
        return Reply((Text(" ".join(f"w{word}" for word in range(20))),), words_per_second=60)
    return Reply.of(f"Answer {number}")


@pytest.fixture(scope="module")
def server() -> Iterator[MessagesServer]:
    with MessagesServer(_answer) as server:
        yield server


@dataclass
class Story:
    """One random sequence: a conversation, what happens to it, and what it has to hold.

    Attributes
    ----------
    seed
        What its randomness begins with.
    server
        The API.
    folder
        A folder of its own.
    said
        The prompts that were answered.
    log
        What happened, for the message of a failure.
    positions
        The positions of messages at which a process was killed.
    """

    seed: int
    server: MessagesServer
    folder: Path
    said: list[str] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    positions: set[int] = field(default_factory=set)
    messages: int = 0
    prompts: int = 0
    machines: int = 0
    untold_loss: bool = False

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self.store = self.chance.random() < 0.25
        self.config = self.folder / "machine-0"
        self.config.mkdir(parents=True)
        self.session = self._open(None)

    def _open(self, resume: str | None) -> ClaudeSession:
        environment = {
            "CLAUDE_CONFIG_DIR": str(self.config),
            "ANTHROPIC_BASE_URL": self.server.url,
            "ANTHROPIC_API_KEY": self.server.token,
        }
        store = f"sqlite:///{self.folder / 'store.db'}" if self.store else None
        options = SessionOptions(
            cwd=self.folder,
            environment=environment,
            session_store=store,
            tools=TOOLS,
            allowed_tools=TOOLS,
        )
        return ClaudeSession(options, resume=resume)

    def run(self) -> None:
        """Go through the sequence up to the crash that it is about, and on from there."""
        try:
            target = 1 + self.seed % POSITIONS
            while self.messages < target - 1 - self.chance.choice((0, 1, 2, 4)):
                self._turn(most=max(1, (target - 1 - self.messages) // 2))
            self._crash_at(max(1, target - self.messages))
            for _ in range(self.chance.randint(2, 4)):
                step = self.chance.choice(self._steps())
                step()
                if self.chance.random() < 0.7:
                    self._turn(most=3)
            self._check()
        finally:
            self.session.close()

    def _steps(self) -> list[Callable[[], None]]:
        steps = [
            self._kill_between,
            self._kill_in_text,
            self._kill_in_tool,
            self._park,
            self._branch,
            self._later_kernel,
            self._killed_kernel,
        ]
        if self.store:
            steps.append(self._other_machine)
        # It takes some seconds until a process is known to be frozen.
        if FULL and self.chance.random() < 0.1:
            steps = [self._freeze]
        return steps

    # -- turns ---------------------------------------------------------------------------------

    def _prompt(self, verb: str, *counts: int) -> str:
        self.prompts += 1
        return " ".join([verb, f"{self.seed}.{self.prompts}", *map(str, counts)])

    def _keep(self, prompt: str, finished: TurnFinished, messages: int) -> None:
        self.said.append(prompt)
        self.messages += messages
        assert not finished.lost, self._told("told of a loss")
        assert not finished.unwritten, self._told("told that nothing is written")

    def _turn(self, most: int) -> None:
        calls = self.chance.randint(0, min(3, most - 1))
        prompt = self._prompt("Use", calls) if calls else self._prompt("Say")
        self.log.append(prompt)
        self._keep(prompt, self.session.ask(prompt), 2 + 2 * calls)

    # -- what happens --------------------------------------------------------------------------

    def _kill(self, number: int = signal.SIGKILL) -> None:
        pids = self.session.pids
        if pids is not None:
            self.positions.add(self.messages)
            os.kill(pids[1], number)

    def _kill_between(self) -> None:
        self.log.append("killed between turns")
        self._kill()

    def _freeze(self) -> None:
        self.log.append("frozen")
        self._kill(signal.SIGSTOP)
        self._turn(most=1)

    def _kill_in_text(self) -> None:
        prompt = self._prompt("Tell")
        words = self.chance.randint(0, 12)
        self.log.append(f"{prompt}, killed after {words} words")
        turn = self.session.send(prompt)
        heard: list[int] = []

        def kill(event: object) -> None:
            if isinstance(event, TextDelta):
                heard.append(0)
                if len(heard) == words + 1:
                    self._kill()

        turn.subscribe(kill)
        self._keep(prompt, turn.result(), 2)

    def _kill_in_tool(self) -> None:
        self._crash_at(2 + self.chance.randint(0, 6))

    def _crash_at(self, position: int) -> None:
        """Kill Claude Code when so many more messages were said, in a turn with tools."""
        finished_calls = max(0, (position - 2) // 2)
        hangs = position % 2 == 0
        prompt = self._prompt("Hang", finished_calls) if hangs else self._prompt("Use", 6)
        self.log.append(f"{prompt}, killed at its message {position}")
        seen = [1]

        def kill(event: object) -> None:
            if isinstance(event, (ToolStarted, ToolFinished)):
                seen[0] += 1
                if seen[0] == position:
                    self.positions.add(self.messages + position)
                    self._kill()

        if position == 1:  # the prompt alone
            self.positions.add(self.messages + 1)
            ON_REQUEST[prompt] = self._kill
        turn = self.session.send(prompt)
        turn.subscribe(kill)
        try:
            finished = turn.result()
        except ConnectionLostError:
            return
        # It was asked again, before a tool had done anything; or the answer was complete.
        self._keep(prompt, finished, 14)

    def _park(self) -> None:
        self.log.append("parked")
        self.session.disconnect()

    def _branch(self) -> None:
        """Go on with a branch; the original must not know of it."""
        self.log.append("branched")
        original, said = self.session, list(self.said)
        self.session = original.fork()
        self._turn(most=2)
        branch, of_branch = self.session, self.said
        if self.chance.random() < 0.5:
            self.session, self.said = original, said
            branch.close()
        else:
            self.session, self.said = branch, of_branch
            original.close()

    def _later_kernel(self) -> None:
        self.log.append("a later kernel")
        session_id = self.session.status.session_id
        self.session.disconnect()
        self.session.close()
        self.session = self._open(session_id if self.said else None)

    def _killed_kernel(self) -> None:
        """Go on with what a kernel leaves that is killed: its files as they are."""
        prompt = self._prompt("Hang", self.chance.randint(0, 2))
        self.log.append(f"{prompt}, its kernel killed")
        hangs = threading.Event()

        def look(event: object) -> None:
            if isinstance(event, ToolStarted) and "tail" in str(event.arguments):
                hangs.set()

        turn = self.session.send(prompt)
        turn.subscribe(look)
        assert hangs.wait(60), self._told("the command did not start")
        self._move(copies=True)

    def _other_machine(self) -> None:
        self.log.append("another machine")
        self.session.disconnect()
        self._move(copies=False)

    def _move(self, *, copies: bool) -> None:
        session_id, old = self.session.status.session_id, self.session
        before = self.config
        self.machines += 1
        self.config = self.folder / f"machine-{self.machines}"
        if copies:
            shutil.copytree(before, self.config)
        else:
            self.config.mkdir()
        store, self.store = self.store, self.store and not copies
        old.close()
        self.session = self._open(session_id if self.said else None)
        self.store = store and not copies

    # -- the end -------------------------------------------------------------------------------

    def _check(self) -> None:
        prompt = self._prompt("Say")
        self._keep(prompt, self.session.ask(prompt), 2)
        (request,) = [r for r in self.server.requests if r.prompt == prompt][-1:]
        shown = [
            text for turn in request.visible_turns if turn.role == "user" for text in turn.texts
        ]
        assert shown == self.said, self._told(f"shown {shown}")
        answers = [turn.texts for turn in request.visible_turns if turn.role == "assistant"]
        assert len(answers) == len(self.said) - 1, self._told(f"{len(answers)} answers")

    def _told(self, what: str) -> str:
        return f"sequence {self.seed}: {what}; said {self.said}; " + "; ".join(self.log)


@pytest.mark.failure(
    "Claude Code is killed, frozen or cut off at any message of a conversation",
    then="The next process holds what was answered, in order; a missing turn is reported",
)
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("part", range(TESTS))
def test_a_conversation_holds_what_was_answered_whatever_happened(
    server: MessagesServer,
    tmp_path: Path,
    part: int,
    times: Callable[[int, int], int],
    figure: Callable[[str], None],
) -> None:
    seeds = range(part, times(6, 300), TESTS)

    def run(seed: int) -> Story:
        story = Story(seed, server, tmp_path / str(seed))
        story.run()
        return story

    with ThreadPoolExecutor(AT_ONCE) as threads:
        stories = list(threads.map(run, seeds))
    hit = {position for story in stories for position in story.positions}
    aimed = {1 + seed % POSITIONS for seed in seeds}
    assert aimed <= hit, f"not hit: {sorted(aimed - hit)}"
    figure(f"{len(stories)} sequences, {len(hit)} positions hit, nothing lost")
