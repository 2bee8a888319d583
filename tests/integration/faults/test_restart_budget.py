"""What always dies is not started for ever."""

from __future__ import annotations

import os
import signal
import threading
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from support.processes import claude_codes

from claude_magic.session.restarts import MAX_RESTARTS
from claude_magic.tape import Hold, Reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.kernel import Kernel

    from claude_magic.tape import MessagesRequest


@pytest.mark.failure(
    "Claude Code dies again and again",
    then="Five restarts in three minutes, then an error until you reset or connect",
)
@pytest.mark.parametrize("cure", ["%claude_reset", "%claude_connect", "the panel's button"])
def test_five_restarts_then_a_clear_error_until_somebody_acts(
    kernel: Kernel,
    kernel_api: Any,
    cure: str,
    monkeypatch: pytest.MonkeyPatch,
    figure: Callable[[str], None],
) -> None:
    mark = str(uuid.uuid4())
    kernel.converse(environment={"RESTARTS": mark})
    kernel.run("%%claude\nMy name is Ada.")
    started: list[int] = []

    def die(request: MessagesRequest) -> Reply:
        (claude,) = [pid for pid in claude_codes(f"RESTARTS={mark}") if pid not in started]
        started.append(claude)
        os.kill(claude, signal.SIGKILL)
        return Reply.of(Hold(threading.Event()))

    with monkeypatch.context() as patched:
        patched.setattr(kernel_api, "otherwise", die)
        ran = kernel.run("%%claude\nHello")
    assert ran.error_name == "RestartLimitError"
    assert f"started again {MAX_RESTARTS} times within 3 minutes" in ran.error
    assert "%claude_reset" in ran.error
    assert len(started) == 1 + MAX_RESTARTS
    asked = len(kernel_api.requests)
    assert kernel.run("%%claude\nHello").error_name == "RestartLimitError"
    assert len(kernel_api.requests) == asked
    assert "lost" in kernel.run("print(sessions.main.status.state)").stdout
    cures = {"the panel's button": "sessions.main.connect()"}
    assert kernel.run(cures.get(cure, cure)).status == "ok"
    ran = kernel.run("%%claude\nWhat is my name?")
    kept = "" if cure == "%claude_reset" else "My name is Ada. / "
    assert ran.answers == [f"You said: {kept}What is my name?"], ran.error
    figure(f"{len(started) - 1} restarts, then a RestartLimitError; an answer after {cure}")
