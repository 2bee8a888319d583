"""The `claude-magic` command."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ._version import __version__
from .errors import ClaudeMagicError

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Where `claude-magic demo` looks when it is given no notebook.
NOTEBOOKS = Path("notebooks")
FIRST_NOTEBOOK = NOTEBOOKS / "01-first-conversation.ipynb"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    chosen = _parser().parse_args(arguments)
    try:
        return int(chosen.run(chosen))
    except ClaudeMagicError as error:
        sys.stderr.write(f"claude-magic: {error}\n")
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="claude-magic", description=__doc__)
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    demo = commands.add_parser(
        "demo",
        help="run a notebook on the offline demo: scripted replies, everything else real",
        description="Run notebooks from start to end on the offline demo. Claude Code, the kernel "
        "and the cells are real; a server on this machine answers in place of the API, from the "
        "notebook's tape or, where it has none, from the script that ships with claude-magic. "
        "Nothing leaves this machine.",
    )
    demo.add_argument("notebooks", nargs="*", type=Path, help=f"default: {FIRST_NOTEBOOK}")
    demo.add_argument(
        "--output",
        type=Path,
        default=Path("output"),
        metavar="FOLDER",
        help="where the executed notebook and its HTML page go (default: output)",
    )
    demo.add_argument(
        "--lab",
        action="store_true",
        help="open the folder of the notebooks in JupyterLab instead of running them",
    )
    demo.set_defaults(run=_demo)

    _add_tape(commands)
    doctor = commands.add_parser(
        "doctor",
        help="look whether everything is there, and say what to do about what is not",
        description="Look at Claude Code, the login, the kernel and JupyterLab. Nothing is sent, "
        "and no secret is printed. The exit code is 1 where no cell could be answered.",
    )
    doctor.add_argument("--json", action="store_true", help="print it as JSON, for a report")
    doctor.set_defaults(run=_doctor)
    login = commands.add_parser(
        "login",
        help="log Claude Code in, with a Claude account",
        description="Log in with the Claude Code that claude-agent-sdk brings along.",
    )
    login.set_defaults(run=_login)
    return parser


def _add_tape(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    tape = commands.add_parser(
        "tape",
        help="record what Claude answers in a notebook, and replay it without any API",
        description="A tape holds what Claude answered in a notebook: tapes/NAME.yaml beside it. "
        "In a replay Claude Code, the kernel and the tools are real; only the API is not asked.",
    )
    ways = tape.add_subparsers(required=True, metavar="WAY")
    for way, told in _TAPE_WAYS.items():
        parser = ways.add_parser(way, help=told, description=f"{told[0].upper()}{told[1:]}.")
        parser.add_argument("files", nargs="+", type=Path, metavar="NOTEBOOK|TAPE")
        if way in {"record", "replay"}:
            parser.add_argument(
                "--save",
                action="store_true",
                help="store the outputs in the notebook",
            )
        if way == "record":
            parser.add_argument(
                "--add",
                action="store_true",
                help="keep what is on the tape, and ask the API only for what it lacks",
            )
        parser.set_defaults(run=_tape, way=way)


_TAPE_WAYS = {
    "record": "run a notebook on your own login or key, and record it",
    "replay": "run a notebook on its tape",
    "show": "print the conversations of a tape",
    "check": "replay in silence; fail where a cell does, and where a recorded turn is not needed",
}


def _tape(chosen: argparse.Namespace) -> int:
    from .rehearsal import check, record, replay, show  # noqa: PLC0415 - needs the demo extra

    failed = False
    for file in chosen.files:
        if chosen.way == "record":
            record(file, os.environ, save=chosen.save, add=chosen.add)
        elif chosen.way == "replay":
            replay(file, _own_environment(), save=chosen.save)
        elif chosen.way == "show":
            show(file)
        else:
            # In CI one run tells of all of them.
            try:
                check(file, _own_environment())
            except ClaudeMagicError as error:
                sys.stderr.write(f"claude-magic: {error}\n")
                failed = True
    return int(failed)


def _demo(chosen: argparse.Namespace) -> int:
    from .tape import Deck, Mode, offline_demo, tape_of  # noqa: PLC0415 - only this command plays

    notebooks = chosen.notebooks or [NOTEBOOKS if chosen.lab else FIRST_NOTEBOOK]
    for notebook in notebooks:
        if not notebook.exists():
            raise ClaudeMagicError(
                f"There is no {notebook}. Name a notebook, or run this in a clone of claude-magic.",
            )
    if chosen.lab:
        return _open_lab(notebooks[0])
    from .demonstration import demonstrate  # noqa: PLC0415 - needs the demo extra

    for notebook in notebooks:
        own = tape_of(notebook)
        with Deck(own, Mode.REPLAY) if own.exists() else offline_demo() as far_end:
            environment = {**_own_environment(), **far_end.environment}
            demonstrate(notebook, chosen.output, environment, label=far_end.label)
    return 0


def _own_environment() -> dict[str, str]:
    """Return this process's environment without anything that Claude Code is told by it."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("ANTHROPIC_", "CLAUDE"))
    }


def _open_lab(place: Path) -> int:
    """Open a folder, or a notebook, in JupyterLab, on the demo and all tapes that lie there."""
    from .tape import demo_tape, offline_demo, tapes_in  # noqa: PLC0415 - only this command plays

    tapes = tapes_in(place if place.is_dir() else place.parent)
    with offline_demo(demo_tape(*tapes)) as demo:
        sys.stdout.write(f"JupyterLab on the offline demo: {demo.label}. Ctrl-C ends both.\n")
        command = [sys.executable, "-m", "jupyterlab", str(place)]
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            command.append("--allow-root")
        environment = {**_own_environment(), **demo.environment}
        return subprocess.run(command, env=environment, check=False).returncode  # noqa: S603 - ours


def _doctor(chosen: argparse.Namespace) -> int:
    from .doctor import examine, is_fine, report  # noqa: PLC0415 - only this command needs it

    findings = examine()
    sys.stdout.write(report(findings, as_json=chosen.json) + "\n")
    return 0 if is_fine(findings) else 1


def _login(_chosen: argparse.Namespace) -> int:
    from .session import claude_program  # noqa: PLC0415 - loads the SDK

    return subprocess.run([claude_program(), "auth", "login"], check=False).returncode  # noqa: S603


if __name__ == "__main__":
    sys.exit(main())
