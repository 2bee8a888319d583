"""What one cell asks of Claude."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

from claude_magic.errors import UsageError

from . import permission
from .answers import Form, find_schema, value_of

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Mapping

    from claude_magic.session import TurnFinished

    from .answers import Schema
    from .permission import Rule


class Target(Enum):
    """Where the code of an answer goes."""

    #: Into a new cell below.
    BELOW = "below"
    #: In the place of the prompt.
    HERE = "here"


@dataclass(frozen=True, slots=True)
class Request:
    """What one cell asks of Claude.

    Attributes
    ----------
    prompt
        Sent as it is written.
    output
        The variable that keeps the answer; None for none.
    form, schema
        What the answer is turned into; at most one of them.
    target
        Where the code of the answer goes; None for nowhere but the answer.
    changes
        Fields of `SessionOptions` that hold for this turn alone.
    rules
        What may run unasked in this turn.
    max_cost_usd
        What the turn may cost, in US dollars; None for no limit of its own.
    context
        Whether Claude is told what has changed in the kernel.
    attached
        What goes along besides, and is not what the person says; empty for nothing.
    """

    prompt: str
    output: str | None = None
    form: Form | None = None
    schema: Schema | None = None
    target: Target | None = None
    changes: Mapping[str, Any] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()
    max_cost_usd: float | None = None
    context: bool = True
    attached: str = ""

    @classmethod
    def of(cls, prompt: str, chosen: Namespace, namespace: Mapping[str, Any]) -> Request:
        """Make the request of a prompt and the options of its magic's line.

        Parameters
        ----------
        prompt
            The text below, or behind, the magic.
        chosen
            The parsed options.
        namespace
            The user's variables, one of which may be a schema.

        Raises
        ------
        UsageError
            If the prompt is empty, or options contradict each other; nothing is sent.
        """
        if not prompt.strip():
            raise UsageError("The prompt is empty; nothing was sent.")
        form = Form(chosen.form) if chosen.form is not None else None
        schema = find_schema(chosen.schema, namespace) if chosen.schema is not None else None
        if form is not None and schema is not None:
            raise UsageError("--as and --schema exclude each other.")
        if chosen.cell and chosen.here:
            raise UsageError("--cell and --here exclude each other.")
        target = Target.BELOW if chosen.cell else Target.HERE if chosen.here else None
        if target is not None and (schema is not None or form not in {None, Form.CODE}):
            raise UsageError("--cell and --here take code: leave --as and --schema out.")
        changes = option_changes(chosen)
        if schema is not None:
            changes["output_schema"] = schema.json_schema
        if chosen.plan:
            changes["permission_mode"] = "plan"
        return cls(
            prompt,
            chosen.output,
            Form.CODE if target is not None else form,
            schema,
            target,
            changes,
            permission.parse_rules(chosen.allow) if chosen.allow is not None else (),
            chosen.max_cost,
            not chosen.no_context,
        )

    def value_of(self, finished: TurnFinished) -> Any:
        """Return the answer as what was asked for; None if it was asked for as it is.

        Raises
        ------
        AnswerError
            If it holds no such thing.
        """
        if self.schema is not None:
            return self.schema.value_of(finished)
        return value_of(self.form, finished.text) if self.form is not None else None


def option_changes(chosen: Namespace) -> dict[str, Any]:
    """Return the fields of `SessionOptions` that the options of a line name."""
    changes = {
        name: getattr(chosen, name)
        for name in ("model", "effort", "cwd")
        if getattr(chosen, name, None) is not None
    }
    if chosen.tools is not None:
        names = tuple(name.strip() for name in chosen.tools.split(","))
        changes["tools"] = () if names == ("none",) else names
    return changes
