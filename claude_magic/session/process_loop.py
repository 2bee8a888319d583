"""Event loop that starts processes without asking asyncio's event loop policy."""

from __future__ import annotations

import os
import sys
import threading
from asyncio import unix_events
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from . import supervisor
from .limits import MAX_ARGUMENT_BYTES, variable_bytes
from .pipes import PipeLoop

if TYPE_CHECKING:
    import asyncio
    import subprocess

#: The program that stands for the supervisor in a command. It is a module without an executable
#: bit, so the loop runs it with this process's own interpreter.
SUPERVISOR = supervisor.__file__


def supervisor_command(interpreter: str = sys.executable) -> list[str]:
    """Return the command that runs the supervisor; its own arguments follow."""
    return [interpreter, "-I", "-S", SUPERVISOR]


class ProcessLoop(PipeLoop):
    """Event loop that starts the supervisor and learns of the end of its child processes.

    Up to Python 3.13 asyncio asks the event loop policy for a child watcher. uvloop's policy has
    none, and neither do many custom ones; others reap children that are not theirs. This loop
    watches its own children instead. Loop thread only.
    """

    async def _make_subprocess_transport(  # noqa: PLR0913, PLR0917 - asyncio's own signature
        self,
        protocol: asyncio.SubprocessProtocol,
        args: Any,
        shell: bool,  # noqa: FBT001
        stdin: int | None,
        stdout: int | None,
        stderr: int | None,
        bufsize: int,
        extra: Any = None,
        **kwargs: Any,
    ) -> asyncio.SubprocessTransport:
        if not shell and args and args[0] == SUPERVISOR:
            args = [*supervisor_command(), *args[1:]]
            # An interrupt of the kernel goes to its process group; the supervisor leaves that
            # group before it runs.
            kwargs["start_new_session"] = True
            # Of the kernel's other variables Claude Code is passed none, so one that no process
            # can be started with does not matter.
            kwargs["env"] = {
                name: value
                for name, value in kwargs["env"].items()
                if variable_bytes(name, value) < MAX_ARGUMENT_BYTES
            }
        started = self.create_future()
        transport = unix_events._UnixSubprocessTransport(  # type: ignore[attr-defined] # noqa: SLF001
            self, protocol, args, shell, stdin, stdout, stderr, bufsize,
            waiter=started, extra=extra, **kwargs,
        )  # fmt: skip
        self._watch(transport)
        try:
            await started
        except BaseException:
            transport.close()
            raise
        return transport  # type: ignore[no-any-return]

    def _watch(self, transport: Any) -> None:
        """Have a transport told the exit code of its process once that has ended."""
        process: subprocess.Popen[bytes] = transport.get_extra_info("subprocess")
        try:
            descriptor = os.pidfd_open(process.pid)
        except (AttributeError, OSError):  # macOS, Linux before 5.3, some containers
            waiter = threading.Thread(
                target=self._wait_for,
                args=(transport, process),
                name=f"claude-magic-wait-{process.pid}",
                daemon=True,
            )
            waiter.start()
            return

        def ended() -> None:
            self.remove_reader(descriptor)
            os.close(descriptor)
            self._report_exit(transport, process)

        self.add_reader(descriptor, ended)

    def _wait_for(self, transport: Any, process: subprocess.Popen[bytes]) -> None:
        # Popen copes with another reaper, so this neither fails nor logs.
        process.wait()
        with suppress(RuntimeError):  # the loop was closed meanwhile
            self.call_soon_threadsafe(self._report_exit, transport, process)

    @staticmethod
    def _report_exit(transport: Any, process: subprocess.Popen[bytes]) -> None:
        transport._process_exited(process.wait())  # noqa: SLF001 - as asyncio's watchers do
