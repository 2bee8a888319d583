"""One JupyterLab and one Chromium for all tests here, and notebooks to open in them."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
from collections import deque
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest
from support.installation import REPOSITORY
from support.sterile import sterile_environment

from claude_magic.tape import MessagesServer, Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from playwright.sync_api import Browser, BrowserContext, Locator, Page

    from claude_magic.tape import MessagesRequest

SCREENSHOTS = REPOSITORY / "output" / "screenshots"

#: How long JupyterLab may take to answer, in seconds. It takes about 3.
START_TIMEOUT_S = 60.0

#: How long a page or a kernel may take for one step, in seconds. Most take less than 1.
STEP_TIMEOUT_S = 30.0


def _missing(what: str) -> NoReturn:
    """Skip where something is not installed, but not in CI, where a skip would go unseen."""
    told = f"{what} is not installed, and the browser tests need it"
    if os.environ.get("CI") == "true":
        pytest.fail(told)
    pytest.skip(told)


@dataclass(frozen=True)
class Lab:
    """A JupyterLab that runs.

    Attributes
    ----------
    url
        Its base URL, with a slash at the end.
    token
        What it wants to see.
    root
        The directory that it serves.
    """

    url: str
    token: str
    root: Path


class LabProcess:
    """The server's process and the thread that reads its log. It is ended by its own id.

    Parameters
    ----------
    command
        What starts JupyterLab. The options with which a test can use it are added.
    root
        The directory that it serves, and in which it is started.
    environment
        Its environment variables. Whatever it and its kernels write goes where they say.
    """

    def __init__(
        self, command: Sequence[str | Path], root: Path, environment: Mapping[str, str]
    ) -> None:
        self.root = root
        self._log: deque[str] = deque(maxlen=200)
        self._address: tuple[str, str] | None = None
        self._answered = threading.Event()
        options = ["--no-browser", f"--ServerApp.port={_free_port()}"]
        options += ["--ServerApp.ip=127.0.0.1", f"--ServerApp.root_dir={self.root}"]
        # So that tests can run JupyterLab's commands: see Notebook.command.
        options.append("--LabApp.expose_app_in_browser=True")
        options.append("--JupyterNotebookApp.expose_app_in_browser=True")
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            options.append("--allow-root")
        self._process = subprocess.Popen(  # noqa: S603 - ours
            [*command, *options],
            cwd=self.root,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        """Keep the last of the log, and find the line that tells the address."""
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self._log.append(line)
            found = re.search(r"(http://127\.0\.0\.1:\d+/)lab\?token=(\w+)", line)
            if found and self._address is None:
                self._address = (found[1], found[2])
                self._answered.set()
        # An end without an address must not leave anyone waiting.
        self._answered.set()

    def wait(self) -> Lab:
        """Wait until it serves.

        Raises
        ------
        RuntimeError
            If it does not come up.
        """
        self._answered.wait(START_TIMEOUT_S)
        if self._address is None:
            raise RuntimeError("JupyterLab did not start:\n" + "".join(self._log))
        return Lab(*self._address, self.root)

    def end(self) -> None:
        """Ask it to shut its kernels and itself down; kill it if that takes too long."""
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()
        assert self._process.stderr is not None
        self._process.stderr.close()


def _free_port() -> int:
    """Return a port that nobody listens on. Where it is taken meanwhile, Jupyter takes the next.

    With port 0, jupyter_server 2.17 serves on a free one but says in its log that it is 0.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _environment_of_the_checkout(home: Path) -> dict[str, str]:
    """Return an environment in which JupyterLab and its kernels find this checkout."""
    environment = sterile_environment(home)
    # Whether or not it is installed.
    environment["PYTHONPATH"] = str(REPOSITORY)
    # This checkout's extension, too, as it was built last.
    (home / "share" / "labextensions").mkdir(parents=True)
    (home / "share" / "labextensions" / "claude-magic").symlink_to(_built_extension())
    environment["JUPYTER_PATH"] = str(home / "share")
    _turn_the_news_off(Path(environment["JUPYTER_CONFIG_DIR"]))
    return environment


def _built_extension() -> Path:
    built = REPOSITORY / "labextension" / "dist"
    if not (built / "package.json").exists():
        _missing("The JupyterLab extension of this checkout (`make labextension`)")
    return built


def _turn_the_news_off(config: Path) -> None:
    """Write the settings without which JupyterLab asks the reader whether it may fetch news."""
    folder = config / "lab" / "user-settings" / "@jupyterlab" / "apputils-extension"
    folder.mkdir(parents=True)
    settings = {"fetchNews": "false", "checkForUpdates": False}
    (folder / "notification.jupyterlab-settings").write_text(json.dumps(settings))


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    if find_spec("jupyterlab") is None:
        _missing("JupyterLab")
    home = tmp_path_factory.mktemp("lab")
    (home / "notebooks").mkdir()
    command = [sys.executable, "-m", "jupyterlab"]
    process = LabProcess(command, home / "notebooks", _environment_of_the_checkout(home))
    try:
        yield process.wait()
    finally:
        process.end()


# Playwright's synchronous API keeps an event loop running on the main thread for as long as it is
# open, and pytest-asyncio can run no test beside it: so it must end with this package.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    if find_spec("playwright") is None:
        _missing("playwright")
    chromium = shutil.which("chromium")
    if chromium is None:
        _missing("Chromium")
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - may be missing

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium,
            # No sandbox: in a container, where the tests run as root, there is none.
            args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"],
        )
        yield browser
        browser.close()


def wait_until_ready(page: Page) -> None:
    """Wait until a page has read its notebook and has a kernel for it.

    The kernel can be idle before: what is written to a cell then is lost, and another one runs.
    """
    page.evaluate(
        "(async () => { const panel = jupyterapp.shell.currentWidget;"
        " await panel.revealed; await panel.sessionContext.ready; })()"
    )


class Notebook:
    """A notebook that is open in JupyterLab, with its kernel.

    Parameters
    ----------
    page
        The page that shows it.
    url
        Where it is.
    """

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self._url = url
        page.set_default_timeout(STEP_TIMEOUT_S * 1000)

    def show(self) -> None:
        """Load the page, for the first time or again, and wait for the kernel."""
        self.load()
        self.wait_until_idle()
        wait_until_ready(self.page)

    def load(self) -> None:
        """Load the page, for the first time or again, whatever the kernel does."""
        self.page.goto(self._url)

    def wait_until_idle(self) -> None:
        """Wait until the kernel does nothing. Before that, a first run is lost."""
        self.page.get_by_text("| Idle").first.wait_for()

    def cell(self, number: int) -> Locator:
        """Return a cell, counted from 0."""
        return self.page.locator(".jp-Notebook .jp-Cell").nth(number)

    def output(self, number: int) -> Locator:
        """Return what a cell, counted from 0, put out."""
        return self.cell(number).locator(".jp-Cell-outputArea")

    def start(self, number: int) -> None:
        """Run a cell, counted from 0, and do not wait for it."""
        self.cell(number).locator(".cm-content").click()
        self.page.keyboard.press("Control+Enter")

    def run(self, number: int) -> None:
        """Run a cell, counted from 0, and wait until it has ended."""
        before = self.cell(number).locator(".jp-InputPrompt").inner_text()
        self.start(number)
        self.wait_for_end(number, before)

    def wait_for_end(self, number: int, before: str = "") -> None:
        """Wait until a cell, counted from 0, has ended: its number is another than before.

        What runs while another cell fails is left out by the kernel.
        """
        prompt = self.cell(number).locator(".jp-InputPrompt")
        self.page.wait_for_function(
            "([prompt, before]) => prompt.innerText !== before"
            " && /^\\[\\d+\\]:$/.test(prompt.innerText)",
            arg=[prompt.element_handle(), before],
        )

    def wait_for_text(self, number: int, text: str) -> None:
        """Wait for a text in what a cell, counted from 0, put out."""
        self.output(number).get_by_text(text).first.wait_for()

    def button(self, number: int, name: str) -> Locator:
        """Return a button in what a cell, counted from 0, put out, once it can be pressed."""
        button = self.output(number).get_by_role("button", name=name, exact=True)
        button.scroll_into_view_if_needed()
        self.page.wait_for_function(
            "button => button.getAttribute('aria-disabled') !== 'true'",
            arg=button.element_handle(),
        )
        return button

    @property
    def question(self) -> Locator:
        """The permission request that the page shows in the browser's top layer."""
        return self.page.locator(".claude-magic-question:visible")

    def decision(self, name: str) -> Locator:
        """Return a button of the permission request, once it can be pressed."""
        button = self.question.get_by_role("button", name=name, exact=True, disabled=False)
        button.wait_for()
        return button

    def command(self, name: str, **arguments: object) -> None:
        """Run one of JupyterLab's commands and wait until it has ended."""
        self.page.evaluate(
            "([name, arguments]) => jupyterapp.commands.execute(name, arguments).then(() => null)",
            [name, arguments],
        )

    def screenshot(self, name: str, of: Locator | None = None) -> Path:
        """Write what the page shows, or a part of it, to ``output/screenshots/NAME.png``."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        path = SCREENSHOTS / f"{name}.png"
        (of or self.page).screenshot(path=path)
        return path


def notebook_file(cells: tuple[str, ...]) -> dict[str, object]:
    """Return a notebook of code cells, as nbformat 4.5 has it."""
    return {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3"}},
        "cells": [
            {
                "id": f"cell-{number}",
                "cell_type": "code",
                "source": source,
                "metadata": {},
                "outputs": [],
                "execution_count": None,
            }
            for number, source in enumerate(cells)
        ],
    }


@pytest.fixture
def open_notebook(
    lab: Lab,
    browser: Browser,
    request: pytest.FixtureRequest,
) -> Iterator[Callable[..., Notebook]]:
    """A function that makes a notebook of the sources of its cells and opens it."""
    contexts: list[BrowserContext] = []

    def open_it(*cells: str) -> Notebook:
        name = re.sub(r"\W+", "-", f"{request.node.name}-{len(contexts)}") + ".ipynb"
        (lab.root / name).write_text(json.dumps(notebook_file(cells)))
        context = browser.new_context(viewport={"width": 1100, "height": 800})
        contexts.append(context)
        # A workspace of its own: the tabs of one test do not come up in the next.
        url = f"{lab.url}lab/workspaces/{name[:-6]}/tree/{name}?token={lab.token}"
        opened = Notebook(context.new_page(), url)
        opened.show()
        return opened

    yield open_it
    for context in contexts:
        for page in context.pages:
            # A kernel outlives its page, and would keep its Claude Code.
            page.evaluate("jupyterapp.shell.currentWidget.sessionContext.shutdown()")
        context.close()


_LOAD = """\
import os
os.environ.update({environment!r})
%load_ext claude_magic"""


@pytest.fixture
def scripted() -> Iterator[Callable[..., str]]:
    """A function that takes replies, or their makers, and returns a cell that connects to them."""
    servers: list[MessagesServer] = []

    def script(*replies: Reply | Callable[[MessagesRequest], Reply]) -> str:
        left = list(replies)

        def answer(request: MessagesRequest) -> Reply:
            reply = left.pop(0)
            return reply if isinstance(reply, Reply) else reply(request)

        server = MessagesServer(answer)
        server.__enter__()
        servers.append(server)
        environment = {"ANTHROPIC_BASE_URL": server.url, "ANTHROPIC_API_KEY": server.token}
        return _LOAD.format(environment=environment)

    yield script
    for server in servers:
        server.__exit__(None, None, None)
