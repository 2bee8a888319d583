"""A front end that has our extension, as far as a kernel can tell."""

from __future__ import annotations

import queue
import time
from typing import TYPE_CHECKING, Any

from claude_magic.notebook.wire import ADDRESS, TARGET

if TYPE_CHECKING:
    from collections.abc import Callable

    from .kernel import Kernel, Ran

#: No answer of a kernel takes longer, in seconds.
ANSWER_TIMEOUT_S = 30.0


class FrontEndWithExtension:
    """Asks a kernel on its control channel, and hears what the kernel tells by the comm.

    Parameters
    ----------
    kernel
        The kernel, in which claude_magic is loaded.
    """

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        kernel.client.control_channel.start()

    def ask(self, kind: str, **content: Any) -> dict[str, Any]:
        """Send a message on the control channel and return the content of its reply."""
        message = self._kernel.client.session.msg(kind, content)
        self._kernel.client.control_channel.send(message)
        deadline = time.monotonic() + ANSWER_TIMEOUT_S
        while time.monotonic() < deadline:
            reply = self._kernel.client.get_control_msg(timeout=ANSWER_TIMEOUT_S)
            if reply["parent_header"].get("msg_id") == message["header"]["msg_id"]:
                return dict(reply["content"])
        raise TimeoutError(kind)

    def request(self, do: str, **content: Any) -> dict[str, Any]:
        """Ask claude_magic for something."""
        return self.ask("claude_magic_request", to=ADDRESS, do=do, **content)

    def hello(self) -> dict[str, Any]:
        """Say hello."""
        return self.request("hello", version="0")

    @property
    def comms(self) -> list[str]:
        """The ids of the comms that a page looks for when it is loaded."""
        return list(self.ask("comm_info_request", target_name=TARGET)["comms"])

    def start(self, code: str, cell_id: str) -> str:
        """Run a cell as JupyterLab does, with its id; return the request's id."""
        content = {"code": code, "silent": False, "store_history": True, "allow_stdin": True}
        message = self._kernel.client.session.msg(
            "execute_request", content, metadata={"cellId": cell_id}
        )
        self._kernel.client.shell_channel.send(message)
        return str(message["header"]["msg_id"])

    def run(
        self,
        code: str,
        cell_id: str,
        on_message: Callable[[dict[str, Any]], object] = lambda _: None,
    ) -> Ran:
        """Run a cell with its id and wait for it."""
        return self._kernel.finish(self.start(code, cell_id), on_message)

    def hear(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Wait for something that the kernel tells by a comm, and return it."""
        deadline = time.monotonic() + ANSWER_TIMEOUT_S
        while time.monotonic() < deadline:
            try:
                message = self._kernel.client.get_iopub_msg(timeout=ANSWER_TIMEOUT_S)
            except queue.Empty:
                break
            told = told_by(message)
            if told is not None and wanted(told):
                return told
        raise TimeoutError("the kernel did not tell it")


def told_by(message: dict[str, Any]) -> dict[str, Any] | None:
    """Return what a message of the comm tells; None where it is another message."""
    data = message["content"].get("data") if message["msg_type"] == "comm_msg" else None
    return data if isinstance(data, dict) and "told" in data else None
