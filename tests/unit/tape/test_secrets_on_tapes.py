"""Secrets in recordings: masked everywhere, found by a check, and no hindrance to a replay."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from claude_magic.masking import MASK, KnownSecrets
from claude_magic.tape import (
    Conversation,
    Deck,
    Failure,
    MessagesRequest,
    Mode,
    OtherBlock,
    Reply,
    Tape,
    TapeTurn,
    Text,
    Thinking,
    ToolOutcome,
    ToolUse,
)
from claude_magic.tape.masked_count import masked_in
from claude_magic.tape.masked_text import fits
from claude_magic.tape.places import Places
from claude_magic.tape.player import Player
from claude_magic.tape.recording import Recording, empty_tape
from claude_magic.tape.scrubbing import Scrubbing
from claude_magic.tape.tape_text import tape_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Ask = Callable[..., MessagesRequest]

#: Known by its value, in the environment of the machine that records.
KNOWN = "EnvTok-991zz-Q8"
#: Known by what is before it alone.
NAMED = "Hunter-22-xY"
#: Known by its looks.
SHAPED = "sk-ant-api03-abcdefgh12345678"
ENVIRON = {"MY_SERVICE_TOKEN": KNOWN}

#: Texts with a secret in the place of ``{}``, and which secrets are recognised there.
TEXTS = {
    "bare": ("see {} there", (KNOWN, SHAPED)),
    "assigned": ("password = {}", (KNOWN, SHAPED, NAMED)),
    "told": ("The password is {}.", (KNOWN, SHAPED, NAMED)),
    "option": ("login --password {} now", (KNOWN, SHAPED, NAMED)),
    "YAML": ("db:\n  password: {}\n", (KNOWN, SHAPED, NAMED)),
    "JSON": ('{"client_secret": "%s"}'.replace("%s", "{}"), (KNOWN, SHAPED, NAMED)),
    "JSON in JSON": (json.dumps('{"api_key": "{}"}'), (KNOWN, SHAPED, NAMED)),
    "URL": ("postgres://ada:{}@host/db", (KNOWN, SHAPED, NAMED)),
    "code": ("x = dict(password='{}')", (KNOWN, SHAPED, NAMED)),
}
CASES = [
    pytest.param(text.replace("{}", secret), secret, id=f"{name}, {secret[:6]}")
    for name, (text, secrets) in TEXTS.items()
    for secret in secrets
]

#: Where a text can be in a reply.
PLACES: dict[str, Callable[[str], Reply]] = {
    "answer": Reply.of,
    "answer in words": lambda text: Reply.of(Text(text, chunks=tuple(text))),
    "thinking": lambda text: Reply.of(Thinking(text), "Yes."),
    "tool input": lambda text: Reply.of(ToolUse("Bash", {"command": text})),
    "deep tool input": lambda text: Reply.of(ToolUse("X", {"a": [{"b": [text]}]})),
    "name of a tool's input": lambda text: Reply.of(ToolUse("X", {"a": {text: 1}})),
    "other block": lambda text: Reply.of(OtherBlock({"type": "search", "input": {"q": text}})),
}

#: Arguments of tools of which only the whole tells that they hold a secret.
ARGUMENTS: dict[str, Any] = {
    "by its name": {"password": NAMED},
    "by its name, deep": {"a": [{"apiKey": NAMED}]},
    "list": {"passwords": [NAMED, NAMED]},
    "mapping": {"credentials": {"user": "ada", "word": NAMED}},
    "number": {"password": 12345678},
    "JSON in a text": {"content": json.dumps({"client_secret": NAMED})},
}


def scrubbing(folder: Path, environ: dict[str, str] | None = None) -> Scrubbing:
    return Scrubbing(Places(folder), KnownSecrets(environ or {}).mask)


def recording(folder: Path, environ: dict[str, str] | None = None) -> Recording:
    known = scrubbing(folder, ENVIRON if environ is None else environ)
    return Recording(folder / "t.yaml", empty_tape("T"), known, "Record it.")


def said(answer: Reply | Failure | None) -> str:
    assert isinstance(answer, Reply), answer
    return "".join(step.text for step in answer.steps if isinstance(step, Text))


def check(path: Path, environ: dict[str, str] | None = None) -> list[tuple[int, int]]:
    """Return line and column of what `tape check` finds."""
    deck = Deck(path, Mode.REPLAY, environ=environ or {}, mask=KnownSecrets(environ or {}).mask)
    places = [line.removeprefix(f"{path}:").split(":")[:2] for line in deck.leaks()]
    return [(int(line), int(column)) for line, column in places]


@pytest.mark.parametrize(("text", "secret"), CASES)
def test_no_prompt_brings_a_secret_onto_a_tape(
    text: str, secret: str, ask: Ask, tmp_path: Path
) -> None:
    tape = recording(tmp_path)
    tape.record(ask(text), Reply.of("Yes."))
    assert secret not in (tmp_path / "t.yaml").read_text()
    # Asked again, it is answered from the tape: while it is recorded, and in replays elsewhere.
    assert said(tape.answer(ask(text))) == "Yes."
    for environ in ({}, ENVIRON):
        player = Player(Tape.load(tmp_path / "t.yaml"), scrubbing(tmp_path, environ), "")
        assert said(player.reply(ask(text))) == "Yes."
    assert check(tmp_path / "t.yaml", ENVIRON) == []


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
@pytest.mark.parametrize(("text", "secret"), CASES)
def test_no_answer_brings_a_secret_onto_a_tape(
    text: str, secret: str, place: Callable[[str], Reply], ask: Ask, tmp_path: Path
) -> None:
    recording(tmp_path).record(ask("Look."), place(text))
    written = (tmp_path / "t.yaml").read_text()
    assert secret not in written
    assert MASK in written
    assert check(tmp_path / "t.yaml", ENVIRON) == []


@pytest.mark.parametrize("given", ARGUMENTS.values(), ids=ARGUMENTS)
def test_an_argument_is_judged_by_its_name(given: dict[str, Any], ask: Ask, tmp_path: Path) -> None:
    recording(tmp_path).record(ask("Look."), Reply.of(ToolUse("X", given)))
    written = (tmp_path / "t.yaml").read_text()
    assert NAMED not in written
    assert "12345678" not in written
    assert MASK in written


@pytest.mark.parametrize(("text", "secret"), CASES)
def test_no_result_brings_a_secret_onto_a_tape(
    text: str, secret: str, ask: Ask, tmp_path: Path
) -> None:
    def looked(result: str) -> MessagesRequest:
        call = {"type": "tool_use", "id": "t", "name": "Bash", "input": {}}
        given = {"type": "tool_result", "tool_use_id": "t", "content": result}
        return ask("Look.", [call], [given])

    tape = recording(tmp_path)
    tape.record(ask("Look."), Reply.of(ToolUse("Bash")))
    assert tape.answer(looked(text)) is None
    tape.record(looked(text), Reply.of("Seen."))
    assert secret not in (tmp_path / "t.yaml").read_text()
    player = Player(Tape.load(tmp_path / "t.yaml"), scrubbing(tmp_path), "")
    assert said(player.reply(looked(text))) == "Seen."
    changed = player.reply(looked(text + " more"))
    assert isinstance(changed, Failure)


@pytest.mark.parametrize(
    "texts",
    [
        ("Key sk-ant-", "api03-abcdefgh12345678"),
        ("password=", NAMED),
        ("password", f" = {NAMED}"),
        (KNOWN[:6], KNOWN[6:]),
    ],
)
def test_a_secret_in_two_blocks_is_masked(texts: tuple[str, str], ask: Ask, tmp_path: Path) -> None:
    recording(tmp_path).record(ask("Look."), Reply.of(*texts, Thinking("Hm."), "Done."))
    (turn,) = Tape.load(tmp_path / "t.yaml").turns.values()
    assert texts[1] not in tape_text(Tape("T", (Conversation("c", (turn,)),)))
    assert turn.replies[0].steps[1:] == (Thinking("Hm."), Text("Done."))


def test_a_mask_is_no_answer_to_another_prompt_while_a_tape_is_made(
    ask: Ask, tmp_path: Path
) -> None:
    tape = recording(tmp_path)
    tape.record(ask(f"Say {KNOWN}"), Reply.of("No."))
    assert tape.answer(ask("Say hello")) is None
    tape.record(ask("Say hello"), Reply.of("Hello."))
    player = Player(Tape.load(tmp_path / "t.yaml"), scrubbing(tmp_path), "")
    assert said(player.reply(ask("Say hello"))) == "Hello."
    assert said(player.reply(ask(f"Say {KNOWN}"))) == "No."


def test_a_masked_prompt_leads_on(ask: Ask, tmp_path: Path) -> None:
    tape = recording(tmp_path)
    tape.record(ask(f"I am {KNOWN}."), Reply.of("Hello."))
    tape.record(ask(f"I am {KNOWN}.", "Hello.", "Who am I?"), Reply.of("Somebody."))
    tape.record(ask("I am Ada.", "Hello.", "Who am I?"), Reply.of("Ada."))
    player = Player(Tape.load(tmp_path / "t.yaml"), scrubbing(tmp_path), "")
    assert said(player.reply(ask(f"I am {KNOWN}.", "Hello.", "Who am I?"))) == "Somebody."
    assert said(player.reply(ask("I am Ada.", "Hello.", "Who am I?"))) == "Ada."


@pytest.mark.parametrize(
    ("masked", "text", "does"),
    [
        ("a", "a", True),
        (MASK, "x", True),
        (MASK, "", False),
        (MASK, "x y", False),
        (MASK, MASK, True),
        (f"use {MASK}, now", "use x1, now", True),
        (f"use {MASK}, now", "use x1 now", False),
        (f"use {MASK}", "take x1", False),
        (f"a{MASK}a", "aa", False),
        (f"a{MASK}a", "aaa", True),
        (f"{MASK}:{MASK}", "a:b", True),
        (f"{MASK}:{MASK}", ":b", False),
        (f"{MASK}:{MASK}", "a:", False),
        (f"{MASK}{MASK}", "a", False),
        (f"{MASK}{MASK}", "ab", True),
        (f"ab{MASK}ab", "ab", False),
        (f"x{MASK}a{MASK}a{MASK}y", "x1a2a3y", True),
        ("x1", f"{MASK}", False),
    ],
)
def test_a_mask_fits_one_word_or_a_part_of_it(
    masked: str,
    text: str,
    does: bool,  # noqa: FBT001
) -> None:
    assert fits(masked, text) is does


def test_fitting_takes_linear_time() -> None:
    def seconds(length: int) -> float:
        started = time.process_time()
        assert not fits(f"a{MASK}" * length + "b", "a" * 3 * length)
        return time.process_time() - started

    seconds(100)
    short = min(seconds(10_000) for _ in range(3))
    assert seconds(80_000) < 30 * max(short, 0.01)


TAPE = """claude-magic-tape: 1
title: T
conversations:
- name: c
  turns:
  - you: Hi.
    claude:
    - tool:
        name: X
        input: {a: 1}
        result: r
    - text: Done.
"""

#: What is put into `TAPE` in the place of what, and where it is found.
LEAKS = {
    "title": ("title: T", f"title: {SHAPED}", 2, 8),
    "prompt": ("Hi.", "password=abcd1234", 6, 10),
    "prompt in quotes": ("Hi.", r'"pass\u0077ord=abcd1234"', 6, 10),
    "prompt in lines": ("Hi.", f"|\n      one\n      see {SHAPED}", 8, 11),
    "prompt in one line": ("Hi.", f"|\n      {SHAPED}", 7, 7),
    "key in escapes": ("Hi.", '"\\x73k-ant-api03-abcdefgh12345678"', 6, 10),
    "known": ("Hi.", f"see {KNOWN}", 6, 10),
    "private key": (
        "Hi.",
        "|\n      -----BEGIN PRIVATE KEY-----\n      abc\n      -----END PRIVATE KEY-----",
        7,
        7,
    ),
    "answer": ("Done.", f"The password is {NAMED}.", 12, 13),
    "argument": ("{a: 1}", "{a: [token=abcd1234]}", 10, 21),
    "argument by its name": ("{a: 1}", "{password: abcd1234}", 10, 27),
    "argument in lines": ("{a: 1}", "\n          password: abcd1234", 11, 21),
    "argument in a list": ("{a: 1}", "{passwords: [x, abcd1234]}", 10, 29),
    "name of an argument": ("{a: 1}", f"{{{SHAPED}: 1}}", 10, 17),
    "result": ("result: r", "result: password=abcd1234", 11, 17),
    "comment": ("title: T", "title: T  # password: abcd1234", 2, 23),
    "comment of its own": ("title: T", "# password: abcd1234\ntitle: T", 2, 13),
    "folder": ("Done.", "In /home/eve/x.", 12, 13),
    "folder in a comment": ("title: T", "title: T # /Users/eve", 2, 12),
}


@pytest.mark.parametrize(("old", "new", "line", "column"), LEAKS.values(), ids=LEAKS)
def test_a_check_finds_what_a_recording_would_mask(
    old: str, new: str, line: int, column: int, tmp_path: Path
) -> None:
    path = tmp_path / "t.yaml"
    path.write_text(TAPE.replace(old, new))
    Tape.load(path)
    found = check(path, ENVIRON)
    assert found[0] == (line, column)
    assert MASK not in TAPE.replace(old, new)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Hi.", "Hi."),
        ("Hi.", f"password={MASK}"),
        ("{a: 1}", f"{{password: {MASK}}}"),
        ("{a: 1}", "{max_tokens: 12345678}"),
        ("Hi.", "How many tokens has this?"),
        ("Done.", "«home»/x"),
        ("result: r", "result: 'tokenizer.json: 3 files'"),
        ("title: T", "title: T  # the password is asked for"),
    ],
)
def test_a_check_finds_nothing_else(old: str, new: str, tmp_path: Path) -> None:
    path = tmp_path / "t.yaml"
    path.write_text(TAPE.replace(old, new))
    assert check(path, ENVIRON) == []


def test_a_report_counts_what_is_masked_and_names_the_calls() -> None:
    uses = ToolUse(
        "Bash", {"command": f"x --password {MASK}"}, outcome=ToolOutcome(f"{MASK} {MASK}")
    )
    turn = TapeTurn(f"Use {MASK}.", (Reply.of(uses), Reply.of(f"It is {MASK}.")))
    told = masked_in(Tape("T", (Conversation("c", (turn,)),)))
    assert told[0] == (
        "5 secrets masked: 1 in prompts, 1 in answers, 1 in tool inputs, 2 in tool results"
    )
    assert told[-1] == f'  Bash(command="x --password {MASK}")'
    assert masked_in(empty_tape("T")) == []
