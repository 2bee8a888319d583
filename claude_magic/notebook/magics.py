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

from claude_magic.errors import UsageError
from claude_magic.session import READING_TOOLS, Effort, SessionOptions, SessionRegistry

from .arguments import parse_options, split, variable_name
from .failure import brief_failures
from .front_end import FrontEnd, front_end
from .pump import pump
from .renderers import ConsoleRenderer, FinalRenderer, LiveRenderer
from .reply import Reply

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from claude_magic.session import ClaudeSession
    from claude_magic.tape import Demo
    from claude_magic.widgets import StatusPanel

    from .renderers import Renderer

#: What Claude is told about where it is. Short, and the same for every turn, so that it is cached.
SYSTEM_PROMPT = """\
You are talking with a person through the cells of a Jupyter notebook. Your answer is shown below \
their cell as Markdown: be brief, use fenced code blocks for code, LaTeX between dollar signs for \
formulas, and \\$ for a dollar sign that means money. Code that you show is not run; the person \
decides what to run. You can look at files \
in the working directory where that helps."""


def default_options() -> SessionOptions:
    """Return what a kernel's conversation is started with: it may read, and nothing else."""
    return SessionOptions(system_prompt=SYSTEM_PROMPT, tools=READING_TOOLS)


@magics_class
class ClaudeMagics(Magics):
    """The kernel's conversation with Claude Code, and the magics that reach it.

    Owns the kernel's sessions, and the demo server once `%claude_connect --demo` has started it;
    `close` ends both. Main thread only.

    Parameters
    ----------
    shell
        The IPython shell that the magics belong to.
    """

    shell: InteractiveShell

    def __init__(self, shell: InteractiveShell) -> None:
        super().__init__(shell)
        self.sessions = SessionRegistry(default_options())
        self._demo: Demo | None = None
        self._panel: StatusPanel | None = None

    @property
    def session(self) -> ClaudeSession:
        """The session that the next cell talks to."""
        return self.sessions.session

    def ask(self, prompt: str, output: str | None = None) -> Reply:
        """Send a prompt and show its answer in the running cell.

        Parameters
        ----------
        prompt
            Sent as it is written.
        output
            The variable to keep the reply in, or None.

        Raises
        ------
        UsageError
            If the prompt is empty; nothing is sent.
        ClaudeMagicError
            If there is no complete answer.
        """
        session = self.session
        if not prompt.strip():
            raise UsageError("The prompt is empty; nothing was sent.")
        reply = Reply.of(pump(session, prompt, self._renderer()))
        if output is not None:
            self.shell.push({output: reply})
        return reply

    def _renderer(self) -> Renderer:
        status = self.session.status
        match front_end(self.shell):
            case FrontEnd.NOTEBOOK:
                return LiveRenderer(status.label, connecting=not status.state.live)
            case FrontEnd.BATCH:
                return FinalRenderer(status.label)
            case FrontEnd.CONSOLE:
                return ConsoleRenderer(status.label)

    def close(self) -> None:
        """End the conversation, its panel and the demo; wait until nothing is left of them."""
        self.sessions.close()
        if self._panel is not None:
            self._panel.close()
            self._panel = None
        self._end_demo()

    def _end_demo(self) -> None:
        if self._demo is not None:
            self._demo.stop()
            self._demo = None

    @no_var_expand
    @magic_arguments()
    @argument(
        "-o",
        "--output",
        metavar="NAME",
        type=variable_name,
        help="keep the reply in the variable NAME: its text, model, usage, cost and session id",
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
            self.ask(prompt, options.output)

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
            chosen = vars(parse_options(self.claude_connect, line))
            if chosen["demo"] and chosen["live"]:
                raise UsageError("--demo and --live exclude each other.")
            if any(value not in {None, False} for value in chosen.values()):
                self._start_anew(chosen)
            self.session.connect()
            self._say_status()

    def _start_anew(self, chosen: dict[str, Any]) -> None:
        """Put a new conversation in the place of the present one."""
        changes = {
            name: chosen[name] for name in ("model", "effort", "cwd") if chosen[name] is not None
        }
        if chosen["tools"] is not None:
            names = tuple(name.strip() for name in chosen["tools"].split(","))
            changes["tools"] = () if names == ("none",) else names
        options = self.session.options.but(**changes)
        demo = self._demo
        if chosen["live"]:
            demo = None
            options = options.but(environment={}, label=None)
        elif chosen["demo"] and demo is None:
            from claude_magic.tape import offline_demo  # noqa: PLC0415 - starlette only where wanted

            demo = offline_demo().start()
            options = options.but(environment=demo.environment, label=demo.label)
        self.session.close()
        if demo is not self._demo:
            self._end_demo()
            self._demo = demo
        self.sessions.reset(options)

    @line_magic
    def claude_disconnect(self, line: str) -> None:
        """Close the Claude Code process and keep the conversation; the next cell resumes it."""
        with brief_failures():
            _no_options("claude_disconnect", line)
            self.session.disconnect()
            self._say_status()

    @line_magic
    def claude_reset(self, line: str) -> None:
        """End the conversation: its context is gone, and the next cell starts a new one."""
        with brief_failures():
            _no_options("claude_reset", line)
            self.session.close()
            self.sessions.reset().start_connecting()
            sys.stdout.write("Disconnected. The next cell starts a new conversation.\n")

    @line_magic
    def claude_status(self, line: str) -> None:
        """Show how the session stands: as a live panel with buttons, or as text in a terminal."""
        with brief_failures():
            _no_options("claude_status", line)
            if front_end(self.shell) is FrontEnd.NOTEBOOK:
                display(self._status_panel())
            else:
                self._say_status()

    def _status_panel(self) -> StatusPanel:
        """Return the kernel's one panel; any number of outputs may show it."""
        if self._panel is None or self._panel.comm is None:
            from claude_magic.widgets import StatusPanel  # noqa: PLC0415 - loads anywidget

            self._panel = StatusPanel(self.sessions)
        return self._panel

    def _say_status(self) -> None:
        from claude_magic.widgets import status_text  # noqa: PLC0415

        sys.stdout.write(status_text(self.session.status) + "\n")


def _no_options(magic: str, line: str) -> None:
    if line.strip():
        raise UsageError(f"%{magic} takes no options, but was given {line.strip()!r}.")
