"""What a session store costs a turn: with a store beside without, and how soon the store has it.

Run it with nothing else on the machine: ``python benchmarks/stores.py [URL …]``. Without a URL it
measures a SQLite file, and a Redis that takes connections and answers nothing.
"""

from __future__ import annotations

import socket
import statistics
import sys
import time
import warnings
from contextlib import ExitStack, closing
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from claude_magic import ClaudeSession, SessionOptions
from claude_magic.session.stores import PROJECT, Key, StoreAddress, open_store
from claude_magic.tape import MessagesServer, Reply

TURNS = 60
LAGS = 20

#: What is promised: a turn takes so much longer with a store at most, as a ratio.
RATIO = 1.1


def turns(url: str, environment: dict[str, str]) -> tuple[float, float]:
    """Return the median of a turn without the store and with it, in seconds; taken in turns."""
    with (
        ClaudeSession(SessionOptions(environment=environment)) as bare,
        ClaudeSession(SessionOptions(environment=environment, session_store=url)) as stored,
    ):
        took: dict[ClaudeSession, list[float]] = {bare: [], stored: []}
        for number in range(TURNS):
            for session in (bare, stored) if number % 2 else (stored, bare):
                began = time.perf_counter()
                session.ask(f"Question {number}? {'word ' * 50}")
                took[session].append(time.perf_counter() - began)
        # The first turn of a session connects.
        return statistics.median(took[bare][1:]), statistics.median(took[stored][1:])


def lags(url: str, environment: dict[str, str]) -> list[float]:
    """Return how long after the end of each turn the store has its answer, in seconds."""
    found = []
    with (
        ClaudeSession(SessionOptions(environment=environment, session_store=url)) as session,
        closing(open_store(url)) as store,
    ):
        key = Key(StoreAddress.of(url).project or PROJECT, session.session_id)
        for number in range(1, LAGS + 1):
            session.ask(f"Question {number}?")
            began = time.perf_counter()
            while sum(entry["type"] == "assistant" for entry in store.load(key) or ()) < number:
                time.sleep(0.001)
            found.append(time.perf_counter() - began)
    return found


def main() -> int:
    """Print what stores cost, and whether that is what is promised."""
    worst = 0.0
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        server = stack.enter_context(MessagesServer(lambda _: Reply.of("Answer.")))
        environment = {
            "ANTHROPIC_BASE_URL": server.url,
            "ANTHROPIC_API_KEY": server.token,
            "CLAUDE_CONFIG_DIR": str(folder / "config"),
            "NO_PROXY": "127.0.0.1",
        }
        urls = sys.argv[1:] or [f"sqlite:///{folder}/store.db"]
        silent = ""
        if find_spec("redis") is not None:
            deaf = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            silent = f"redis://127.0.0.1:{deaf.getsockname()[1]}/0"
        for url in filter(None, [*urls, silent]):
            bare_s, stored_s = turns(url, environment)
            worst = max(worst, stored_s / bare_s)
            told = (
                f"{StoreAddress.of(url).shown}: a turn takes {bare_s * 1000:.1f} ms without and "
                f"{stored_s * 1000:.1f} ms with it: × {stored_s / bare_s:.2f} (at most {RATIO:g})"
            )
            if url == silent:
                told += "; it answers nothing"
            else:
                found = lags(url, environment)
                told += (
                    f"; it has the answer {statistics.median(found) * 1000:.0f} ms after the "
                    f"turn, {max(found) * 1000:.0f} ms at most"
                )
            sys.stdout.write(f"{told}\n")
    return 0 if worst <= RATIO else 1


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    sys.exit(main())
