"""The magics: each parses its line and calls something that works without it."""

from __future__ import annotations

import sys
import threading
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args
from weakref import WeakKeyDictionary

from IPython.core.magic import (
    Magics,
    line_cell_magic,
    line_magic,
    magics_class,
    no_var_expand,
)
from IPython.core.magic_arguments import argument, magic_arguments
from IPython.display import display

from claude_magic import masking
from claude_magic.errors import (
    ClaudeMagicError,
    OptionError,
    StoreError,
    TurnInterruptedError,
    UsageError,
)
from claude_magic.session import (
    MAIN,
    READING_TOOLS,
    Caller,
    ClaudeSession,
    Effort,
    SessionOptions,
    SessionRegistry,
)
from claude_magic.widgets import ControlChannel

from . import renderers
from .answers import Form, fenced
from .arguments import dollars, parse_options, split, variable_name
from .cells import Proposals
from .completion import prompt_matcher
from .configuration import FIELDS, Configuration
from .consent import Consent, Terms
from .desk import Desk
from .failure import brief_failures
from .far_end import FarEnd
from .front_end import FrontEnd, front_end, notebook_path
from .kernel.history import CellHistory
from .kernel.runner import PythonRunner
from .kernel_context import KernelContext
from .kernel_secrets import KernelSecrets
from .kernel_tools import KernelTools
from .link import Link
from .manual import manual
from .person import Person
from .presence import Presence
from .prompt import compose, readable
from .pump import pump
from .reply import Reply
from .request import Request, option_changes
from .screen import captures_displays
from .turn_options import options_for_turn
from .verbatim import without_last_line_end

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from IPython.core.interactiveshell import InteractiveShell
    from traitlets import Bunch

    from claude_magic.session import NamedSession, Prompt, Turn, TurnFinished
    from claude_magic.tape import Deck, Demo
    from claude_magic.widgets import CorePanel, StatusPanel

    from .lasting import LastingTurn
    from .renderers import Renderer


#: What `%claude_fix` asks, and what goes with it.
FIX = (
    "Why has my last cell failed? Tell me in a few sentences, then propose it corrected, in its "
    "place."
)
FAILED = "The cell [{number}]:\n\n{source}\n\nIts traceback:\n\n{error}"


@dataclass(frozen=True, slots=True)
class Side:
    """The kernel's side of one session.

    Attributes
    ----------
    proposals
        The cells that Claude has proposed in it.
    context
        What it knows of the kernel.
    """

    proposals: Proposals
    context: KernelContext


@magics_class
class ClaudeMagics(Configuration, Magics):
    """The kernel's conversations with Claude Code, and the magics that reach them.

    Owns the kernel's sessions, and the demo or the tape that `%claude_connect` has started;
    `close` ends both. Main thread only.

    Parameters
    ----------
    shell
        The IPython shell that the magics belong to.

    Raises
    ------
    traitlets.TraitError
        If the configuration holds an impossible value or an unknown name.
    """

    shell: InteractiveShell

    def __init__(self, shell: InteractiveShell) -> None:
        super().__init__(shell)
        self._desk = Desk()
        #: What the front end asks of this kernel while a cell is running.
        self.control = ControlChannel(getattr(shell, "kernel", None))
        self._presence = Presence()
        self._person = Person(self.shell, self.control, self._presence)
        self._history = CellHistory(shell)
        self._history.start()
        self._runner = PythonRunner(shell)
        #: Masks values of secret variables at every exit of text.
        self.secrets = KernelSecrets(shell)
        self.secrets.start()
        #: What the JupyterLab extension hears and asks.
        self.link = Link(shell, self._history, self.control, self._person, self._presence)
        # What the kernel does for its sessions, by who decides in each of them, which the session
        # keeps; by the session itself where that is somebody else.
        self._sides: WeakKeyDictionary[Consent | ClaudeSession, Side] = WeakKeyDictionary()
        self.sessions = SessionRegistry(
            SessionOptions(**self.session_options),
            max_live=self.max_live_sessions,
            notebook=notebook_path(shell),
            caller=self._caller,
        )
        #: Completes names and options in prompts.
        self.matcher = prompt_matcher(shell, self._parser_of)
        self._lasting: dict[str, list[LastingTurn]] = {}
        self._far_end = FarEnd()
        self._panels: dict[type, StatusPanel | CorePanel] = {}
        # What --last has found, by name.
        self._lasts: dict[str, str] = {}
        self.observe(self._configured, list(FIELDS))
        self.observe(self._configured_pool, "max_live_sessions")

    @property
    def session(self) -> ClaudeSession:
        """The session that the next cell talks to."""
        return self.sessions.main.session

    def ask(self, request: Request, session: ClaudeSession | None = None) -> Any:
        """Send a prompt and show its answer in the running cell.

        Parameters
        ----------
        request
            What is asked.
        session
            Where it is sent; None for the kernel's own conversation.

        Returns
        -------
        Any
            The answer as what was asked for, or as a `Reply`.

        Raises
        ------
        UsageError
            If it cannot be sent; nothing is.
        ClaudeMagicError
            If there is no complete answer, or it is not what was asked for.
        """
        self._check_possible()
        session = session or self.session
        front, side = front_end(self.shell), self._side(session)
        renderer = self._renderer(session)
        prompt = self._compose(request, side)
        options = options_for_turn(session, self._changes(request, session))
        mode = (options or session.chosen).permission_mode
        terms = Terms(mode, request.rules, front, renderer, session)
        try:
            finished = pump(
                session,
                prompt,
                renderer,
                self._desk,
                options=options,
                on_sent=lambda turn: _agree(session, turn, terms),
            )
            if request.context:
                side.context.remember()
            return self._keep(request, finished, side, front)
        finally:
            side.proposals.drop()

    def _parser_of(self, name: str) -> ArgumentParser | None:
        magic = getattr(self, name, None) if name in self.magics["line"] else None
        return getattr(magic, "parser", None)

    def _side(self, session: ClaudeSession) -> Side:
        """Return what the kernel does for a session, one of somebody else's making included."""
        decide = session.on_permission
        owner = decide if isinstance(decide, Consent) else session
        side = self._sides.get(owner)
        if side is None:
            side = self._sides[owner] = self._new_side()
        return side

    def _new_side(self) -> Side:
        proposals = Proposals(self.shell, self._history, self.link)
        return Side(proposals, KernelContext(self.shell, self._history, proposals))

    def _compose(self, request: Request, side: Side) -> Prompt:
        try:
            self.secrets.learn()
            return compose(
                request.prompt,
                self.shell.user_ns,
                request.form,
                request.attached,
                side.context.told() if request.context else "",
                known=self.secrets.mask,
            )
        except KeyboardInterrupt:
            raise TurnInterruptedError(sent=False) from None

    def _changes(self, request: Request, session: ClaudeSession) -> dict[str, Any]:
        changes = dict(request.changes)
        if request.max_cost_usd is not None:
            budget_usd = session.chosen.budget_usd
            limit_usd = session.status.cost_usd + request.max_cost_usd
            changes["budget_usd"] = limit_usd if budget_usd is None else min(limit_usd, budget_usd)
        return changes

    def _keep(
        self,
        request: Request,
        finished: TurnFinished,
        side: Side,
        front: FrontEnd,
    ) -> Any:
        """Do with an answer what was asked for."""
        value = request.value_of(finished)
        if request.target is not None:
            side.proposals.place(value, request.target, request.prompt)
        side.proposals.insert(front)
        result = Reply.of(finished) if value is None else value
        if request.output is not None:
            self.shell.push({request.output: result})
        return result

    def ask_once(self, request: Request) -> Any:
        """Ask without any context: in a conversation that ends with the answer.

        Raises
        ------
        ClaudeMagicError
            As `ask`.
        """
        changes = {**request.changes, "budget_usd": request.max_cost_usd}
        options = self.sessions.options.but(**changes, keep_transcript=False, name=None)
        caller = self._caller(options)
        session = ClaudeSession(
            options,
            on_permission=caller.decide,
            consent_for=caller.consent_for,
            toolbox=caller.toolbox,
        )
        try:
            return self.ask(replace(request, changes={}, max_cost_usd=None), session)
        finally:
            session.start_closing()

    def ask_lasting(self, request: Request, named: NamedSession) -> None:
        """Send a prompt whose answer appears in the cell while other cells run.

        Raises
        ------
        UsageError
            If it cannot be sent, or there is no notebook for it, or it is for another cell's place.
        """
        from .lasting import LastingTurn, check_lasting  # noqa: PLC0415 - few turns are such

        self._check_possible()
        check_lasting(self.shell)
        if request.target is not None:
            raise UsageError("--bg goes without --cell and --here: by then another cell may run.")
        session, side = named.session, self._side(named.session)
        options = options_for_turn(session, self._changes(request, session))
        turn = session.send(self._compose(request, side), options=options)
        # The cell ends, and with it whoever could be asked.
        mode = (options or session.chosen).permission_mode
        _agree(session, turn, Terms(mode, request.rules))
        if request.context:
            side.context.remember()
        lasting = LastingTurn(
            self.shell,
            turn,
            session.status,
            # What goes into cells is shown: no cell waits for it.
            lambda finished: self._keep(request, finished, side, FrontEnd.BATCH),
        )
        turns = self._lasting.setdefault(named.status.name or MAIN, [])
        turns[:] = [*(each for each in turns if not each.turn.settled), lasting]

    def _caller(self, options: SessionOptions) -> Caller:
        """Return what the kernel does for a session of its own."""
        consent = Consent(options, self._desk, self._person)
        side = self._sides[consent] = self._new_side()
        tools = KernelTools(
            self.shell,
            self._desk,
            self._history,
            self._runner,
            side.proposals,
            secrets=self.secrets,
        )
        return Caller(consent, consent.needed, tools.toolbox, consent.revoke)

    def _check_possible(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            raise UsageError("A prompt needs the main thread of the kernel; nothing was sent.")
        if self._runner.running:
            # The turn that runs the code would wait for this one, and this one for that turn.
            raise UsageError("Code that Claude runs cannot ask Claude; nothing was sent.")

    def _renderer(self, session: ClaudeSession) -> Renderer:
        match front_end(self.shell):
            case FrontEnd.NOTEBOOK if not captures_displays(self.shell):
                return renderers.LiveRenderer(session.status)
            case FrontEnd.NOTEBOOK | FrontEnd.BATCH:
                return renderers.FinalRenderer(session.status)
            case FrontEnd.STREAM | FrontEnd.CONSOLE:
                return renderers.ConsoleRenderer(session.status)

    def _configured(self, change: Bunch) -> None:
        """Start conversations with a new value from now on."""
        if not self.sessions.change(**{change.name: change.new}):
            sys.stdout.write(
                f"{change.name} holds for conversations that start from now on; "
                "`%claude_reset` starts one.\n",
            )

    def _configured_pool(self, change: Bunch) -> None:
        self.sessions.max_live = change.new

    def close(self) -> None:
        """End the conversations, panel, demo and tape; wait until nothing is left of them."""
        self.link.close()
        self._history.stop()
        self.secrets.stop()
        self._runner.close()
        self.sessions.close()
        for panel in self._panels.values():
            panel.close()
        self.control.close()
        self._far_end.replace(None, {})

    # -- prompts -------------------------------------------------------------------------------

    @no_var_expand
    @magic_arguments()
    @argument(
        "-o",
        "--output",
        metavar="NAME",
        type=variable_name,
        help="keep the answer in the variable NAME: with its text, model, usage, cost and session "
        "id, or as what --as or --schema make of it",
    )
    @argument(
        "-s",
        "--session",
        metavar="NAME",
        help="talk in the conversation NAME; the first use of a name begins one",
    )
    @argument(
        "--fork",
        metavar="NAME",
        help="branch the conversation so far under a new NAME, and talk there",
    )
    @argument(
        "--once",
        action="store_true",
        help="ask without the conversation, and leave nothing in it",
    )
    @argument(
        "--as",
        dest="form",
        choices=[form.value for form in Form],
        help="turn the answer into this",
    )
    @argument(
        "--schema",
        metavar="NAME",
        help="have the answer meet the schema in the variable NAME: a pydantic model, a dataclass "
        "or a JSON schema",
    )
    @argument("--cell", action="store_true", help="put the code of the answer into a new cell")
    @argument(
        "--here",
        action="store_true",
        help="put the code of the answer in the place of the prompt, which stays as a comment",
    )
    @argument("--model", metavar="NAME", help="the model, for this turn alone")
    @argument("--effort", choices=get_args(Effort), help="how hard it thinks, for this turn alone")
    @argument(
        "--tools",
        metavar="NAMES",
        help="the tools that Claude has in this turn, such as Read,Bash; 'none' for none",
    )
    @argument(
        "--allow",
        metavar="RULES",
        help="what may run unasked in this turn, such as kernel,edit:src/**",
    )
    @argument("--plan", action="store_true", help="have Claude look and plan, and change nothing")
    @argument(
        "--max-cost",
        metavar="USD",
        type=dollars,
        help="stop this turn where it has cost so much, in US dollars",
    )
    @argument("--bg", action="store_true", help="answer in this cell while other cells run")
    @argument(
        "--no-context",
        action="store_true",
        help="do not tell Claude what has changed in the kernel",
    )
    @line_cell_magic
    def claude(self, line: str, cell: str | None = None) -> None:
        """Send a prompt to Claude, in the conversation of this kernel.

        As ``%%claude`` the body of the cell is the prompt; as ``%claude`` the rest of the line.
        Either is sent as it is written. Options stand on the magic's own line, before the prompt.
        """
        with brief_failures():
            if cell is None:
                options, prompt = split(self.claude, line)
                if options.cell or options.here:
                    raise UsageError("--cell and --here are for %%claude cells.")
            else:
                options, prompt = parse_options(self.claude, line), without_last_line_end(cell)
            request = Request.of(prompt, options, self.shell.user_ns)
            if options.once:
                if options.session or options.fork or options.bg:
                    raise UsageError("--once goes without --session, --fork and --bg.")
                self.ask_once(request)
                return
            named = self._addressed(options)
            # Nobody watches a batch or a capture, and what it holds must be complete in the end.
            if options.bg and not self._kept_when_complete():
                self.ask_lasting(request, named)
            else:
                self.ask(request, named.session)

    def _kept_when_complete(self) -> bool:
        return front_end(self.shell) is FrontEnd.BATCH or captures_displays(self.shell)

    def _addressed(self, options: Namespace) -> NamedSession:
        """Return the conversation that a prompt is for."""
        name = options.session or MAIN
        if options.fork is not None:
            return self.sessions.fork(options.fork, name)
        return self.sessions.get(name)

    @magic_arguments()
    @argument("name", nargs="?", default=MAIN, metavar="NAME", help="the conversation")
    @line_magic
    def claude_stop(self, line: str) -> None:
        """Stop the answer that a ``--bg`` cell waits for; what was said stays."""
        with brief_failures():
            name = parse_options(self.claude_stop, line).name
            self.sessions.find(name)
            under_way = [each for each in self._lasting.get(name, []) if not each.turn.settled]
            if not under_way:
                raise UsageError(f"Nothing is being answered in {name!r}.")
            under_way[0].turn.interrupt()

    @magic_arguments()
    @argument("rule", metavar="RULE", help="what %%claude_status shows as unasked, or its number")
    @argument("-s", "--session", metavar="NAME", default=MAIN, help="the conversation")
    @line_magic
    def claude_revoke(self, line: str) -> None:
        """Take back what was allowed for the rest of a session."""
        with brief_failures():
            chosen = parse_options(self.claude_revoke, line)
            session = self.sessions.find(chosen.session).session
            if not isinstance(session.on_permission, Consent):
                raise UsageError("Somebody else decides in this conversation.")
            grants = session.on_permission.grants
            revoked = grants.revoke(chosen.rule)
            session.tell_granted([str(rule) for rule in grants.rules])
            sys.stdout.write(f"{revoked} is asked for again.\n")

    @no_var_expand
    @magic_arguments()
    @line_cell_magic
    def claude_context(self, line: str, cell: str | None = None) -> None:
        """Show exactly what would be sent with a prompt, and send nothing."""
        with brief_failures():
            text = line if cell is None else without_last_line_end(cell)
            context = self._side(self.session).context
            self.secrets.learn()
            told = compose(text, self.shell.user_ns, None, context.told(), known=self.secrets.mask)
            sys.stdout.write(readable(told) + "\n" if told else "Nothing would be sent.\n")

    @magic_arguments()
    @line_magic
    def claude_help(self, line: str) -> None:
        """Show all magics with their options."""
        with brief_failures():
            parse_options(self.claude_help, line)
            text = manual(type(self))
            if front_end(self.shell) in {FrontEnd.STREAM, FrontEnd.CONSOLE}:
                sys.stdout.write(text)
            else:
                display(renderers.words.text_bundle(text), raw=True)

    @magic_arguments()
    @line_magic
    def claude_fix(self, line: str) -> None:
        """Explain the last failed cell from its traceback, and propose it corrected."""
        with brief_failures():
            parse_options(self.claude_fix, line)
            error, failed = self._history.last_error(), self._history.last_failure()
            if error is None or failed is None:
                raise UsageError("No cell has failed since the extension was loaded.")
            told = FAILED.format(
                number=failed.number,
                source=fenced(masking.mask(failed.source), "python"),
                error=fenced(masking.mask(error), ""),
            )
            self.ask(Request(FIX, attached=told))

    # -- connecting ----------------------------------------------------------------------------

    @magic_arguments()
    @argument("--model", metavar="NAME", help="the model to talk to")
    @argument(
        "--effort",
        choices=get_args(Effort),
        help="how hard the model thinks",
    )
    @argument(
        "--cwd",
        metavar="DIRECTORY",
        help="the directory that Claude may look into",
    )
    @argument(
        "--tools",
        metavar="NAMES",
        help=f"the tools that Claude has, such as {','.join(READING_TOOLS)}; 'none' for none",
    )
    @argument(
        "-s",
        "--session",
        metavar="NAME",
        help="connect the conversation NAME",
    )
    @argument(
        "--last",
        action="store_true",
        help="go on with this notebook's last conversation, from before the kernel's restart",
    )
    @argument(
        "--resume",
        metavar="ID",
        help="go on with any earlier conversation; %%claude_sessions --past lists them",
    )
    @argument(
        "--fork",
        metavar="NAME",
        help="with --last or --resume: branch it under a new NAME, and leave it as it is",
    )
    @argument(
        "--demo",
        action="store_true",
        help="answer with scripted replies, offline",
    )
    @argument(
        "--tape",
        metavar="FILE",
        help="answer from this tape, offline",
    )
    @argument(
        "--record",
        action="store_true",
        help="with --tape: talk to Claude, and make the tape anew",
    )
    @argument(
        "--live",
        action="store_true",
        help="leave the demo or the tape and talk to Claude",
    )
    @line_magic
    def claude_connect(self, line: str) -> None:
        """Connect to Claude Code now, or again.

        Without options the conversation goes on, after ``%claude_disconnect`` or a crash, too.
        With options a new conversation starts; what they do not name stays as it was.
        """
        with brief_failures():
            chosen = parse_options(self.claude_connect, line)
            ways = {
                "--demo": chosen.demo,
                "--live": chosen.live,
                "--tape": chosen.tape is not None,
                "--last": chosen.last,
                "--resume": chosen.resume is not None,
            }
            taken = [option for option, given in ways.items() if given]
            if len(taken) > 1:
                raise UsageError(f"{' and '.join(taken)} exclude each other.")
            if chosen.record and chosen.tape is None:
                raise UsageError("--record goes with --tape FILE, which is what is recorded.")
            if chosen.fork is not None and not (chosen.last or chosen.resume):
                raise UsageError("--fork goes with --last or --resume here; or %%claude --fork.")
            if chosen.fork is not None and chosen.session is not None:
                raise UsageError("--fork and --session exclude each other; --fork names it.")
            named = self._chosen(chosen)
            named.session.connect(by_hand=True)
            self._say_status(named)

    def _chosen(self, chosen: Namespace) -> NamedSession:
        """Return the conversation that `%claude_connect` was asked for, begun anew if need be."""
        name = chosen.session or MAIN
        changes = option_changes(chosen)
        if chosen.demo or chosen.live or chosen.tape is not None:
            if chosen.session is not None:
                raise UsageError("--demo, --tape and --live are for all conversations of a kernel.")
            return self._switch(changes, self._wanted(chosen))
        if chosen.last or chosen.resume is not None:
            session_id = chosen.resume or self._last(name)
            if chosen.fork is not None:
                return self.sessions.branch(session_id, chosen.fork, **changes)
            return self.sessions.resume(session_id, name, **changes)
        if changes:
            options = self.sessions.options_of(name).but(**changes)
            named = self.sessions.get(name)
            named.reset(options)
            return named
        return self.sessions.get(name)

    def _last(self, name: str) -> str:
        """Return the conversation that had a name last; the same one where it is open by now."""
        known, named = self._lasts.get(name), self.sessions.all.get(name)
        if known is not None and named is not None and named.status.session_id == known:
            return known  # the cell was run again
        everyone = self.sessions.past(unreachable=_say)
        past = [record for record in everyone if (record.name or MAIN) == name]
        if not past:
            which = "earlier conversation" if name == MAIN else f"earlier conversation {name!r}"
            raise UsageError(
                f"This notebook has no {which}. `%claude_sessions --past` lists those that it has, "
                "and with --all those of other notebooks.",
            )
        self._lasts[name] = past[0].session_id
        return past[0].session_id

    def _wanted(self, chosen: Namespace) -> Demo | Deck | None:
        """Return what shall answer in Claude's place, or record it, and runs; None for nothing."""
        if chosen.tape is not None:
            from claude_magic.tape import Deck, Mode  # noqa: PLC0415 - starlette on demand

            mode = Mode.RECORD if chosen.record else Mode.REPLAY
            remedy = (
                f"Record it: `%claude_connect --tape {chosen.tape} --record`, then run the notebook"
                " from its beginning."
            )
            path = Path(chosen.tape).absolute()
            return Deck(
                path,
                mode,
                folder=Path.cwd(),
                remedy=remedy,
                environ=self._far_end.outside,
                mask=self.secrets.mask,
            ).start()
        if chosen.demo:
            from claude_magic.tape import Demo, offline_demo  # noqa: PLC0415

            running = self._far_end.running
            return running if isinstance(running, Demo) else offline_demo().start()
        return None

    def _switch(self, changes: dict[str, Any], wanted: Demo | Deck | None) -> NamedSession:
        """Leave all conversations and begin one with the demo, with a tape, or with Claude."""
        talking = self._talking_to(wanted)
        try:
            options = self.sessions.main.options.but(**talking, **changes)
        except OptionError:
            if wanted is not None and wanted is not self._far_end.running:
                wanted.stop()
            raise
        self.sessions.end_others()
        # Nobody may be talking to the demo when it goes.
        self.session.close()
        for told in self._far_end.replace(wanted, talking["environment"]):
            sys.stdout.write(f"{told}\n")
        self.sessions.options = self.sessions.options.but(**talking)
        self.sessions.main.reset(options)
        return self.sessions.main

    def _talking_to(self, wanted: Demo | Deck | None) -> dict[str, Any]:
        """Return the options by which a session talks to a demo, to a tape, or to Claude."""
        if wanted is None:
            return {"environment": {}, "label": None, "session_store": self.session_store}
        # What was never said by Claude does not belong among what was.
        return {"environment": wanted.environment, "label": wanted.label, "session_store": None}

    def put_in(self, deck: Deck) -> None:
        """Have all conversations talk to a tape that runs; it is stopped with them."""
        self._switch({}, deck)

    @magic_arguments()
    @argument("name", nargs="?", default=MAIN, metavar="NAME", help="the conversation")
    @line_magic
    def claude_disconnect(self, line: str) -> None:
        """Close the Claude Code process and keep the conversation; the next cell resumes it."""
        with brief_failures():
            named = self.sessions.find(parse_options(self.claude_disconnect, line).name)
            named.session.disconnect()
            self._say_status(named)

    @magic_arguments()
    @argument("name", nargs="?", metavar="NAME", help="the conversation, if not the kernel's own")
    @argument("--all", action="store_true", help="end all conversations of this kernel")
    @line_magic
    def claude_reset(self, line: str) -> None:
        """End the conversation: its context is gone, and the next cell starts a new one.

        A conversation with a name of its own is ended, and its name is free again.
        """
        with brief_failures():
            options = parse_options(self.claude_reset, line)
            if options.all and options.name is not None:
                raise UsageError(f"--all and {options.name!r} exclude each other.")
            name = options.name or MAIN
            if name != MAIN:
                self.sessions.find(name)
                self._end(name)
                sys.stdout.write(f"The conversation {name!r} has ended.\n")
                return
            ended = [other for other in self.sessions.all if options.all and other != MAIN]
            for other in ended:
                self._end(other)
            # The new one comes first: whatever goes wrong with it, or interrupts the wait for the
            # old one, the next cell has a conversation.
            before, session = self.session, self.sessions.main.reset()
            before.close()
            session.start_connecting()
            also = f" {', '.join(ended)} ended, too." if ended else ""
            sys.stdout.write(f"Disconnected. The next cell starts a new conversation.{also}\n")

    def _end(self, name: str) -> None:
        self.sessions.end(name).close()

    # -- looking -------------------------------------------------------------------------------

    @magic_arguments()
    @argument("--past", action="store_true", help="list this notebook's earlier conversations")
    @argument("--all", action="store_true", help="with --past: those of all notebooks")
    @line_magic
    def claude_sessions(self, line: str) -> None:
        """List the conversations of this kernel, or earlier ones that can be resumed."""
        from .table import past_table, sessions_table  # noqa: PLC0415 - rarely asked for

        with brief_failures():
            options = parse_options(self.claude_sessions, line)
            if options.all and not options.past:
                raise UsageError("--all goes with --past; without it all of this kernel are shown.")
            if options.past:
                records = self.sessions.past(everywhere=options.all, unreachable=_say)
                display(past_table(records, everywhere=options.all))
            else:
                display(sessions_table(self.sessions.all))

    @magic_arguments()
    @argument("name", nargs="?", default=MAIN, metavar="NAME", help="the conversation")
    @line_magic
    def claude_status(self, line: str) -> None:
        """Show how sessions stand: as a live panel with buttons, or as text in a terminal."""
        with brief_failures():
            name = parse_options(self.claude_status, line).name
            named = self.sessions.find(name)
            if front_end(self.shell) is FrontEnd.NOTEBOOK:
                panel = self._status_panel()
                panel.look_at(name)
                display(panel)
            else:
                self._say_status(named)

    def _status_panel(self) -> StatusPanel | CorePanel:
        """Return the kernel's panel for the present front end; any number of outputs may show it.

        The view of `StatusPanel` is the extension's. A front end without it would look for the
        view's code elsewhere, so it gets a panel of ipywidgets' own widgets.
        """
        from claude_magic.widgets import CorePanel, StatusPanel  # noqa: PLC0415 - ipywidgets

        extension = self.control.available and self._presence.wait()
        kind = StatusPanel if extension else CorePanel
        panel = self._panels.get(kind)
        if panel is None or panel.comm is None:
            if kind is StatusPanel:
                panel = StatusPanel(self.sessions, self.control)
            else:
                panel = CorePanel(self.sessions)
            self._panels[kind] = panel
        return panel

    def _say_status(self, named: NamedSession) -> None:
        from claude_magic.widgets import status_text  # noqa: PLC0415

        sys.stdout.write(status_text(named.status) + "\n")


def _say(error: ClaudeMagicError) -> None:
    rest = " Only what is on this machine is listed." if isinstance(error, StoreError) else ""
    sys.stdout.write(f"{error}{rest}\n")


def _agree(session: ClaudeSession, turn: Turn, terms: Terms) -> None:
    if isinstance(session.on_permission, Consent):
        session.on_permission.agree(turn, terms)
