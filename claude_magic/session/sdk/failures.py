"""Maps what went wrong in Claude Code to our error tree, by type and field."""

from __future__ import annotations

from typing import TYPE_CHECKING

from claude_magic.errors import (
    ApiConnectionError,
    ApiError,
    AuthenticationError,
    ContextTooLongError,
    ModelNotFoundError,
    NotLoggedInError,
    OverloadedError,
    PromptRejectedError,
    RateLimitError,
    ServerError,
    TapeMissError,
    TurnError,
    TurnInterruptedError,
    TurnLimitError,
)

if TYPE_CHECKING:
    from claude_agent_sdk import AssistantMessage, ResultMessage

    from claude_magic.errors import ClaudeMagicError


def error_of(
    message: ResultMessage,
    failure: AssistantMessage | None,
) -> ClaudeMagicError | None:
    """Map a result to our error tree, by its fields."""
    if message.terminal_reason in {"aborted_streaming", "aborted_tools"}:
        return TurnInterruptedError()
    if not message.is_error:
        return None
    text = "; ".join(message.errors or ()) or message.result or message.subtype
    status = message.api_error_status
    kind = failure.error if failure is not None else None
    error: ClaudeMagicError
    if message.subtype in {"error_max_turns", "error_max_budget_usd"}:
        error = TurnLimitError(f"{text.rstrip('. ')}. Raise the limit, or ask for less.")
    elif message.terminal_reason == "prompt_too_long":
        error = ContextTooLongError(text, status or 400)
    elif kind == "authentication_failed" and status is None:
        error = NotLoggedInError()
    elif status is not None or message.terminal_reason == "api_error":
        # Claude Code may put words of its own before what the API said.
        said = text.rpartition(f"API Error: {status} " if status is not None else "API Error: ")[2]
        error = _api_error(status, kind)(said, status)
    elif kind == "invalid_request":  # Claude Code itself refused it
        error = PromptRejectedError(text)
    else:
        error = TurnError(text)
    return error


def _api_error(status: int | None, kind: str | None) -> type[ApiError]:
    if status is None:
        return PromptRejectedError if kind == "invalid_request" else ApiConnectionError
    return _API_ERRORS.get(status, ServerError if status >= _SERVER else ApiError)


_SERVER = 500

_API_ERRORS: dict[int, type[ApiError]] = {
    400: PromptRejectedError,
    404: ModelNotFoundError,
    422: PromptRejectedError,
    # These may pass: a timeout of the request, a conflict, a request that came too early.
    **dict.fromkeys((408, 409, 425), ServerError),
    401: AuthenticationError,
    403: AuthenticationError,
    413: ContextTooLongError,
    429: RateLimitError,
    529: OverloadedError,
    # What our own server answers a miss with; no API does.
    418: TapeMissError,
}
