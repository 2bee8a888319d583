"""A tape in its deck: played or recorded, with the environment in which Claude Code talks to it."""

from __future__ import annotations

import os
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from claude_magic.errors import TapeError
from claude_magic.masking import KnownSecrets
from claude_magic.variables import TAPE_VARIABLE

from .demo import Demo
from .masked_count import masked_in
from .places import Places
from .player import Player
from .recorder import Recorder
from .recording import Recording, empty_tape
from .scrubbing import Scrubbing
from .tape import RECORDED, Tape
from .upstream import Upstream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import TracebackType

    from typing_extensions import Self

    from .request import MessagesRequest
    from .tape import TapeTurn

#: Where tapes lie, beside the notebook.
FOLDER = "tapes"


class Mode(Enum):
    """How a tape is used."""

    #: What is not on it fails.
    REPLAY = "replay"
    #: It is made anew, from the API.
    RECORD = "record"
    #: What is not on it is asked from the API and added.
    AUTO = "auto"


def tape_of(notebook: Path) -> Path:
    """Return where the tape of a notebook lies."""
    return notebook.parent / FOLDER / f"{notebook.stem}.yaml"


def tapes_in(folder: Path) -> list[Path]:
    """Return the tapes of the notebooks in a folder, in the order of their names."""
    return sorted((folder / FOLDER).glob("*.yaml"))


class Deck:
    """Plays or records one tape.

    Owns a server on loopback while it runs, and in a replay an own, empty configuration directory
    for Claude Code. `start` and `stop` belong to one thread at a time; the rest is thread-safe.

    Parameters
    ----------
    path
        The tape's file.
    mode
        How it is used.
    folder
        What is ``«folder»`` on the tape: the folder of the notebook. If None, the one that holds
        `FOLDER`, or the tape itself.
    remedy
        What to do about a prompt that is not on the tape: how it is recorded.
    environ
        Says where the API is, for a recording; this process's own if None.
    must_exist
        Whether a tape to play must be there; otherwise the first prompt is told that it is not.
    mask
        Masks the secrets that are known by their values, in all that is recorded; called on the
        server's thread, for each text. If None, those of this process's environment and `environ`.

    Examples
    --------
    >>> with Deck(Path("tapes/rain.yaml"), Mode.REPLAY) as deck:
    ...     options = SessionOptions(environment=deck.environment, label=deck.label)
    """

    def __init__(  # noqa: PLR0913 - how one is played or recorded
        self,
        path: Path,
        mode: Mode,
        *,
        folder: Path | None = None,
        remedy: str | None = None,
        environ: Mapping[str, str] | None = None,
        must_exist: bool = True,
        mask: Callable[[str], str] | None = None,
    ) -> None:
        self.path = path
        self.mode = mode
        beside = path.parent.parent if path.parent.name == FOLDER else path.parent
        known = mask or KnownSecrets(os.environ, environ or {}).mask
        self._scrubbing = Scrubbing(Places(folder or beside), known)
        self._remedy = (
            remedy or f"Record it: set {TAPE_VARIABLE}={Mode.RECORD.value}:{path}, run it again."
        )
        self._environ = os.environ if environ is None else environ
        self._must_exist = must_exist
        self._player: Player | None = None
        self._demo: Demo | None = None
        self._recording: Recording | None = None
        self._recorder: Recorder | None = None

    @classmethod
    def of_variable(cls, value: str, mask: Callable[[str], str] | None = None) -> Self:
        """Return the deck that a value of `TAPE_VARIABLE` asks for.

        Parameters
        ----------
        value
            The value.
        mask
            As for the class.

        Raises
        ------
        TapeError
            If it names no file.
        """
        mode, _, file = value.partition(":")
        if mode not in {each.value for each in Mode}:
            mode, file = Mode.REPLAY.value, value
        if not file.strip():
            raise TapeError(f"{TAPE_VARIABLE}={value!r} names no tape; expected MODE:FILE.")
        return cls(Path(file).absolute(), Mode(mode), folder=Path.cwd(), mask=mask)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> Self:
        """Start to play or to record, and return this deck.

        Raises
        ------
        TapeError
            If there is no such tape to play, it cannot be read, or there is no API to record from.
        """
        known = Tape.load(self.path) if os.path.exists(self.path) else None  # noqa: PTH110 - it may not be allowed to look
        if self.mode is Mode.REPLAY:
            if known is None and self._must_exist:
                raise TapeError(f"There is no tape {self.path}. {self._remedy}")
            known = known or empty_tape(self.path.stem)
            self._player = Player(known, self._scrubbing, self._remedy)
            self._demo = Demo(known, self._player).start()
            return self
        adds_to = known if self.mode is Mode.AUTO else None
        tape = adds_to or empty_tape(self.path.stem, known)
        self._recording = Recording(self.path, tape, self._scrubbing, self._remedy)
        self._recorder = Recorder(self._recording, Upstream.of(self._environ))
        self._recorder.start()
        return self

    def stop(self) -> None:
        """End it; harmless if it does not run. What was played or recorded can still be asked."""
        if self._demo is not None:
            self._demo.stop()
        if self._recorder is not None:
            self._recorder.stop()

    def leaks(self) -> Iterator[str]:
        """Yield a line for each place of the file that has a folder of a machine, or a secret.

        Secrets are those that a recording would mask: by their shape, by their name, or by their
        value in the environment.

        Raises
        ------
        TapeError
            If the file cannot be read or is no YAML.
        """
        # YAML loads only where a tape does.
        from .document import read_text  # noqa: PLC0415
        from .leaks import leaks  # noqa: PLC0415

        for line, column in leaks(read_text(self.path), self.path.name, self._scrubbing):
            yield f"{self.path}:{line}:{column}: a folder of a machine or a secret stands here"

    def report(self) -> list[str]:
        """Return what a recording has to say: how much there is, what is masked, what went wrong.

        Empty for a replay.
        """
        if self._recording is None:
            return []
        recorded = [f"{self.recorded_count} answers recorded in {self.path}"]
        return [*recorded, *masked_in(self._recording.tape), *self.problems]

    @property
    def label(self) -> str:
        """What stands behind the API; the same in a recording, so that outputs are the same."""
        return self._demo.label if self._demo is not None else RECORDED

    @property
    def environment(self) -> dict[str, str]:
        """The variables that make Claude Code talk to the tape, and to nothing else but the API.

        Raises
        ------
        TapeError
            If it does not run.
        """
        # Whoever inherits this has a tape, and must not look for one.
        variables = {TAPE_VARIABLE: ""}
        if self._demo is not None:
            return {**self._demo.environment, **variables}
        if self._recorder is None:
            raise TapeError("The tape does not run, so it has no environment. Start it first.")
        return {
            **self._recorder.variables(self._environ),
            "CLAUDE_MAGIC_LABEL": self.label,
            **variables,
        }

    @property
    def requests(self) -> list[MessagesRequest]:
        """The last requests of a replay, oldest first; none in a recording."""
        return self._demo.server.requests if self._demo is not None else []

    @property
    def misses(self) -> list[str]:
        """What was asked that is not on the tape, or differs from it, oldest first."""
        if self._recording is not None:
            return self._recording.misses
        return self._player.misses if self._player is not None else []

    @property
    def unused(self) -> list[TapeTurn]:
        """The turns of a replay that were not played to their end; none in a recording."""
        return self._player.unused if self._player is not None else []

    @property
    def problems(self) -> list[str]:
        """Why answers could not be taken down."""
        return self._recorder.problems if self._recorder is not None else []

    @property
    def recorded_count(self) -> int:
        """How many answers of the API were taken down."""
        return self._recording.recorded_count if self._recording is not None else 0
