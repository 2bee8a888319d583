"""Who has a conversation open: one kernel at a time, and the others are told which."""

from __future__ import annotations

import logging
import os
import platform
import threading
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from claude_magic.errors import SessionHeldError

from .moment import moment
from .private_file import (
    create_private_folder,
    private_folder,
    read_private_file,
    write_private_file,
)
from .transcript import check_session_id

if TYPE_CHECKING:
    from collections.abc import Mapping

    from filelock import BaseFileLock
    from typing_extensions import Self

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Holder:
    """Who has a conversation open.

    Attributes
    ----------
    pid
        The kernel's process id.
    host
        The machine that it runs on.
    notebook
        The kernel's notebook; None where that is not known.
    since_s
        Since when, by `time.time()`.
    """

    pid: int
    host: str
    notebook: str | None
    since_s: float

    @classmethod
    def here(cls, notebook: str | None = None) -> Self:
        """Return this process, from now on."""
        return cls(os.getpid(), platform.node(), notebook, time.time())

    def __str__(self) -> str:
        """Say it as the end of the sentence "This conversation is open in …"."""
        elsewhere = self.host != platform.node()
        facts = [
            f"pid {self.pid}" + (f" on {self.host}" if elsewhere else ""),
            f"since {moment(self.since_s)}",
        ]
        if self.notebook is not None:
            facts.insert(0, self.notebook)
        ours = self.pid == os.getpid() and not elsewhere
        return f"{'this' if ours else 'another'} kernel: {', '.join(facts)}"


class Lease:
    """The right to go on with one conversation, which one session at a time has.

    Two processes that write one transcript lose each other's turns without a word. The lease is a
    file that the operating system locks: it ends with the process, however that ends, and neither
    a child process nor a fork of the kernel keeps it. Who has it stands in a file beside it, which
    is for people to read and decides nothing.

    Lifecycle: `take`, `release`, and again. Any thread may call, another one each time too; both
    touch files for about a millisecond, so call them off the event loop.

    Parameters
    ----------
    session_id
        The conversation's id.
    environment
        `SessionOptions.environment`, which may say where Claude Code keeps its files.

    Raises
    ------
    OptionError
        If the session id is not a UUID.
    """

    def __init__(self, session_id: str, environment: Mapping[str, str]) -> None:
        self.session_id = check_session_id(session_id)
        folder = private_folder(environment, "leases")
        self._lock_path = folder / f"{session_id}.lock"
        # On Windows a locked file cannot be read, so this is not the lock file itself.
        self._holder_path = folder / f"{session_id}.json"
        self._guard = threading.Lock()
        self._lock: BaseFileLock | None = None

    @property
    def held(self) -> bool:
        """Whether it was taken here; False in a fork of the process that took it."""
        lock = self._lock
        return lock is not None and lock.is_locked

    def take(self, holder: Holder) -> None:
        """Take the lease; nothing to do where this object has it.

        Where the disk is full, cannot be written or knows no locks, nobody can have it: then the
        conversation goes on without, the log says so at level INFO, and `held` stays False.

        Parameters
        ----------
        holder
            Who takes it.

        Raises
        ------
        SessionHeldError
            If another kernel has it, or another session of this one.
        """
        # Importing it takes 0.1 s, which importing claude-magic must not.
        from filelock import FileLock, Timeout  # noqa: PLC0415

        with self._guard:
            if self.held:
                return
            try:
                create_private_folder(self._lock_path.parent)
                lock = FileLock(
                    self._lock_path,
                    timeout=0,
                    mode=0o600,
                    thread_local=False,
                    # A file that merely exists would outlive a process that is killed.
                    fallback_to_soft=False,
                )
                lock.acquire()
            except Timeout:
                raise SessionHeldError(self.session_id, self._holder()) from None
            except OSError as error:
                _logger.info("The conversation is not protected from other kernels: %s", error)
                return
            self._lock = lock
            try:
                write_private_file(self._holder_path, asdict(holder))
            except OSError as error:
                _logger.info("Other kernels cannot be told who has a conversation: %s", error)

    def release(self) -> None:
        """Give the lease back; harmless where it was not taken, and in a fork of the process."""
        with self._guard:
            lock, held, self._lock = self._lock, self.held, None
            if lock is not None and held:
                with suppress(OSError):
                    self._holder_path.unlink()
                # The lock file stays: another kernel may have opened it and not locked it yet.
                lock.release()

    def _holder(self) -> str:
        written = read_private_file(self._holder_path) or {}
        with suppress(KeyError, TypeError, ValueError, OverflowError, OSError):
            return str(
                Holder(
                    int(written["pid"]),
                    str(written["host"]),
                    None if written["notebook"] is None else str(written["notebook"]),
                    float(written["since_s"]),
                ),
            )
        return "another kernel"
