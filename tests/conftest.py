"""Fixtures for all tests: the sterile environment, the loopback API, and real kernels."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from support.kernel import Kernel
from support.sterile import sterile_environment
from xdist.scheduler import LoadScopeScheduling

from claude_magic.tape import MessagesServer, Reply
from claude_magic.well_formed import well_formed_json

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from pathlib import Path

    from claude_magic.tape import Failure, MessagesRequest


#: What looks at the clock or at a page; one worker runs all of it, so that it does not compete with
#: itself.
TIMED = ("tests/browser", "tests/integration/faults", "tests/integration/test_streaming.py")


class ByPlace(LoadScopeScheduling):  # type: ignore[misc]  # untyped
    """Gives the workers of pytest-xdist whole files, whose tests share kernels and servers."""

    def _split_scope(self, nodeid: str) -> str:
        return "timed" if nodeid.startswith(TIMED) else nodeid.partition("::")[0]


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    return ByPlace(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_report_to_serializable() -> Generator[None, dict[str, Any] | None, Any]:
    """Repair what a test logged: text that is not valid Unicode would end the worker."""
    return well_formed_json((yield))


@pytest.fixture(autouse=True, scope="session")
def sterile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Replace the environment of the test process, and of all that it starts."""
    environment = sterile_environment(tmp_path_factory.mktemp("home"))
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(environment)
    yield environment
    os.environ.clear()
    os.environ.update(before)


class Api:
    """The loopback Messages API of one test, and what it says.

    Attributes
    ----------
    server
        The running server, with the requests that reached it.
    replies
        Asked in turn for each request; when there is none left, `otherwise` answers.
    """

    def __init__(self) -> None:
        self.server = MessagesServer(self._reply)
        self.replies: list[Reply | Failure | Callable[[MessagesRequest], Reply | Failure]] = []
        self._earlier = 0

    @property
    def requests(self) -> list[MessagesRequest]:
        """The requests of this test, oldest first."""
        return self.server.requests[self._earlier :]

    def begin(self) -> None:
        """Forget what tests before this one asked and were promised."""
        self._earlier = len(self.server.requests)
        self.replies.clear()

    def _reply(self, request: MessagesRequest) -> Reply | Failure:
        if not self.replies:
            return self.otherwise(request)
        reply = self.replies.pop(0)
        return reply(request) if callable(reply) else reply

    def otherwise(self, request: MessagesRequest) -> Reply | Failure:
        """Say what the conversation holds, so that a test can see what reached the model."""
        said = [turn.text for turn in request.visible_turns if turn.role == "user"]
        return Reply.of(f"You said: {' / '.join(said)}")

    @property
    def environment(self) -> dict[str, str]:
        """What makes Claude Code talk to this API."""
        return {
            "ANTHROPIC_BASE_URL": self.server.url,
            "ANTHROPIC_API_KEY": self.server.token,
        }


@pytest.fixture
def api() -> Iterator[Api]:
    """Give a running loopback API."""
    api = Api()
    with api.server:
        yield api


@pytest.fixture
def connected(api: Api, monkeypatch: pytest.MonkeyPatch) -> Api:
    """Give a loopback API that this process's own sessions talk to."""
    for name, value in api.environment.items():
        monkeypatch.setenv(name, value)
    return api


@pytest.fixture
def start_kernel(sterile: dict[str, str], tmp_path: Path) -> Iterator[Callable[..., Kernel]]:
    """Give a function that starts kernels of the test's own; they are ended with the test."""
    kernels: list[Kernel] = []

    def start(
        environment: dict[str, str] | None = None,
        *,
        person: bool = True,
        names_cells: bool = True,
        folder: Path = tmp_path,
    ) -> Kernel:
        environment = {**sterile, **(environment or {})}
        kernel = Kernel(environment, folder, person=person, names_cells=names_cells)
        kernels.append(kernel)
        return kernel

    yield start
    for kernel in kernels:
        kernel.close()


@pytest.fixture(scope="module")
def shared_api() -> Iterator[Api]:
    """Give the API behind the module's shared kernel."""
    api = Api()
    with api.server:
        yield api


@pytest.fixture(scope="module")
def shared_kernel(
    sterile: dict[str, str],
    shared_api: Api,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Kernel]:
    """Give the module's kernel: loading the SDK takes a kernel seconds, a new session less."""
    folder = tmp_path_factory.mktemp("notebook")
    kernel = Kernel({**sterile, **shared_api.environment}, folder, person=True)
    assert kernel.run("%load_ext claude_magic").status == "ok"
    yield kernel
    kernel.close()


@pytest.fixture
def kernel(shared_kernel: Kernel, shared_api: Api) -> Kernel:
    """Give a kernel with claude_magic loaded, in a conversation that has not begun."""
    assert shared_kernel.run("%claude_reset --all").status == "ok"
    shared_api.begin()
    return shared_kernel


@pytest.fixture
def kernel_api(kernel: Kernel, shared_api: Api) -> Api:
    """Give the API that `kernel` talks to."""
    return shared_api
