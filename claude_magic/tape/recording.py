"""A tape in the making."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from claude_magic.errors import TapeError

from .outcomes import comparable
from .player import Player
from .reply import INTERRUPTED, Reply, Text, ToolOutcome, ToolUse
from .tape import RECORDED, Conversation, Miss, Tape, TapeTurn

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .reply import Failure, Step
    from .request import MessagesRequest, ToolCall
    from .scrubbing import Scrubbing
    from .tape import History

_NAME_CHARACTERS = 50


class Recording:
    """Takes replies of the API down, and answers with them where the same is asked again.

    One history has one answer: a request that was sent again, or another session that says the
    same, gets what is on the tape. After each reply the file is complete. Server's thread only.

    Parameters
    ----------
    path
        The tape's file.
    tape
        What it begins with: an empty tape with the rules, or one that is added to.
    scrubbing
        Takes folders and secrets out.
    remedy
        What to do about a tool whose result has changed.
    """

    def __init__(self, path: Path, tape: Tape, scrubbing: Scrubbing, remedy: str) -> None:
        self._path = path
        self._scrubbing = scrubbing
        self._turns = dict(tape.turns)
        self._names: dict[History, str] = {}
        for conversation in tape.conversations:
            history: History = ()
            for turn in conversation.turns:
                history = (*history, tape.compared(turn.you))
            self._names[history] = conversation.name
        # Turns that are not complete yet, since their tools run.
        self._open: set[History] = set()
        # Prompts that were sent, and have no answer yet or never got one.
        self._asked: set[tuple[History, tuple[str, ...]]] = set()
        self._player = Player(tape, scrubbing, remedy)
        self.recorded_count = 0

    @property
    def tape(self) -> Tape:
        """The tape so far."""
        return self._player.tape

    @property
    def misses(self) -> list[str]:
        """What differs from the tape, oldest first; any thread may ask."""
        return self._player.misses

    def hide(self, credential: str) -> None:
        """Keep a credential away from the tape, wherever it appears."""
        self._scrubbing.hide(credential)

    def answer(self, request: MessagesRequest) -> Reply | Failure | None:
        """Return what the tape has for a request; None if the API must be asked."""
        self._note_outcomes(request)
        found = self.tape.find(request, self._scrubbing.text, exactly=True)
        if not isinstance(found, Miss):
            return self._player.played(found)
        if found.history is None or (found.place is not None and found.history in self._open):
            return None
        return self._player.failed(found)

    def place(self, request: MessagesRequest) -> tuple[History, int]:
        """Return where on the tape the answer to a request belongs: the turn, and which reply."""
        history = self.tape.history(request.prompts, self._scrubbing.text, exactly=True)
        if history is None:
            before, said = self._before(request)
            return (*before, self.tape.compared(self._new_prompt(before, said))), 0
        return history, len(self._turns[history].replies)

    def ask(self, request: MessagesRequest) -> None:
        """Take note that the API is asked."""
        if request.tool_result_count == 0:
            before, said = self._before(request)
            self._asked.add((before, said))

    def record(self, request: MessagesRequest, reply: Reply) -> None:
        """Take an answer down, and write the file.

        Raises
        ------
        OSError
            If the file cannot be written.
        TapeError
            If a tape cannot hold the answer, such as arguments that are nested too deeply.
        """
        history, number = self.place(request)
        if number == 0:
            if request.tool_result_count or not request.prompts:
                return  # it goes on with what was begun before the recording
            before, said = self._before(request)
            self._foreign(request, before)
            you = self._new_prompt(before, said)
            turn = TapeTurn(you, (self._scrubbing.reply(reply),))
            _check(history, turn)
            self._turns[history] = turn
            self._asked.discard((before, said))
        elif history in self._open:
            turn = self._turns[history]
            turn = replace(turn, replies=(*turn.replies, self._scrubbing.reply(reply)))
            _check(history, turn)
            self._turns[history] = turn
        else:
            return  # somebody else was faster
        (self._open.add if reply.calls else self._open.discard)(history)
        self.recorded_count += 1
        self._rebuild()
        self._write()

    def _before(self, request: MessagesRequest) -> tuple[History, tuple[str, ...]]:
        """Return the history before a request's last prompts, and these prompts."""
        groups = [tuple(self._scrubbing.text(text) for text in said) for said in request.prompts]
        history: History = ()
        for number in range(1, len(groups)):
            known = self.tape.history(tuple(groups[:number]), exactly=True)
            joined = self.tape.compared(" ".join(groups[number - 1]))
            history = known if known is not None else (*history, joined)
        return history, groups[-1] if groups else ()

    def _new_prompt(self, before: History, said: tuple[str, ...]) -> str:
        """Return what of the texts is new: those that got no answer come again with the next."""
        new = said
        for count in range(len(said) - 1, 0, -1):
            if (before, said[:count]) in self._asked:
                new = said[count:]
                break
        # Once more: a name may end one text, and its value begin the next.
        return self._scrubbing.text("\n\n".join(new))

    def _foreign(self, request: MessagesRequest, before: History) -> None:
        """Put on the tape what was said before the recording began, as far as it is known.

        The same goes for what was said since and stopped by its reader: nobody has heard the rest.
        """
        answers = _answers(request)
        for count in range(1, len(before) + 1):
            if before[:count] not in self._turns:
                said = tuple(self._scrubbing.text(text) for text in request.prompts[count - 1])
                stopped = INTERRUPTED if (before[: count - 1], said) in self._asked else None
                reply = self._scrubbing.reply(Reply((Text(answers[count - 1]),), stopped))
                self._turns[before[:count]] = TapeTurn(" ".join(said), (reply,))

    def _note_outcomes(self, request: MessagesRequest) -> None:
        """Take down what the tools have given back that ran for a reply."""
        history = self.tape.history(request.prompts, self._scrubbing.text, exactly=True)
        if history is None or history not in self._open:
            return
        turn = self._turns[history]
        calls = iter(request.tool_calls)
        replies = tuple(
            replace(reply, steps=tuple(self._with_outcome(step, calls) for step in reply.steps))
            for reply in turn.replies
        )
        if replies != turn.replies:
            self._turns[history] = replace(turn, replies=replies)
            self._rebuild()

    def _with_outcome(self, step: Step, calls: Iterator[ToolCall]) -> Step:
        if not isinstance(step, ToolUse):
            return step
        call = next(calls, None)
        if call is None or call.result is None or step.outcome is not None:
            return step
        text = comparable(call.result.text, self.tape.rules, self._scrubbing.text)
        return replace(step, outcome=ToolOutcome(text, call.result.is_error))

    def _rebuild(self) -> None:
        conversations = []
        for history in self._turns:
            if any(
                len(other) > len(history) and other[: len(history)] == history
                for other in self._turns
            ):
                continue
            turns = tuple(self._turns[history[: count + 1]] for count in range(len(history)))
            conversations.append(Conversation(self._name(history), turns))
        old = self.tape
        tape = Tape(
            old.title,
            tuple(conversations),
            label=old.label,
            words_per_second=old.words_per_second,
            source=old.source,
            rules=old.rules,
        )
        self._player.tape = tape

    def _name(self, history: History) -> str:
        """Return a conversation's name, which it keeps when it goes on."""
        for count in range(len(history), 0, -1):
            name = self._names.pop(history[:count], None)
            if name is not None:
                self._names[history] = name
                return name
        words = (
            history[0]
            if len(history[0]) <= _NAME_CHARACTERS
            else history[0][:_NAME_CHARACTERS] + "…"
        )
        name, number = words, 1
        while name in self._names.values():
            number += 1
            name = f"{words}, {number}"
        self._names[history] = name
        return name

    def _write(self) -> None:
        from .document import MAX_BYTES  # noqa: PLC0415 - yaml loads only where a tape does
        from .tape_text import tape_text  # noqa: PLC0415

        written = tape_text(self.tape).encode()
        if len(written) > MAX_BYTES:
            raise TapeError(f"{self._path.name} would have more than {MAX_BYTES} bytes.")
        self._path.parent.mkdir(parents=True, exist_ok=True)
        beside = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        try:
            beside.write_bytes(written)
            beside.replace(self._path)
        finally:
            with suppress(FileNotFoundError):
                beside.unlink()


def _check(history: History, turn: TapeTurn) -> None:
    """Refuse a turn that would make the whole tape unreadable."""
    from .tape_file import MAX_TURNS, parse_tape  # noqa: PLC0415 - yaml loads only where a tape does
    from .tape_text import tape_text  # noqa: PLC0415

    if len(history) > MAX_TURNS:
        raise TapeError(f"A conversation on a tape has at most {MAX_TURNS} turns.")
    # The file's format asks for an answer after a call, which is yet to come.
    whole = replace(turn, replies=(*turn.replies, Reply((Text("."),))))
    parse_tape(tape_text(Tape("turn", (Conversation("turn", (whole,)),))), "answer")


def empty_tape(title: str, like: Tape | None = None) -> Tape:
    """Return a tape for a new recording, with title and rules of the one that it replaces."""
    if like is None:
        return Tape(title, (), label=RECORDED)
    return Tape(like.title, (), label=RECORDED, source=like.source, rules=like.rules)


def _answers(request: MessagesRequest) -> list[str]:
    """Return the model's visible answers, one for each of the person's prompts."""
    answers: list[str] = []
    asked = False
    for turn in request.visible_turns:
        if turn.role == "user":
            asked = True
        elif asked:
            answers.append(turn.text)
            asked = False
        elif answers:
            answers[-1] += f"\n\n{turn.text}"
    return answers
