"""Everything that claude-magic raises.

::

    ClaudeMagicError
    ├── UsageError             a magic line or a call that cannot be understood; nothing was sent
    ├── OptionError            an option with an impossible value (also a ValueError)
    ├── ShadowedModuleError    a local file stands for a library that claude-magic needs
    ├── SessionError           the conversation cannot be used
    │   ├── StartError             Claude Code did not start
    │   ├── NotLoggedInError       no API key and no login
    │   ├── ConnectionLostError    the process ended in the middle of a turn
    │   ├── RestartLimitError      the process ended too often to be started again
    │   ├── SessionHeldError       the conversation is open in another kernel
    │   ├── StoreError             the store that also keeps conversations did not do what it should
    │   ├── NobodyWaitsError       no cell waits for Claude, so nothing can be done in the kernel
    │   └── SessionClosedError     the session was closed, or belongs to another process
    ├── TurnError              one prompt got no complete answer; the session lives on
    │   ├── TurnInterruptedError   the reader stopped it
    │   ├── TurnTimeoutError       it took longer than the options allow
    │   ├── TurnLimitError         a limit of turns or budget that the options set was reached
    │   ├── AnswerError            it has an answer, which is not what was asked for
    │   └── ApiError               the Messages API refused; ``status`` tells how
    │       ├── AuthenticationError    401, 403: the credential was not accepted
    │       ├── RateLimitError         429
    │       ├── OverloadedError        529
    │       ├── ServerError            500 to 599 otherwise: the API failed
    │       ├── ApiConnectionError     no complete answer came from the API
    │       ├── PromptRejectedError    400, 422: the API never accepts this prompt
    │       │   ├── ModelNotFoundError     404: there is no such model
    │       │   └── ContextTooLongError    413: it is too long, alone or with the conversation
    │       └── TapeMissError          a tape stands behind the API and has no such turn
    └── TapeError              a tape that cannot be read or served

An error's text says what happened, with the value, and what to do next. `RETRIABLE` are those that
may pass by themselves.
"""

from __future__ import annotations

from .well_formed import well_formed

#: An error shows so much of a value, in characters.
_LONGEST_VALUE = 200


class ClaudeMagicError(Exception):
    """Base of every error that claude-magic raises on purpose."""

    def __str__(self) -> str:
        # A kernel cannot send an error whose text cannot be encoded, and its cell never ends.
        return well_formed(super().__str__())


class UsageError(ClaudeMagicError):
    """A magic line or a call that cannot be understood; nothing was sent."""


class OptionError(ClaudeMagicError, ValueError):
    """An option with an impossible value.

    Parameters
    ----------
    option
        The option's name.
    value
        What was given.
    expected
        What would be accepted, as the end of the sentence "… must be".
    """

    def __init__(self, option: str, value: object, expected: str) -> None:
        shown = repr(value)
        if len(shown) > _LONGEST_VALUE:
            shown = f"{shown[:_LONGEST_VALUE]}… ({len(shown):,} characters)"
        super().__init__(f"{option}={shown}: must be {expected}")
        self.option = option
        self.value = value
        self.expected = expected


class ShadowedModuleError(ClaudeMagicError):
    """A file in the working directory would be imported in the place of a dependency.

    Parameters
    ----------
    name
        The module.
    path
        The file.
    was_run
        Whether something else, such as the kernel, has imported it already.
    """

    def __init__(self, name: str, path: str, *, was_run: bool) -> None:
        from shlex import quote  # noqa: PLC0415 - seldom needed

        folder, _, file = path.rpartition("/")
        if file.startswith("__init__."):
            folder, _, file = folder.rpartition("/")
        told = "was imported" if was_run else "would be imported"
        super().__init__(
            f"{path} {told} in the place of the library {name!r}, which claude-magic needs; "
            f"{'something else has run it' if was_run else 'it was not run'}. Rename it, then "
            f"restart the kernel:\nmv {quote(f'{folder}/{file}')} {quote(f'{folder}/my_{file}')}",
        )
        self.name = name
        self.path = path

    def _render_traceback_(self) -> list[str]:
        """Return what IPython shows: `%load_ext` has nothing of its own loaded yet."""
        return [f"{type(self).__name__}: {self}"]


class SessionError(ClaudeMagicError):
    """The conversation cannot be used."""


class StartError(SessionError):
    """Claude Code did not start.

    Parameters
    ----------
    reason
        What the operating system or the SDK said.
    stderr
        The last lines that the process wrote before it ended.
    """

    def __init__(self, reason: str, stderr: str = "") -> None:
        told = f"\n{stderr.rstrip()}" if stderr.strip() else ""
        super().__init__(f"Claude Code did not start: {reason}{told}")
        self.reason = reason
        self.stderr = stderr


class NotLoggedInError(SessionError):
    """Claude Code has neither an API key nor a login."""

    def __init__(self) -> None:
        super().__init__(
            "Claude Code has no API key and no login, so nothing was sent.\n"
            "Log in: run `claude-magic login` in a terminal, or set ANTHROPIC_API_KEY before the"
            " kernel starts.\n"
            "Only looking? `%claude_connect --demo` answers the first examples with scripted"
            " replies, offline.",
        )


class ConnectionLostError(SessionError):
    """The Claude Code process ended in the middle of a turn.

    Parameters
    ----------
    reason
        How it ended, as far as is known.
    partial_text
        What had been answered until then.
    """

    def __init__(self, reason: str, partial_text: str = "") -> None:
        super().__init__(
            f"Claude Code went away in the middle of this answer ({reason}). "
            "Ask again to go on with the conversation as it was before.",
        )
        self.reason = reason
        self.partial_text = partial_text


class RestartLimitError(SessionError):
    """The process ended too often to be started again.

    Parameters
    ----------
    restarts
        How often it was started again.
    window_s
        Within how many seconds.
    """

    def __init__(self, restarts: int, window_s: float) -> None:
        super().__init__(
            f"Claude Code went away and was started again {restarts} times within"
            f" {window_s / 60:.0f} minutes, so it is left alone now. `%claude_status` tells how it"
            " ended last; `%claude_connect` tries once more, `%claude_reset` starts a new"
            " conversation.",
        )


class SessionHeldError(SessionError):
    """The conversation is open elsewhere; two writers would lose each other's turns.

    Parameters
    ----------
    session_id
        The conversation's id.
    holder
        Who has it, as the end of the sentence "This conversation is open in …".
    """

    def __init__(self, session_id: str, holder: str) -> None:
        super().__init__(
            f"This conversation is open in {holder}. Close it there (`%claude_disconnect`, or shut "
            "the kernel down), or branch it: "
            f"`%claude_connect --resume {session_id[:8]} --fork NAME`.",
        )
        self.session_id = session_id
        self.holder = holder


class StoreError(SessionError):
    """The store that keeps conversations besides this machine did not do what it should.

    Parameters
    ----------
    store
        Which store, without its password.
    reason
        What it said, or the system.
    """

    def __init__(self, store: str, reason: str) -> None:
        super().__init__(f"The session store {store} failed: {reason.rstrip('. ')}.")
        self.store = store
        self.reason = reason


class BrokenEntriesError(SessionError):
    """Some of what is kept of conversations is broken and was left out.

    Parameters
    ----------
    place
        The store, without its password, or the folder on this machine.
    skipped
        How many entries were left out, and why.
    """

    def __init__(self, place: str, skipped: str) -> None:
        super().__init__(f"{place}: {skipped}.")
        self.place = place
        self.skipped = skipped


class SessionClosedError(SessionError):
    """The session was closed, or belongs to another process."""


class NobodyWaitsError(SessionError):
    """No cell waits for Claude, so that the main thread belongs to somebody else."""

    def __init__(self) -> None:
        super().__init__("No cell waits for Claude now, so nothing can be done in the kernel.")


class TurnError(ClaudeMagicError):
    """One prompt got no complete answer; the session lives on.

    Parameters
    ----------
    message
        What happened and what to do.
    partial_text
        What had been answered until then.
    """

    def __init__(self, message: str, partial_text: str = "") -> None:
        super().__init__(message)
        self.partial_text = partial_text


class AnswerError(TurnError):
    """The answer is there and is not what was asked for: no JSON, or not of the schema.

    Parameters
    ----------
    reason
        What is wrong with it, as a sentence.
    text
        The answer.
    """

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(f"{reason} The answer stays in the conversation; ask for it again.", text)


class TurnInterruptedError(TurnError):
    """The reader stopped the turn; what was answered until then stays in the conversation."""

    def __init__(self, partial_text: str = "", *, sent: bool = True) -> None:
        if not sent:
            told = "Stopped before the prompt was sent."
        elif partial_text:
            told = "Stopped. What Claude had said until then stays in the conversation."
        else:
            told = "Stopped before an answer came."
        super().__init__(told, partial_text)
        self.sent = sent


class TurnTimeoutError(TurnError):
    """The turn took longer than the options allow and was stopped.

    Parameters
    ----------
    deadline_s
        How long a turn may take, in seconds.
    """

    def __init__(self, deadline_s: float) -> None:
        super().__init__(
            f"No complete answer within {deadline_s:g} s, so Claude was stopped. Ask for less, or"
            " set a longer deadline_s.",
        )


class TurnLimitError(TurnError):
    """A limit of turns or budget that the options set was reached."""


class ApiError(TurnError):
    """The Messages API refused the request.

    Parameters
    ----------
    message
        What the API said.
    status
        The HTTP status, or None where no complete answer came (connection refused or lost).
    partial_text
        What had been answered until then.
    """

    #: What the reader can do about it; subclasses have their own sentence.
    remedy = ""

    def __init__(self, message: str, status: int | None = None, partial_text: str = "") -> None:
        # Where the message says itself what to do, it may end with a command that is to be copied.
        told = f"{message.rstrip('. ')}. {self.remedy}" if self.remedy else message.rstrip()
        super().__init__(f"{self._cause(status)}{told}", partial_text)
        self.status = status

    def _cause(self, status: int | None) -> str:
        return f"The API answered {status}: " if status else "The connection to the API failed: "


class AuthenticationError(ApiError):
    """401 or 403: the credential was not accepted."""

    remedy = (
        "Check ANTHROPIC_API_KEY, or run `claude-magic login` in a terminal, then `%claude_reset`."
    )


class RateLimitError(ApiError):
    """429: too many requests or tokens for this credential.

    Attributes
    ----------
    retry_after_s
        How long Claude Code waited before it tried the last time, in seconds, as the API said or by
        its own rule; None where it did not try again.
    """

    remedy = "Wait a little, then run the cell again."
    retry_after_s: float | None = None


class OverloadedError(ApiError):
    """529: the API is overloaded for the moment."""

    remedy = "Wait a little, then run the cell again."


class ServerError(ApiError):
    """500 to 599, but 529: the API failed."""

    remedy = "Run the cell again."


class ApiConnectionError(ApiError):
    """No complete answer came from the API: the connection was refused or lost."""

    remedy = "Run the cell again."


class PromptRejectedError(ApiError):
    """The API does not accept the prompt, and would not if it were sent again.

    Parameters
    ----------
    message
        What the API said.
    status
        The HTTP status; None where Claude Code refused the prompt itself.
    partial_text
        What had been answered until then.
    removed
        Whether the prompt, with all that came of it, was removed from the conversation.
    acted
        Whether a tool had run in this turn.
    """

    remedy = "Change the prompt before you run the cell again."

    def __init__(
        self,
        message: str,
        status: int | None = None,
        partial_text: str = "",
        *,
        removed: bool = True,
        acted: bool = False,
    ) -> None:
        self.reason = message
        self.removed = removed
        what = "turn, whose tools have run," if acted else "prompt"
        kept = (
            f"This {what} was removed from the conversation"
            if removed
            else f"This {what} is still part of the conversation, so every later prompt fails as "
            "well. `%claude_reset` starts a new conversation"
        )
        super().__init__(f"{message.rstrip('. ')}. {kept}", status, partial_text)

    def _cause(self, status: int | None) -> str:
        return super()._cause(status) if status else "The prompt was rejected: "

    def told(self, *, removed: bool, acted: bool) -> PromptRejectedError:
        """Return the same error with what has become of the prompt."""
        return type(self)(
            self.reason,
            self.status,
            self.partial_text,
            removed=removed,
            acted=acted,
        )


class ModelNotFoundError(PromptRejectedError):
    """404: there is no such model behind this API."""

    remedy = "Choose another model, or check ANTHROPIC_BASE_URL, before you run the cell again."


class ContextTooLongError(PromptRejectedError):
    """The prompt is too long, or the conversation has outgrown the model's context window."""

    remedy = "Shorten the prompt, or start a new conversation with `%claude_reset`."


class TapeMissError(ApiError):
    """A tape stands behind the API and has no such turn, or a tool gave it another result."""

    # The tape itself says what to do: how it is recorded, or how a demo is left.
    remedy = ""

    def _cause(self, status: int | None) -> str:  # noqa: ARG002 - no API has answered
        return ""


class TapeError(ClaudeMagicError):
    """A tape that cannot be read or served.

    Parameters
    ----------
    told
        The text.
    line, column
        The place in the tape's file, each from 1, which the text then ends with; None for an error
        that has no place in the file, such as a file that does not exist.
    """

    def __init__(self, told: str, *, line: int | None = None, column: int | None = None) -> None:
        place = f" (line {line}, column {column})" if line is not None else ""
        super().__init__(told + place)
        self.line = line
        self.column = column


#: What may pass by itself, so that asking again later makes sense, as in
#: ``model.with_retry(retry_if_exception_type=RETRIABLE)``.
RETRIABLE: tuple[type[ClaudeMagicError], ...] = (
    ConnectionLostError,
    RateLimitError,
    OverloadedError,
    ServerError,
    ApiConnectionError,
)
