"""The tools by which Claude looks into the kernel, and runs Python in it."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType
from typing import TYPE_CHECKING, Any

from claude_magic import masking
from claude_magic.session import Picture, ServedTool, ToolAnswer, ToolDefinition, well_formed

from . import kernel
from .cells import ProposedCell
from .kernel.kinds import lineage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from IPython.core.interactiveshell import InteractiveShell

    from .cells import Proposals
    from .desk import Desk
    from .kernel.history import CellHistory, CellRun
    from .kernel.runner import PythonRunner, RunResult
    from .kernel_secrets import KernelSecrets

#: So many variables are listed, and so many cells shown, at most.
MAX_VARIABLES = 200
MAX_CELLS = 20

#: So many of the last cells can be replaced.
MAX_REPLACED = 50

#: So many pictures a tool gives back.
MAX_PICTURES = 5


class KernelTools:
    """What Claude can see of the kernel, and do in it, while a cell waits for its answer.

    The tools that look run unasked; running Python needs consent; proposing a cell runs nothing.
    Everything that goes to the model is bounded, and masked where it looks like a secret.

    Parameters
    ----------
    shell
        The shell.
    desk
        Has the main thread do it.
    history
        Knows the cells that were run.
    runner
        Runs Python.
    proposals
        Takes the cells that Claude proposes.
    secrets
        Masks the values of secret variables.
    """

    def __init__(  # noqa: PLR0913 - the parts of the kernel that the tools reach
        self,
        shell: InteractiveShell,
        desk: Desk,
        history: CellHistory,
        runner: PythonRunner,
        proposals: Proposals,
        *,
        secrets: KernelSecrets,
    ) -> None:
        self._shell = shell
        self._desk = desk
        self._history = history
        self._runner = runner
        self._proposals = proposals
        self._secrets = secrets

    @property
    def toolbox(self) -> tuple[ServedTool, ...]:
        """The tools, for a session."""
        return (
            self._tool(
                self.list_variables,
                "list_variables",
                "List the variables of the user's notebook: name, type, shape, size; no values.",
                {},
            ),
            self._tool(
                self.inspect_variable,
                "inspect_variable",
                "Look at one variable of the user's notebook: a table's columns, types and first "
                "rows, an array's shape and range, a figure or image as you would see it, other "
                "values in short.",
                {"name": {"type": "string", "description": "the variable"}},
            ),
            self._tool(
                self.last_error,
                "last_error",
                "Show the full traceback of the last cell of the notebook that failed.",
                {},
            ),
            self._tool(
                self.recent_cells,
                "recent_cells",
                "Show the cells that were run last, the newest one at the end, with their output.",
                {"count": {"type": "integer", "minimum": 1, "maximum": MAX_CELLS}},
            ),
            self._tool(
                self.propose_cells,
                "propose_cells",
                "Propose cells for the user's notebook. They are put below the present cell in "
                "their order when your answer is complete; the user runs them, or not. Give a cell "
                "`replaces`, the number in [ ] of a cell that was run, to correct that one.",
                {
                    "cells": {
                        "type": "array",
                        "minItems": 1,
                        "items": {
                            "type": "object",
                            "properties": {
                                "kind": {"enum": ["code", "markdown"]},
                                "source": {"type": "string"},
                                "replaces": {"type": "integer"},
                            },
                            "required": ["kind", "source"],
                        },
                    },
                },
            ),
            self._tool(
                self.run_python,
                "run_python",
                "Run Python in the user's kernel, among the user's variables, as a cell would. You "
                "get what it printed, its last value, figures, or the traceback. The user is asked "
                "for consent.",
                {"code": {"type": "string"}},
                looks_only=False,
            ),
        )

    def _tool(
        self,
        work: Callable[..., ToolAnswer],
        name: str,
        description: str,
        properties: Mapping[str, Any],
        *,
        looks_only: bool = True,
    ) -> ServedTool:
        async def run(arguments: Mapping[str, Any]) -> ToolAnswer:
            # What the model makes up besides is left out.
            known = {key: arguments[key] for key in properties if key in arguments}
            return await self._desk.perform(lambda: self._masked(work(**known)))

        schema = {"type": "object", "properties": properties, "required": [*properties]}
        return ServedTool(ToolDefinition(name, description, schema), run, looks_only)

    def _masked(self, answer: ToolAnswer) -> ToolAnswer:
        self._secrets.learn()
        return replace(answer, text=self._secrets.mask(answer.text))

    # -- the tools, on the main thread ---------------------------------------------------------

    def list_variables(self) -> ToolAnswer:
        """List the user's variables, without their values."""
        variables = user_variables(self._shell)
        if not variables:
            return ToolAnswer("There are no variables yet.")
        lines = []
        for name, value in list(variables.items())[:MAX_VARIABLES]:
            told = kernel.summary(name, value)
            facts = (told.type, told.shape, told.size)
            lines.append(f"{name}: {', '.join(fact for fact in facts if fact)}")
        if len(variables) > MAX_VARIABLES:
            lines.append(f"… and {len(variables) - MAX_VARIABLES} more")
        return ToolAnswer("\n".join(lines))

    def inspect_variable(self, name: str) -> ToolAnswer:
        """Show one variable."""
        if name not in self._shell.user_ns:
            return ToolAnswer(f"There is no variable {name!r}.", is_error=True)
        seen = kernel.view(name, self._shell.user_ns[name])
        pictures = tuple(Picture(each.media_type, each.data) for each in seen.pictures)
        return ToolAnswer(seen.text, pictures)

    def last_error(self) -> ToolAnswer:
        """Show the last traceback."""
        return ToolAnswer(masking.mask(self._history.last_error() or "No cell has failed so far."))

    def recent_cells(self, count: int = 5) -> ToolAnswer:
        """Show the cells that were run last."""
        # The cell that asks is the last one, and the model knows it.
        runs = self._history.recent(min(max(int(count), 1), MAX_CELLS) + 1)
        runs = [run for run in runs if run.status != "running"][-count:]
        if not runs:
            return ToolAnswer("No cell was run before this one.")
        pictures = [picture for run in runs for picture in run.pictures][-MAX_PICTURES:]
        return ToolAnswer(
            masking.mask("\n\n".join(map(_told_run, runs))),
            tuple(Picture(each.media_type, each.data) for each in pictures),
        )

    def propose_cells(self, cells: list[Mapping[str, Any]]) -> ToolAnswer:
        """Take cells that go below the present one, or in the place of one that was run."""
        ids = {run.number: run.cell_id for run in self._history.recent(MAX_REPLACED)}
        proposed = [
            ProposedCell(
                "markdown" if cell.get("kind") == "markdown" else "code",
                well_formed(cell["source"]),
                # Of a number that there is not a new cell is made.
                ids.get(cell.get("replaces")),
            )
            for cell in cells
        ]
        self._proposals.propose(proposed)
        return ToolAnswer(f"{len(proposed)} proposed; the user decides whether to run them.")

    def run_python(self, code: str) -> ToolAnswer:
        """Run code as a cell would."""
        result = self._runner.run(code)
        pictures = tuple(
            Picture(each.media_type, each.data) for each in result.pictures[:MAX_PICTURES]
        )
        if result.interrupted:
            # The interrupt is meant for the turn as well.
            raise KeyboardInterrupt
        return ToolAnswer(
            masking.mask(_told_result(result)), pictures, is_error=result.error is not None
        )


def user_variables(shell: InteractiveShell) -> dict[str, Any]:
    """Return the variables that the user made, the newest last. No object is asked anything."""
    hidden = shell.user_ns_hidden
    return {
        name: value
        for name, value in list(shell.user_ns.items())
        if type(name) is str
        and not name.startswith("_")
        and name not in hidden
        and ModuleType not in lineage(value)
    }


def _told_run(run: CellRun) -> str:
    head = f"[{run.number}]" if run.number is not None else "[ ]"
    parts = [f"{head} {run.status}, {run.elapsed_s:.1f} s", run.source]
    if run.outputs:
        parts.append(f"-- output:\n{run.outputs}")
    if run.error:
        parts.append(f"-- failed: {run.error}")
    return "\n".join(parts)


def _told_result(result: RunResult) -> str:
    parts = [
        ("printed", result.stdout),
        ("standard error", result.stderr),
        ("value", result.result),
        ("failed", result.error),
    ]
    told = [f"-- {head}:\n{text.rstrip()}" for head, text in parts if text]
    return "\n".join(told) or "It ran without output."
