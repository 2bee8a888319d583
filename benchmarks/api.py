"""The API that everything in a run talks to: a process of its own, which answers at once.

In the process that measures it would take its time from what is measured there.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from itertools import pairwise
from typing import TYPE_CHECKING

import httpx

from claude_magic.tape import MessagesServer, Reply, Text

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

    from claude_magic.tape import MessagesRequest

_ORDER = re.compile(r"Say (\d+) characters in (\d+) pieces(?: at (\d+) a second)?\.")

_SECTION = (
    "## Section {0}\n\n"
    + "The median of section {0} is the middle of its sorted values. " * 6
    + "\n\n- first, sort them\n- then take the middle one\n\n"
    "```python\ndef median(values):\n    return values[{0}]\n```\n\n"
)


def order(characters: int, pieces: int, a_second: int | None = None) -> str:
    """Return a prompt that is answered with so much text, in so many pieces."""
    pace = f" at {a_second} a second" if a_second is not None else ""
    return f"Say {characters} characters in {pieces} pieces{pace}."


def reply(request: MessagesRequest) -> Reply:
    """Answer a request: with a greeting, or with what was ordered."""
    ordered = _ORDER.search(request.prompt)
    if ordered is None:
        return Reply.of("Hi.")
    characters, pieces = int(ordered[1]), int(ordered[2])
    text = text_of(characters)
    ends = [characters * number // pieces for number in range(pieces + 1)]
    chunks = tuple(text[start:end] for start, end in pairwise(ends))
    pace = float(ordered[3]) if ordered[3] else None
    return Reply((Text(text, chunks),), words_per_second=pace)


def text_of(characters: int) -> str:
    """Return Markdown of this length."""
    text, number = "", 0
    while len(text + (section := _SECTION.format(number))) < characters:
        text, number = text + section, number + 1
    # So many are left, from 1: words, and a full stop.
    return text + ("and so on " * characters)[: characters - len(text) - 1].strip().ljust(
        characters - len(text), "."
    )


class Api:
    """The server, as a context; and the plain HTTP client that is the floor of every figure."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - this module
            [sys.executable, "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self._url, self._token = json.loads(self._process.stdout.readline())
        self._http = httpx.Client(trust_env=False, timeout=120)

    @property
    def environment(self) -> dict[str, str]:
        """What makes Claude Code talk to this server."""
        return {"ANTHROPIC_BASE_URL": self._url, "ANTHROPIC_API_KEY": self._token}

    def ask(self, prompt: str) -> tuple[float, float]:
        """Ask by plain HTTP; return the seconds to the first delta, and to the end."""
        body = {
            "model": "claude",
            "max_tokens": 1000,
            "stream": True,
            "messages": [{"role": "user", "content": prompt}],
        }
        first_s = 0.0
        began = time.perf_counter()
        with self._http.stream(
            "POST",
            f"{self._url}/v1/messages",
            json=body,
            headers={"x-api-key": self._token},
        ) as response:
            response.raise_for_status()
            for line in response.iter_lines():
                if not first_s and "content_block_delta" in line:
                    first_s = time.perf_counter() - began
        return first_s, time.perf_counter() - began

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._http.close()
        self._process.communicate()  # closes its input, which ends it


def serve() -> None:
    """Serve until the input ends; say first where, and what the key is."""
    with MessagesServer(reply) as server:
        sys.stdout.write(json.dumps([server.url, server.token]) + "\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    serve()
