"""What a cell sends besides the conversation: little, and the same again, so that it is cached."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from claude_agent_sdk import ClaudeAgentOptions, query

from claude_magic.tape import Reply, ToolUse

if TYPE_CHECKING:
    import pytest
    from support.kernel import Kernel

    from claude_magic.tape import MessagesRequest

#: What was promised of a request beside that of Claude Code's own defaults.
MOST_OF_DEFAULT = 0.35


def _cached(request: MessagesRequest) -> list[str]:
    """Return what stands up to the last mark of the cache, block by block, as bytes go to it."""
    body = request.body
    blocks: list[tuple[str, Any]] = [("tool", tool) for tool in body["tools"]]
    blocks += [("system", block) for block in body["system"]]
    for message in body["messages"]:
        content = message["content"]
        # A text alone and a list with one text block are the same to the API.
        listed = [{"type": "text", "text": content}] if isinstance(content, str) else content
        blocks += [(message["role"], block) for block in listed]
    marked = max(number for number, (_, block) in enumerate(blocks) if "cache_control" in block)
    return [
        json.dumps([role, {key: value for key, value in block.items() if key != "cache_control"}])
        for role, block in blocks[: marked + 1]
    ]


def test_each_request_begins_with_all_that_the_one_before_had_cached(
    kernel: Kernel, kernel_api: Any
) -> None:
    (kernel.folder / "notes.txt").write_text("Rain.")
    kernel_api.replies += [
        Reply.of("Hello."),
        Reply.of(ToolUse("Read", {"file_path": "notes.txt"})),
        Reply.of("It says rain."),
        Reply.of(ToolUse("mcp__kernel__list_variables", {})),
        Reply.of("There is one."),
    ]
    for cell in ("Hello.", "What do my notes say?", "Which variables are there?", "Thanks."):
        # What changes in the kernel goes with the prompt, behind what is cached.
        kernel.run(f"value_{len(cell)} = {cell!r}")
        assert kernel.run(f"%%claude\n{cell}").status == "ok"
    cached = [_cached(request) for request in kernel_api.requests]
    assert len(cached) == 6
    for before, after in pairwise(cached):
        assert after[: len(before)] == before
        assert len(after) > len(before)


def test_the_cache_holds_after_a_resume(kernel: Kernel, kernel_api: Any) -> None:
    kernel.run("%%claude\nHello.")
    kernel.run("%claude_disconnect")
    kernel.run("%%claude\nAgain.")
    before, after = map(_cached, kernel_api.requests)
    assert after[: len(before)] == before


async def test_a_request_is_a_third_of_claude_codes_own(
    kernel: Kernel, kernel_api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel.run("%%claude\nHello")
    for name, value in kernel_api.environment.items():
        monkeypatch.setenv(name, value)
    options = ClaudeAgentOptions(
        setting_sources=[],
        cwd=kernel.folder,
        system_prompt={"type": "preset", "preset": "claude_code"},
        tools={"type": "preset", "preset": "claude_code"},
    )
    async for _ in query(prompt="Hello", options=options):
        pass
    ours, default = (len(json.dumps(request.body)) for request in kernel_api.requests)
    assert ours - len("Hello") <= MOST_OF_DEFAULT * (default - len("Hello"))
