"""What this kernel and the JupyterLab extension tell each other.

`labextension/src/wire.ts` says the same in TypeScript; a test holds both together.

The front end asks on the control channel, where it is heard while a cell is running; the kernel
tells of changes by a comm, which it opens when the extension is loaded into it.
"""

from __future__ import annotations

from typing import Literal, TypedDict

#: The comm's target.
TARGET = "claude_magic"

#: What a request on the control channel is addressed to.
ADDRESS = "kernel"


class SessionView(TypedDict):
    """What the front end shows of a conversation."""

    name: str
    state: Literal["new", "connecting", "ready", "busy", "interrupting", "lost", "parked", "closed"]
    sentence: str
    reason: str
    label: str | None
    model: str | None
    turns: int


class KernelState(TypedDict):
    """What the front end shows of a kernel; `failed` is a cell, `question` a request's address."""

    current: str
    sessions: list[SessionView]
    failed: str | None
    question: str | None


class WireCell(TypedDict):
    """A cell that Claude proposes; `found` names what `cleaned` leaves out of its Markdown."""

    kind: Literal["code", "markdown"]
    source: str
    #: The id of the cell that it would replace.
    replaces: str | None
    found: list[str]
    cleaned: str


class StateTold(TypedDict):
    """By the comm: something has changed."""

    told: Literal["state"]
    state: KernelState


class CellsProposed(TypedDict):
    """By the comm: cells wait for a front end that takes them, below the cell with an id."""

    told: Literal["cells"]
    proposal: str
    below: str
    cells: list[WireCell]


class Hello(TypedDict):
    """Ask who is there."""

    do: Literal["hello"]
    version: str


class Greeting(TypedDict):
    """The answer to `Hello`."""

    version: str
    comm: str
    state: KernelState


class Act(TypedDict):
    """Do something with a conversation; `switch` makes it the one that the front end shows."""

    do: Literal["connect", "disconnect", "reset", "stop", "switch"]
    session: str


class Complete(TypedDict):
    """Ask which variables begin so."""

    do: Literal["complete"]
    text: str


class Completions(TypedDict):
    """The answer to `Complete`."""

    names: list[str]


class Take(TypedDict):
    """Take proposed cells; only the first who asks gets them."""

    do: Literal["take"]
    proposal: str


class Settle(TypedDict):
    """Tell what a person decided on a proposed cell, counted from 0."""

    do: Literal["settle"]
    proposal: str
    cell: int
    accepted: bool


class Show(TypedDict):
    """Ask for the permission request that waits for a decision."""

    do: Literal["question"]


class OpenQuestion(TypedDict):
    """The answer to `Show`: what a permission request consists of."""

    address: str
    title: str
    body: list[list[str]]
    lines: int
    note: str | None
    rule: str | None


class Done(TypedDict):
    """The answer to all other requests."""
