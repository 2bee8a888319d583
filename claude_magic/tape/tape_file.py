"""The file format of tapes: YAML, read with the line of everything that is wrong."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn

import yaml

from claude_magic.errors import TapeError

from .document import compose, fail, plain, read_text
from .expressions import MAX_EXPRESSIONS, expression
from .reply import Block, OtherBlock, Reply, Text, Thinking, ToolOutcome, ToolUse, Usage
from .rules import KINDS, Rules
from .tape import SCRIPTED, Conversation, Tape, TapeTurn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .expressions import Expression
    from .tape import TextFile

FORMAT_KEY = "claude-magic-tape"
FORMAT_VERSION = "1"

#: Turns in one conversation. Each is known by all prompts before it, so memory grows with the
#: square of this.
MAX_TURNS = 1000

#: Tokens in one count of `usage:`.
MAX_TOKENS = 10**12

#: Slowest `words_per_second:`, so that a stranger's tape does not keep a cell waiting for hours.
MIN_WORDS_PER_SECOND = 0.1

_NAME = re.compile(r"[\w][\w .-]{0,39}")


def read_tape(file: TextFile) -> Tape:
    """Read a tape.

    Raises
    ------
    TapeError
        If the file cannot be read or is no tape. The text names the file, the line, the column and
        what was expected.
    """
    return parse_tape(read_text(file), file.name)


def parse_tape(text: str, source: str) -> Tape:
    """Return the tape that a text is.

    Parameters
    ----------
    text
        The content of a tape's file.
    source
        The file's name, for error texts.

    Raises
    ------
    TapeError
        If it is no tape.
    """
    return _TapeReader(source).tape(text)


_ITEMS = ("text", "thinking", "tool", "tools", "block", "usage", "stopped")


@dataclass
class _Draft:
    """A reply as far as it was read."""

    blocks: list[Block] = field(default_factory=list)
    calls: bool = False
    usage: Usage | None = None
    stop_reason: str | None = None

    def ended_by(self, kind: str) -> bool:
        """Tell whether an item of this kind belongs to the next reply."""
        if kind == "usage":
            return self.usage is not None
        if kind == "stopped":
            return self.usage is not None or self.stop_reason is not None
        return self.calls or self.usage is not None or self.stop_reason is not None


class _TapeReader:
    """Turns YAML nodes into a tape; nodes, because they know their lines."""

    def __init__(self, source: str) -> None:
        self._source = source

    def tape(self, text: str) -> Tape:
        root = compose(text, self._source)
        if root is None:
            told = f"{self._source}:1: expected a tape, but the file is empty"
            raise TapeError(told, line=1, column=1)
        required = (FORMAT_KEY, "title", "conversations")
        fields = self._fields(root, required, ("label", "words_per_second", "keep", "ignore"))
        if self._text(fields[FORMAT_KEY]) != FORMAT_VERSION:
            self._fail(fields[FORMAT_KEY], f"{FORMAT_KEY}: {FORMAT_VERSION}")
        pace = fields.get("words_per_second")
        return Tape(
            self._text(fields["title"]),
            tuple(self._conversation(node) for node in self._items(fields["conversations"])),
            label=self._text(fields["label"]) if "label" in fields else SCRIPTED,
            words_per_second=self._positive(pace) if pace is not None else None,
            source=self._source,
            rules=self._rules(fields),
        )

    def _conversation(self, node: yaml.Node) -> Conversation:
        fields = self._fields(node, ("name", "turns"))
        items = self._items(fields["turns"])
        if len(items) > MAX_TURNS:
            self._fail(items[MAX_TURNS], f"at most {MAX_TURNS} turns in one conversation")
        turns = tuple(self._turn(turn) for turn in items)
        return Conversation(self._text(fields["name"]), turns)

    def _turn(self, node: yaml.Node) -> TapeTurn:
        fields = self._fields(node, ("you", "claude"))
        replies = tuple(self._replies(fields["claude"]))
        mark = node.start_mark
        return TapeTurn(self._text(fields["you"]), replies, mark.line + 1, mark.column + 1)

    def _replies(self, node: yaml.Node) -> Iterator[Reply]:
        if isinstance(node, yaml.ScalarNode):
            yield Reply((Text(self._text(node)),))
            return
        drafts = [_Draft()]
        for item in self._items(node):
            kind, value = self._single_field(item, _ITEMS)
            if drafts[-1].ended_by(kind):
                drafts.append(_Draft())
            draft = drafts[-1]
            if kind in ("tool", "tools"):
                calls = self._items(value) if kind == "tools" else [value]
                draft.blocks.extend(self._tool(call) for call in calls)
                draft.calls = True
            elif kind == "usage":
                draft.usage = self._usage(value)
            elif kind == "stopped":
                draft.stop_reason = self._text(value)
            else:
                draft.blocks.append(self._block(kind, value))
        if drafts[-1].calls and drafts[-1].usage is None and drafts[-1].stop_reason is None:
            self._fail(node, "an answer after the tool's result, such as `- text: …` at the end")
        for draft in drafts:
            yield Reply(tuple(draft.blocks), draft.stop_reason, draft.usage)

    def _block(self, kind: str, node: yaml.Node) -> Block:
        if kind == "text":
            return Text(self._text(node))
        if kind == "thinking":
            return Thinking(self._text(node))
        content = plain(node, self._source)
        if not isinstance(content, dict) or not isinstance(content.get("type"), str):
            self._fail(node, "a block of the Messages API with its `type:`")
        return OtherBlock(content)

    def _usage(self, node: yaml.Node) -> Usage:
        fields = self._fields(node, ("input", "output"), ("cache_read", "cache_write"))
        counts = {name: self._count(value) for name, value in fields.items()}
        return Usage(
            counts["input"],
            counts["output"],
            counts.get("cache_read", 0),
            counts.get("cache_write", 0),
        )

    def _tool(self, node: yaml.Node) -> ToolUse:
        fields = self._fields(node, ("name",), ("input", "result", "failed"))
        arguments = fields.get("input")
        if arguments is not None and not isinstance(arguments, yaml.MappingNode):
            self._fail(arguments, "the tool's arguments, as `name: value` pairs")
        if "result" in fields and "failed" in fields:
            self._fail(node, "one of `result:` and `failed:`")
        told = fields.get("result", fields.get("failed"))
        if told is not None and not isinstance(told, yaml.ScalarNode):
            self._fail(told, "a text")
        outcome = (
            ToolOutcome(str(told.value).rstrip("\n"), is_error="failed" in fields)
            if told is not None
            else None
        )
        given = plain(arguments, self._source) if arguments is not None else {}
        return ToolUse(self._text(fields["name"]), given, outcome=outcome)

    def _fields(
        self,
        node: yaml.Node,
        required: tuple[str, ...],
        optional: tuple[str, ...] = (),
    ) -> dict[str, yaml.Node]:
        """Return the values of a mapping that has these fields and no others."""
        known = required + optional
        expected = "fields " + ", ".join(f"`{name}:`" for name in known)
        if not isinstance(node, yaml.MappingNode):
            self._fail(node, expected)
        fields: dict[str, yaml.Node] = {}
        for key, value in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else ""
            if name not in known:
                self._fail(key, f"only the {expected}")
            if name in fields:
                self._fail(key, f"`{name}:` once")
            fields[name] = value
        for name in required:
            if name not in fields:
                self._fail(node, f"a field `{name}:`")
        return fields

    def _single_field(self, node: yaml.Node, kinds: tuple[str, ...]) -> tuple[str, yaml.Node]:
        fields = self._fields(node, (), kinds)
        if len(fields) != 1:
            self._fail(node, "exactly one of " + ", ".join(f"`{kind}:`" for kind in kinds))
        return next(iter(fields.items()))

    def _items(self, node: yaml.Node) -> list[yaml.Node]:
        if not isinstance(node, yaml.SequenceNode) or not node.value:
            self._fail(node, "a list with at least one item, each starting with `- `")
        return list(node.value)

    def _text(self, node: yaml.Node) -> str:
        if not isinstance(node, yaml.ScalarNode) or not node.value.strip():
            self._fail(node, "a text")
        return str(node.value).rstrip("\n")

    def _count(self, node: yaml.Node) -> int:
        digits = self._text(node)
        known = digits.isdecimal() and len(digits) <= len(str(MAX_TOKENS))
        if not known or int(digits) > MAX_TOKENS:
            self._fail(node, f"a number of tokens, from 0 to {MAX_TOKENS}")
        return int(digits)

    def _rules(self, fields: dict[str, yaml.Node]) -> Rules:
        keep = (
            [self._text(item) for item in self._items(fields["keep"])] if "keep" in fields else []
        )
        for kind in keep:
            if kind not in KINDS:
                self._fail(fields["keep"], f"kinds among {', '.join(KINDS)}")
        node = fields.get("ignore")
        if node is not None and not isinstance(node, yaml.MappingNode):
            self._fail(node, "regular expressions, as `name: pattern` pairs")
        pairs = node.value if node is not None else ()
        if len(pairs) > MAX_EXPRESSIONS:
            self._fail(pairs[MAX_EXPRESSIONS][0], f"at most {MAX_EXPRESSIONS} expressions")
        ignore = {self._ignored_name(key): self._expression(value) for key, value in pairs}
        return Rules(frozenset(keep), ignore)

    def _ignored_name(self, node: yaml.Node) -> str:
        name = self._text(node)
        if not _NAME.fullmatch(name):
            self._fail(node, "a name of at most 40 letters, digits, spaces, `.`, `_` and `-`")
        return name

    def _expression(self, node: yaml.Node) -> Expression:
        try:
            return expression(self._text(node))
        except ValueError as error:
            self._fail(node, f"a regular expression: {error}")

    def _positive(self, node: yaml.Node) -> float:
        try:
            number = float(self._text(node))
        except ValueError:
            number = 0.0
        if not MIN_WORDS_PER_SECOND <= number < float("inf"):
            self._fail(node, f"a number above 0, from {MIN_WORDS_PER_SECOND}")
        return number

    def _fail(self, node: yaml.Node, expected: str) -> NoReturn:
        fail(self._source, node.start_mark, expected)
