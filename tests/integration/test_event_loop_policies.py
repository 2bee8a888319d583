"""Cells, chat models and demos under event loop policies other than asyncio's own."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Api
    from support.kernel import Kernel

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the policies are POSIX ones")

#: Code that sets a policy, by name. Each defines `POLICY_LOOP`, a function that returns the loop
#: which the policy keeps for all threads, or None.
POLICIES = {
    "uvloop": """
import asyncio, uvloop
asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
POLICY_LOOP = lambda: None
""",
    "no child watcher": """
import asyncio
class Policy(asyncio.AbstractEventLoopPolicy):
    loop = None
    def get_event_loop(self): return self.loop
    def set_event_loop(self, loop): self.loop = loop
    def new_event_loop(self): return asyncio.SelectorEventLoop()
asyncio.set_event_loop_policy(Policy())
POLICY_LOOP = lambda: asyncio.get_event_loop_policy().loop
""",
    "a single loop": """
import asyncio
class Single(asyncio.DefaultEventLoopPolicy):
    loop = asyncio.SelectorEventLoop()
    def get_event_loop(self): return self.loop
    def set_event_loop(self, loop): raise RuntimeError("this policy has its loop")
    def new_event_loop(self): raise RuntimeError("this policy makes no loops")
asyncio.set_event_loop_policy(Single())
POLICY_LOOP = lambda: None
""",
    "a watcher that reaps every child": """
import asyncio, warnings
warnings.simplefilter("ignore", DeprecationWarning)
watcher = getattr(asyncio, "FastChildWatcher", None)
if watcher is not None:
    watcher = watcher()
    watcher.attach_loop(asyncio.get_running_loop())
    asyncio.set_child_watcher(watcher)
POLICY_LOOP = lambda: None
""",
}

_CHAT_MODEL = """
from claude_magic import ClaudeCodeChatModel
print(ClaudeCodeChatModel(warm_spare=False).invoke("hi").text)
"""

_KILL = "import os; from claude_magic import current_session; os.kill(current_session().pids[1], 9)"


def _set(kernel: Kernel, policy: str) -> None:
    if policy == "uvloop":
        pytest.importorskip("uvloop")
    ran = kernel.run(POLICIES[policy])
    assert ran.status == "ok", ran.error


@pytest.mark.failure(
    "An event-loop policy such as uvloop's is installed",
    then="Everything works as before",
)
@pytest.mark.parametrize("policy", POLICIES)
def test_everything_answers_under_a_policy_that_was_set_first(
    policy: str, start_kernel: Callable[..., Kernel], api: Api
) -> None:
    kernel = start_kernel(api.environment)
    _set(kernel, policy)
    assert kernel.run("%load_ext claude_magic").status == "ok"
    ran = kernel.run("%%claude\nhello")
    assert (ran.status, ran.answers) == ("ok", ["You said: hello"]), ran.error
    assert kernel.run(_CHAT_MODEL).stdout == "You said: hi\n"
    # Neither our thread nor the demo's has put its loop in the place of the user's.
    assert kernel.run("print(POLICY_LOOP())").stdout == "None\n"
    demo = kernel.run("%claude_connect --demo")
    assert demo.status == "ok", demo.error
    assert kernel.run("print(POLICY_LOOP())").stdout == "None\n"
    assert kernel.run("%claude What is my name?").status == "ok"


@pytest.mark.failure(
    "An event-loop policy such as uvloop's is installed",
    then="Everything works as before",
)
@pytest.mark.parametrize("policy", POLICIES)
def test_a_crash_after_a_policy_was_set_is_survived_in_silence(
    policy: str, start_kernel: Callable[..., Kernel], api: Api
) -> None:
    kernel = start_kernel(api.environment)
    assert kernel.run("%load_ext claude_magic").status == "ok"
    assert kernel.run("%%claude\nhello").status == "ok"
    _set(kernel, policy)
    assert kernel.run(_KILL).status == "ok"
    ran = kernel.run("%%claude\nhello again")
    assert (ran.status, ran.answers) == ("ok", ["You said: hello / hello again"]), ran.error
    assert ran.stdout == ""
