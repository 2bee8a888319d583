"""The options of a magic's line.

Only the line is read, never the body of a cell: what stands there reaches the model as it was
written. IPython's own argument parser reads the options; it is given them alone, because it would
take quotes and dashes of a prompt for its own.
"""

from __future__ import annotations

import re
from argparse import ArgumentTypeError
from keyword import iskeyword
from typing import TYPE_CHECKING

from claude_magic.errors import UsageError

if TYPE_CHECKING:
    from argparse import Action, ArgumentParser, Namespace
    from collections.abc import Callable
    from typing import Any

_OPTION = re.compile(r"\s*(-{1,2}[A-Za-z][\w-]*)(=?)")
_VALUE = re.compile(r"\s*(\"[^\"]*\"|'[^']*'|\S+)")


def parse_options(magic: Callable[..., Any], line: str) -> Namespace:
    """Parse a line that holds options and names, and no prompt.

    Raises
    ------
    UsageError
        If there is an unknown option, a value that is missing or wrong, or anything else.
    """
    parser = magic.parser  # type: ignore[attr-defined]
    arguments, rest = _scan(parser, line)
    if any(not action.option_strings for action in _actions(parser)):
        arguments += rest.split()
    elif rest.strip():
        raise UsageError(
            f"{rest.strip()!r} is not an option of this magic. "
            "A prompt goes below the line of %%claude, or behind %claude.",
        )
    return _parse(parser, arguments)


def split(magic: Callable[..., Any], line: str) -> tuple[Namespace, str]:
    """Parse the options at the start of a line, and return what follows as it was written.

    A lone ``--`` ends the options, so that a prompt may start with a dash.

    Raises
    ------
    UsageError
        If there is an unknown option, or a value that is missing or wrong.
    """
    parser = magic.parser  # type: ignore[attr-defined]
    arguments, rest = _scan(parser, line)
    if rest.strip() == "--" or rest.lstrip().startswith("-- "):
        rest = rest.lstrip()[2:]
    elif rest.lstrip().startswith("-"):
        raise UsageError(
            f"{rest.split()[0]} is not an option of this magic. "
            "Put -- before a prompt that starts with a dash.",
        )
    return _parse(parser, arguments), rest.strip(" \t\r\n")


def _actions(parser: ArgumentParser) -> list[Action]:
    return parser._actions  # noqa: SLF001 - argparse has no public list of them


def _scan(parser: ArgumentParser, line: str) -> tuple[list[str], str]:
    """Return the options at the start of a line with their values, and the rest of the line."""
    takes_value = {
        name: action.nargs != 0 for action in _actions(parser) for name in action.option_strings
    }
    arguments: list[str] = []
    position = 0
    while match := _OPTION.match(line, position):
        name, equals = match.groups()
        if name not in takes_value:
            known = ", ".join(sorted(takes_value)) or "none"
            raise UsageError(
                f"{name} is not an option of this magic; there are: {known}. "
                "Put -- before a prompt that starts with a dash.",
            )
        position = match.end()
        arguments.append(name)
        if takes_value[name]:
            value = _VALUE.match(line, position)
            if value is None:
                raise UsageError(f"{name} needs a value.")
            arguments.append(_unquoted(value.group(1)))
            position = value.end()
        elif equals:
            raise UsageError(f"{name} takes no value.")
    return arguments, line[position:]


def _unquoted(value: str) -> str:
    """Return a value without the pair of quotes around it."""
    quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "\"'"
    return value[1:-1] if quoted else value


def _parse(parser: ArgumentParser, arguments: list[str]) -> Namespace:
    try:
        return parser.parse_args(arguments)
    except Exception as error:  # IPython's parser raises its own UsageError
        raise UsageError(str(error)) from error


def variable_name(text: str) -> str:
    """Check that a value can be the name of a variable.

    Raises
    ------
    argparse.ArgumentTypeError
        If it cannot; argparse makes a usage error of it.
    """
    if not text.isidentifier() or iskeyword(text):
        raise ArgumentTypeError(f"{text!r} cannot be the name of a variable")
    return text


def dollars(text: str) -> float:
    """Check that a value is an amount of money above 0, in US dollars.

    Raises
    ------
    argparse.ArgumentTypeError
        If it is not; argparse makes a usage error of it.
    """
    try:
        amount = float(text.removeprefix("$"))
    except ValueError:
        amount = 0.0
    if not 0 < amount < float("inf"):
        raise ArgumentTypeError(f"{text!r} is no amount above 0, such as 0.50")
    return amount
