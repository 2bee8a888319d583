"""What goes to the API besides the conversation, beside what Claude Code sends by itself."""

from __future__ import annotations

import json
import os
from contextlib import closing
from typing import TYPE_CHECKING, Any

from claude_magic.tape import MessagesServer, Reply

from .bare import single
from .bench import ask, run
from .figures import Figure, Goal, Sample

if TYPE_CHECKING:
    from .bench import Bench
    from .figures import Report

PROMPT = "Hello"

_DEFAULT = {"type": "preset", "preset": "claude_code"}


def measure(bench: Bench, report: Report) -> None:
    """Look at the requests of first turns."""
    with MessagesServer(lambda _: Reply.of("Hi.")) as server:
        environment = {"ANTHROPIC_BASE_URL": server.url, "ANTHROPIC_API_KEY": server.token}
        with closing(bench.kernel(**environment)) as kernel:
            run(kernel, "%load_ext claude_magic")
            for _ in range(2):
                ask(kernel, f"%%claude\n{PROMPT}")
        first, second = (_bytes(request.body) for request in server.requests)
        own = {**os.environ, **environment}
        single(PROMPT, system_prompt=_DEFAULT, tools=_DEFAULT, env=own)
        default = _bytes(server.requests[-1].body)
    said = len(json.dumps([{"role": "user", "content": PROMPT}, {"role": "assistant"}, "Hi."]))
    report.figures += [
        Figure(
            "request of a cell's first turn, without the prompt",
            Sample.of([first - len(PROMPT)]),
            "B",
            Goal(0.35),
            Sample.of([default - len(PROMPT)]),
            "Claude Code's own",
            headline=True,
        ),
        Figure(
            "what the next turn adds to it, besides what was said",
            Sample.of([max(0, second - first - said)]),
            "B",
            Goal(plus=200),
        ),
    ]


def _bytes(body: Any) -> int:
    return len(json.dumps(body).encode())
