"""Tools that this process runs while the turn goes on, and whoever made the session behind them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from .permission import PermissionCallback, PermissionRequest
    from .tools import ToolDefinition

#: Claude Code knows these tools as those of a server of this name.
KERNEL_SERVER = "kernel"


@dataclass(frozen=True, slots=True)
class Picture:
    """An image that a tool gives back.

    Attributes
    ----------
    media_type
        Such as ``"image/png"``.
    data
        The image's bytes.
    """

    media_type: str
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class ToolAnswer:
    """What a tool gives back.

    Attributes
    ----------
    text
        What the model reads.
    pictures
        What it sees besides.
    is_error
        Whether the tool failed.
    """

    text: str
    pictures: tuple[Picture, ...] = ()
    is_error: bool = False


#: Runs a tool: called on the loop thread, which it must not block. An interrupt of the turn cancels
#: it.
Run: TypeAlias = Callable[[Mapping[str, Any]], Awaitable[ToolAnswer]]


@dataclass(frozen=True, slots=True)
class ServedTool:
    """A tool that this process runs while the turn goes on.

    Parameters
    ----------
    definition
        What the model is told of it.
    run
        Runs it. What it raises is told to the model as the tool's failure.
    looks_only
        Whether it changes nothing; then it runs unasked, and several may run at once.
    """

    definition: ToolDefinition
    run: Run
    looks_only: bool = False

    @property
    def wire_name(self) -> str:
        """What the tool is called between Claude Code and the API."""
        return f"mcp__{KERNEL_SERVER}__{self.definition.name}"


@dataclass(frozen=True, slots=True)
class Caller:
    """What whoever made a session does for it while its turns go on.

    Attributes
    ----------
    decide
        Is asked whether a tool may run that does not run unasked; None denies.
    consent_for
        Tells of every tool call whether it needs consent even where Claude Code would run it
        unasked; None leaves that to Claude Code. Called on the loop thread; where it raises, the
        call needs consent.
    toolbox
        The tools that it runs itself.
    revoke
        Takes back what a person has allowed for the rest of the session, by its rule, and returns
        what is left allowed; raises a `UsageError` where it is not allowed. Any thread calls. None
        where nothing can be allowed so.
    """

    decide: PermissionCallback | None = None
    consent_for: Callable[[PermissionRequest], bool] | None = None
    toolbox: tuple[ServedTool, ...] = ()
    revoke: Callable[[str], Sequence[str]] | None = None
