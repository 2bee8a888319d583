"""Who decides what Claude may do in one conversation, and what was decided so far."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from claude_magic.errors import NobodyWaitsError
from claude_magic.session import Allow, Deny, nobody_to_ask

from . import permission
from .front_end import FrontEnd
from .permission.grants import Grants
from .screen import UnseenError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from claude_magic.session import (
        ClaudeSession,
        PermissionAnswer,
        PermissionMode,
        PermissionRequest,
        SessionOptions,
        Turn,
    )

    from .desk import Desk
    from .permission import Action, Choice, Rule
    from .person import Person
    from .renderers import Renderer


@dataclass(frozen=True, slots=True)
class Terms:
    """On what terms one turn may do what needs consent.

    Attributes
    ----------
    mode
        Claude Code's permission mode.
    rules
        What the cell itself allows.
    front_end
        What stands in front of the person who can be asked; a batch has none.
    renderer
        Shows the turn, and makes way for questions; None where nobody is asked.
    session
        The session, whose status tells what was allowed for all of it.
    """

    mode: PermissionMode
    rules: tuple[Rule, ...] = ()
    front_end: FrontEnd = FrontEnd.BATCH
    renderer: Renderer | None = None
    session: ClaudeSession | None = None


class Consent:
    """Decides about the tool calls of one conversation, and asks a person where it must.

    It is the session's `on_permission`. What belongs to no turn of a cell, such as what Claude does
    by itself between prompts, is decided without anybody being asked.

    Parameters
    ----------
    options
        What the session is started with.
    desk
        Has the main thread ask.
    person
        Who is asked.

    Attributes
    ----------
    grants
        What a person has allowed for the whole session.
    """

    def __init__(self, options: SessionOptions, desk: Desk, person: Person) -> None:
        self._directories = options.extra_directories
        self._own = Terms(options.permission_mode)
        self._desk = desk
        self._person = person
        self._terms: WeakKeyDictionary[Turn, Terms] = WeakKeyDictionary()
        self.grants = Grants()

    def agree(self, turn: Turn, terms: Terms) -> None:
        """Decide about a turn on terms of its own. Right behind its sending, main thread."""
        self._terms[turn] = terms

    def needed(self, request: PermissionRequest) -> bool:
        """Tell whether a call must come here, whatever Claude Code would do. Loop thread."""
        action = permission.action_of(request, request.cwd)
        return self._asks(action, self._terms_of(request)) or action.request != request

    def revoke(self, rule: str) -> list[str]:
        """Take back what a person has allowed, and return what is left allowed. Any thread.

        Raises
        ------
        UsageError
            If there is no such rule.
        """
        self.grants.revoke(rule)
        return [str(rule) for rule in self.grants.rules]

    async def __call__(self, request: PermissionRequest) -> PermissionAnswer:
        """Decide about a call. Loop thread only."""
        terms, action = self._terms_of(request), permission.action_of(request, request.cwd)
        refusal = action.objection
        if terms.mode == "plan" and action.kind is not permission.Kind.READ:
            refusal = "This is a turn for planning: nothing is run or changed."
        if refusal:
            return Deny(refusal, asked=False)
        if self._allowed(action, request, terms):
            return Allow(action.request.arguments)
        if terms.mode == "dontAsk":
            return Deny(f"{request.name} needs consent and nobody is to be asked.", asked=False)
        if terms.front_end is FrontEnd.BATCH:
            return nobody_to_ask(request)
        return await self._asked(action, request, terms)

    async def _asked(
        self,
        action: Action,
        request: PermissionRequest,
        terms: Terms,
    ) -> PermissionAnswer:
        """Have a person asked on the main thread, and return what they answered."""
        try:
            choice, reason = await self._desk.perform(lambda: self._ask(action, request, terms))
        except NobodyWaitsError:
            return nobody_to_ask(request)
        except UnseenError:
            return Deny(
                f"The output of this cell is captured, so the user could not see what "
                f"{request.name} would do. Go on without it, or say what you would have done.",
                asked=False,
            )
        if choice is permission.Choice.SESSION:
            self.grants.grant(permission.rule_for(action, request.cwd))
            if terms.session is not None:
                terms.session.tell_granted([str(rule) for rule in self.grants.rules])
        return _answer(choice, reason, action)

    def _terms_of(self, request: PermissionRequest) -> Terms:
        return self._terms.get(request.turn, self._own) if request.turn is not None else self._own

    def _asks(self, action: Action, terms: Terms) -> bool:
        if terms.mode == "acceptEdits" and action.kind is permission.Kind.EDIT:
            cwd = action.request.cwd
            return not permission.is_ordinary_edit(action, cwd, self._directories)
        return permission.needs_consent(action, action.request.cwd, self._directories)

    def _allowed(self, action: Action, request: PermissionRequest, terms: Terms) -> bool:
        rules = (*terms.rules, *self.grants.rules)
        if any(rule.allows(action, request.cwd) for rule in rules):
            return True
        # A search that was asked for only to be kept away from certain files.
        return action.request != request and not self._asks(action, terms)

    def _ask(
        self,
        action: Action,
        request: PermissionRequest,
        terms: Terms,
    ) -> tuple[Choice, str]:
        """Ask a person, on the main thread."""
        # An interrupt must reach it from the beginning on, or the field would open for nobody.
        with _interruptible():
            if self._allowed(action, request, terms):
                # By an answer that was given while this question waited.
                return permission.Choice.ONCE, ""
            question = permission.question_of(_shown(action, request), request.cwd)
            narrowest = permission.rule_for(action, request.cwd)
            # Of some actions each has to be asked for.
            each_time = permission.is_asked_each_time(action, request.cwd)
            covered = not each_time and narrowest.allows(action, request.cwd)
            rule = narrowest if covered else None
            if terms.renderer is not None:
                terms.renderer.make_way("Claude asks for permission:")
            return self._person.ask(question, rule, terms.front_end)


def _shown(action: Action, request: PermissionRequest) -> PermissionRequest:
    """Return a call as a person reads it: as it would run, with the glob that Claude wrote."""
    arguments = dict(action.request.arguments)
    if request.name == "Grep" and arguments.pop("glob", None) is not None:
        written = request.arguments.get("glob")
        arguments |= {} if written is None else {"glob": written}
    return replace(request, arguments=arguments)


def _answer(choice: Choice, reason: str, action: Action) -> PermissionAnswer:
    match choice:
        case permission.Choice.ONCE | permission.Choice.SESSION:
            return Allow(action.request.arguments)
        case permission.Choice.NO:
            return Deny(f"The user said no: {reason}" if reason else "The user said no.")
        case permission.Choice.STOP:
            return Deny("The user stopped here.", stop=True)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let an interrupt reach the question, and by it the turn."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
