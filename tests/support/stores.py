"""Servers behind session stores: real ones, on loopback, with data of their own."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: How long a server may take to answer, in seconds.
START_S = 30.0


def missing(reason: str) -> NoReturn:
    """Skip where something is not installed, but not in CI, where a skip would go unseen."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def free_port() -> int:
    """Return a port of this machine that nobody listens at."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


class Server:
    """One process that listens on loopback; it can be killed and started again.

    Parameters
    ----------
    command
        What starts it; it stays in the foreground.
    port
        Where it listens.
    ready
        Tells whether it answers.
    account
        The account that it runs as; None for that of the tests.
    """

    def __init__(
        self,
        command: list[str],
        port: int,
        ready: Callable[[], bool],
        account: str | None = None,
    ) -> None:
        self.port = port
        self._command = command
        self._ready = ready
        self._account = account
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers; there is no event for that."""
        deadline = time.monotonic() + START_S
        while self._process is None or not self._ready():
            assert time.monotonic() < deadline, f"{self._command} does not answer"
            if self._process is not None and self._process.poll() is not None:
                # What was killed may hold its memory or its port for a moment longer.
                self._process = None
            if self._process is None:
                self._process = subprocess.Popen(  # noqa: S603 - the test's own
                    self._command,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    stdin=subprocess.DEVNULL,
                    user=self._account,
                    # All that it starts ends with it.
                    start_new_session=True,
                )
            time.sleep(0.05)

    def kill(self) -> None:
        """End it at once, as a machine ends whose power fails."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None


def _listens(port: int) -> bool:
    with socket.socket() as tried:
        tried.settimeout(1)
        return tried.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def redis_server(folder: Path) -> Iterator[tuple[Server, str]]:
    """Give a Redis server and its URL, which has a password."""
    program = shutil.which("redis-server")
    if program is None:
        missing("redis-server is not installed: tests/install-databases")
    port = free_port()
    command = [
        program, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder),
        "--requirepass", "open-sesame", "--appendonly", "yes", "--appendfsync", "always",
        "--save", "",
    ]  # fmt: skip
    import redis  # noqa: PLC0415

    url = f"redis://:open-sesame@127.0.0.1:{port}/0"

    def ready() -> bool:
        with suppress(redis.RedisError), redis.Redis.from_url(url) as client:
            return bool(client.ping())
        return False

    server = Server(command, port, ready)
    with ExitStack() as stack:
        stack.callback(server.kill)
        server.start()
        yield server, url


@contextmanager
def postgres_server() -> Iterator[tuple[Server, str]]:
    """Give a PostgreSQL server and the URL of its first database, which has a password."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    program = found[-1] if found else shutil.which("postgres")
    if program is None:
        missing("postgres is not installed: tests/install-databases")
    with tempfile.TemporaryDirectory(prefix="claude-magic-postgres-") as folder:
        yield from _postgres(Path(str(program)).parent, Path(folder))


def _postgres(programs: Path, folder: Path) -> Iterator[tuple[Server, str]]:
    # It refuses to run as root.
    account = "postgres" if os.getuid() == 0 else None
    data = folder / "data"
    data.mkdir()
    secret = folder / "secret"
    secret.write_text("open-sesame")
    if account is not None:
        import pwd  # noqa: PLC0415 - Windows has none, and all integration tests load this

        owner = pwd.getpwnam(account)
        for path in (folder, data, secret):
            os.chown(path, owner.pw_uid, owner.pw_gid)
    subprocess.run(  # noqa: S603 - Debian's
        [
            programs / "initdb", "--pgdata", data, "--username", "ada", "--pwfile", secret,
            "--auth", "scram-sha-256", "--no-sync", "--encoding", "UTF8", "--locale", "C",
        ],
        check=True,
        capture_output=True,
        user=account,
    )  # fmt: skip
    port = free_port()
    command = [
        str(programs / "postgres"), "-D", str(data), "-p", str(port), "-h", "127.0.0.1",
        "-c", f"unix_socket_directories={folder}",
        # The machine goes on when the server is killed.
        "-c", "fsync=off",
    ]  # fmt: skip
    import psycopg  # noqa: PLC0415

    url = f"postgresql://ada:open-sesame@127.0.0.1:{port}/postgres"

    def ready() -> bool:
        with suppress(psycopg.OperationalError), psycopg.connect(url, connect_timeout=2):
            return True
        return False

    server = Server(command, port, ready, account)
    with ExitStack() as stack:
        stack.callback(server.kill)
        server.start()
        yield server, url


@contextmanager
def s3_server() -> Iterator[tuple[Server, str]]:
    """Give moto's S3 and the URL of a bucket in it; the credentials are in the environment."""
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = Server(command, port, lambda: _listens(port))
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setenv("AWS_ACCESS_KEY_ID", "made-up")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "made-up")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        stack.callback(server.kill)
        server.start()
        import boto3  # noqa: PLC0415

        endpoint = f"http://127.0.0.1:{port}"
        client = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1")
        client.create_bucket(Bucket="conversations")
        client.close()
        yield server, f"s3://conversations/magic?endpoint_url={endpoint}&region=us-east-1"


#: The kinds of stores there are.
KINDS = ("sqlite", "redis", "postgresql", "s3")


@contextmanager
def running(kind: str, folder: Path) -> Iterator[tuple[Server | None, str]]:
    """Give a store of a kind: its server, where it has one, and its URL."""
    if kind == "sqlite":
        yield None, f"sqlite:///{folder}/conversations.db"
    elif kind == "redis":
        with redis_server(folder) as server:
            yield server
    elif kind == "postgresql":
        with postgres_server() as server:
            yield server
    else:
        with s3_server() as server:
            yield server


def emptied(url: str) -> str:
    """Return the URL of an empty store on the server of another."""
    name = f"store{uuid.uuid4().hex[:8]}"
    if url.startswith("sqlite"):
        return f"{url.removesuffix('.db')}-{name}.db"
    if url.startswith("s3"):
        return url.replace("/magic", f"/{name}")
    if url.startswith("redis"):
        import redis  # noqa: PLC0415

        with redis.Redis.from_url(url) as client:
            client.flushall()
        return url
    import psycopg  # noqa: PLC0415

    with psycopg.connect(url, autocommit=True) as client:
        client.execute(f'CREATE DATABASE "{name}"'.encode())
    return url.replace("/postgres", f"/{name}")
