"""Content blocks of LangChain as the Messages API takes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_core.messages import HumanMessage

from claude_magic.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: What is the API's own goes to it untouched.
_NATIVE = {"document", "image", "redacted_thinking", "search_result", "thinking", "tool_result"}

_PDF = "application/pdf"
_PLAIN = "text/plain"


def blocks_of(content: str | Sequence[str | Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return content as blocks of the Messages API, in its order.

    Raises
    ------
    UsageError
        If there is a block that the API does not take.
    """
    if isinstance(content, str):
        return [_text(content)] if content else []
    return [found for block in content for found in _block(block)]


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def _block(block: str | Mapping[str, Any]) -> list[dict[str, Any]]:
    if isinstance(block, str):
        return [_text(block)] if block else []
    if _is_native(block):
        return [dict(block)]
    if block.get("type") == "text":
        # The API takes no empty text, and knows nothing of LangChain's own fields.
        kept = {name: block[name] for name in ("cache_control", "citations") if block.get(name)}
        return [{**_text(str(block["text"])), **kept}] if block.get("text") else []
    # LangChain knows the blocks of other providers, too.
    return [_standard(dict(each)) for each in HumanMessage([dict(block)]).content_blocks]


def _is_native(block: Mapping[str, Any]) -> bool:
    kind = block.get("type")
    if kind in {"image", "document"}:
        return isinstance(block.get("source"), dict)
    return kind in _NATIVE


def _standard(block: dict[str, Any]) -> dict[str, Any]:
    match block["type"]:
        case "image":
            native = {"type": "image", "source": _source(block)}
        case "file" if block.get("mime_type", _PDF) == _PDF:
            native = {"type": "document", "source": _source(block, _PDF)}
        case "text-plain" if block.get("text"):
            source = {"type": "text", "media_type": _PLAIN, "data": block["text"]}
            native = {"type": "document", "source": source}
        case kind:
            shown = block.get("value", {}).get("type", kind) if kind == "non_standard" else kind
            raise UsageError(
                f"A content block of type {shown!r} cannot be sent: Claude takes text, images and "
                "PDF documents. Nothing was sent.",
            )
    extras = block.get("extras", {})
    for name in ("cache_control", "citations", "context", "title"):
        value = block.get(name, extras.get(name))
        if value is not None:
            native[name] = value
    return native


def _source(block: Mapping[str, Any], media_type: str | None = None) -> dict[str, Any]:
    if "base64" in block:
        kind = block.get("mime_type") or media_type
        if kind is None:
            raise UsageError("An image in base64 needs its mime_type, such as 'image/png'.")
        return {"type": "base64", "media_type": kind, "data": block["base64"]}
    if "url" in block:
        return {"type": "url", "url": block["url"]}
    if "file_id" in block:
        return {"type": "file", "file_id": block["file_id"]}
    raise UsageError(f"A block of type {block['type']!r} needs `base64`, `url` or `file_id`.")
