"""The sessions of one kernel, by name."""

from __future__ import annotations

import re
import threading
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from claude_magic.errors import BrokenEntriesError, OptionError, StoreError, UsageError

from .foreign_json import Skipped
from .loop import loop_thread
from .named import NamedSession
from .options import SessionOptions
from .place import Place
from .pool import Pool
from .records import Record, Records
from .served import Caller
from .session import ClaudeSession
from .transcript import transcribed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from claude_magic.errors import ClaudeMagicError

#: The name of the kernel's own conversation.
MAIN = "main"

#: So many Claude Code processes run at once, if nothing else is said.
DEFAULT_MAX_LIVE = 4

#: How long a session store is waited for that is asked what it has, in seconds.
STORE_TIMEOUT_S = 20.0

#: An id may be cut to so many characters, where that leaves no doubt.
SHORTEST_ID = 6

_NAME = re.compile(r"\w[\w.-]{0,39}")


class SessionRegistry:
    """The conversations of one kernel: its own, called `MAIN`, and any number of others.

    They run in parallel and never hear of each other. At most `max_live` of them have a process at
    a time. Any thread may call, and only `resume`, `end_others` and `close` wait for Claude Code.

    Parameters
    ----------
    options
        What conversations are started with.
    max_live
        How many Claude Code processes there may be, from 1.
    notebook
        The notebook that the conversations belong to, by which they are found again later.
    caller
        Makes what the kernel does for a session while its turns go on; None for nothing.

    Attributes
    ----------
    options
        What conversations with a new name are started with.
    main
        The kernel's own conversation.
    """

    def __init__(
        self,
        options: SessionOptions | None = None,
        *,
        max_live: int = DEFAULT_MAX_LIVE,
        notebook: str | None = None,
        caller: Callable[[SessionOptions], Caller] | None = None,
    ) -> None:
        self.options = (options or SessionOptions()).but(notebook=notebook)
        self._pool = Pool(max_live)
        self._caller = caller or _idle_caller
        # Held while a name is given or taken away.
        self._lock = threading.Lock()
        # Loop thread only.
        self._listeners: list[Callable[[], object]] = []
        self.main = self._named(self._make(self.options.but(name=MAIN)))
        self._others: dict[str, NamedSession] = {}

    def _make(self, options: SessionOptions, resume: Place | None = None) -> ClaudeSession:
        caller = self._caller(options)
        return ClaudeSession(
            options,
            resume=resume,
            on_permission=caller.decide,
            consent_for=caller.consent_for,
            toolbox=caller.toolbox,
            revoke=caller.revoke,
            pool=self._pool,
        )

    @property
    def max_live(self) -> int:
        """How many Claude Code processes there may be, from 1.

        Where there are more, idle ones are closed at once, in the background.
        """
        return self._pool.max_live

    @max_live.setter
    def max_live(self, number: int) -> None:
        self._pool.max_live = number
        loop_thread().call_soon(self._pool.look)

    @property
    def all(self) -> dict[str, NamedSession]:
        """The conversations by name, the kernel's own first."""
        with self._lock:
            return {MAIN: self.main, **self._others}

    def find(self, name: str) -> NamedSession:
        """Return a conversation that there is.

        Raises
        ------
        UsageError
            If there is none of this name; the text names those that there are.
        """
        known = self.all
        if name not in known:
            raise UsageError(
                f"There is no conversation {name!r}; there are: {', '.join(known)}.",
            )
        return known[name]

    def get(self, name: str) -> NamedSession:
        """Return the conversation of a name; the first use of a name begins one.

        Raises
        ------
        OptionError
            If it cannot be a name, or the options have become impossible.
        """
        _check_name(name)
        with self._lock:
            if name == MAIN:
                return self.main
            if name not in self._others:
                self._others[name] = self._named(self._make(self.options.but(name=name)))
            return self._others[name]

    def fork(self, name: str, of: str = MAIN) -> NamedSession:
        """Branch a conversation: begin one of a new name that has all so far in common with it.

        Parameters
        ----------
        name
            What the branch is called.
        of
            The conversation to branch, whose options the branch has but for its name.

        Raises
        ------
        OptionError
            If it cannot be a name.
        UsageError
            If the name is taken, or there is nothing of that name to branch.
        """
        original = self.find(of)
        with self._lock:
            self._check_free(name)
            options = original.session.chosen.but(name=name)
            session = self._make(options, original.session.branch())
            self._others[name] = self._named(session)
            return self._others[name]

    def resume(self, session_id: str, name: str = MAIN, **changes: Any) -> NamedSession:
        """Go on with an earlier conversation under a name, in place of the one that has it.

        Waits until it is connected; where that fails, nothing changes.

        Parameters
        ----------
        session_id
            The conversation's id, or its beginning.
        name
            What it is called from now on.
        **changes
            Fields of `SessionOptions` that are to differ.

        Raises
        ------
        UsageError
            If there is no such conversation, or more than one.
        OptionError
            If it cannot be a name, or an option has an impossible value.
        StoreError
            If it is not on this machine and the session store cannot be asked.
        StartError
            If it does not come up.
        SessionHeldError
            If the conversation is open elsewhere.
        """
        _check_name(name)
        found = self._find_past(session_id)
        for other, named in self.all.items():
            if named.status.session_id == found:
                if other == name and not changes:
                    return named
                raise UsageError(
                    f"This conversation is open here already, as {other!r}, and goes on as it is."
                )
        session = self._make(self._options_there(found, name).but(**changes), Place.of(found))
        try:
            session.connect()
        except BaseException:
            session.start_closing()
            raise
        with self._lock:
            if name == MAIN:
                self.main.put(session)
                return self.main
            if name in self._others:
                self._others[name].put(session)
            else:
                self._others[name] = self._named(session)
            return self._others[name]

    def branch(self, session_id: str, name: str, **changes: Any) -> NamedSession:
        """Branch an earlier conversation, which may be open elsewhere, under a new name.

        Parameters
        ----------
        session_id
            The conversation's id, or its beginning.
        name
            What the branch is called.
        **changes
            Fields of `SessionOptions` that are to differ.

        Raises
        ------
        UsageError
            If there is no such conversation, or more than one, or the name is taken.
        OptionError
            If it cannot be a name, or an option has an impossible value.
        """
        found = self._find_past(session_id)
        options = self._options_there(found, name).but(**changes)
        with self._lock:
            self._check_free(name)
            session = self._make(options, Place.of(found).branch())
            self._others[name] = self._named(session)
            return self._others[name]

    def _options_there(self, session_id: str, name: str) -> SessionOptions:
        """Return options for going on with an earlier conversation."""
        options = self.options_of(name)
        record = Records(options.environment).get(session_id)
        if record is not None and record.cwd is not None:
            # Claude Code finds a conversation by the directory that it was held in. One of another
            # machine has no record here yet; it goes on where this kernel works.
            options = options.but(cwd=Path(record.cwd))
        return options

    def _check_free(self, name: str) -> None:
        _check_name(name)
        if name == MAIN or name in self._others:
            raise UsageError(
                f"There is a conversation {name!r} already: `%%claude -s {name}` talks in it. "
                f"Choose another name for the branch, or end that one with `%claude_reset {name}`.",
            )

    def past(
        self,
        *,
        everywhere: bool = False,
        unreachable: Callable[[ClaudeMagicError], object] = lambda _: None,
    ) -> list[Record]:
        """Return earlier conversations that are not open here, the last used first.

        Reads files, for a few milliseconds, and asks the session store, where there is one.

        Parameters
        ----------
        everywhere
            Whether to list those of other notebooks, too.
        unreachable
            Called with a `StoreError` if the store fails, which leaves those of this machine, and
            with a `BrokenEntriesError` if some are left out because what is kept of them is broken.
        """
        options = self.main.options
        own = {named.status.session_id for named in self.all.values()}
        notebook = None if everywhere else self.options.notebook
        broken = Skipped()
        records = Records(options.environment).past(notebook, broken)
        if broken:
            unreachable(BrokenEntriesError("The records on this machine", str(broken)))
        if options.session_store is not None:
            from .stores.store_copy import stored_records  # noqa: PLC0415 - only with a store

            found = {record.session_id: record for record in records}
            with _reported(unreachable):
                stored = stored_records(options.session_store).result(STORE_TIMEOUT_S)
                if stored.skipped:
                    told = BrokenEntriesError(f"The session store {stored.shown}", stored.skipped)
                    unreachable(told)
                for record in stored.records:
                    ours = found.get(record.session_id)
                    if notebook in {None, record.notebook} and (
                        ours is None or ours.used_s < record.used_s
                    ):
                        found[record.session_id] = record
            records = sorted(found.values(), key=lambda record: record.used_s, reverse=True)
        return [record for record in records if record.session_id not in own]

    def options_of(self, name: str) -> SessionOptions:
        """Return what the next session of a name is started with, whether or not there is one."""
        named = self.all.get(name)
        return named.options if named is not None else self.options.but(name=name)

    def end(self, name: str) -> NamedSession:
        """End a conversation in the background and return it; its name is free again.

        The kernel's own conversation is not ended but reset, by its `reset`.

        Raises
        ------
        UsageError
            If there is none of this name, or it is the kernel's own.
        """
        if name == MAIN:
            raise UsageError("The kernel's own conversation has no end; reset it instead.")
        named = self.find(name)
        with self._lock:
            self._others.pop(name, None)
        named.session.start_closing()
        loop_thread().call_soon(self._tell)
        return named

    def end_others(self) -> None:
        """End all conversations but the kernel's own, and wait until nothing is left of them."""
        for named in [self.end(name) for name in self.all if name != MAIN]:
            named.close()

    def change(self, **changes: Any) -> bool:
        """Change what conversations are started with.

        Those in which nothing was said yet are begun anew with it at once, where they are.

        Parameters
        ----------
        **changes
            Fields of `SessionOptions`.

        Returns
        -------
        bool
            Whether it holds for all conversations; those that have begun keep what they had until
            they are reset.

        Raises
        ------
        OptionError
            If a value is impossible; nothing changes then.
        """
        options = self.options.but(**changes)
        everywhere = True
        for named in self.all.values():
            if named.session.begun:
                named.options = named.options.but(**changes)
                everywhere = False
            else:
                live = named.status.state.live
                named.reset(named.options.but(**changes))
                if live:
                    named.connect()
        self.options = options
        return everywhere

    def close(self) -> None:
        """End all conversations and wait until nothing is left of them."""
        everyone = self.all.values()
        for named in everyone:
            named.session.start_closing()
        for named in everyone:
            named.close()

    def subscribe(self, listener: Callable[[], object]) -> Callable[[], None]:
        """Call `listener` whenever a conversation begins, changes or ends, and once now.

        Parameters
        ----------
        listener
            Called on the loop thread. It must return at once and must not raise.

        Returns
        -------
        Callable
            Ends the subscription; calling it again is harmless.
        """
        loop = loop_thread()

        def begin() -> None:
            self._listeners.append(listener)
            listener()

        def end() -> None:
            with suppress(ValueError):
                self._listeners.remove(listener)

        loop.call_soon(begin)
        return lambda: loop.call_soon(end)

    def _tell(self, _status: object = None) -> None:
        for listener in list(self._listeners):
            listener()

    def _named(self, session: ClaudeSession) -> NamedSession:
        named = NamedSession(session, self._make)
        # Soon, when it has its name; nobody may be called while the lock is held.
        loop_thread().call_soon(named.subscribe, self._tell)
        return named

    def _find_past(self, start: str) -> str:
        """Return the one id that begins so."""
        if len(start) < SHORTEST_ID:
            raise UsageError(f"{start!r} is too short for an id; give {SHORTEST_ID} characters.")
        options = self.main.options
        known = transcribed(options.environment)
        found = sorted(each for each in known if each.startswith(start.lower()))
        if not found and options.session_store is not None:
            from .stores.store_copy import stored_ids  # noqa: PLC0415 - only with a store

            with _reported(_raise):
                known = stored_ids(options.session_store).result(STORE_TIMEOUT_S)
            found = sorted(each for each in known if each.startswith(start.lower()))
        if not found:
            raise UsageError(
                f"There is no conversation {start!r}. "
                "`%claude_sessions --past --all` lists those that there are.",
            )
        if len(found) > 1:
            raise UsageError(f"{start!r} begins more than one id: {', '.join(found)}.")
        return found[0]


@contextmanager
def _reported(unreachable: Callable[[StoreError], object]) -> Iterator[None]:
    """Hand a failure of the session store on, one to answer in time included."""
    try:
        yield
    except StoreError as error:
        unreachable(error)
    except FutureTimeoutError:  # of its own kind in Python 3.10
        unreachable(StoreError("", f"no answer within {STORE_TIMEOUT_S:g} s"))


def _raise(error: StoreError) -> None:
    raise error


def _idle_caller(_options: SessionOptions) -> Caller:
    return Caller()


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise OptionError("name", name, "up to 40 letters, digits, and _ - . behind the first")
