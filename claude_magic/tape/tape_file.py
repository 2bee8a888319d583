"""The file format of tapes: YAML, read with the line of everything that is wrong."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

import yaml

from claude_magic.errors import TapeError

from .reply import Block, OtherBlock, Reply, Text, Thinking, ToolOutcome, ToolUse, Usage
from .rules import KINDS, Rules
from .tape import SCRIPTED, Conversation, Tape, TapeTurn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .tape import TextFile

FORMAT_KEY = "claude-magic-tape"
FORMAT_VERSION = "1"


def read_tape(file: TextFile) -> Tape:
    """Read a tape.

    Raises
    ------
    TapeError
        If the file cannot be read or is no tape. The text names the file, the line and what was
        expected.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise TapeError(f"{file.name}: the tape cannot be read: {error}") from error
    return _TapeReader(file.name).tape(text)


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
        try:
            root = yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            raise TapeError(f"{self._source}:{line}: not YAML: {error.problem}") from error
        except yaml.YAMLError as error:
            raise TapeError(f"{self._source}:1: not YAML: {error}") from error
        if root is None:
            raise TapeError(f"{self._source}:1: expected a tape, but the file is empty")
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
        turns = tuple(self._turn(turn) for turn in self._items(fields["turns"]))
        return Conversation(self._text(fields["name"]), turns)

    def _turn(self, node: yaml.Node) -> TapeTurn:
        fields = self._fields(node, ("you", "claude"))
        replies = tuple(self._replies(fields["claude"]))
        return TapeTurn(self._text(fields["you"]), replies, node.start_mark.line + 1)

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
        content = self._plain(node)
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
        given = self._plain(arguments) if arguments is not None else {}
        return ToolUse(self._text(fields["name"]), given, outcome=outcome)

    def _plain(self, node: yaml.Node) -> Any:
        """Return a node as JSON can hold it; texts stay as written, so no dates appear."""
        if isinstance(node, yaml.MappingNode):
            return {self._text(key): self._plain(value) for key, value in node.value}
        if isinstance(node, yaml.SequenceNode):
            return [self._plain(item) for item in node.value]
        kind = node.tag.rpartition(":")[2]
        if kind in ("int", "float", "bool", "null"):
            return yaml.safe_load(node.value)
        return node.value

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
        if not self._text(node).isdecimal():
            self._fail(node, "a number of tokens, from 0")
        return int(self._text(node))

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
        ignore = {self._text(key): self._expression(value) for key, value in pairs}
        return Rules(frozenset(keep), ignore)

    def _expression(self, node: yaml.Node) -> re.Pattern[str]:
        try:
            return re.compile(self._text(node))
        except re.error as error:
            self._fail(node, f"a regular expression: {error}")

    def _positive(self, node: yaml.Node) -> float:
        try:
            number = float(self._text(node))
        except ValueError:
            number = 0.0
        if not 0 < number < float("inf"):
            self._fail(node, "a number above 0")
        return number

    def _fail(self, node: yaml.Node, expected: str) -> NoReturn:
        raise TapeError(f"{self._source}:{node.start_mark.line + 1}: expected {expected}")
