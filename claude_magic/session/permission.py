"""The question whether a tool may run, and its answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .turn import Turn


@dataclass(frozen=True, slots=True)
class PermissionRequest:
    """A tool that wants to run.

    Attributes
    ----------
    name
        The tool, such as ``"Bash"``.
    arguments
        What it would be called with.
    cwd
        Where Claude Code works, and relative paths begin.
    turn
        The turn that it belongs to; None for what Claude does by itself, between prompts.
    """

    name: str
    arguments: Mapping[str, Any] = field(hash=False)
    cwd: Path = field(default_factory=Path.cwd)
    turn: Turn | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Allow:
    """The tool may run.

    Attributes
    ----------
    arguments
        What it is to be called with instead; None leaves them as they are.
    """

    arguments: Mapping[str, Any] | None = field(default=None, hash=False)


@dataclass(frozen=True, slots=True)
class Deny:
    """The tool must not run.

    Attributes
    ----------
    reason
        What Claude is told.
    stop
        Whether the turn ends with this.
    asked
        Whether a person was asked, rather than nobody being there.
    """

    reason: str
    stop: bool = False
    asked: bool = True


PermissionAnswer: TypeAlias = Allow | Deny

#: Decides for a session. It is called on the loop thread and must not block there; the question may
#: stay open for as long as a person needs. An interrupt of the turn cancels it.
PermissionCallback: TypeAlias = Callable[[PermissionRequest], Awaitable[PermissionAnswer]]


def nobody_to_ask(request: PermissionRequest) -> Deny:
    """Deny because there is nobody who could consent."""
    return Deny(
        f"{request.name} needs a person's consent and nobody can be asked here. "
        "Go on without it, or say what you would have done.",
        asked=False,
    )


def checked(answer: object) -> PermissionAnswer:
    """Return what a callback answered.

    Raises
    ------
    TypeError
        If it is no answer.
    """
    if not isinstance(answer, (Allow, Deny)):
        raise TypeError(f"{answer!r} is neither Allow nor Deny")
    return answer
