"""A real JupyterHub with the recipe's configuration, the gateway behind it, and kernels in it."""

from __future__ import annotations

import json
import secrets
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections import deque
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import websocket
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from claude_magic.session.host import this_host
from claude_magic.tape.loopback import LoopbackServer

from .kernel import CELL_TIMEOUT_S, Ran

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Mapping

    from starlette.requests import Request
    from starlette.types import ASGIApp

    from claude_magic.tape import MessagesServer

_CONFIGURATION = Path(__file__).with_name("jupyterhub_config.py")

#: How long the Hub or a server may take for one step, in seconds. Most take less than 5.
STEP_TIMEOUT_S = 60.0


class Gateway(LoopbackServer):
    """Knows users by their keys, and asks the API with one that nobody else has.

    Parameters
    ----------
    keys
        User → that user's key.
    api
        The Messages API.

    Attributes
    ----------
    asked
        Who asked for what: pairs of a user and a request's body, oldest first.
    """

    def __init__(self, keys: Mapping[str, str], api: MessagesServer) -> None:
        super().__init__()
        self.asked: list[tuple[str, str]] = []
        self._users = {key: user for user, key in keys.items()}
        self._api = api

    def _application(self, stopping: asyncio.Event) -> ASGIApp:  # noqa: ARG002 - none stays open
        return Starlette(
            routes=[
                Route("/", self._alive, methods=["HEAD"]),
                Route("/{path:path}", self._forward, methods=["POST"]),
            ],
        )

    def _admits(self, headers: Mapping[str, str]) -> bool:
        return headers.get("x-api-key", "") in self._users

    async def _alive(self, _: Request) -> Response:
        return Response()

    async def _forward(self, http: Request) -> Response:
        user = self._users.get(http.headers.get("x-api-key", ""))
        if user is None:
            return JSONResponse({"error": {"type": "authentication_error"}}, 401)
        body = await http.body()
        self.asked.append((user, body.decode()))
        async with httpx.AsyncClient(trust_env=False, timeout=STEP_TIMEOUT_S) as client:
            answer = await client.post(
                f"{self._api.url}{http.url.path}",
                content=body,
                headers={
                    **{name: http.headers[name] for name in http.headers if "anthropic" in name},
                    "content-type": "application/json",
                    "x-api-key": self._api.token,
                },
            )
        kind = answer.headers["content-type"]
        return Response(answer.content, answer.status_code, {"content-type": kind})


class Hub:
    """A JupyterHub that is starting; it is ended by its own id.

    Parameters
    ----------
    folder
        An empty folder, for what the Hub keeps.
    environment
        The Hub's own environment.
    given
        What ``jupyterhub_config.py`` wants to know besides the addresses and the token.
    wrapped
        Makes the command that is run of the Hub's own.
    """

    def __init__(
        self,
        folder: Path,
        environment: Mapping[str, str],
        given: Mapping[str, Any],
        wrapped: Callable[[list[str]], list[str]],
    ) -> None:
        self.token = secrets.token_hex(16)
        self.url, hub_url, proxy_url = (f"http://127.0.0.1:{port}" for port in _free_ports(3))
        given = {
            **given,
            "url": self.url,
            "hub_url": hub_url,
            "proxy_url": proxy_url,
            "token": self.token,
        }
        self._log: deque[str] = deque(maxlen=400)
        self._answered = threading.Event()
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter
            wrapped([sys.executable, "-m", "jupyterhub", "-f", str(_CONFIGURATION)]),
            cwd=folder,
            env={**environment, "HUB_UNDER_TEST": json.dumps(given)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._http = httpx.Client(
            base_url=self.url,
            headers={"authorization": f"token {self.token}"},
            timeout=STEP_TIMEOUT_S,
            trust_env=False,
        )

    @property
    def log(self) -> str:
        """The last of what the Hub and the servers wrote."""
        return "".join(self._log)

    def _read(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self._log.append(line)
            if "JupyterHub is now running" in line:
                self._answered.set()
        # An end without an answer must not leave anyone waiting.
        self._answered.set()

    def wait(self) -> Hub:
        """Wait until it serves.

        Raises
        ------
        RuntimeError
            If it does not come up.
        """
        self._answered.wait(STEP_TIMEOUT_S)
        if self._process.poll() is not None:
            raise RuntimeError(f"JupyterHub did not start:\n{self.log}")
        return self

    def start(self, *users: str) -> None:
        """Start the servers of users at the same time, and wait for them."""
        for user in users:
            self._ask("POST", f"/hub/api/users/{user}/server")
        for user in users:
            self._wait_for(user)

    def _wait_for(self, user: str) -> None:
        with self._http.stream("GET", f"/hub/api/users/{user}/server/progress") as progress:
            for line in progress.iter_lines():
                told = json.loads(line.partition("data:")[2] or "{}")
                if told.get("ready"):
                    return
        raise RuntimeError(f"{user}'s server did not start:\n{self.log}")

    def stop(self, user: str) -> None:
        """End a user's server as the idle culler does, and wait until it has ended."""
        self._ask("DELETE", f"/hub/api/users/{user}/server")
        deadline = time.monotonic() + STEP_TIMEOUT_S
        # The Hub tells of the start of a server as it goes, and of the end only when it is asked.
        while self._ask("GET", f"/hub/api/users/{user}").json()["servers"]:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{user}'s server did not end:\n{self.log}")
            time.sleep(0.1)

    def open_notebook(self, user: str, path: str) -> HubKernel:
        """Open a notebook as JupyterLab does, through the Hub's proxy, and return its kernel."""
        wanted = {"path": path, "name": path, "type": "notebook", "kernel": {"name": "python3"}}
        session = self._ask("POST", f"/user/{user}/api/sessions", json=wanted).json()
        address = f"{self.url}/user/{user}/api/kernels/{session['kernel']['id']}/channels"
        return HubKernel(address.replace("http", "ws", 1), self.token)

    def _ask(self, method: str, path: str, **content: Any) -> httpx.Response:
        answer = self._http.request(method, path, **content)
        if answer.is_error:
            raise RuntimeError(f"{method} {path}: {answer.status_code} {answer.text}\n{self.log}")
        return answer

    def end(self) -> None:
        """Ask it to end, and all servers with it; kill all of them if that takes too long."""
        self._http.close()
        host = this_host()
        family = [(pid, host.started(pid)) for pid in host.descendants(self._process.pid)]
        self._process.terminate()
        try:
            self._process.wait(STEP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        # Whoever of them lives on holds the pipe of the log, which would never end.
        for pid, started in family:
            if started is not None:
                host.kill(pid, partial(host.lives, f"{pid}-{started}"))
        self._reader.join(STEP_TIMEOUT_S)
        assert self._process.stderr is not None
        self._process.stderr.close()


class HubKernel:
    """A kernel of somebody's server, as the page in the browser has it.

    Parameters
    ----------
    address
        The kernel's websocket.
    token
        What the server wants to see.
    """

    def __init__(self, address: str, token: str) -> None:
        self._session = uuid.uuid4().hex
        self._socket = websocket.create_connection(
            f"{address}?session_id={self._session}",
            header={"authorization": f"token {token}"},
            timeout=CELL_TIMEOUT_S,
            http_no_proxy=["127.0.0.1"],
        )

    def run(self, code: str) -> Ran:
        """Run a cell and wait for it."""
        request = uuid.uuid4().hex
        self._socket.send(json.dumps(self._message("execute_request", request, code)))
        ran, idle = Ran(), False
        began = time.monotonic()
        while not (idle and ran.status):
            message = json.loads(self._socket.recv())
            if message["parent_header"].get("msg_id") != request:
                continue
            kind, content = message["msg_type"], message["content"]
            if message["channel"] == "shell":
                ran.status, ran.payload = content["status"], content.get("payload", [])
            elif message["channel"] == "iopub":
                ran.messages.append(message)
                idle = kind == "status" and content["execution_state"] == "idle"
        ran.elapsed_s = time.monotonic() - began
        return ran

    def tell(self, code: str) -> Any:
        """Run a cell that prints JSON, and return what it printed."""
        ran = self.run(code)
        assert ran.status == "ok", ran.error
        return json.loads(ran.stdout)

    def _message(self, kind: str, identity: str, code: str) -> dict[str, Any]:
        return {
            "channel": "shell",
            "header": {
                "msg_id": identity,
                "msg_type": kind,
                "session": self._session,
                "username": "",
                "version": "5.3",
            },
            "parent_header": {},
            "metadata": {},
            "content": {
                "code": code,
                "silent": False,
                "store_history": True,
                "user_expressions": {},
                "allow_stdin": False,
                "stop_on_error": True,
            },
            "buffers": [],
        }

    def close(self) -> None:
        """Leave the page; the kernel goes on."""
        with suppress(OSError, websocket.WebSocketException):
            self._socket.close()


def _free_ports(count: int) -> list[int]:
    """Return ports that were free a moment ago."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports
