"""Values that no process or request survives, on each way into a session's options."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from claude_magic.chat_model import ClaudeCodeChatModel
from claude_magic.errors import OptionError
from claude_magic.session import SessionOptions, ToolDefinition
from claude_magic.session.guard import prepare
from claude_magic.session.limits import MAX_ARGUMENT_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable

SURROGATE = "caf\udce9"
NUL = "a\0b"
LONG = "x" * MAX_ARGUMENT_BYTES
SECRET = "sk-ant-nobody-may-see-this"

BAD = {"a lone surrogate": SURROGATE, "NUL": NUL, "too long": LONG}


def _schema(text: str) -> dict[str, Any]:
    return {"type": "object", "properties": {"a": {"const": text}}}


#: Ways to give an option a text, and the name by which a bad one is refused.
OPTIONS: dict[str, tuple[Callable[[str], object], str]] = {
    "model": (lambda text: SessionOptions(model=text), "model"),
    "name": (lambda text: SessionOptions(name=text), "name"),
    "label": (lambda text: SessionOptions(label=text), "label"),
    "notebook": (lambda text: SessionOptions(notebook=text), "notebook"),
    "cwd": (lambda text: SessionOptions(cwd=f"/{text}"), "cwd"),  # type: ignore[arg-type]
    "extra directory": (
        lambda text: SessionOptions(extra_directories=(f"/{text}",)),  # type: ignore[arg-type]
        "extra_directories",
    ),
    "tool": (lambda text: SessionOptions(tools=(f"mcp__{text}",)), "tools"),
    "rule": (lambda text: SessionOptions(allowed_tools=(f"Bash({text})",)), "allowed_tools"),
    "variable": (
        # What stands for a byte that is not UTF-8 can be passed on; no other half of a pair can.
        lambda text: SessionOptions(environment={"A": SECRET + text.replace("\udce9", "\ud800")}),
        "environment",
    ),
    "variable's name": (lambda text: SessionOptions(environment={text: SECRET}), "environment"),
    "schema": (lambda text: SessionOptions(output_schema=_schema(text)), "output_schema"),
    "stop sequence": (
        lambda text: SessionOptions(request_fields={"stop_sequences": [text]}),
        "request_fields",
    ),
    "chat model's model": (lambda text: ClaudeCodeChatModel(model_name=text), "model"),
    "chat model's stop": (lambda text: ClaudeCodeChatModel(stop=[text]), "stop"),
    "chat model's variable": (
        lambda text: ClaudeCodeChatModel(environment={text: SECRET}),
        "environment",
    ),
    "tool definition's name": (lambda text: ToolDefinition(text, "", {"type": "object"}), "tool"),
}  # fmt: skip

#: JSON has an escape for NUL, and it is JSON that is passed.
ESCAPED = {"schema", "stop sequence", "chat model's stop"}


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("way", OPTIONS)
def test_a_bad_option_is_refused_by_its_name(way: str, bad: str) -> None:
    give, name = OPTIONS[way]
    if bad == "NUL" and way in ESCAPED:
        give(BAD[bad])
        return
    # pydantic wraps the error of a chat model's field in one of its own.
    with pytest.raises((OptionError, ValidationError)) as refused:
        give(BAD[bad])
    told = str(refused.value)
    assert f"{name}=" in told
    assert len(told) < 1000
    assert SECRET not in told
    told.encode()  # a front end can be sent it


def test_text_for_the_model_is_repaired() -> None:
    assert SessionOptions(system_prompt=SURROGATE).system_prompt == "caf\ufffd"
    tool = ToolDefinition("look", SURROGATE, {"type": "object"})
    assert tool.description == "caf\ufffd"


def test_a_long_system_prompt_is_taken() -> None:
    assert SessionOptions(system_prompt=LONG).system_prompt == LONG


@pytest.mark.parametrize("name", ["ANTHROPIC_CUSTOM_HEADERS", "LC_NAME"])
def test_an_inherited_variable_that_is_too_long_is_refused(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setenv(name, LONG)
    with pytest.raises(OptionError, match=name):
        prepare(tmp_path / "claude", {}, "5f1c0a52-7d58-4d4f-8e5e-0f6a2b0c9d11")


def test_the_limit_is_that_of_linux() -> None:
    SessionOptions(environment={"A": "x" * (MAX_ARGUMENT_BYTES - len("A=") - 1)})
    with pytest.raises(OptionError, match="128 KiB"):
        SessionOptions(environment={"A": "x" * (MAX_ARGUMENT_BYTES - len("A="))})
