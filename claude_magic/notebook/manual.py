"""All magics and their options in one text, made from the magics themselves."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from argparse import Action

    from IPython.core.magic import Magics


def manual(magics: type[Magics]) -> str:
    """Return what the magics of a class do and take, in Markdown.

    Parameters
    ----------
    magics
        The class, whose magics have parsers of `magic_arguments`.
    """
    names = {name: kind for kind in ("line", "cell") for name in magics.magics[kind]}
    return "\n".join(_magic(name, names[name], getattr(magics, name)) for name in names)


def _magic(name: str, kind: str, function: Any) -> str:
    parser = function.parser
    first, *rest = inspect.cleandoc(parser.description or function.__doc__ or "").split("\n\n")
    arguments: list[Action] = [
        action
        for action in parser._actions  # noqa: SLF001 - argparse has no public list of them
        if action.dest != "help" and "-h" not in action.option_strings
    ]
    usage = "".join(f" {_shown(each)}" for each in arguments if not each.option_strings)
    call = f"%{name}" if kind == "line" else f"%%{name}"
    lines = [f"### `{call}{usage}`", "", _one_line(first), ""]
    lines += [line for paragraph in rest for line in (_one_line(paragraph), "")]
    options = [each for each in arguments if each.option_strings]
    if options:
        lines += ["| | |", "|---|---|"]
        lines += [f"| `{_shown(each)}` | {_help(each)} |" for each in options]
        lines.append("")
    return "\n".join(lines)


def _shown(action: Action) -> str:
    value = action.metavar or ("|".join(map(str, action.choices)) if action.choices else "")
    if not action.option_strings:
        return f"[{value}]" if action.nargs == "?" else str(value)
    names = ", ".join(action.option_strings)
    # In a table a bar would end the cell.
    return f"{names} {value}".replace("|", "/").strip() if action.nargs != 0 else names


def _help(action: Action) -> str:
    return _one_line((action.help or "").replace("%%", "%")).replace("|", "\\|")


def _one_line(text: str) -> str:
    return " ".join(text.split()).replace("``", "`")
