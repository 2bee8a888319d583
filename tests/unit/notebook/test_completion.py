from __future__ import annotations

from argparse import ArgumentParser
from typing import TYPE_CHECKING

import pytest
from IPython.core.completer import CompletionContext, provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell

from claude_magic.notebook.completion import prompt_matcher, variable_names

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def shell() -> Iterator[InteractiveShell]:
    parser = ArgumentParser()
    parser.add_argument("-o", "--output")
    parser.add_argument("--once")
    shell = InteractiveShell()
    shell.user_ns.update(df_sales=1, df_stock=2, _df_hidden=3)
    matcher = prompt_matcher(shell, {"claude": parser, "claude_reset": parser}.get)
    shell.Completer.custom_matchers.append(matcher)
    yield shell
    shell.Completer.custom_matchers.remove(matcher)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("%%claude\nLook at @df", {"df_sales", "df_stock"}),
        ("%%claude -s x\nFirst\n@df_sa", {"df_sales"}),
        ("%claude what is in @df_st", {"df_stock"}),
        ("%%claude\nLook at @_df", set()),
        ("%%claude\nmail ada@df", set()),
        ("%%claude --o", {"--output", "--once"}),
        ("%claude -", {"-h", "--help", "-o", "--output", "--once"}),
        ("%%claude\nan --o", set()),
        ("%claude_reset --on", {"--once"}),
    ],
)
def test_names_and_options_of_a_prompt_are_completed(
    shell: InteractiveShell,
    text: str,
    found: set[str],
) -> None:
    lines = text.split("\n")
    matcher = shell.Completer.custom_matchers[-1]
    context = CompletionContext("", text, len(lines[-1]), len(lines) - 1, 500)
    assert {each.text for each in matcher(context)["completions"]} == found
    if found:
        with provisionalcompleter():
            assert {each.text for each in shell.Completer.completions(text, len(text))} == found


def test_other_cells_are_completed_as_before(shell: InteractiveShell) -> None:
    with provisionalcompleter():
        found = {each.text for each in shell.Completer.completions("y = df_s", 8)}
    assert found == {"df_sales", "df_stock"}


def test_keys_of_the_namespace_that_are_no_names_are_not_offered(shell: InteractiveShell) -> None:
    shell.user_ns.update({"x<img src=x>": 1, 7: 2, "ähnlich": 3})
    names = variable_names(shell)
    assert "ähnlich" in names
    assert all(isinstance(name, str) and name.isidentifier() for name in names)
