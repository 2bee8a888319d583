"""The thread-safe face of a conversation."""

from __future__ import annotations

import asyncio
import atexit
import json
import os
import threading
import time
import weakref
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from claude_magic.errors import OptionError, SessionClosedError, UsageError
from claude_magic.well_formed import well_formed_json

from .conversation import Conversation
from .host import this_host
from .loop import loop_thread, running_loop_thread
from .options import SessionOptions
from .place import Place
from .served import Caller
from .transcript import check_session_id
from .turn import Turn

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future
    from types import TracebackType

    from typing_extensions import Self

    from .events import TurnFinished
    from .permission import PermissionCallback, PermissionRequest
    from .pool import Pool
    from .served import ServedTool
    from .state import SessionState, SessionStatus
    from .turn import Prompt, Told

#: How long the end of the interpreter waits for sessions to close, in seconds. What is left after
#: that is ended by the supervisors.
EXIT_TIMEOUT_S = 3.0

_open: weakref.WeakSet[Conversation] = weakref.WeakSet()


class ClaudeSession:
    """One conversation with Claude Code, for any thread and any event loop.

    It owns at most one Claude Code process at a time. The process starts with the first prompt or
    with `connect`; where it goes away, the next prompt resumes the conversation. `disconnect`
    closes the process and keeps the conversation; `close` ends it. A session that is forgotten or
    left open at the end of the interpreter is closed.

    Every blocking method has an ``a…`` twin to await. Turns are performed one after another.

    Parameters
    ----------
    options
        What to start with.
    resume
        The id of an earlier conversation to go on with, or the place where to branch off one; None
        begins a new one.
    on_permission
        Is asked whether a tool may run that does not run unasked: called on the loop thread with a
        `PermissionRequest`, it returns an awaitable of `Allow` or `Deny` at once. None denies.
    consent_for
        Tells of every tool call whether it needs consent even where it would run unasked, such as
        the reading of a certain file: called on the loop thread with a `PermissionRequest`, it
        returns a bool at once. None leaves that to Claude Code.
    toolbox
        Tools that this process runs while the turn goes on.
    revoke
        Takes back what a person has allowed for the rest of the session, as of `Caller`; None where
        nothing can be allowed so.
    pool
        Where the session finds room for its process; None for a process whenever it wants one.
    **changes
        Fields of `SessionOptions` to set on top of `options`.

    Raises
    ------
    OptionError
        If an option has an impossible value or does not exist, or `resume` is no session id.

    Examples
    --------
    >>> with ClaudeSession() as session:  # doctest: +SKIP
    ...     session.ask("My name is Ada.")
    ...     print(session.ask("What is my name?").text)
    """

    def __init__(  # noqa: PLR0913 - each may be left out
        self,
        options: SessionOptions | None = None,
        *,
        resume: str | Place | None = None,
        on_permission: PermissionCallback | None = None,
        consent_for: Callable[[PermissionRequest], bool] | None = None,
        toolbox: Sequence[ServedTool] = (),
        revoke: Callable[[str], Sequence[str]] | None = None,
        pool: Pool | None = None,
        **changes: Any,
    ) -> None:
        options = _options(options, changes)
        self._caller = Caller(on_permission, consent_for, tuple(toolbox), revoke)
        self._pool = pool
        self._process_id = os.getpid()
        # Replaced, never changed, and only while the lock is held.
        self._chosen = options
        self._choosing = threading.Lock()
        # Known here before the loop thread has heard of the first turn.
        self._asked = False
        origin = Place.of(check_session_id(resume)) if isinstance(resume, str) else resume
        self._conversation = Conversation(options, origin, self._caller, pool)
        _open.add(self._conversation)
        # The finalizer must not hold the session, and the conversation does not.
        weakref.finalize(self, _close_unseen, self._conversation, self._process_id).atexit = False

    def fork(self, **changes: Any) -> Self:
        """Return a new session that has the conversation so far in common with this one.

        From here on neither hears of the other. A turn that is under way is left out.

        Parameters
        ----------
        **changes
            Fields of `SessionOptions` that are to differ.

        Raises
        ------
        OptionError
            If an option has an impossible value or does not exist.
        """
        return type(self)(
            self.chosen,
            resume=self.branch(),
            on_permission=self._caller.decide,
            consent_for=self._caller.consent_for,
            toolbox=self._caller.toolbox,
            revoke=self._caller.revoke,
            pool=self._pool,
            **changes,
        )

    def branch(self) -> Place:
        """Return where another session can begin, to have all so far in common with this one.

        Give it to a new session as `resume`. A turn that is under way is left out.

        Raises
        ------
        UsageError
            If the conversation is not kept.
        """
        return self._mine().branch()

    def _mine(self) -> Conversation:
        if os.getpid() != self._process_id:
            raise SessionClosedError(
                "This session belongs to the process that this one was forked from; "
                "start a new ClaudeSession here.",
            )
        return self._conversation

    @property
    def options(self) -> SessionOptions:
        """What its process is started with."""
        return self._conversation.options

    @property
    def chosen(self) -> SessionOptions:
        """What the turns from now on go on with, if they bring no options of their own."""
        return self._chosen

    def choose(self, **changes: Any) -> None:
        """Have the turns from now on go on with other options. Any thread.

        Where a process runs that was started with other ones, the next turn resumes the
        conversation with another process, which takes 0.5 s.

        Parameters
        ----------
        **changes
            Fields of `SessionOptions` that are to differ.

        Raises
        ------
        OptionError
            If an option has an impossible value or does not exist; nothing changes then.
        UsageError
            If the conversation cannot go on with such options; nothing changes then.
        SessionClosedError
            If the session was closed.
        """
        conversation = self._mine()
        conversation.check_open()
        with self._choosing:
            chosen = _options(self._chosen, changes)
            _check_same_place(self._chosen, chosen)
            self._chosen = chosen
            loop_thread().call_soon(conversation.choose, chosen)

    @property
    def on_permission(self) -> PermissionCallback | None:
        """Who decides about tools that do not run unasked."""
        return self._caller.decide

    @property
    def status(self) -> SessionStatus:
        """The latest snapshot of the session."""
        return self._conversation.status

    @property
    def state(self) -> SessionState:
        """Where the session stands."""
        return self.status.state

    @property
    def session_id(self) -> str:
        """The conversation's id, as Claude Code knows it."""
        return self.status.session_id

    @property
    def pids(self) -> tuple[int, int] | None:
        """The process ids of the supervisor and of Claude Code, while they run."""
        return self._conversation.pids

    def resident_bytes(self) -> int | None:
        """Return how much memory Claude Code and all that it started occupy, in bytes.

        Takes some milliseconds. What several processes share counts for each; None where none runs,
        or the system does not tell.
        """
        pids = self.pids
        if pids is None:
            return None
        with suppress(OSError):
            return this_host().resident_bytes(pids[0])
        return None

    async def aresident_bytes(self) -> int | None:
        """Do as `resident_bytes` does, on any event loop."""
        return await asyncio.to_thread(self.resident_bytes)

    @property
    def begun(self) -> bool:
        """Whether anything was said in this conversation, here or before it was resumed."""
        return self._asked or self._conversation.begun

    def subscribe(self, listener: Callable[[SessionStatus], object]) -> Callable[[], None]:
        """Call `listener` on the loop thread with every new status, and now with the present one.

        Parameters
        ----------
        listener
            Must return at once and must not raise.

        Returns
        -------
        Callable
            Ends the subscription; calling it again is harmless.
        """
        listeners = self._mine().listeners
        loop = loop_thread()

        def begin() -> None:
            listeners.append(listener)
            listener(self._conversation.status)

        def end() -> None:
            with suppress(ValueError):
                listeners.remove(listener)

        loop.call_soon(begin)
        return lambda: loop.call_soon(end)

    def tell_granted(self, granted: Sequence[str]) -> None:
        """Have the status say what a person has allowed for the rest of the session. Any thread."""
        loop_thread().call_soon(self._mine().tell_granted, tuple(granted))

    def revoke(self, rule: str) -> None:
        """Take back what a person has allowed for the rest of the session. Any thread.

        Parameters
        ----------
        rule
            As the status has it in `granted`.

        Raises
        ------
        UsageError
            If it is not allowed, or somebody else decides.
        """
        if self._caller.revoke is None:
            raise UsageError("Somebody else decides in this conversation.")
        self.tell_granted(self._caller.revoke(rule))

    def send(
        self,
        prompt: Prompt,
        history: Sequence[Told] = (),
        options: SessionOptions | None = None,
    ) -> Turn:
        """Put a prompt in the line and return its turn at once.

        Parameters
        ----------
        prompt
            Text, sent as it is written; or content blocks as the Messages API takes them.
        history
            What was said before, where this session has not heard it; it becomes part of the
            conversation.
        options
            What this turn alone has; None for `chosen`. Where they differ from those of the process
            the conversation is resumed with another one, which takes 0.5 s.

        Raises
        ------
        UsageError
            If the prompt is empty, or holds what is not JSON, or the conversation cannot go on with
            such options.
        SessionClosedError
            If the session was closed.
        """
        if not prompt or (isinstance(prompt, str) and not prompt.strip()):
            raise UsageError("The prompt is empty; nothing was sent.")
        try:
            json.dumps([prompt, [told.content for told in history]])
        except TypeError as error:
            raise UsageError(f"The prompt is not JSON; nothing was sent: {error}") from error
        prompt = well_formed_json(prompt)
        history = [replace(told, content=well_formed_json(told.content)) for told in history]
        conversation = self._mine()
        conversation.check_open()
        chosen = self._chosen
        options = options or chosen
        _check_same_place(chosen, options)
        turn = Turn(prompt, conversation, history, keeper=self, options=options)
        self._asked = True
        loop_thread().call_soon(conversation.perform, turn)
        return turn

    def ask(self, prompt: Prompt) -> TurnFinished:
        """Send a prompt and wait for the whole answer.

        Raises
        ------
        ClaudeMagicError
            If there is no complete answer.
        """
        return self.send(prompt).result()

    async def aask(self, prompt: Prompt) -> TurnFinished:
        """Send a prompt and wait for the whole answer, on any event loop.

        Raises
        ------
        ClaudeMagicError
            If there is no complete answer.
        """
        return await self.send(prompt).aresult()

    def connect(self, *, by_hand: bool = False) -> None:
        """Start Claude Code, or resume the conversation; nothing to do where it runs.

        Parameters
        ----------
        by_hand
            Whether somebody asks for it, who may do so again after a `RestartLimitError`.

        Raises
        ------
        StartError
            If it does not come up.
        SessionHeldError
            If the conversation is open elsewhere.
        SessionClosedError
            If the session was closed.
        """
        loop_thread().run(self._mine().connect(by_hand=by_hand))

    async def aconnect(self, *, by_hand: bool = False) -> None:
        """Do as `connect` does, on any event loop."""
        await asyncio.wrap_future(loop_thread().submit(self._mine().connect(by_hand=by_hand)))

    def start_connecting(self, *, by_hand: bool = False) -> None:
        """Connect in the background and return at once; the status tells what comes of it.

        Parameters
        ----------
        by_hand
            Whether somebody asks for it, who may do so again after a `RestartLimitError`.
        """
        loop_thread().submit(self._mine().connect(by_hand=by_hand))

    def reconnect(self) -> None:
        """Close the process, if there is one, and resume the conversation with a new one.

        It is allowed again after a `RestartLimitError`: whoever calls it has seen to the cause.

        Raises
        ------
        StartError
            If it does not come up.
        SessionHeldError
            If the conversation is open elsewhere.
        SessionClosedError
            If the session was closed.
        """
        self.disconnect()
        loop_thread().run(self._mine().connect(by_hand=True))

    async def areconnect(self) -> None:
        """Do as `reconnect` does, on any event loop."""
        await self.adisconnect()
        await asyncio.wrap_future(loop_thread().submit(self._mine().connect(by_hand=True)))

    def disconnect(self) -> None:
        """Close the process and keep the conversation; a turn under way is stopped."""
        _wait(self.start_disconnecting())

    async def adisconnect(self) -> None:
        """Do as `disconnect` does, on any event loop."""
        await asyncio.wrap_future(self.start_disconnecting())

    def close(self) -> None:
        """End the session and its context; a turn under way is stopped; twice is harmless."""
        _wait(self.start_closing())

    async def aclose(self) -> None:
        """Do as `close` does, on any event loop."""
        await asyncio.wrap_future(self.start_closing())

    def stop(self) -> None:
        """Stop the turn that is under way, if one is, in the background. Any thread.

        What was answered until then stays in the conversation; whoever waits for the turn hears of
        the interrupt.
        """
        loop_thread().call_soon(self._mine().stop)

    def start_disconnecting(self) -> Future[None]:
        """Disconnect in the background and return at once; the future tells when it is done.

        It is carried through, also where the future is cancelled.
        """
        conversation, asked_s = self._mine(), time.monotonic()
        return loop_thread().start(lambda: conversation.park(asked_s))

    def start_closing(self) -> Future[None]:
        """Close in the background and return at once, as `start_disconnecting` does."""
        conversation, asked_s = self._mine(), time.monotonic()
        return loop_thread().start(lambda: conversation.close(asked_s))

    def start_clearing(self) -> Future[None]:
        """Forget what was said, in the background; what is sent from now on begins anew.

        The turns that were sent before are waited for. Where Claude Code can forget, which takes
        some milliseconds, its process goes on and the conversation has the same id; else another
        process starts with the next turn. What the session has cost so far counts on.

        Raises
        ------
        UsageError
            If the conversation is kept in a transcript, which would not forget.
        """
        conversation = self._mine()
        conversation.check_open()
        if self.options.keep_transcript:
            raise UsageError(
                "A conversation that is kept in a transcript is not forgotten; close this session "
                "and begin a new one.",
            )
        self._asked = False
        return loop_thread().start(conversation.clear)

    def __enter__(self) -> Self:
        self.connect()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        await self.aconnect()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"<ClaudeSession {self.session_id[:8]} {self.state.value}>"


def _options(options: SessionOptions | None, changes: dict[str, Any]) -> SessionOptions:
    try:
        return (options or SessionOptions()).but(**changes)
    except TypeError:
        known = SessionOptions.__dataclass_fields__
        unknown = next(name for name in changes if name not in known)
        raise OptionError(
            unknown,
            changes[unknown],
            "left out: there is no such option. There are " + ", ".join(known),
        ) from None


def _check_same_place(now: SessionOptions, wanted: SessionOptions) -> None:
    """Refuse options with which a conversation would not be found again."""
    for name in ("cwd", "keep_transcript", "session_store", "environment"):
        if getattr(now, name) != getattr(wanted, name):
            raise UsageError(f"A conversation cannot go on with another {name}; begin a new one.")
    if wanted != now and not now.keep_transcript:
        raise UsageError("A conversation that keeps no transcript cannot go on with other options.")


def _wait(ended: Future[None]) -> None:
    loop_thread().check_elsewhere()
    ended.result()


def _close_unseen(conversation: Conversation, process_id: int) -> None:
    """Close a conversation whose session was forgotten. Any thread, at any time."""
    # No new thread is started here: the garbage collector calls at any time.
    loop = running_loop_thread()
    if loop is not None and os.getpid() == process_id:
        asked_s = time.monotonic()
        loop.start(lambda: conversation.close(asked_s))


async def _close_all() -> None:
    await asyncio.gather(
        *(conversation.close(time.monotonic()) for conversation in list(_open)),
        return_exceptions=True,
    )


def _close_at_exit() -> None:
    if _open:
        with suppress(TimeoutError, Exception):
            loop_thread().run(_close_all(), EXIT_TIMEOUT_S)


atexit.register(_close_at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_open.clear)
