"""A tape: recorded or written conversations that answer for the Messages API."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from difflib import SequenceMatcher
from functools import lru_cache
from heapq import nlargest
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias

from claude_magic.errors import TapeError
from claude_magic.masking import MASK, mask

from .differences import difference
from .masked_text import fits
from .outcomes import changed_outcome
from .reply import Failure, Reply
from .rules import Rules

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from .request import MessagesRequest

#: The prompts of a conversation up to one of them, as they are compared.
History: TypeAlias = tuple[str, ...]

#: What stands behind the API while a tape plays, where the tape says nothing else.
SCRIPTED = "scripted replies"

#: What a tape says that was recorded.
RECORDED = "recorded replies"

# The Messages API never answers with this status, so a session can tell a miss from every other
# failure. Claude Code shows the text of this one unchanged and does not retry: 400 and 422 are
# asked six times, 404 loses the text, 409 and 5xx are retried for minutes.
MISS_STATUS = 418

_DEMO = (
    "A tape answers what is on it and nothing else: the demo's has the README's lines and the first"
    " example notebook, run from its beginning. `%claude_connect --live` leaves a demo that --demo"
    " entered."
)

_SHOWN_CHARACTERS = 120

#: Prompts whose compared text is kept: a request sends those of its whole conversation again.
_KEPT_PROMPTS = 256

#: Prompts among which the nearest one is looked for, and the characters of each that count.
_NEAR_PROMPTS = 50
_NEAR_CHARACTERS = 500


class TextFile(Protocol):
    """A file that can be read: a `pathlib.Path`, or a resource of a package."""

    @property
    def name(self) -> str:
        """The file's name."""
        ...

    def read_bytes(self) -> bytes:
        """Return its content."""
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
    line, column
        Its place in the tape's file, each from 1; None for a turn that was not read from a file.
    """

    you: str
    replies: tuple[Reply, ...]
    line: int | None = field(default=None, compare=False)
    column: int | None = field(default=None, compare=False)


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


@dataclass(frozen=True, slots=True)
class Found:
    """What a tape has for a request.

    Attributes
    ----------
    history
        Where it stands on the tape.
    turn
        The turn.
    place
        Which of its replies it is, from 0.
    """

    history: History
    turn: TapeTurn
    place: int

    @property
    def reply(self) -> Reply:
        """The reply."""
        return self.turn.replies[self.place]


@dataclass(frozen=True, slots=True)
class Miss:
    """Why a tape has nothing for a request.

    Attributes
    ----------
    told
        What is missing, or has changed, and what is nearest to it.
    history
        The recorded turn that came to an end too early, or went another way; None if there is none.
    place
        Which reply of it is missing, from 0; None if it went another way.
    """

    told: str
    history: History | None = None
    place: int | None = None

    def failure(self, remedy: str) -> Failure:
        """Return it as the API's answer, with what to do about it."""
        return Failure(MISS_STATUS, "tape_miss", f"{self.told}\n{remedy}")


class Tape:
    """Conversations that answer for the Messages API. Immutable; any thread may use it.

    A request is matched by the conversation as a person sees it: the prompts so far, in order,
    with white space normalised and secrets masked, on both sides. Where the tape has a mask and the
    prompt does not, since this machine does not know the secret, any word fits. Nothing is
    remembered between requests, so any number of sessions, in any order, may play one tape; and one
    question may have another answer in another conversation. What tools give back is compared where
    the tape knows what they gave back.

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
    rules
        What is not compared.

    Raises
    ------
    TapeError
        If two conversations answer the same prompts differently.
    """

    def __init__(  # noqa: PLR0913 - the fields of its file
        self,
        title: str,
        conversations: tuple[Conversation, ...],
        *,
        label: str = SCRIPTED,
        words_per_second: float | None = None,
        source: str = "tape",
        rules: Rules | None = None,
    ) -> None:
        self.title = title
        self.conversations = conversations
        self.label = label
        self.words_per_second = words_per_second
        self.source = source
        self.rules = rules if rules is not None else Rules()
        self.compared = lru_cache(_KEPT_PROMPTS)(self._compared)
        self._turns: dict[History, TapeTurn] = {}
        # By the prompts before: the histories whose last prompt has a mask.
        self._masked: dict[History, list[History]] = {}
        for conversation in conversations:
            asked: History = ()
            for turn in conversation.turns:
                before, asked = asked, (*asked, self.compared(turn.you))
                if asked not in self._turns and MASK in asked[-1]:
                    self._masked.setdefault(before, []).append(asked)
                if self._turns.setdefault(asked, turn) != turn:
                    line = f":{turn.line}" if turn.line else ""
                    raise TapeError(
                        f"{source}{line}: {_quoted(turn.you)} has another answer here, in"
                        f" {_quoted(conversation.name)}, than after the same prompts before."
                        " Expected one answer for one history.",
                        line=turn.line,
                        column=turn.column,
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

    def with_others(self, others: Iterable[Tape]) -> Tape:
        """Return a tape that answers what this one does, and what the others do.

        Its title and its speed are this one's. What any of them does not compare is not compared;
        its label tells all of theirs.

        Raises
        ------
        TapeError
            If two of them answer the same prompts differently.
        """
        tapes = (self, *others)
        rules = [tape.rules for tape in tapes]
        return Tape(
            self.title,
            tuple(conversation for tape in tapes for conversation in tape.conversations),
            label=", ".join(dict.fromkeys(tape.label for tape in tapes)),
            words_per_second=self.words_per_second,
            source=self.source,
            rules=Rules(
                frozenset.intersection(*(each.keep for each in rules)),
                {name: pattern for each in rules for name, pattern in each.ignore.items()},
            ),
        )

    def _compared(self, text: str) -> str:
        """Return what a prompt is compared by."""
        return self.rules.prompt(mask(text))

    @property
    def turns(self) -> Mapping[History, TapeTurn]:
        """The turns, each once, by the prompts that lead to them."""
        return self._turns

    def reply(self, request: MessagesRequest) -> Reply | Failure:
        """Answer one request, or fail with a text that shows the nearest recorded prompt."""
        found = self.find(request)
        if isinstance(found, Miss):
            return found.failure(_DEMO)
        return replace(found.reply, words_per_second=self.words_per_second)

    def find(
        self,
        request: MessagesRequest,
        named: Callable[[str], str] = str,
        *,
        exactly: bool = False,
    ) -> Found | Miss:
        """Look up what answers a request.

        Parameters
        ----------
        request
            The request.
        named
            Names this machine's folders in a text, as they are named on the tape.
        exactly
            Whether a mask in a prompt of the tape fits nothing but a mask.
        """
        asked = self.history(request.prompts, named, exactly=exactly)
        if asked is None:
            return self._miss(request, named)
        turn = self._turns[asked]
        changed = changed_outcome(turn, request.tool_calls, self.rules, named)
        if changed is not None:
            return Miss(f"{self._named}, after {_quoted(turn.you)}:\n{changed}", asked)
        ran = request.tool_result_count
        for place, reply in enumerate(turn.replies):
            if ran <= 0:
                return Found(asked, turn, place)
            ran -= len(reply.calls)
        return Miss(
            f"{self._named} has no more replies to {_quoted(turn.you)}"
            f" after {request.tool_result_count} tool results.",
            asked,
            len(turn.replies),
        )

    def history(
        self,
        prompts: tuple[tuple[str, ...], ...],
        named: Callable[[str], str] = str,
        *,
        exactly: bool = False,
    ) -> History | None:
        """Return the recorded history that these prompts lead to, or None."""
        asked: History | None = ()
        for group in prompts:
            if asked is None:
                return None
            said = [self.compared(named(text)) for text in group]
            asked = self._follow(asked, said, exactly=exactly)
        return asked or None

    def _follow(self, asked: History, said: list[str], *, exactly: bool) -> History | None:
        """Return the recorded history to which prompts lead that got one answer, or None.

        More than one prompt means that all but the last got no answer, or that one prompt was
        sent in several blocks. So they are tried as one, as several, and without the first ones.
        """
        for start in range(len(said)):
            for prompts in ([" ".join(said[start:])], said[start:]):
                found: History | None = asked
                for prompt in prompts:
                    found = (
                        self._next(found, prompt, exactly=exactly) if found is not None else None
                    )
                if found is not None:
                    return found
        return None

    def _next(self, asked: History, prompt: str, *, exactly: bool) -> History | None:
        """Return the recorded history that one more prompt leads to, or None."""
        if (*asked, prompt) in self._turns:
            return (*asked, prompt)
        if exactly:
            return None
        return next((each for each in self._masked.get(asked, ()) if fits(each[-1], prompt)), None)

    def _miss(self, request: MessagesRequest, named: Callable[[str], str]) -> Miss:
        spoken = [turn for turn in request.visible_turns if turn.role == "user"]
        if not spoken:
            return Miss(f"{self._named} was asked nothing that a person wrote.")
        prompt = mask(named(spoken[-1].texts[-1]))
        before = mask(named(spoken[-2].texts[-1])) if len(spoken) > 1 else None
        missing = f"{self._named} has no reply to {_quoted(prompt)} {_place(before)}."
        return Miss(f"{missing}\n{self._hint(prompt)}")

    def _hint(self, prompt: str) -> str:
        wanted = self.compared(prompt)
        near = wanted[:_NEAR_CHARACTERS].lower()
        words = set(near.split())

        def shared_words(asked: History) -> int:
            return len(words.intersection(asked[-1][:_NEAR_CHARACTERS].lower().split()))

        def likeness(asked: History) -> float:
            other = asked[-1][:_NEAR_CHARACTERS].lower()
            return SequenceMatcher(None, other, near).ratio()

        # Likeness takes quadratic time, so it is asked of few.
        candidates = nlargest(_NEAR_PROMPTS, self._turns, key=shared_words)
        nearest = max(candidates, key=likeness, default=None)
        if nearest is None:
            return "It is empty."
        turn = self._turns[nearest]
        place = _place(nearest[-2] if len(nearest) > 1 else None)
        line = f" (line {turn.line})" if turn.line else ""
        if nearest[-1] == wanted:
            return f"It has one to this prompt {place}{line}."
        told = difference(turn.you.strip(), prompt.strip())
        return f"Nearest prompt on it, {place}{line}:\n{told}"

    @property
    def _named(self) -> str:
        return f"The tape {_quoted(self.title)} ({self.label})"


def _place(before: str | None) -> str:
    return f"after {_quoted(before)}" if before else "at the start of a conversation"


def _quoted(text: str) -> str:
    shown = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    if len(shown) > _SHOWN_CHARACTERS:
        shown = shown[: _SHOWN_CHARACTERS - 1] + "…"
    return f"“{shown}”"
