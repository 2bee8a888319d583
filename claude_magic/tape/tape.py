"""A tape: recorded or written conversations that answer for the Messages API."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from difflib import SequenceMatcher
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from claude_magic.errors import TapeError

from .reply import Failure, Reply, ToolUse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .request import MessagesRequest

#: What stands behind the API while a tape plays, where the tape says nothing else.
SCRIPTED = "scripted replies"

# The Messages API never answers with this status, so a session can tell a miss from every other
# failure. Claude Code shows the text of this one unchanged and does not retry: 400 and 422 are
# asked six times, 404 loses the text, 409 and 5xx are retried for minutes.
MISS_STATUS = 418

_SHOWN_CHARACTERS = 120


class TextFile(Protocol):
    """A file that can be read: a `pathlib.Path`, or a resource of a package."""

    @property
    def name(self) -> str:
        """The file's name."""
        ...

    def read_text(self, encoding: str | None = None) -> str:
        """Return its text."""
        ...


@dataclass(frozen=True, slots=True)
class TapeTurn:
    """A prompt and its answer.

    Attributes
    ----------
    you
        The prompt.
    replies
        The model's messages: one, and one more each time the tools of the one before have run.
    line
        Where it stands in the tape's file, from 1, if it came from one.
    """

    you: str
    replies: tuple[Reply, ...]
    line: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Conversation:
    """Turns in order, from an empty conversation.

    Attributes
    ----------
    name
        What the tape calls it; for readers and error texts only.
    turns
        The turns.
    """

    name: str
    turns: tuple[TapeTurn, ...]


class Tape:
    """Conversations that answer for the Messages API. Immutable; any thread may use it.

    A request is matched by the conversation as a person sees it: the prompts so far, in order,
    with white space normalised. Nothing is remembered between requests, so any number of
    sessions, in any order, may play one tape; and one question may have another answer in another
    conversation.

    Parameters
    ----------
    title
        What the tape is about.
    conversations
        What it can answer.
    label
        What stands behind the API, shown wherever a session shows.
    words_per_second
        How fast text streams, above 0, or None for as fast as possible.
    source
        The file's name, for error texts.

    Raises
    ------
    TapeError
        If two conversations answer the same prompts differently.
    """

    def __init__(
        self,
        title: str,
        conversations: tuple[Conversation, ...],
        *,
        label: str = SCRIPTED,
        words_per_second: float | None = None,
        source: str = "tape",
    ) -> None:
        self.title = title
        self.conversations = conversations
        self.label = label
        self.words_per_second = words_per_second
        self.source = source
        self._turns: dict[tuple[str, ...], TapeTurn] = {}
        for conversation in conversations:
            asked: tuple[str, ...] = ()
            for turn in conversation.turns:
                asked = (*asked, _normalised(turn.you))
                if self._turns.setdefault(asked, turn) != turn:
                    line = f":{turn.line}" if turn.line else ""
                    raise TapeError(
                        f"{source}{line}: {_quoted(turn.you)} has another answer here, in"
                        f" {_quoted(conversation.name)}, than after the same prompts before."
                        " Expected one answer for one history.",
                    )

    @classmethod
    def load(cls, path: str | TextFile) -> Tape:
        """Read a tape from a file: a path, or a resource of a package.

        Raises
        ------
        TapeError
            If the file cannot be read or is no tape. The text names the file, the line and what
            was expected.
        """
        from .tape_file import read_tape  # noqa: PLC0415 - yaml loads only where a tape does

        return read_tape(Path(path) if isinstance(path, str) else path)

    def reply(self, request: MessagesRequest) -> Reply | Failure:
        """Answer one request, or fail with a text that shows the nearest recorded prompt."""
        asked: tuple[str, ...] | None = ()
        for prompts in _prompts_between_answers(request):
            asked = self._follow(asked, prompts) if asked is not None else None
        if not asked:
            return self._miss(request)
        turn = self._turns[asked]
        ran = request.tool_result_count
        for reply in turn.replies:
            if ran <= 0:
                return replace(reply, words_per_second=self.words_per_second)
            ran -= sum(isinstance(step, ToolUse) for step in reply.steps)
        return _failure(
            f"{self._named} has no more replies to {_quoted(turn.you)}"
            f" after {request.tool_result_count} tool results.",
        )

    def _follow(self, asked: tuple[str, ...], prompts: tuple[str, ...]) -> tuple[str, ...] | None:
        """Return the recorded history that these prompts lead to, or None.

        More than one prompt means that all but the last got no answer, or that one prompt was
        sent in several blocks. So they are tried as one, as several, and without the first ones.
        """
        for start in range(len(prompts)):
            said = [_normalised(prompt) for prompt in prompts[start:]]
            for candidate in ((*asked, " ".join(said)), (*asked, *said)):
                if candidate in self._turns:
                    return candidate
        return None

    def _miss(self, request: MessagesRequest) -> Failure:
        spoken = [turn for turn in request.visible_turns if turn.role == "user"]
        if not spoken:
            return _failure(f"{self._named} was asked nothing that a person wrote.")
        prompt = spoken[-1].texts[-1]
        before = spoken[-2].texts[-1] if len(spoken) > 1 else None
        missing = f"{self._named} has no reply to {_quoted(prompt)} {_place(before)}."
        return _failure(f"{missing} {self._hint(prompt)}")

    def _hint(self, prompt: str) -> str:
        wanted = _normalised(prompt)

        def likeness(asked: tuple[str, ...]) -> float:
            return SequenceMatcher(None, asked[-1].lower(), wanted.lower()).ratio()

        nearest = max(self._turns, key=likeness, default=None)
        if nearest is None:
            return "It is empty."
        place = _place(nearest[-2] if len(nearest) > 1 else None)
        if nearest[-1] == wanted:
            return f"It has one to this prompt {place}."
        return f"Nearest prompt on it: {_quoted(nearest[-1])} {place}."

    @property
    def _named(self) -> str:
        return f"The tape {_quoted(self.title)} ({self.label})"


def _prompts_between_answers(request: MessagesRequest) -> Iterator[tuple[str, ...]]:
    """Yield what the person said before each of the model's answers, and last."""
    prompts: tuple[str, ...] = ()
    for turn in request.visible_turns:
        if turn.role == "user":
            prompts += turn.texts
        elif prompts:
            yield prompts
            prompts = ()
    if prompts:
        yield prompts


def _failure(message: str) -> Failure:
    return Failure(MISS_STATUS, "tape_miss", message)


def _place(before: str | None) -> str:
    return f"after {_quoted(before)}" if before else "at the start of a conversation"


def _quoted(text: str) -> str:
    shown = _normalised(text)
    if len(shown) > _SHOWN_CHARACTERS:
        shown = shown[: _SHOWN_CHARACTERS - 1] + "…"
    return f"“{shown}”"


def _normalised(text: str) -> str:
    return " ".join(text.split())
