"""A real IPython kernel, driven as a front end drives it."""

from __future__ import annotations

import html
import json
import queue
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from jupyter_client.manager import KernelManager
from jupyter_client.provisioning.local_provisioner import LocalProvisioner

from claude_magic.notebook.wire import ADDRESS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

#: No cell of a test may be silent for longer, in seconds.
CELL_TIMEOUT_S = 60.0

_CONVERSE = """
from claude_magic import ClaudeSession
sessions = get_ipython().magics_manager.registry["ClaudeMagics"].sessions
sessions.main.put(
    ClaudeSession(
        sessions.options,
        on_permission={on_permission},
        pool=sessions.main.session._pool,
        name="main",
        **{options!r},
    )
)
"""


#: Run in a kernel, begins to measure what CPU it takes.
METER = """
import os, time
def spent():
    times = os.times()
    return times.user + times.system, time.thread_time()
before = spent()
"""

#: Prints what the process has taken since, and its main thread, in seconds.
READ_METER = "print(*(after - before for before, after in zip(before, spent())))"


@dataclass
class Ran:
    """What a cell did.

    Attributes
    ----------
    status
        ``"ok"`` or ``"error"``, as the front end is told.
    messages
        Everything on iopub that belongs to the cell, in order.
    elapsed_s
        From the request to idle, in seconds.
    payload
        What the front end is asked to do, such as to insert a cell.
    """

    status: str = ""
    messages: list[dict[str, Any]] = field(default_factory=list)
    elapsed_s: float = 0.0
    payload: list[dict[str, Any]] = field(default_factory=list)

    def contents(self, *kinds: str) -> list[dict[str, Any]]:
        """Return the contents of the messages of these types."""
        return [message["content"] for message in self.messages if message["msg_type"] in kinds]

    @property
    def stdout(self) -> str:
        """What the cell printed, to standard output and standard error."""
        return "".join(content["text"] for content in self.contents("stream"))

    @property
    def markdown(self) -> list[str]:
        """The cell's Markdown outputs, each in its last form, in the order of their first."""
        shown: dict[str, str] = {}
        for number, message in enumerate(self.messages):
            if message["msg_type"] in {"display_data", "update_display_data"}:
                content = message["content"]
                key = content.get("transient", {}).get("display_id", f"output {number}")
                if "text/markdown" in content["data"]:
                    shown[key] = content["data"]["text/markdown"]
        return [text for text in shown.values() if text]

    @property
    def footer(self) -> str:
        """What the cell says of itself last, below its answer."""
        asides = [text for text in self.markdown if text.startswith("<sub>")]
        return _plain(asides[-1]) if asides else ""

    @property
    def told(self) -> list[str]:
        """All that the cell said of itself, its progress included, as it came."""
        texts = [
            str(content["data"].get("text/markdown", ""))
            for content in self.contents("display_data", "update_display_data")
        ]
        return [_plain(text) for text in texts if text.startswith("<sub>")]

    @property
    def answers(self) -> list[str]:
        """The Markdown outputs without the footer and the progress line."""
        return [text for text in self.markdown if not text.startswith("<sub>")]

    @property
    def error(self) -> str:
        """The traceback as the front end shows it; empty if there is none."""
        return "\n".join(
            line for content in self.contents("error") for line in content["traceback"]
        )

    @property
    def error_name(self) -> str:
        """The type of the exception that failed the cell."""
        names = [str(content["ename"]) for content in self.contents("error")]
        return names[0] if names else ""


def question_of(message: dict[str, Any]) -> str | None:
    """Return the address of the permission request that a message tells of, if it does."""
    if message["msg_type"] not in {"comm_open", "comm_msg"}:
        return None
    told = message["content"]["data"]
    address = told["state"]["question"] if told.get("told") == "state" else None
    return str(address) if address is not None else None


def wire_size(message: dict[str, Any]) -> int:
    """Return how long a message is on the wire, in bytes."""
    parts = ("header", "parent_header", "metadata", "content")
    return sum(len(json.dumps(message[part], default=str).encode()) for part in parts)


def _plain(aside: str) -> str:
    """Return a small line of ours as it reads."""
    return html.unescape(aside.removeprefix("<sub>").removesuffix("</sub>"))


class Kernel:
    """One kernel process and a client of it.

    Parameters
    ----------
    environment
        The whole environment of the kernel.
    folder
        Its working directory.
    person
        Whether somebody answers `input()`: True as in JupyterLab, False as in nbclient.
    names_cells
        Whether requests name their cell, as those of JupyterLab do and those of jupyter console,
        qtconsole and Spyder do not.
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        folder: Path,
        *,
        person: bool,
        names_cells: bool = True,
    ) -> None:
        self.manager = KernelManager(kernel_name="python3")
        self.person = person
        self.names_cells = names_cells
        #: The kernel's working directory.
        self.folder = folder
        self.manager.start_kernel(env=dict(environment), cwd=str(folder))
        self.client = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=CELL_TIMEOUT_S)

    @property
    def pid(self) -> int:
        """The kernel's process id."""
        provisioner = self.manager.provisioner
        assert isinstance(provisioner, LocalProvisioner)
        return int(provisioner.pid or 0)

    def start(self, code: str) -> str:
        """Ask for a cell to be run and return the request's id."""
        if not self.names_cells:
            return str(self.client.execute(code, allow_stdin=self.person))
        content = {
            "code": code,
            "silent": False,
            "store_history": True,
            "user_expressions": {},
            "allow_stdin": self.person,
            "stop_on_error": True,
        }
        request = self.client.session.msg(
            "execute_request", content, metadata={"cellId": "0a1b2c3d"}
        )
        self.client.shell_channel.send(request)
        return str(request["header"]["msg_id"])

    def finish(
        self,
        request: str,
        on_message: Callable[[dict[str, Any]], object] = lambda _: None,
    ) -> Ran:
        """Wait until a cell has run; `on_message` sees each of its iopub messages as it comes."""
        ran = Ran()
        began = time.monotonic()
        while True:
            try:
                message = self.client.get_iopub_msg(timeout=CELL_TIMEOUT_S)
            except queue.Empty:
                raise TimeoutError(f"the cell did not end; so far: {ran.messages}") from None
            if message["parent_header"].get("msg_id") != request:
                continue
            ran.messages.append(message)
            on_message(message)
            if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
                break
        ran.elapsed_s = time.monotonic() - began
        while True:
            reply = self.client.get_shell_msg(timeout=CELL_TIMEOUT_S)
            if reply["parent_header"].get("msg_id") == request:
                ran.status = reply["content"]["status"]
                ran.payload = reply["content"].get("payload", [])
                return ran

    def run(self, code: str) -> Ran:
        """Run a cell and wait for it."""
        return self.finish(self.start(code))

    def run_answering(self, code: str, *answers: str) -> tuple[Ran, list[str]]:
        """Run a cell that asks with `input()`; return what it did and what it asked."""
        request = self.start(code)
        asked = []
        for text in answers:
            message = self.client.get_stdin_msg(timeout=CELL_TIMEOUT_S)
            asked.append(str(message["content"]["prompt"]))
            self.client.input(text)
        return self.finish(request), asked

    def press(self, address: str, **content: Any) -> dict[str, Any]:
        """Ask an address on the control channel as the extension does, and return the reply.

        Parameters
        ----------
        address
            That of a permission request, or of the kernel.
        **content
            The rest of the request.
        """
        message = self.client.session.msg("claude_magic_request", {"to": address, **content})
        self.client.control_channel.send(message)
        while True:
            reply = self.client.get_control_msg(timeout=CELL_TIMEOUT_S)
            if reply["parent_header"].get("msg_id") == message["header"]["msg_id"]:
                assert reply["msg_type"] == "claude_magic_reply"
                return dict(reply["content"])

    def greet(self) -> None:
        """Greet the kernel as a page with the JupyterLab extension does."""
        assert self.press(ADDRESS, do="hello", version="0")["status"] == "ok"

    def run_pressing(
        self,
        code: str,
        *presses: Mapping[str, Any] | None,
    ) -> tuple[Ran, list[dict[str, Any]]]:
        """Run a cell that asks with buttons; return what it did and what the questions showed.

        Parameters
        ----------
        code
            The cell.
        *presses
            What is said to each question after it was shown; None interrupts the kernel.
        """
        left = list(presses)
        asked: list[dict[str, Any]] = []
        self.greet()

        def answer(message: dict[str, Any]) -> None:
            address = question_of(message)
            if address is None or address in {shown["address"] for shown in asked}:
                return
            asked.append(self.press(ADDRESS, do="question"))
            assert self.press(address, do="ready") == {"status": "ok", "over": False}
            press = left.pop(0)
            if press is None:
                self.interrupt()
            else:
                assert self.press(address, do="answer", **press)["status"] == "ok"

        return self.finish(self.start(code), answer), asked

    def converse(self, on_permission: str = "None", **options: Any) -> None:
        """Put a conversation with options of the test's own in the place of the kernel's.

        Parameters
        ----------
        on_permission
            An expression for who is asked, in the kernel.
        **options
            Fields of `SessionOptions` that are to differ; their `repr` must be an expression.
        """
        ran = self.run(_CONVERSE.format(on_permission=on_permission, options=options))
        assert ran.status == "ok", ran.error

    def pids(self, session: str = "main") -> tuple[int, int]:
        """Return the process ids of a conversation's supervisor and of its Claude Code."""
        ran = self.run(
            f"import claude_magic; print(*claude_magic.current_session({session!r}).pids)"
        )
        supervisor, claude = map(int, ran.stdout.split())
        return supervisor, claude

    def interrupt(self) -> None:
        """Interrupt the kernel as a front end does."""
        self.manager.interrupt_kernel()

    def close(self) -> None:
        """End the kernel, whatever state it is in."""
        self.client.stop_channels()
        if self.manager.has_kernel:
            self.manager.shutdown_kernel(now=False)
        self.manager.cleanup_resources()
