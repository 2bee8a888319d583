"""The YAML of a tape as nodes: plain data within bounds, and no feature that makes it a program."""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import yaml

from claude_magic.errors import TapeError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .tape import TextFile

#: Size of a tape's file, in bytes. A recorded notebook of 30 cells has about 100 000.
MAX_BYTES = 8 * 1024 * 1024

#: Scalars, lists and mappings in one tape; a turn without tools has six.
MAX_NODES = 100_000

#: Lists and mappings inside each other. The format itself needs nine, and the rest is left for the
#: arguments of tools.
MAX_DEPTH = 64

#: Length of a number in the arguments of a tool, in characters: converting takes quadratic time.
MAX_NUMBER_CHARACTERS = 400

#: Escapes in quoted scalars can name these, and no encoding has them.
_SURROGATES = re.compile("[\ud800-\udfff]")

_MERGE_KEY = "<<"
_SHOWN_CHARACTERS = 40


def read_text(file: TextFile) -> str:
    """Return the text of a tape's file.

    Raises
    ------
    TapeError
        If it cannot be read, has more than `MAX_BYTES`, or is not UTF-8. The last two have a place
        in the file.
    """
    try:
        data = _bytes_of(file) if isinstance(file, Path) else file.read_bytes()
    except (OSError, ValueError) as error:  # a ValueError for a path with a NUL
        raise TapeError(f"{file.name}: the tape cannot be read: {error}") from error
    problem, at = f"more than {MAX_BYTES} bytes", MAX_BYTES
    if len(data) <= MAX_BYTES:
        try:
            # Editors on Windows put a byte order mark in front.
            return data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            problem, at = f"not UTF-8: {error.reason}", error.start
    line, column = _place(data[:at].decode(errors="replace"))
    told = f"{file.name}: the tape cannot be read: {problem}"
    raise TapeError(told, line=line, column=column)


def compose(text: str, source: str) -> yaml.Node | None:
    """Return the root node of a tape's text, or None if it has none.

    Refused are anchors, aliases, merge keys, tags, repeated keys, halves of surrogate pairs,
    further documents, and anything beyond `MAX_NODES` and `MAX_DEPTH`: a tape is data, and as large
    as it looks. The time taken is linear in the length of the text.

    Raises
    ------
    TapeError
        With the place of the first defect.
    """
    return _Composer(source).composed(text)


def plain(node: yaml.Node, source: str) -> Any:
    """Return a node as JSON can hold it. Text stays as written, so that no dates appear.

    Raises
    ------
    TapeError
        If JSON cannot hold it.
    """
    if isinstance(node, yaml.MappingNode):
        return {_key(key, source): plain(value, source) for key, value in node.value}
    if isinstance(node, yaml.SequenceNode):
        return [plain(item, source) for item in node.value]
    kind = node.tag.rpartition(":")[2]
    if kind == "null":
        return None
    if kind == "bool":
        return _CONSTRUCTOR.construct_yaml_bool(node)
    return _number(node, kind, source) if kind in {"int", "float"} else node.value


def fail(source: str, mark: yaml.Mark, expected: str) -> NoReturn:
    """Raise the error that says what was expected at a place of a tape."""
    line, column = mark.line + 1, mark.column + 1
    raise TapeError(f"{source}:{line}: expected {expected}", line=line, column=column)


#: Converts the text of one scalar; it parses no YAML.
_CONSTRUCTOR: Any = yaml.constructor.SafeConstructor()


def _key(node: yaml.Node, source: str) -> str:
    if not isinstance(node, yaml.ScalarNode):
        fail(source, node.start_mark, "a text as the name of a value")
    return str(node.value)


def _number(node: yaml.Node, kind: str, source: str) -> int | float:
    if len(node.value) > MAX_NUMBER_CHARACTERS:
        fail(source, node.start_mark, f"a number of at most {MAX_NUMBER_CHARACTERS} characters")
    construct = (
        _CONSTRUCTOR.construct_yaml_int if kind == "int" else _CONSTRUCTOR.construct_yaml_float
    )
    try:
        number: int | float = construct(node)
    except (ValueError, OverflowError):
        fail(source, node.start_mark, "a number")
    if number - number != 0:  # infinite, or not a number: JSON has neither
        fail(source, node.start_mark, "a finite number")
    return number


@dataclass(slots=True)
class _Open:
    """A list or mapping whose end has not been read."""

    node: yaml.SequenceNode | yaml.MappingNode
    key: yaml.Node | None = None
    seen: set[str] = field(default_factory=set)


class _Composer:
    """Makes nodes from YAML's events. PyYAML's own composer is recursive, and knows no bounds."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._root: yaml.Node | None = None
        self._open: list[_Open] = []
        self._count = 0

    def composed(self, text: str) -> yaml.Node | None:
        for event in self._events(text):
            mark: Any = event.start_mark
            if isinstance(event, yaml.NodeEvent):
                self._begin(event)
            elif isinstance(event, yaml.CollectionEndEvent):
                self._open.pop()
            elif isinstance(event, yaml.DocumentStartEvent) and self._root is not None:
                fail(self._source, mark, "one document, but `---` starts another one")
        return self._root

    def _events(self, text: str) -> Iterator[Any]:
        try:
            loader: Any = _Events(text)
        except yaml.reader.ReaderError as error:
            line, column = _place(text[: error.position])
            self._refuse(f"{error.reason}: {error.character!r}", line, column, error)
        try:
            while loader.check_event():
                yield loader.get_event()
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark or loader.get_mark()
            self._refuse(error.problem or error.context, mark.line + 1, mark.column + 1, error)
        except (ValueError, OverflowError) as error:
            # PyYAML lets these out: of ``"\\UFFFFFFFF"``, and of a version with too many digits.
            mark = loader.get_mark()
            self._refuse(str(error), mark.line + 1, mark.column + 1, error)

    def _refuse(self, problem: object, line: int, column: int, cause: Exception) -> NoReturn:
        told = f"{self._source}:{line}: not YAML: {problem}"
        raise TapeError(told, line=line, column=column) from cause

    def _begin(self, event: Any) -> None:
        mark = event.start_mark
        if isinstance(event, yaml.AliasEvent):
            fail(self._source, mark, "no alias; write the value out")
        if event.anchor is not None:
            fail(self._source, mark, "no anchor: a tape has no aliases")
        if event.tag is not None:
            fail(self._source, mark, "no tag: a tape has texts, numbers, `true`, `false`, `null`")
        self._count += 1
        if self._count > MAX_NODES:
            fail(self._source, mark, f"at most {MAX_NODES} values")
        if isinstance(event, yaml.ScalarEvent):
            self._add(self._scalar(event))
            return
        if len(self._open) >= MAX_DEPTH:
            fail(self._source, mark, f"at most {MAX_DEPTH} levels of lists and mappings")
        is_list = isinstance(event, yaml.SequenceStartEvent)
        kind: Any = yaml.SequenceNode if is_list else yaml.MappingNode
        node = kind(None, [], mark, event.end_mark, event.flow_style)
        self._add(node)
        self._open.append(_Open(node))

    def _scalar(self, event: Any) -> yaml.ScalarNode:
        if _SURROGATES.search(event.value):
            fail(self._source, event.start_mark, "whole characters, not half of a surrogate pair")
        tag = _RESOLVER.resolve(yaml.ScalarNode, event.value, event.implicit)
        return yaml.ScalarNode(tag, event.value, event.start_mark, event.end_mark, event.style)

    def _add(self, node: yaml.Node) -> None:
        if not self._open:
            self._root = node
            return
        parent = self._open[-1]
        if isinstance(parent.node, yaml.SequenceNode):
            parent.node.value.append(node)
        elif parent.key is None:
            self._check_key(node, parent.seen)
            parent.key = node
        else:
            parent.node.value.append((parent.key, node))
            parent.key = None

    def _check_key(self, node: yaml.Node, seen: set[str]) -> None:
        if not isinstance(node, yaml.ScalarNode):
            return
        if node.value == _MERGE_KEY and node.style is None:
            fail(self._source, node.start_mark, "no merge key; write the values out")
        if node.value in seen:
            fail(self._source, node.start_mark, f"`{_shown(node.value)}:` once")
        seen.add(node.value)


class _Events(yaml.reader.Reader, yaml.scanner.Scanner, yaml.parser.Parser):
    """PyYAML up to its events. In Python on every machine, so that errors are the same."""

    def __init__(self, text: str) -> None:
        yaml.reader.Reader.__init__(self, text)
        yaml.scanner.Scanner.__init__(self)
        yaml.parser.Parser.__init__(self)


#: Tells by a plain scalar's looks whether it is a number, a bool or null.
_RESOLVER: Any = yaml.resolver.Resolver()


def _bytes_of(path: Path) -> bytes:
    # Without O_NONBLOCK, opening a named pipe waits for a writer.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    with open(os.open(path, flags), "rb") as file:  # noqa: PTH123 - a descriptor
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(f"{path} is not a regular file")
        return file.read(MAX_BYTES + 1)


def _place(before: str) -> tuple[int, int]:
    """Return line and column, from 1, of what follows a text."""
    return before.count("\n") + 1, len(before) - before.rfind("\n")


def _shown(text: str) -> str:
    cut = text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 1] + "…"
    return "".join(character if character.isprintable() else "�" for character in cut)
