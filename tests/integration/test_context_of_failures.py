"""Failed cells in the context digest: the user's own, and never a prompt's."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from claude_magic.tape import Failure, Reply

if TYPE_CHECKING:
    from support.kernel import Kernel

    from claude_magic.tape import MessagesRequest

#: Cells that fail, and whether the next prompt tells Claude so.
FAILURES = {
    "the user's code": ("1 / 0", "ZeroDivisionError"),
    "a prompt that the API refuses": ("%%claude\nrefused", None),
    "a line that the API refuses": ("%claude refused", None),
    "an assigned line that the API refuses": ("x = %claude refused", None),
    "a prompt within another magic": ("%%capture\n%claude refused", None),
    "a prompt with an unknown option": ("%%claude --nonsense\nhello", None),
    "a prompt that is empty": ("%%claude\n\n", None),
    "the user's code behind a line": ("%claude fine\nraise KeyError('mine')", "KeyError"),
    "the user's code before a line": ("{}['mine']\n%claude fine", "KeyError"),
    "a chat model in the user's code": (
        "from claude_magic.errors import ServerError\nraise ServerError('mine', 500)",
        "ServerError",
    ),
}


def _last_told(api: Any) -> str:
    """Return all that was sent with the last prompt."""
    *_, last = [turn for turn in api.requests[-1].messages if turn["role"] == "user"]
    return json.dumps(last)


@pytest.mark.failure(
    "A cell of Claude's fails",
    then="The next prompt does not repeat it as a failure of yours",
)
@pytest.mark.parametrize(("cell", "told"), FAILURES.values(), ids=FAILURES)
def test_only_the_users_failures_are_told(
    kernel: Kernel,
    kernel_api: Any,
    monkeypatch: pytest.MonkeyPatch,
    cell: str,
    told: str | None,
) -> None:
    def reply(request: MessagesRequest) -> Reply | Failure:
        refused = request.prompt.endswith("refused")
        return Failure(400, "invalid_request_error", "made up") if refused else Reply.of("Yes.")

    monkeypatch.setattr(kernel_api, "otherwise", reply)
    kernel.run(cell)
    ran = kernel.run("%claude Go on.")
    assert ran.status == "ok", ran.error
    sent = _last_told(kernel_api)
    assert ("failed: " in sent) == (told is not None)
    assert told is None or told in sent


def test_a_failed_prompt_does_not_hide_the_users_failure_before_it(
    kernel: Kernel, kernel_api: Any
) -> None:
    kernel.run("1 / 0")
    kernel.run("%%claude --nonsense\nhello")
    kernel.run("%claude Go on.")
    assert "ZeroDivisionError" in _last_told(kernel_api)


def test_a_failure_behind_a_line_can_be_fixed(kernel: Kernel, kernel_api: Any) -> None:
    kernel.run("%claude fine\nraise KeyError('mine')")
    kernel.run("%claude_fix")
    assert "KeyError" in _last_told(kernel_api)
