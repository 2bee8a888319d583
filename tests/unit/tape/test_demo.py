from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from claude_magic.errors import TapeError
from claude_magic.tape import (
    Conversation,
    Reply,
    Tape,
    TapeTurn,
    Text,
    demo_tape,
    offline_demo,
    tapes_in,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from http.client import HTTPResponse

    from claude_magic.tape import MessagesRequest

    Ask = Callable[..., MessagesRequest]
    Http = Callable[..., AbstractContextManager[HTTPResponse]]


#: A tape of a notebook.
OWN = """\
claude-magic-tape: 1
title: Own
label: recorded replies
ignore:
  run: run-[0-9]+
conversations:
  - name: own
    turns:
      - you: Run {number} of run-1?
        claude: Answer {number}.
"""


def answers(tape: Tape, ask: Ask, *prompts: str) -> list[str]:
    """Play a conversation and return the answers."""
    turns: list[str] = []
    for prompt in prompts:
        answer = tape.reply(ask(*turns, prompt))
        assert isinstance(answer, Reply), answer
        said = [step.text if isinstance(step, Text) else str(step) for step in answer.steps]
        turns += [prompt, "\n\n".join(said)]
    return turns[1::2]


def test_the_shipped_tape_remembers_within_a_conversation_only(ask: Ask) -> None:
    tape = demo_tape()
    assert tape.label == "scripted replies"
    name, told = "What is my name?", "My name is Ada. What is the median of 3, 1 and 2?"
    assert "Ada" in answers(tape, ask, told, name)[1]
    assert "don't know" in answers(tape, ask, name)[0]


def test_it_answers_what_notebooks_tapes_do_as_well(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "tapes").mkdir()
    for number in (2, 1):
        (tmp_path / "tapes" / f"{number}.yaml").write_text(OWN.format(number=number))
    assert [tape.stem for tape in tapes_in(tmp_path)] == ["1", "2"]
    tape = demo_tape(*tapes_in(tmp_path))
    assert tape.label == "scripted replies, recorded replies"
    assert tape.title == demo_tape().title
    for number in (1, 2):
        assert answers(tape, ask, f"Run {number} of run-77?") == [f"Answer {number}."]
    assert answers(tape, ask, "What is my name?")


def test_two_tapes_that_disagree_are_refused(tmp_path: Path) -> None:
    one, other = tmp_path / "1.yaml", tmp_path / "2.yaml"
    one.write_text(OWN.format(number=1))
    other.write_text(OWN.format(number=1).replace("Answer", "No answer"))
    with pytest.raises(TapeError, match="has another answer"):
        demo_tape(one, other)


def test_the_shipped_tape_answers_every_prompt_on_it(ask: Ask) -> None:
    tape = demo_tape()
    for conversation in tape.conversations:
        prompts = [turn.you for turn in conversation.turns]
        assert all(answers(tape, ask, *prompts))


def test_the_rainfall_figures_are_right(ask: Ask) -> None:
    tape = demo_tape()
    prompts = [turn.you for turn in tape.conversations[0].turns]
    summary, wettest, name = answers(tape, ask, *prompts)
    line = next(line for line in prompts[0].splitlines() if line.count(",") == 11)
    rain = [int(figure) for figure in line.split(",")]
    low, high = sorted(rain)[5:7]
    median = (low + high) / 2
    assert f"| **Median** | **{median:.0f}** | halfway between {low} and {high} |" in summary
    assert f"| Minimum | {min(rain)} | July |" in summary
    assert rain.index(min(rain)) == 6
    assert f"| Mean | {sum(rain) / 12:.1f} | {sum(rain)} mm ÷ 12 months |" in summary
    assert f"| Maximum | {max(rain)} | November |" in summary
    assert rain.index(max(rain)) == 10
    over = max(rain) - median
    assert "**November**" in wettest
    assert f"**{over:.0f} mm over the median** of {median:.0f} mm" in " ".join(wettest.split())
    assert f"about {100 * over / median:.0f} %" in wettest
    assert name == "Your name is Ada."


def test_the_environment_leads_to_the_tape(http: Http) -> None:
    tape = Tape(
        "T",
        (Conversation("c", (TapeTurn("Hi.", (Reply.of("Hello."),)),)),),
        label="made-up replies",
    )
    with offline_demo(tape) as demo:
        environment = demo.environment
        assert environment.pop("ANTHROPIC_BASE_URL") == demo.server.url
        assert environment.pop("ANTHROPIC_API_KEY") == demo.server.token
        directory = Path(environment.pop("CLAUDE_CONFIG_DIR"))
        assert list(directory.iterdir()) == []
        assert environment == {
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "CLAUDE_MAGIC_LABEL": "made-up replies",
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
        }
        assert demo.label == "made-up replies"
        (directory / "left-behind").touch()
        with http(demo.server, "Hi.", stream=False) as response:
            assert json.load(response)["content"][0]["text"] == "Hello."
    assert not directory.exists()
    with pytest.raises(TapeError, match="The demo does not run"):
        _ = demo.environment


def test_it_can_be_started_and_stopped_by_hand() -> None:
    demo = offline_demo().start()
    with pytest.raises(TapeError, match="runs already"):
        demo.start()
    demo.stop()
    demo.stop()


def test_importing_it_loads_no_server() -> None:
    heavy = "{'yaml', 'starlette', 'uvicorn', 'anyio', 'asyncio'}"
    code = f"import claude_magic.tape, sys; sys.exit(len({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0  # noqa: S603
