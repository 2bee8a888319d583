"""The offline demo: everything that runs for real but the far end, which is a shipped tape."""

from __future__ import annotations

import os
from importlib.resources import files
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from claude_magic.errors import TapeError

from .server import MessagesServer
from .tape import Tape
from .upstream import CLOUDS

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from typing_extensions import Self

    from .server import Replier


def demo_tape(*others: Path) -> Tape:
    """Return the tape that ships with the package, which answers what the README asks.

    Parameters
    ----------
    *others
        Tapes of notebooks, to be answered as well.

    Raises
    ------
    TapeError
        If one of them cannot be read, or two answer the same prompts differently.
    """
    return Tape.load(files(__package__) / "demo.yaml").with_others(map(Tape.load, others))


def offline_demo(tape: Tape | None = None) -> Demo:
    """Return a demo that is not started yet; use it as a context manager, or start and stop it.

    Parameters
    ----------
    tape
        What answers; the shipped tape if None.

    Examples
    --------
    >>> with offline_demo() as demo:
    ...     options = SessionOptions(environment=demo.environment, label=demo.label)
    """
    return Demo(tape if tape is not None else demo_tape())


#: What would make Claude Code talk to somebody else, or show the tape a credential.
_OTHER_WAYS = (
    *CLOUDS,
    "ANTHROPIC_AUTH_TOKEN",
    "ANTHROPIC_CUSTOM_HEADERS",
    "CLAUDE_CODE_OAUTH_TOKEN",
)


class Demo:
    """A server that plays a tape, and the environment in which Claude Code talks to it.

    Owns a `MessagesServer` and an own, empty configuration directory for Claude Code while it
    runs. `start` and `stop` belong to one thread at a time.

    Parameters
    ----------
    tape
        What is played.
    replier
        Who plays it; the tape itself if None.
    """

    def __init__(self, tape: Tape, replier: Replier | None = None) -> None:
        self.tape = tape
        self.server = MessagesServer(replier or tape)
        self._directory: TemporaryDirectory[str] | None = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def label(self) -> str:
        """What stands behind the API, to be shown wherever a session shows."""
        return self.tape.label

    @property
    def environment(self) -> dict[str, str]:
        """The variables that make Claude Code talk to the tape, and to nothing else.

        Raises
        ------
        TapeError
            If the demo does not run.
        """
        if self._directory is None:
            raise TapeError("The demo does not run, so it has no environment. Start it first.")
        return {
            **{name: "" for name in _OTHER_WAYS if os.environ.get(name)},
            "ANTHROPIC_BASE_URL": self.server.url,
            "ANTHROPIC_API_KEY": self.server.token,
            "CLAUDE_CONFIG_DIR": self._directory.name,
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "CLAUDE_MAGIC_LABEL": self.label,
            # Loopback is never behind a proxy, whatever the machine's settings say.
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
        }

    def start(self) -> Self:
        """Start to serve, and return this demo.

        Raises
        ------
        TapeError
            If the demo runs already.
        """
        # The core loads asyncio, which importing this package must not.
        from claude_magic.session.guard import own_mark  # noqa: PLC0415
        from claude_magic.session.leftovers import folder_prefix  # noqa: PLC0415

        self.server.start()
        self._directory = TemporaryDirectory(
            # Where this process is killed, a session that starts later clears it away by this.
            prefix=folder_prefix(own_mark(), demo=True),
            # A Claude Code that is still going down may write while the files are removed.
            ignore_cleanup_errors=True,
        )
        return self

    def report(self) -> list[str]:
        """Return nothing: a demo records nothing."""
        return []

    def stop(self) -> None:
        """Stop serving and remove the configuration directory; harmless if not running."""
        self.server.stop()
        if self._directory is not None:
            self._directory.cleanup()
            self._directory = None
