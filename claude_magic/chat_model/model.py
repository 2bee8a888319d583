"""The chat model."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from langchain_core.language_models import BaseChatModel
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.utils import secret_from_env
from pydantic import ConfigDict, Field, PrivateAttr, SecretStr, model_validator

from claude_magic.errors import UsageError
from claude_magic.session import (
    ClaudeSession,
    Effort,
    PermissionMode,
    SessionOptions,
    Told,
    TurnFinished,
)

from .answers import ChunkStream, answer_of
from .messages import exchange, told
from .places import Place
from .settings import INSTEAD, SETTINGS, refuse_unknown, with_settings
from .spare import Spares
from .structured import structured
from .tools import choice_of, definitions_of, tool_schema

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence
    from types import TracebackType

    from langchain_core.callbacks import (
        AsyncCallbackManagerForLLMRun,
        CallbackManagerForLLMRun,
    )
    from langchain_core.language_models import LangSmithParams, LanguageModelInput
    from langchain_core.messages import AIMessage, BaseMessage
    from langchain_core.outputs import ChatGenerationChunk
    from langchain_core.runnables import Runnable
    from langchain_core.tools import BaseTool
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
    temperature, top_p, top_k, stop
        As in the Messages API; None for its defaults. Models that cannot do without thinking refuse
        a temperature.
    max_tokens
        How long an answer may be, in tokens from 1; it ends with the stop reason ``max_tokens``.
    thinking
        As in the Messages API; None for the model's default.
    timeout
        How long a call may take, in seconds above 0; None for as long as it takes.
    max_retries
        How often the API is asked again where it fails in a way that may pass; None for Claude
        Code's ten times.
    api_key
        The API key; None for that of the environment, or the login of Claude Code.
    system_prompt
        Stands before the messages; a system message in a call goes before it.
    tools, allowed_tools, permission_mode, cwd, environment, label
        As in `SessionOptions`. `tools` are Claude Code's own, which it runs itself; those that your
        code runs are bound with `bind_tools`.
    use_continuous_session
        Whether calls share one conversation.
    session
        A session to join, such as the notebook's own, `current_session()`: calls become part of its
        conversation, under its options.
    warm_spare
        Whether a single-turn call leaves a new process behind that serves the next one, for a
        minute at most. It has heard nothing of any call.
    reuse_processes
        Whether the process of a single-turn call is made to forget the call and serves the next
        one, which then costs 20 ms in place of the 400 ms of a new process. It is done for calls
        without `tools` whose answer came whole, where this Claude Code can forget; a process starts
        for each of the others, with a spare where `warm_spare` is set. What the API is sent is the
        same but for the session's id, which such calls have in common. Up to four processes stay
        behind, for a minute at most.
    streaming
        Whether `invoke` streams, too, for callbacks that want every token.

    Examples
    --------
    >>> model = ClaudeCodeChatModel()  # doctest: +SKIP
    >>> model.invoke("What is the median of 3, 1 and 2?").text  # doctest: +SKIP
    '2'

    >>> async with ClaudeCodeChatModel(use_continuous_session=True) as model:  # doctest: +SKIP
    ...     await model.ainvoke("My name is Ada.")
    ...     await model.ainvoke("What is my name?")
    """

    model_config = ConfigDict(
        extra="forbid",
        populate_by_name=True,
        arbitrary_types_allowed=True,
        # An error would show the values of variables, which may be secrets.
        hide_input_in_errors=True,
    )

    model_name: str | None = Field(default=None, alias="model")
    effort: Effort | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    max_tokens: int | None = None
    stop: list[str] | None = None
    thinking: dict[str, Any] | None = None
    timeout: float | None = None
    max_retries: int | None = None
    api_key: SecretStr | None = Field(
        default_factory=secret_from_env("ANTHROPIC_API_KEY", default=None),
        alias="anthropic_api_key",
        repr=False,
    )
    system_prompt: str | None = None
    tools: tuple[str, ...] = ()
    allowed_tools: tuple[str, ...] = ()
    permission_mode: PermissionMode = "default"
    cwd: Path | None = None
    environment: dict[str, str] = Field(default_factory=dict, repr=False)
    label: str | None = None
    use_continuous_session: bool = False
    joined_session: ClaudeSession | None = Field(
        default=None, alias="session", exclude=True, repr=False
    )
    warm_spare: bool = True
    reuse_processes: bool = False
    streaming: bool = False

    _spares: Spares = PrivateAttr(default_factory=Spares)
    _shared: _Shared | None = PrivateAttr(default=None)
    _lock: Any = PrivateAttr(default_factory=threading.Lock)

    @model_validator(mode="before")
    @classmethod
    def _refuse_foreign_parameters(cls, values: Any) -> Any:
        if isinstance(values, dict):
            for name in set(values) & set(INSTEAD):
                refuse_unknown({name: values[name]})
        return values

    @model_validator(mode="after")
    def _check_options(self) -> Self:
        options = self._options(None, {})
        if self.joined_session is not None:
            if options != SessionOptions(environment=options.environment, keep_transcript=True):
                raise UsageError(
                    "A model that joins a session answers under the session's options; give those "
                    "to ClaudeSession instead.",
                )
            self._shared = _Shared(self.joined_session)
        return self

    @classmethod
    def is_lc_serializable(cls) -> bool:
        """Whether LangChain may write this model down; the API key is left out."""
        return True

    @classmethod
    def get_lc_namespace(cls) -> list[str]:
        """Return where LangChain finds this class again."""
        return ["claude_magic", "chat_model"]

    @property
    def lc_secrets(self) -> dict[str, str]:
        """What must not be written down, and the variables that hold it."""
        return {"api_key": "ANTHROPIC_API_KEY", "anthropic_api_key": "ANTHROPIC_API_KEY"}

    @property
    def _llm_type(self) -> str:
        return "claude-code"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {**self._settings, "system": self.system_prompt}

    @property
    def _settings(self) -> dict[str, Any]:
        """What the model asks for in all its calls."""
        settings = {name: getattr(self, name) for name in SETTINGS if name != "model"}
        return {"model": self.model_name, **settings}

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        params = super()._get_ls_params(stop=stop, **kwargs)
        params["ls_provider"] = "anthropic"
        params["ls_model_name"] = kwargs.get("model") or self.model_name or "claude-code"
        return params

    def _options(self, system: str | None, settings: dict[str, Any]) -> SessionOptions:
        """Return what a call needs, with settings of its own in place of the model's."""
        prompts = [prompt for prompt in (system, self.system_prompt) if prompt]
        options = SessionOptions(
            system_prompt="\n\n".join(prompts) or None,
            cwd=self.cwd,
            tools=self.tools,
            allowed_tools=self.allowed_tools,
            permission_mode=self.permission_mode,
            environment={**self.environment, **self._credential},
            keep_transcript=self.use_continuous_session or self.joined_session is not None,
            label=self.label,
        )
        own = {name: value for name, value in self._settings.items() if value is not None}
        return with_settings(options, {**own, **settings})

    @property
    def _credential(self) -> dict[str, str]:
        """The variable with the key, where Claude Code would not find it by itself."""
        key = self.api_key.get_secret_value() if self.api_key is not None else None
        if key is None or key == os.environ.get("ANTHROPIC_API_KEY"):
            return {}
        return {"ANTHROPIC_API_KEY": key}

    # -- tools and structured output -----------------------------------------------------------

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: str | bool | dict[str, Any] | None = None,
        parallel_tool_calls: bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Return this model with tools that your code runs.

        Claude asks for them, the answer holds the calls, and nothing is run. Claude Code's own
        tools, named in `tools`, run as ever.

        Parameters
        ----------
        tools
            Pydantic models, functions, LangChain tools, or dicts of OpenAI's or Anthropic's form.
        tool_choice
            ``"auto"``, ``"any"``, ``"none"``, or the name of the tool to call.
        parallel_tool_calls
            Whether several may be called at once; None leaves it to the model.
        **kwargs
            More parameters of the calls.

        Raises
        ------
        UsageError
            If a tool cannot be bound, or one is chosen that is not bound.
        """
        schemas = [tool_schema(tool) for tool in tools]
        names = [schema["function"]["name"] for schema in schemas]
        choice_of(tool_choice, names)
        definitions_of(schemas)
        choices = {"tool_choice": tool_choice, "parallel_tool_calls": parallel_tool_calls}
        given = {name: value for name, value in choices.items() if value is not None}
        return self.bind(tools=schemas, **given, **kwargs)

    def with_structured_output(
        self,
        schema: dict[str, Any] | type,
        *,
        include_raw: bool = False,
        method: Literal["json_schema", "function_calling", "json_mode"] = "json_schema",
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, Any]:
        """Return a runnable whose answers are values of a schema.

        Parameters
        ----------
        schema
            A pydantic model, a TypedDict, or a JSON schema with a title.
        include_raw
            Whether to return a dict of ``raw``, ``parsed`` and ``parsing_error`` instead, and to
            raise nothing where an answer does not meet the schema.
        method
            ``"json_schema"``: Claude Code checks the answer and has the model mend it.
            ``"function_calling"``: the model is made to call a tool with the value.
            ``"json_mode"``: any JSON object, which your prompt describes.
        **kwargs
            More parameters of the calls.

        Raises
        ------
        UsageError
            If the method is unknown.
        """
        return structured(self, schema, method, include_raw=include_raw, **kwargs)

    def get_num_tokens(self, text: str) -> int:
        """Return an estimate of a text's tokens: a quarter of its characters, rounded up.

        Claude's own count is in every answer's `usage_metadata`; asking for it beforehand would
        take a request to the API each time.
        """
        return -(-len(text) // 4)

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
        self._continuous(None, {}).session.connect()

    async def aconnect(self) -> None:
        """Do as `connect` does, on any event loop."""
        await self._continuous(None, {}).session.aconnect()

    def disconnect(self) -> None:
        """End the continuous session and its context; twice is harmless.

        A session that was joined goes on; the model only forgets what was said in it.
        """
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

    def _continuous(self, system: str | None, settings: dict[str, Any]) -> _Shared:
        if self.joined_session is not None:
            if system is not None or settings:
                given = ", ".join(settings) or "a system message"
                raise UsageError(
                    f"{given}: a model that joins a session answers under the session's options. "
                    "Nothing was sent.",
                )
        elif not self.use_continuous_session:
            raise UsageError(
                "Every call of this model is a conversation of its own, so there is nothing to "
                "connect. Make the model with use_continuous_session=True.",
            )
        with self._lock:
            if self._shared is None:
                self._shared = _Shared(
                    self.joined_session or ClaudeSession(self._options(None, {}))
                )
            return self._shared

    def _forget(self) -> ClaudeSession | None:
        with self._lock:
            shared, self._shared = self._shared, None
            if shared is None or shared.session is self.joined_session:
                return None
            return shared.session

    # A copy of a model, in this process or another, is a model with a conversation of its own.

    def __copy__(self) -> Self:
        return self._apart(super().__copy__())

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        return self._apart(super().__copy__())

    def _apart(self, twin: Self) -> Self:
        private = {"_shared": None, "_lock": threading.Lock(), "_spares": Spares()}
        twin.__pydantic_private__ = private
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
        settings = {name: value for name, value in settings.items() if value is not None}
        if stop:
            settings["stop"] = stop
        refuse_unknown(settings)
        asked = exchange(messages)
        if self.use_continuous_session or self.joined_session is not None:
            shared = self._continuous(asked.system, settings)
            options = None
            if self.joined_session is None:
                shared.system = asked.system or shared.system
                options = self._options(shared.system, settings)
            history = shared.unsaid(asked)
            turn = shared.session.send(asked.prompt, history, options)
            return _Call(shared.session, turn, place, shared)
        options = self._options(asked.system, settings)
        spare = self._spares.take(options)
        try:
            turn = spare.session.send(asked.prompt, asked.history)
        except BaseException:
            spare.session.start_closing()
            raise
        # Tools of its own have run something, or read something that Claude Code remembers.
        reuses = self.reuse_processes and not options.tools
        if self.warm_spare and not reuses:
            self._spares.prepare(options)
        give_back = partial(self._spares.give_back, spare) if reuses else None
        return _Call(spare.session, turn, place, give_back=give_back)

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
        chunks = ChunkStream(in_blocks=bool(kwargs.get("tools")))
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
        chunks = ChunkStream(in_blocks=bool(kwargs.get("tools")))
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
        return Place(wanted=not self.use_continuous_session and self.joined_session is None)


class _Shared:
    """The conversation that the calls of a continuous model share, and what was said in it."""

    def __init__(self, session: ClaudeSession) -> None:
        self.session = session
        self.said: tuple[Told, ...] = ()
        #: The system message of the calls so far; a call without one keeps it.
        self.system: str | None = None

    def unsaid(self, asked: Exchange) -> tuple[Told, ...]:
        """Return the part of a call's history that the session has not heard."""
        if asked.history and asked.history[: len(self.said)] != self.said:
            raise UsageError(
                "The messages contradict what was said in this session. Send only what is new; "
                "disconnect() to start again with these messages; or give them to a model that "
                "joins session.fork().",
            )
        return asked.history[len(self.said) :]


@dataclass
class _Call:
    """One call under way; as a context it ends the session that was made for it alone."""

    session: ClaudeSession
    turn: Turn
    place: Place
    shared: _Shared | None = None
    #: Has the session serve another call, and tells whether it will; None where it must not.
    give_back: Callable[[], bool] | None = None
    #: Whether the answer ended by itself, so that Claude Code has nothing more to do.
    whole: bool = False

    def finish(self, finished: TurnFinished) -> TurnFinished:
        """Remember what was said, for the calls that come after."""
        self.whole = finished.stop_reason in _BY_ITSELF
        if self.shared is not None:
            asked, answered = Told("user", self.turn.prompt), told(answer_of(finished))
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
        # Clearing or closing is not waited for: neither a cancelled call nor an event loop may be
        # held up by it.
        if self.shared is None and not (self.whole and self.give_back and self.give_back()):
            self.place.keep_until(self.session.start_closing())


#: The stop reasons of answers that ended by themselves.
_BY_ITSELF = frozenset({"end_turn", "stop_sequence", "tool_use"})
