"""LangChain's standard tests, through the real Claude Code."""

from __future__ import annotations

import base64
import importlib
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_tests.integration_tests import ChatModelIntegrationTests
from langchain_tests.unit_tests import ChatModelUnitTests

from claude_magic import ClaudeCodeChatModel

from .conftest import USAGE

# The package hides the module behind a function of the same name.
load = importlib.import_module("langchain_core.load.load")

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

#: The smallest image, and the smallest document.
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
)
PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj 2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF"  # noqa: E501


class _Ours:
    """What this model is, and what it can do: everything but audio."""

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return ClaudeCodeChatModel

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"model": "claude-opus-5-5"}

    has_tool_calling = True
    has_tool_choice = True
    has_structured_output = True
    supports_json_mode = True
    supports_image_inputs = True
    supports_image_urls = True
    supports_pdf_inputs = True
    supports_image_tool_message = True
    supports_pdf_tool_message = True
    supports_anthropic_inputs = True
    returns_usage_metadata = True
    supports_model_override = True
    model_override_value = "claude-haiku-4-5"
    # Claude does not hear.
    supports_audio_inputs = False
    # HTTP happens in the process of Claude Code, where a cassette records nothing.
    enable_vcr_tests = False


@pytest.fixture
def on_the_list(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the model on the list of classes that LangChain reads back with "all".

    It holds LangChain's own partners. Others are named in `allowed_objects`, as test_fidelity.py
    does; that a class puts itself there would be for nobody's safety.
    """
    path = (*ClaudeCodeChatModel.get_lc_namespace(), "ClaudeCodeChatModel")
    monkeypatch.setitem(load.ALL_SERIALIZABLE_MAPPINGS, path, path)
    monkeypatch.setattr(load, "_default_class_paths_cache", {})


@pytest.mark.usefixtures("on_the_list")
class TestUnit(_Ours, ChatModelUnitTests):
    @property
    def init_from_env_params(self) -> tuple[dict[str, str], dict[str, Any], dict[str, Any]]:
        return {"ANTHROPIC_API_KEY": "made-up"}, self.chat_model_params, {"api_key": "made-up"}


@pytest.mark.usefixtures("cooperative", "downloads")
class TestIntegration(_Ours, ChatModelIntegrationTests):
    @property
    def supported_usage_metadata_details(self) -> dict[Any, Any]:
        details = ["reasoning_output", "cache_read_input", "cache_creation_input"]
        return {"invoke": details, "stream": details}

    def _invoke(self, *, stream: bool) -> AIMessage:
        model = ClaudeCodeChatModel(**self.chat_model_params)
        if not stream:
            return model.invoke("Hello")
        first, *rest = [
            chunk for chunk in model.stream("Hello") if isinstance(chunk, AIMessageChunk)
        ]
        for chunk in rest:
            first += chunk
        return first

    def invoke_with_reasoning_output(self, *, stream: bool = False) -> AIMessage:
        return self._invoke(stream=stream)

    def invoke_with_cache_read_input(self, *, stream: bool = False) -> AIMessage:
        message = self._invoke(stream=stream)
        assert message.usage_metadata is not None
        assert (
            message.usage_metadata["input_token_details"]["cache_read"]
            == USAGE.cache_read_input_tokens
        )
        return message

    def invoke_with_cache_creation_input(self, *, stream: bool = False) -> AIMessage:
        message = self._invoke(stream=stream)
        assert message.usage_metadata is not None
        details = message.usage_metadata["input_token_details"]
        assert details["cache_creation"] == USAGE.cache_creation_input_tokens
        return message


@pytest.fixture
def downloads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the suite a picture and a document of our own in place of what it downloads."""

    def get(url: str, **_: Any) -> httpx.Response:
        content = PDF if url.endswith(".pdf") else PNG
        return httpx.Response(200, content=content, request=httpx.Request("GET", url))

    monkeypatch.setattr(httpx, "get", get)
