"""Tab in a prompt: the variables after `@`, and the options of the magic's line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, cast

from IPython.core.completer import SimpleCompletion, context_matcher

if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Callable

    from IPython.core.completer import CompletionContext, SimpleMatcherResult
    from IPython.core.interactiveshell import InteractiveShell

_PROMPT = re.compile(r"\s*(%{1,2})(claude\w*)\b")
_AT_NAME = re.compile(r"(?<![\w@.])@(\w*)$")
_OPTION = re.compile(r"(?:^|\s)(-{1,2}[\w-]*)$")


def prompt_matcher(
    shell: InteractiveShell,
    parser_of: Callable[[str], ArgumentParser | None],
) -> Callable[[CompletionContext], SimpleMatcherResult]:
    """Return a matcher for IPython's completer.

    Parameters
    ----------
    shell
        The shell whose variables are completed.
    parser_of
        Returns the parser of a magic's line by the magic's name; None for no magic of ours.
    """

    @context_matcher(priority=10)  # type: ignore[untyped-decorator]
    def claude_prompt_matcher(context: CompletionContext) -> SimpleMatcherResult:
        before = _before_cursor(context)
        magic = _PROMPT.match(context.full_text)
        if magic is None or (magic[1] == "%" and "\n" in before):
            return _nothing()
        parser = parser_of(magic[2])
        mention, option = _AT_NAME.search(before), _OPTION.search(before)
        if mention is not None and magic[2] == "claude":
            return _matches(mention[1], variable_names(shell), "variable")
        if option is not None and parser is not None and "\n" not in before:
            return _matches(option[1], _options(parser), "option")
        return _nothing()

    return cast("Callable[[CompletionContext], SimpleMatcherResult]", claude_prompt_matcher)


def _before_cursor(context: CompletionContext) -> str:
    lines = context.full_text.split("\n")[: context.cursor_line + 1]
    lines[-1] = lines[-1][: context.cursor_position]
    return "\n".join(lines)


def variable_names(shell: InteractiveShell) -> list[str]:
    """Return the names that can stand behind an `@`, in order. Any thread may call."""
    # A copy, because the user's code may be adding to it.
    names, hidden = list(shell.user_ns), shell.user_ns_hidden
    # The keys of a namespace can be anything, and a page may show them.
    return sorted(
        name
        for name in names
        if isinstance(name, str)
        and name.isidentifier()
        and not name.startswith("_")
        and name not in hidden
    )


def _options(parser: ArgumentParser) -> list[str]:
    actions: list[Any] = parser._actions  # noqa: SLF001 - argparse has no public list of them
    return sorted(name for action in actions for name in action.option_strings)


def _matches(start: str, known: list[str], kind: str) -> SimpleMatcherResult:
    completions = [SimpleCompletion(name, type=kind) for name in known if name.startswith(start)]
    return {
        "completions": completions,
        "matched_fragment": start,
        "ordered": True,
        "suppress": True,
        "do_not_suppress": set(),
    }


def _nothing() -> SimpleMatcherResult:
    return {**_matches("", [], ""), "suppress": False}
