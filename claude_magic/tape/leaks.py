"""Places of a tape's file that have a folder of a machine, or a secret."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from claude_magic.masking import MASK, mask_shapes

from .document import compose, plain
from .scrubbing import names_secret

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .scrubbing import Scrubbing

#: Fields whose values are data of tools, not of the tape's format.
_DATA = frozenset({"input", "block"})


def leaks(text: str, source: str, scrubbing: Scrubbing) -> list[tuple[int, int]]:
    """Return line and column, each from 1, of all that a recording would not write.

    Texts are judged as they read, whatever their YAML looks like, and comments as they are.

    Raises
    ------
    TapeError
        If the text is no YAML of a tape.
    """
    root = compose(text, source)
    lines = text.split("\n")
    found = set(_Search(source, lines, scrubbing).places(root)) if root is not None else set()
    known = {line for line, _ in found}
    for number, line in enumerate(lines, 1):
        clean = _clean(line, scrubbing)
        if number not in known and clean != line:
            found.add((number, _first_change(line, clean) + 1))
    return sorted(found)


class _Search:
    def __init__(self, source: str, lines: list[str], scrubbing: Scrubbing) -> None:
        self._source = source
        self._lines = lines
        self._scrubbing = scrubbing

    def places(self, node: yaml.Node, *, secret: bool = False) -> Iterator[tuple[int, int]]:
        """Yield the places inside a node.

        Parameters
        ----------
        node
            Where to look.
        secret
            Whether its name says that it is a secret.
        """
        if isinstance(node, yaml.ScalarNode):
            yield from self._in_scalar(node, secret=secret)
        elif isinstance(node, yaml.SequenceNode):
            for item in node.value:
                yield from self.places(item, secret=secret)
        elif isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                name = key.value if isinstance(key, yaml.ScalarNode) else ""
                found = [
                    *self.places(key),
                    *self.places(value, secret=secret or names_secret(name)),
                ]
                yield from found
                if name in _DATA and not found:
                    yield from self._in_data(value)

    def _in_scalar(self, node: yaml.ScalarNode, *, secret: bool) -> Iterator[tuple[int, int]]:
        mark: Any = node.start_mark
        text = str(node.value)
        if secret and text.strip() and text != MASK and not node.tag.endswith((":bool", ":null")):
            yield mark.line + 1, mark.column + 1
            return
        clean = self._scrubbing.text(text)
        if clean == text:
            return
        if node.style != "|":
            yield mark.line + 1, mark.column + 1
            return
        before, at = text[: _first_change(text, clean)], mark.line + 1
        row, column = before.count("\n"), len(before) - before.rfind("\n") - 1
        written, read = self._lines[at + row], text.split("\n")[row]
        yield at + row + 1, max(written.find(read), 0) + column + 1

    def _in_data(self, node: yaml.Node) -> Iterator[tuple[int, int]]:
        """Yield the place of data in which only the whole shows a secret."""
        value = plain(node, self._source)
        if self._scrubbing.data(value) != value:
            mark: Any = node.start_mark
            yield mark.line + 1, mark.column + 1


def _clean(line: str, scrubbing: Scrubbing) -> str:
    """Return a line of the file without folders and secrets.

    Names count in comments alone: elsewhere those of the format stand before texts.
    """
    start = line.find("#")
    if start == 0 or line[start - 1 : start] == " ":
        return mask_shapes(scrubbing.named(line[:start])) + scrubbing.text(line[start:])
    return mask_shapes(scrubbing.named(line))


def _first_change(text: str, clean: str) -> int:
    pairs = zip(text, clean, strict=False)
    return next(
        (at for at, (one, other) in enumerate(pairs) if one != other), min(len(text), len(clean))
    )
