"""The chat model."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from langchain_core.language_models import BaseChatModel
from langchain_core.outputs import ChatGeneration, ChatResult
from pydantic import ConfigDict, Field, PrivateAttr, model_validator

from claude_magic.errors import UsageError
from claude_magic.session import (
    ClaudeSession,
    Effort,
    PermissionMode,
    SessionOptions,
    Told,
    TurnFinished,
)

from .messages import ChunkStream, answer_of, exchange
from .places import Place

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from types import TracebackType

    from langchain_core.callbacks import (
        AsyncCallbackManagerForLLMRun,
        CallbackManagerForLLMRun,
    )
    from langchain_core.language_models import LangSmithParams
    from langchain_core.messages import BaseMessage
    from langchain_core.outputs import ChatGenerationChunk
    from typing_extensions import Self

    from claude_magic.session import Turn

    from .messages import Exchange


class ClaudeCodeChatModel(BaseChatModel):
    """A chat model on Claude Code.

    By default every call is a conversation of its own: a process starts for it, hears the messages
    of the call and nothing else, and ends. With ``use_continuous_session=True`` all calls share
    one conversation, from `connect` (or the first call) to `disconnect`, which clears it; then a
    call sends only what is new in its messages.

    It has no tools, and reads no settings and no CLAUDE.md, unless asked to. Any thread and any
    event loop may call it; calls into one continuous session are answered one after another.

    Parameters
    ----------
    model_name
        The model, also as ``model=``; None for Claude Code's own choice.
    effort
        How hard the model thinks, or None for the model's default.
    system_prompt
        Stands before the messages; a system message in a call goes before it in a single-turn
        call, and must be the same in every call of a continuous session.
    tools, allowed_tools, permission_mode, cwd, environment, label
        As in `SessionOptions`.
    use_continuous_session
        Whether calls share one conversation.

    Examples
    --------
    >>> model = ClaudeCodeChatModel()  # doctest: +SKIP
    >>> model.invoke("What is the median of 3, 1 and 2?").text  # doctest: +SKIP
    '2'

    >>> async with ClaudeCodeChatModel(use_continuous_session=True) as model:  # doctest: +SKIP
    ...     await model.ainvoke("My name is Ada.")
    ...     await model.ainvoke("What is my name?")
    """

    model_config = ConfigDict(extra="forbid", populate_by_name=True, arbitrary_types_allowed=True)

    model_name: str | None = Field(default=None, alias="model")
    effort: Effort | None = None
    system_prompt: str | None = None
    tools: tuple[str, ...] = ()
    allowed_tools: tuple[str, ...] = ()
    permission_mode: PermissionMode = "default"
    cwd: Path | None = None
    environment: dict[str, str] = Field(default_factory=dict, repr=False)
    label: str | None = None
    use_continuous_session: bool = False

    _shared: _Shared | None = PrivateAttr(default=None)
    _lock: Any = PrivateAttr(default_factory=threading.Lock)

    @model_validator(mode="after")
    def _check_options(self) -> Self:
        self._options()
        return self

    @property
    def _llm_type(self) -> str:
        return "claude-code"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"model": self.model_name, "effort": self.effort, "system": self.system_prompt}

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        params = super()._get_ls_params(stop=stop, **kwargs)
        params["ls_provider"] = "anthropic"
        params["ls_model_name"] = self.model_name or "claude-code"
        return params

    def _options(self, system: str | None = None) -> SessionOptions:
        prompts = [prompt for prompt in (system, self.system_prompt) if prompt]
        return SessionOptions(
            model=self.model_name,
            effort=self.effort,
            system_prompt="\n\n".join(prompts) or None,
            cwd=self.cwd,
            tools=self.tools,
            allowed_tools=self.allowed_tools,
            permission_mode=self.permission_mode,
            environment=self.environment,
            keep_transcript=self.use_continuous_session,
            label=self.label,
        )

    # -- the continuous session ----------------------------------------------------------------

    def connect(self) -> None:
        """Start the continuous session; nothing to do where it is connected.

        Raises
        ------
        UsageError
            If the model does not use a continuous session.
        StartError
            If Claude Code does not come up.
        """
        self._continuous().session.connect()

    async def aconnect(self) -> None:
        """Do as `connect` does, on any event loop."""
        await self._continuous().session.aconnect()

    def disconnect(self) -> None:
        """End the continuous session and its context; twice is harmless."""
        session = self._forget()
        if session is not None:
            session.close()

    async def adisconnect(self) -> None:
        """Do as `disconnect` does, on any event loop."""
        session = self._forget()
        if session is not None:
            await session.aclose()

    @property
    def session(self) -> ClaudeSession | None:
        """The continuous session, once there is one."""
        return self._shared.session if self._shared is not None else None

    def _continuous(self, system: str | None = None) -> _Shared:
        if not self.use_continuous_session:
            raise UsageError(
                "Every call of this model is a conversation of its own, so there is nothing to "
                "connect. Make the model with use_continuous_session=True.",
            )
        options = self._options(system)
        with self._lock:
            shared = self._shared
            if shared is not None and system is not None and options != shared.session.options:
                if shared.said:
                    raise UsageError(
                        "The system message is not the one that this session was started with. "
                        "disconnect() first, or use another model object for another conversation.",
                    )
                shared.session.start_closing()  # connected, but nothing was said yet
                shared = None
            if shared is None:
                shared = self._shared = _Shared(ClaudeSession(options))
            return shared

    def _forget(self) -> ClaudeSession | None:
        with self._lock:
            shared, self._shared = self._shared, None
            return shared.session if shared is not None else None

    # A copy of a model, in this process or another, is a model with a conversation of its own.

    def __copy__(self) -> Self:
        return self._apart(super().__copy__())

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        return self._apart(super().__copy__())

    def _apart(self, twin: Self) -> Self:
        twin.__pydantic_private__ = {"_shared": None, "_lock": threading.Lock()}
        return twin

    def __getstate__(self) -> dict[Any, Any]:
        return {**super().__getstate__(), "__pydantic_private__": None}

    def __setstate__(self, state: dict[Any, Any]) -> None:
        super().__setstate__(state)
        self._apart(self)

    def __enter__(self) -> Self:
        self.connect()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.disconnect()

    async def __aenter__(self) -> Self:
        await self.aconnect()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.adisconnect()

    # -- calls ---------------------------------------------------------------------------------

    def _begin(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None,
        settings: dict[str, Any],
        place: Place,
    ) -> _Call:
        if stop:
            raise UsageError("stop sequences are not supported yet; cut the answer instead.")
        if settings:
            raise UsageError(
                f"{', '.join(sorted(settings))}: not a parameter of this model; nothing was sent.",
            )
        asked = exchange(messages)
        if self.use_continuous_session:
            shared = self._continuous(asked.system)
            history = shared.unsaid(asked)
            return _Call(shared.session, shared.session.send(asked.prompt, history), place, shared)
        session = ClaudeSession(self._options(asked.system))
        return _Call(session, session.send(asked.prompt, asked.history), place)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,  # noqa: ARG002
        **kwargs: Any,
    ) -> ChatResult:
        with self._place() as place, self._begin(messages, stop, kwargs, place) as call:
            finished = call.finish(call.turn.result())
        return ChatResult(generations=[ChatGeneration(message=answer_of(finished))])

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,  # noqa: ARG002
        **kwargs: Any,
    ) -> ChatResult:
        async with self._place() as place:
            with self._begin(messages, stop, kwargs, place) as call:
                finished = call.finish(await call.turn.aresult())
        return ChatResult(generations=[ChatGeneration(message=answer_of(finished))])

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        chunks = ChunkStream()
        with self._place() as place, self._begin(messages, stop, kwargs, place) as call:
            for event in call.turn:
                chunk = chunks.chunk(event)
                if isinstance(event, TurnFinished):
                    call.finish(event)
                if chunk is not None:
                    if run_manager:
                        run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                    yield chunk

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        chunks = ChunkStream()
        async with self._place() as place:
            with self._begin(messages, stop, kwargs, place) as call:
                async for event in call.turn:
                    chunk = chunks.chunk(event)
                    if isinstance(event, TurnFinished):
                        call.finish(event)
                    if chunk is not None:
                        if run_manager:
                            await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                        yield chunk

    def _place(self) -> Place:
        # A continuous session has its process anyway; only single turns add processes.
        return Place(wanted=not self.use_continuous_session)


class _Shared:
    """The conversation that the calls of a continuous model share, and what was said in it."""

    def __init__(self, session: ClaudeSession) -> None:
        self.session = session
        self.said: tuple[Told, ...] = ()

    def unsaid(self, asked: Exchange) -> tuple[Told, ...]:
        """Return the part of a call's history that the session has not heard."""
        if asked.history and asked.history[: len(self.said)] != self.said:
            raise UsageError(
                "The messages contradict what was said in this session. Send only what is new, "
                "or disconnect() to start again with these messages.",
            )
        return asked.history[len(self.said) :]


@dataclass(frozen=True)
class _Call:
    """One call under way; as a context it ends the session that was made for it alone."""

    session: ClaudeSession
    turn: Turn
    place: Place
    shared: _Shared | None = None

    def finish(self, finished: TurnFinished) -> TurnFinished:
        """Remember what was said, for the calls that come after."""
        if self.shared is not None:
            asked, answered = Told("user", self.turn.prompt), Told("assistant", finished.text)
            self.shared.said += (*self.turn.history, asked, answered)
        return finished

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.shared is None:
            # Not waited for: neither a cancelled call nor an event loop may be held up by it.
            self.place.keep_until(self.session.start_closing())
