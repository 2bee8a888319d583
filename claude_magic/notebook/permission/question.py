"""What a person reads before a tool runs: all of it, and nothing that does not show."""

from __future__ import annotations

import json
import os
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .action import RUN_PYTHON, Kind, action_of
from .rules import domain_of
from .sensitive import is_obeyed, is_secret

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from claude_magic.session import PermissionRequest

    from .action import Action

#: Longer files are not compared line by line, which would take too long: in characters and lines.
_MAX_COMPARED = 2_000_000
_MAX_COMPARED_LINES = 10_000

# What fonts leave out though its category does not say so: fillers, blanks, variation selectors.
_UNSEEN = frozenset(
    map(
        chr,
        (
            *(0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0, 0x16FE4, 0x1D159),
            *range(0x180B, 0x1810),
            *range(0xFE00, 0xFE10),
            *range(0xE0100, 0xE01F0),
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class Question:
    """What a person reads before a tool runs. Nothing in it is invisible.

    Attributes
    ----------
    title
        What would be done, in a line.
    body
        What exactly would run or be written, complete; plain text of any length.
    language
        What the body is written in, such as ``"diff"``.
    note
        What else there is to know, a line for each.
    """

    title: str
    body: str
    language: str | None = None
    note: str | None = None


def visible(text: str, *, one_line: bool = False) -> str:
    """Return a text with all that does not show as ``⟨U+202E⟩``. Any thread.

    Control and bidirectional characters, those without width, spaces that are none, line ends that
    only some programs heed, and what is no character. Line feeds and tabs stay.

    Parameters
    ----------
    text
        Any text.
    one_line
        Whether line feeds and tabs are to be seen as well.
    """
    if text.isascii() and text.isprintable():
        return text
    kept = "" if one_line else "\n\t"
    return "".join(
        f"⟨U+{ord(letter):04X}⟩" if letter not in kept and _is_unseen(letter) else letter
        for letter in text
    )


def _is_unseen(letter: str) -> bool:
    # Categories: others, which are controls, formats, surrogates, private and not assigned; and
    # separators.
    return (letter != " " and unicodedata.category(letter)[0] in {"C", "Z"}) or letter in _UNSEEN


def fenced(body: str, language: str | None) -> str:
    """Return a body as a Markdown code block that nothing in it ends. Any thread."""
    longest = max(map(len, re.findall("`+", body)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language or ''}\n{body}\n{fence}"


def question_of(request: PermissionRequest, cwd: Path) -> Question:
    """Say what a tool call would do. Any thread; reads the file that it would change.

    Parameters
    ----------
    request
        The call as it would run.
    cwd
        Where Claude Code runs.
    """
    action = action_of(request, cwd)
    ask = _ASKING.get(request.name, _ask_about_any)
    question = ask(action, request.arguments, cwd)
    if question is None:  # the arguments are not what the tool takes
        question = _ask_about_any(action, request.arguments, cwd)
    return Question(
        visible(question.title, one_line=True),
        visible(question.body),
        question.language,
        visible(question.note) if question.note else None,
    )


def _ask_about_any(action: Action, arguments: Mapping[str, Any], cwd: Path) -> Question:
    title = f"Use the tool {action.request.name}"
    notes = []
    if action.kind in {Kind.READ, Kind.EDIT}:
        title = f"{action.request.name} {_shown(action, cwd)}"
        notes = _path_notes(action, cwd)
    return Question(title, _pretty(dict(arguments)), "json", _joined(notes))


def _ask_about_command(
    _action: Action, arguments: Mapping[str, Any], _cwd: Path
) -> Question | None:
    command = arguments.get("command")
    if not isinstance(command, str):
        return None
    notes = []
    if "description" in arguments:
        notes.append(f"Claude says of it: {_quoted(arguments['description'])}")
    if arguments.get("timeout") is not None:
        notes.append(f"It may take {_duration(arguments['timeout'])}.")
    if arguments.get("run_in_background"):
        notes.append("It runs in the background, and goes on when the turn has ended.")
    known = {"command", "description", "timeout", "run_in_background"}
    return Question(
        "Run a command",
        command,
        "bash",
        _joined([*notes, *_further(arguments, known)]),
    )


def _ask_about_python(_action: Action, arguments: Mapping[str, Any], _cwd: Path) -> Question | None:
    code = arguments.get("code")
    if not isinstance(code, str):
        return None
    further = _joined(_further(arguments, {"code"}))
    return Question("Run Python in this kernel", code, "python", further)


def _ask_about_page(_action: Action, arguments: Mapping[str, Any], _cwd: Path) -> Question | None:
    url = arguments.get("url")
    if not isinstance(url, str):
        return None
    domain = domain_of(url)
    notes = []
    if domain is None:
        notes.append("Careful: which server this address leads to cannot be told for certain.")
        if not url.isascii():
            notes.append(f"With its letters spelled out it is {url!a}")
    if "prompt" in arguments:
        notes.append(f"Claude wants to know from it: {_quoted(arguments['prompt'])}")
    return Question(
        f"Get a page from {domain or 'the web'}",
        url,
        None,
        _joined([*notes, *_further(arguments, {"url", "prompt"})]),
    )


def _ask_about_search(_action: Action, arguments: Mapping[str, Any], _cwd: Path) -> Question | None:
    query = arguments.get("query")
    if not isinstance(query, str):
        return None
    return Question("Search the web", query, None, _joined(_further(arguments, {"query"})))


def _ask_about_writing(action: Action, arguments: Mapping[str, Any], cwd: Path) -> Question | None:
    content = arguments.get("content")
    if not isinstance(content, str) or not action.target:
        return None
    shown, notes = _shown(action, cwd), _path_notes(action, cwd)
    notes += _further(arguments, {"file_path", "content"})
    path = Path(action.target)
    if action.places and not os.path.lexists(path):
        return Question(f"Write the new file {shown}", content, _language(path), _joined(notes))
    present, problem = _read(path) if action.places else (None, "its path is not certain")
    if present is not None and _comparable(present, content):
        diff = _diff(present, content, shown)
        if diff:
            return Question(f"Overwrite {shown}", diff, "diff", _joined(notes))
        notes.append("The file has this content already.")
    elif present is not None:
        notes.append("The file is too long to be compared: this is the whole new content.")
    else:
        notes.append(f"What it holds now cannot be shown: {problem}.")
    return Question(f"Overwrite {shown}", content, _language(path), _joined(notes))


def _ask_about_edit(action: Action, arguments: Mapping[str, Any], cwd: Path) -> Question | None:
    old, new = arguments.get("old_string"), arguments.get("new_string")
    if not isinstance(old, str) or not isinstance(new, str) or not action.target:
        return None
    shown, notes = _shown(action, cwd), _path_notes(action, cwd)
    everywhere = bool(arguments.get("replace_all"))
    notes += _further(arguments, {"file_path", "old_string", "new_string", "replace_all"})
    path = Path(action.target)
    if action.places and not old and not os.path.lexists(path):
        return Question(f"Write the new file {shown}", new, _language(path), _joined(notes))
    present, problem = _read(path) if action.places else (None, "its path is not certain")
    if present is not None:
        # Claude Code edits a file with Windows line ends as if it had none, and keeps them.
        present = present.replace("\r\n", "\n")
        found = present.count(old) if old else int(not present.strip())
        changed = _replaced(present, old, new, everywhere=everywhere)
        if found == 0:
            problem = "the text to replace is not in the file as it is written here"
        elif found > 1 and not everywhere:
            problem = f"the text to replace is in the file {found} times"
        elif not _comparable(present, changed):
            problem = "the file is too long to be compared"
        else:
            diff = _diff(present, changed, shown)
            if diff:
                return Question(f"Edit {shown}", diff, "diff", _joined(notes))
            problem = "nothing would change"
    times = "everywhere" if everywhere else "once"
    notes.append(f"No comparison with the file: {problem}. Claude wants to replace, {times}:")
    return Question(
        f"Edit {shown}",
        "".join((_signed("-", old), _signed("+", new))).removesuffix("\n"),
        "diff",
        _joined(notes),
    )


def _ask_about_cell(action: Action, arguments: Mapping[str, Any], cwd: Path) -> Question | None:
    source = arguments.get("new_source", "")
    mode = arguments.get("edit_mode") or "replace"
    modes = {"replace": "Replace a cell", "insert": "Insert a cell", "delete": "Delete a cell"}
    if not isinstance(source, str) or mode not in modes or not action.target:
        return None
    cell = arguments.get("cell_id")
    notes = _path_notes(action, cwd)
    if cell is not None:
        notes.append(f"{'Behind the cell' if mode == 'insert' else 'The cell'}: {_quoted(cell)}")
    known = {"notebook_path", "new_source", "edit_mode", "cell_id", "cell_type"}
    cell_type = arguments.get("cell_type")
    if cell_type is not None:
        notes.append(f"Its type: {_quoted(cell_type)}")
    return Question(
        f"{modes[mode]} of {_shown(action, cwd)}",
        source,
        "markdown" if cell_type == "markdown" else "python",
        _joined([*notes, *_further(arguments, known)]),
    )


_ASKING: dict[str, Callable[[Action, Mapping[str, Any], Path], Question | None]] = {
    "Bash": _ask_about_command,
    "Edit": _ask_about_edit,
    "Write": _ask_about_writing,
    "NotebookEdit": _ask_about_cell,
    "WebFetch": _ask_about_page,
    "WebSearch": _ask_about_search,
    RUN_PYTHON: _ask_about_python,
}


# -- words ---------------------------------------------------------------------------------------


def _pretty(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2, default=repr)


def _quoted(value: object) -> str:
    """Return what the model wrote in a line of its own and in quotes, so that it cannot pose."""
    return json.dumps(value, ensure_ascii=False, default=repr)


def _joined(notes: list[str]) -> str | None:
    return "\n".join(notes) or None


def _further(arguments: Mapping[str, Any], known: set[str]) -> list[str]:
    """Say the arguments that the question has no words for: nothing is left out."""
    further = {name: value for name, value in arguments.items() if name not in known}
    return [f"Further arguments: {_quoted(further)}"] if further else []


def _duration(timeout_ms: object) -> str:
    if isinstance(timeout_ms, (int, float)) and not isinstance(timeout_ms, bool):
        return f"{timeout_ms / 1000:g} s"
    return _quoted(timeout_ms)


def _shown(action: Action, cwd: Path) -> str:
    """Return the path that is acted on, relative where it is in the working directory."""
    target, root = Path(action.target), cwd.resolve()
    if not action.places:
        return action.target or "a path that is missing"
    return action.target if target == root else str(_relative(target, root))


def _relative(path: Path, root: Path) -> Path:
    return path.relative_to(root) if path.is_relative_to(root) else path


def _path_notes(action: Action, cwd: Path) -> list[str]:
    if not action.places:
        return ["Careful: which file this path leads to cannot be told for certain."]
    notes = []
    root, target = cwd.resolve(), Path(action.target)
    if not all(place.is_relative_to(root) for place in action.places):
        notes.append("It is outside the working directory.")
    if len(action.places) > 1:
        others = ", ".join(_quoted(str(place)) for place in action.places[1:])
        notes.append(f"Careful: this path may also lead to {others}.")
    elif action.spellings[0] not in {target, cwd / _relative(target, root)}:
        notes.append(f"It was named {_quoted(str(action.spellings[0]))}, which leads there.")
    seen = (*action.places, *action.spellings)
    if any(is_secret(path, (root, cwd)) for path in seen):
        notes.append("By its name it may hold secrets.")
    if action.kind is Kind.EDIT and any(is_obeyed(path, (root, cwd)) for path in seen):
        notes.append("Careful: other programs do by themselves what is written there.")
    return notes


_LANGUAGES = {
    ".c": "c",
    ".css": "css",
    ".html": "html",
    ".js": "javascript",
    ".json": "json",
    ".md": "markdown",
    ".py": "python",
    ".r": "r",
    ".sh": "bash",
    ".sql": "sql",
    ".toml": "toml",
    ".ts": "typescript",
    ".yaml": "yaml",
    ".yml": "yaml",
}


def _language(path: Path) -> str | None:
    return _LANGUAGES.get(path.suffix.lower())


# -- what would change ---------------------------------------------------------------------------


def _read(path: Path) -> tuple[str | None, str]:
    """Return the text of a file, or None and why there is none."""
    try:
        if not path.is_file():  # a pipe would have the reader wait
            return None, "it is not a file" if path.exists() else "it does not exist"
        return path.read_bytes().decode("utf-8"), ""
    except UnicodeDecodeError:
        return None, "it is no text in UTF-8"
    except OSError as error:
        return None, error.strerror or type(error).__name__


def _replaced(present: str, old: str, new: str, *, everywhere: bool) -> str:
    """Do what Claude Code's Edit does."""
    if not old:
        return new  # only a blank file takes that
    # A text that is taken away takes the end of its line with it.
    if not new and not old.endswith("\n") and f"{old}\n" in present:
        old = f"{old}\n"
    return present.replace(old, new, -1 if everywhere else 1)


def _comparable(before: str, after: str) -> bool:
    return (
        len(before) + len(after) <= _MAX_COMPARED
        and before.count("\n") + after.count("\n") <= _MAX_COMPARED_LINES
    )


def _diff(before: str, after: str, name: str) -> str:
    from difflib import unified_diff  # noqa: PLC0415 - most turns change no file

    # Not splitlines: it ends lines where others see none.
    lines = unified_diff(
        _lines(before),
        _lines(after),
        f"{visible(name, one_line=True)} (now)",
        f"{visible(name, one_line=True)} (then)",
    )
    return "".join(map(_ended, lines)).removesuffix("\n")


def _lines(text: str) -> list[str]:
    return re.findall(r"[^\n]*\n|[^\n]+", text)


def _ended(line: str) -> str:
    return line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"


def _signed(sign: str, text: str) -> str:
    return "".join(_ended(f"{sign}{line}") for line in _lines(text))
