"""The magics: each parses its line and calls something that works without it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, get_args

from IPython.core.magic import (
    Magics,
    line_cell_magic,
    line_magic,
    magics_class,
    no_var_expand,
)
from IPython.core.magic_arguments import argument, magic_arguments
from IPython.display import display

from claude_magic.errors import OptionError, UsageError
from claude_magic.session import (
    MAIN,
    READING_TOOLS,
    Effort,
    SessionOptions,
    SessionRegistry,
)

from .arguments import parse_options, split, variable_name
from .configuration import FIELDS, Configuration
from .desk import Desk
from .failure import brief_failures
from .front_end import FrontEnd, front_end, notebook_path
from .pump import pump
from .renderers import ConsoleRenderer, FinalRenderer, LiveRenderer
from .reply import Reply
from .table import past_table, sessions_table

if TYPE_CHECKING:
    from argparse import Namespace

    from IPython.core.interactiveshell import InteractiveShell
    from traitlets import Bunch

    from claude_magic.session import ClaudeSession, NamedSession
    from claude_magic.tape import Demo
    from claude_magic.widgets import StatusPanel

    from .renderers import Renderer


@magics_class
class ClaudeMagics(Configuration, Magics):
    """The kernel's conversations with Claude Code, and the magics that reach them.

    Owns the kernel's sessions, and the demo server once `%claude_connect --demo` has started it;
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
        self.sessions = SessionRegistry(
            SessionOptions(**self.session_options),
            max_live=self.max_live_sessions,
            notebook=notebook_path(shell),
        )
        self._desk = Desk()
        self._demo: Demo | None = None
        self._panels: dict[str, StatusPanel] = {}
        # What --last has found, by name.
        self._lasts: dict[str, str] = {}
        self.observe(self._configured, list(FIELDS))
        self.observe(self._configured_pool, "max_live_sessions")

    @property
    def session(self) -> ClaudeSession:
        """The session that the next cell talks to."""
        return self.sessions.main.session

    def ask(
        self,
        prompt: str,
        output: str | None = None,
        session: ClaudeSession | None = None,
    ) -> Reply:
        """Send a prompt and show its answer in the running cell.

        Parameters
        ----------
        prompt
            Sent as it is written.
        output
            The variable to keep the reply in, or None.
        session
            Where it is sent; None for the kernel's own conversation.

        Raises
        ------
        UsageError
            If the prompt is empty; nothing is sent.
        ClaudeMagicError
            If there is no complete answer.
        """
        session = session or self.session
        reply = Reply.of(pump(session, prompt, self._renderer(session), self._desk))
        if output is not None:
            self.shell.push({output: reply})
        return reply

    def _renderer(self, session: ClaudeSession) -> Renderer:
        match front_end(self.shell):
            case FrontEnd.NOTEBOOK:
                return LiveRenderer(session.status)
            case FrontEnd.BATCH:
                return FinalRenderer(session.status)
            case FrontEnd.CONSOLE:
                return ConsoleRenderer(session.status)

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
        """End the conversations, their panels and the demo; wait until nothing is left of them."""
        self.sessions.close()
        for name in list(self._panels):
            self._close_panel(name)
        self._end_demo()

    def _end_demo(self) -> None:
        if self._demo is not None:
            self._demo.stop()
            self._demo = None

    # -- prompts -------------------------------------------------------------------------------

    @no_var_expand
    @magic_arguments()
    @argument(
        "-o",
        "--output",
        metavar="NAME",
        type=variable_name,
        help="keep the reply in the variable NAME: its text, model, usage, cost and session id",
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
    @line_cell_magic
    def claude(self, line: str, cell: str | None = None) -> None:
        """Send a prompt to Claude, in the conversation of this kernel.

        As ``%%claude`` the body of the cell is the prompt; as ``%claude`` the rest of the line.
        Either is sent as it is written. Options stand on the magic's own line, before the prompt.
        """
        with brief_failures():
            if cell is None:
                options, prompt = split(self.claude, line)
            else:
                options, prompt = parse_options(self.claude, line), cell.strip("\n")
            if not prompt.strip():
                raise UsageError("The prompt is empty; nothing was sent.")
            self.ask(prompt, options.output, self._addressed(options).session)

    def _addressed(self, options: Namespace) -> NamedSession:
        """Return the conversation that a prompt is for."""
        if options.fork is not None:
            return self.sessions.fork(options.fork, options.session or MAIN)
        return self.sessions.get(options.session or MAIN)

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
        "--live",
        action="store_true",
        help="leave the demo and talk to Claude",
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
                "--last": chosen.last,
                "--resume": chosen.resume is not None,
            }
            taken = [option for option, given in ways.items() if given]
            if len(taken) > 1:
                raise UsageError(f"{' and '.join(taken)} exclude each other.")
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
        changes = _changes(chosen)
        if chosen.demo or chosen.live:
            if chosen.session is not None:
                raise UsageError("--demo and --live are for all conversations of a kernel.")
            return self._switch(changes, demo=chosen.demo)
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
        past = [record for record in self.sessions.past() if (record.name or MAIN) == name]
        if not past:
            which = "earlier conversation" if name == MAIN else f"earlier conversation {name!r}"
            raise UsageError(
                f"This notebook has no {which}. `%claude_sessions --past` lists those that it has, "
                "and with --all those of other notebooks.",
            )
        self._lasts[name] = past[0].session_id
        return past[0].session_id

    def _switch(self, changes: dict[str, Any], *, demo: bool) -> NamedSession:
        """Leave all conversations and begin one with the demo, or with Claude."""
        wanted: Demo | None = None
        environment: dict[str, str] = {}
        if demo:
            from claude_magic.tape import offline_demo  # noqa: PLC0415 - starlette on demand

            wanted = self._demo or offline_demo().start()
            environment = dict(wanted.environment)
        label = wanted.label if wanted is not None else None
        try:
            options = self.sessions.main.options.but(
                environment=environment, label=label, **changes
            )
        except OptionError:
            if wanted is not None and wanted is not self._demo:
                wanted.stop()
            raise
        self.sessions.end_others()
        # Nobody may be talking to the demo when it goes.
        self.session.close()
        if wanted is not self._demo:
            self._end_demo()
            self._demo = wanted
        self.sessions.options = self.sessions.options.but(environment=environment, label=label)
        self.sessions.main.reset(options)
        return self.sessions.main

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
        self._close_panel(name)

    # -- looking -------------------------------------------------------------------------------

    @magic_arguments()
    @argument("--past", action="store_true", help="list this notebook's earlier conversations")
    @argument("--all", action="store_true", help="with --past: those of all notebooks")
    @line_magic
    def claude_sessions(self, line: str) -> None:
        """List the conversations of this kernel, or earlier ones that can be resumed."""
        with brief_failures():
            options = parse_options(self.claude_sessions, line)
            if options.all and not options.past:
                raise UsageError("--all goes with --past; without it all of this kernel are shown.")
            if options.past:
                records = self.sessions.past(everywhere=options.all)
                display(past_table(records, everywhere=options.all))
            else:
                display(sessions_table(self.sessions.all))

    @magic_arguments()
    @argument("name", nargs="?", default=MAIN, metavar="NAME", help="the conversation")
    @line_magic
    def claude_status(self, line: str) -> None:
        """Show how the session stands: as a live panel with buttons, or as text in a terminal."""
        with brief_failures():
            named = self.sessions.find(parse_options(self.claude_status, line).name)
            if front_end(self.shell) is FrontEnd.NOTEBOOK:
                display(self._status_panel(named))
            else:
                self._say_status(named)

    def _status_panel(self, named: NamedSession) -> StatusPanel:
        """Return the one panel of a conversation; any number of outputs may show it."""
        name = named.status.name or MAIN
        if name not in self._panels or self._panels[name].comm is None:
            from claude_magic.widgets import StatusPanel  # noqa: PLC0415 - loads anywidget

            self._panels[name] = StatusPanel(named)
        return self._panels[name]

    def _close_panel(self, name: str) -> None:
        panel = self._panels.pop(name, None)
        if panel is not None:
            panel.close()

    def _say_status(self, named: NamedSession) -> None:
        from claude_magic.widgets import status_text  # noqa: PLC0415

        sys.stdout.write(status_text(named.status) + "\n")


def _changes(chosen: Namespace) -> dict[str, Any]:
    """Return the fields of `SessionOptions` that the options of a line name."""
    changes = {
        name: getattr(chosen, name)
        for name in ("model", "effort", "cwd")
        if getattr(chosen, name) is not None
    }
    if chosen.tools is not None:
        names = tuple(name.strip() for name in chosen.tools.split(","))
        changes["tools"] = () if names == ("none",) else names
    return changes
