"""`@name` in a prompt: the variable goes along with it, once, and the text stays as it is."""

from __future__ import annotations

import base64
import mimetypes
import re
from pathlib import Path
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING, Any

from claude_magic.errors import UsageError

from . import kernel
from .context import enclosed
from .kernel.kinds import lineage

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# An e-mail address is none, nor is a decorator's dotted name behind the first dot.
_MENTION = re.compile(r"(?<![\w@.])@([^\W\d]\w*)")

# Code in a prompt is code, with decorators of its own.
_CODE = re.compile(
    r"^[ ]{0,3}(`{3,}|~{3,}).*?(?:^[ ]{0,3}\1|\Z)|`[^`\n]+`", re.DOTALL | re.MULTILINE
)

#: What the Messages API takes of a file, in bytes.
FILE_LIMIT_BYTES = {"image": 5_000_000, "application": 32_000_000}

_FILES = {"image/png", "image/jpeg", "image/gif", "image/webp", "application/pdf"}

_CODE_OBJECTS = {type, ModuleType, FunctionType, BuiltinFunctionType, MethodType}


def mentioned(prompt: str, namespace: Mapping[str, Any]) -> list[str]:
    """Return the variables that a prompt mentions, each once, in their order.

    An unknown name is no mention, nor is one of a function, a class or a module: that is how
    decorators are written.
    """
    names = dict.fromkeys(_MENTION.findall(_CODE.sub(" ", prompt)))
    return [
        name
        for name in names
        # Not isinstance: what stands in for something else, as in Flask, may raise there.
        if name in namespace and _CODE_OBJECTS.isdisjoint(lineage(namespace[name]))
    ]


def attachments(prompt: str, namespace: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the content blocks of what a prompt mentions. Main thread only.

    Raises
    ------
    UsageError
        If a file that is mentioned is too large for the API, or cannot be read.
    """
    for name in mentioned(prompt, namespace):
        value = namespace[name]
        path = _file(value)
        if path is not None:
            yield {"type": "text", "text": enclosed(f"@{name} is the file {path.name}:")}
            yield _file_block(path)
            continue
        seen = kernel.view(name, value)
        yield {"type": "text", "text": enclosed(f"@{name} is this variable:\n{seen.text}")}
        for picture in seen.pictures:
            yield _block("image", picture.media_type, picture.data)


def _file(value: object) -> Path | None:
    """Return the image or PDF that a value is the path of."""
    if {str, Path}.isdisjoint(lineage(value)):
        return None
    written = str(value)
    if "\n" in written or len(written) > _PATH_LENGTH:
        return None
    try:
        path = Path(written).expanduser()
        return path if _media_type(path) in _FILES and path.is_file() else None
    except (OSError, ValueError, RuntimeError):  # no such path, and no such user's home
        return None


_PATH_LENGTH = 4096


def _media_type(path: Path) -> str:
    return mimetypes.guess_type(path.name)[0] or ""


def _file_block(path: Path) -> dict[str, Any]:
    media_type = _media_type(path)
    kind = media_type.partition("/")[0]
    try:
        size = path.stat().st_size
        data = path.read_bytes() if size <= FILE_LIMIT_BYTES[kind] else b""
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error}; nothing was sent.") from None
    if size > FILE_LIMIT_BYTES[kind]:
        raise UsageError(
            f"{path} has {size / 1e6:.0f} MB, and the API takes {FILE_LIMIT_BYTES[kind] / 1e6:.0f} "
            "MB; nothing was sent. Give it a smaller one.",
        )
    return _block("image" if kind == "image" else "document", media_type, data)


def _block(kind: str, media_type: str, data: bytes) -> dict[str, Any]:
    source = {"type": "base64", "media_type": media_type, "data": base64.b64encode(data).decode()}
    return {"type": kind, "source": source}
