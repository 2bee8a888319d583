"""Who decides what Claude may do in one conversation, and what was decided so far."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from IPython.display import display

from claude_magic.errors import NobodyWaitsError
from claude_magic.session import Allow, Deny, nobody_to_ask

from .front_end import FrontEnd
from .permission.action import Kind, action_of
from .permission.asking import Choice, ask_in_text, choose
from .permission.policy import Grants, needs_consent, rule_for
from .permission.question import fenced, question_of
from .permission.sensitive import is_obeyed, is_secret
from .renderers import words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from claude_magic.session import (
        ClaudeSession,
        PermissionAnswer,
        PermissionMode,
        PermissionRequest,
        SessionOptions,
    )

    from .desk import Desk
    from .permission.action import Action
    from .permission.question import Question
    from .permission.rules import Rule
    from .renderers import Renderer


class Consent:
    """Decides about the tool calls of one conversation, and asks a person where it must.

    Parameters
    ----------
    options
        What the session is started with.
    desk
        Has the main thread ask.

    Attributes
    ----------
    grants
        What a person has allowed for the whole session.
    """

    def __init__(self, options: SessionOptions, desk: Desk) -> None:
        self._directories = options.extra_directories
        self._mode = options.permission_mode
        self._desk = desk
        self._rules: Sequence[Rule] = ()
        self._front_end = FrontEnd.BATCH
        self._session: ClaudeSession | None = None
        self._renderer: Renderer | None = None
        self.grants = Grants()

    @contextmanager
    def during(
        self,
        session: ClaudeSession,
        front_end: FrontEnd,
        renderer: Renderer,
        rules: Sequence[Rule],
        mode: PermissionMode,
    ) -> Iterator[None]:
        """Decide for one turn. Main thread only.

        Parameters
        ----------
        session
            The conversation's session, whose status tells what was allowed.
        front_end
            Where a person can be asked; there is none in a batch.
        renderer
            Shows the turn, and makes way for questions.
        rules
            What the cell itself allows.
        mode
            Claude Code's permission mode in this turn.
        """
        before = self._front_end, self._rules, self._mode
        self._front_end, self._rules, self._mode = front_end, rules, mode
        self._session, self._renderer = session, renderer
        try:
            yield
        finally:
            self._front_end, self._rules, self._mode = before

    def needed(self, request: PermissionRequest) -> bool:
        """Tell whether a call must come to `decide`, whatever Claude Code would do. Loop thread."""
        action = action_of(request, request.cwd)
        return self._asks(action) or action.request != request

    async def decide(  # noqa: PLR0911 - each way out is a reason of its own
        self,
        request: PermissionRequest,
    ) -> PermissionAnswer:
        """Decide about a call. Loop thread only."""
        action = action_of(request, request.cwd)
        if self._allowed(action, request):
            return Allow(action.request.arguments)
        if self._mode == "plan" and action.kind is not Kind.READ:
            return Deny("This is a turn for planning: nothing is run or changed.", asked=False)
        if self._mode == "dontAsk":
            return Deny(f"{request.name} needs consent and nobody is to be asked.", asked=False)
        if self._front_end is FrontEnd.BATCH:
            return nobody_to_ask(request)
        try:
            choice, reason = await self._desk.perform(lambda: self._ask(action))
        except NobodyWaitsError:
            return nobody_to_ask(request)
        match choice:
            case Choice.ONCE:
                return Allow(action.request.arguments)
            case Choice.SESSION:
                self.grants.grant(rule_for(action, request.cwd))
                self._tell()
                return Allow(action.request.arguments)
            case Choice.NO:
                return Deny(f"The user said no: {reason}" if reason else "The user said no.")
            case Choice.STOP:
                return Deny("The user stopped here.", stop=True)

    def revoke(self, which: str) -> Rule:
        """Take back what was allowed for the session. Any thread.

        Parameters
        ----------
        which
            The rule, or its number from 1.

        Raises
        ------
        UsageError
            If there is no such rule.
        """
        revoked = self.grants.revoke(which)
        self._tell()
        return revoked

    def _tell(self) -> None:
        if self._session is not None:
            self._session.tell_granted([str(rule) for rule in self.grants.rules])

    def _asks(self, action: Action) -> bool:
        if self._mode == "acceptEdits" and action.kind is Kind.EDIT:
            # Claude Code asks where a file is outside of its directories.
            return any(is_secret(place) or is_obeyed(place) for place in action.places)
        return needs_consent(action, action.request.cwd, self._directories)

    def _allowed(self, action: Action, request: PermissionRequest) -> bool:
        rules = (*self._rules, *self.grants.rules)
        if any(rule.allows(action, request.cwd) for rule in rules):
            return True
        # A search that was asked for only to be kept away from certain files.
        return action.request != request and not self._asks(action)

    def _ask(self, action: Action) -> tuple[Choice, str]:
        """Ask a person, on the main thread."""
        question = question_of(action.request, action.request.cwd)
        narrowest = rule_for(action, action.request.cwd)
        # Of some actions each has to be asked for.
        rule = narrowest if narrowest.allows(action, action.request.cwd) else None
        if self._renderer is not None:
            self._renderer.make_way("Claude needs your consent:")
        with _interruptible():
            if self._front_end is FrontEnd.NOTEBOOK:
                _show(question)
                return choose(input, print, rule)
            return ask_in_text(question, input, print, rule)


def _show(question: Question) -> None:
    """Show a question as Markdown, above the field for the answer."""
    parts = [f"**{question.title}**", fenced(question.body, question.language)]
    if question.note:
        parts.append(fenced(question.note, None))
    text = "\n\n".join(parts)
    display(words.text_bundle(text), raw=True)


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
