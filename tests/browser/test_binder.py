"""Binder as a person meets it, on a stand-in that is made as its image is, without Docker."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from importlib.metadata import files
from typing import TYPE_CHECKING, Any

import pytest
from support.installation import INSTALLING, PIP_TIMEOUT_S, REPOSITORY, clean_checkout, run
from support.sterile import sterile_environment

from .conftest import LabProcess, Notebook, wait_until_ready
from .test_lab_extension import status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, BrowserContext

    from .conftest import Lab

#: What conda calls otherwise than PyPI.
_ON_PYPI = {
    "brotli-python": "brotli",
    "jupyterhub-base": "jupyterhub",
    "nbconvert-core": "nbconvert",
    "python-fastjsonschema": "fastjsonschema",
}

#: What of it is Jupyter, and may not become another than Binder's. The rest are libraries, of which
#: what the notebooks need may bring newer ones, as long as they suit all that is there.
_JUPYTER = re.compile(
    r"(jupyter|notebook).*|nb\w+|ip(ykernel|ython|ywidgets)|comm|pyzmq|tornado|traitlets|widgets\w+"
)

# A venv, Binder's Jupyter and `postBuild` take a minute where nothing else runs.
pytestmark = pytest.mark.timeout(2 * PIP_TIMEOUT_S)


def _binders_python() -> str:
    """Return the Python that Binder runs; this one where the machine does not have it."""
    version = (REPOSITORY / "binder" / "runtime.txt").read_text().strip().removeprefix("python-")
    # Where pyenv keeps several, it runs the one that it is told.
    environment = {**os.environ, "PYENV_VERSION": version}
    command = [f"python{version}", "-c", "import sys; print(sys.executable)"]
    try:
        found = subprocess.run(  # noqa: S603 - a Python
            command, env=environment, capture_output=True, text=True, check=True
        )
    except (FileNotFoundError, subprocess.CalledProcessError):
        return sys.executable
    return found.stdout.strip()


def _frozen_for(python: Path) -> dict[str, str]:
    """Return what Binder's image has before `postBuild`, as repo2docker freezes it."""
    told = run([python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"], {}, REPOSITORY)
    name = f"environment.py-{told.strip()}-linux-64.lock"
    (lock,) = (file for file in files("jupyter-repo2docker") or () if file.name == name)
    packages: dict[str, str] = {}
    for package, version in re.findall(r"/([^/]+)-([^-/]+)-py[^-/]*\.conda#", lock.read_text()):
        packages[_ON_PYPI.get(package, package)] = version
    del packages["cpython"]
    return packages


class Machine:
    """What stands in for a container of Binder's.

    Attributes
    ----------
    checkout
        This repository, as it is cloned there.
    frozen
        The packages that Binder's image began with, and their versions.
    environment
        The environment of whatever runs in it.
    """

    def __init__(self, folder: Path) -> None:
        self.checkout = clean_checkout(folder / "checkout")
        run([_binders_python(), "-m", "venv", folder / "venv"], os.environ, folder)
        bin_ = folder / "venv" / "bin"
        self.frozen = _frozen_for(bin_ / "python")
        wanted = [f"{name}=={version}" for name, version in self.frozen.items()]
        path = os.pathsep.join([str(bin_), os.environ["PATH"]])
        building = {**INSTALLING, "PATH": path}
        pip = str(bin_ / "pip")
        run([pip, "install", "--quiet", "--no-deps", *wanted], building, folder)
        run([self.checkout / "binder" / "postBuild"], building, self.checkout)
        self.environment = {**sterile_environment(folder / "home"), "PATH": path}
        self.environment.pop("VIRTUAL_ENV", None)

    def run(self, *command: str) -> str:
        """Run a command of its Python."""
        return run(["python", *command], self.environment, self.checkout)


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    return Machine(tmp_path_factory.mktemp("binder"))


@pytest.fixture(scope="module")
def lab(machine: Machine) -> Iterator[Lab]:
    command = [str(machine.checkout / "binder" / "start"), "jupyter", "lab"]
    process = LabProcess(command, machine.checkout, machine.environment)
    try:
        yield process.wait()
    finally:
        process.end()


@pytest.fixture
def arrive(
    lab: Lab, browser: Browser, request: pytest.FixtureRequest
) -> Iterator[Callable[[], Notebook]]:
    """A function that opens the page that a link to Binder leads to."""
    contexts: list[BrowserContext] = []

    def arrive() -> Notebook:
        context = browser.new_context(viewport={"width": 1280, "height": 800})
        contexts.append(context)
        workspace = re.sub(r"\W+", "-", request.node.name)
        path = f"lab/workspaces/{workspace}/tree/binder/welcome.md?token={lab.token}"
        page = Notebook(context.new_page(), lab.url + path)
        page.load()
        page.page.get_by_role("heading", name="claude-magic on Binder").wait_for()
        return page

    yield arrive
    for context in contexts:
        for page in context.pages:
            page.evaluate("jupyterapp.serviceManager.sessions.shutdownAll()")
        context.close()


def test_its_jupyter_is_the_one_that_binder_froze(machine: Machine) -> None:
    listed = json.loads(machine.run("-m", "pip", "list", "--format", "json"))
    installed = {_normalised(each["name"]): each["version"] for each in listed}
    frozen = {_normalised(name): version for name, version in machine.frozen.items()}
    jupyter = {name: version for name, version in frozen.items() if _JUPYTER.fullmatch(name)}
    assert {"ipykernel", "jupyter-server", "jupyterlab", "notebook"} <= set(jupyter)
    assert {name: installed[name] for name in jupyter} == jupyter
    machine.run("-m", "pip", "check")


@pytest.mark.parametrize(
    ("link", "name"),
    [("The first conversation", "01-first-conversation"), ("Your data", "04-your-data")],
)
def test_the_welcome_page_leads_to_notebooks_that_run_on_their_tapes(
    arrive: Callable[[], Notebook], link: str, name: str
) -> None:
    notebook = arrive()
    notebook.screenshot("binder-welcome")
    notebook.page.get_by_role("link", name=link, exact=True).click()
    notebook.wait_until_idle()
    wait_until_ready(notebook.page)
    notebook.command("notebook:run-all-cells")
    status(notebook, "Claude: ready · scripted replies")
    notebook.screenshot(f"binder-{name}")

    stored = json.loads((REPOSITORY / "notebooks" / f"{name}.ipynb").read_text())
    shown = notebook.page.evaluate("jupyterapp.shell.currentWidget.model.toJSON()")
    assert len(shown["cells"]) == len(stored["cells"])
    for ran, before in zip(shown["cells"], stored["cells"], strict=True):
        assert _said(ran) == _said(before)
        assert _labels(ran) == _labels(before)
    code = [cell for cell in shown["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    notebook.page.get_by_text("scripted replies · ").last.wait_for()


def test_a_banner_says_in_every_place_who_answers_and_leads_to_the_use_of_an_own_key(
    arrive: Callable[[], Notebook],
) -> None:
    notebook = arrive()
    banner = notebook.page.get_by_role(
        "button", name="Scripted replies, unless you use your own key"
    )
    banner.click()
    notebook.page.get_by_role("heading", name="Use your own key").wait_for()
    notebook.wait_until_idle()
    assert banner.is_visible()
    notebook.screenshot("binder-own-key")
    assert notebook.page.locator(".jp-Dialog, .Toastify__toast").count() == 0


def _normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _said(cell: dict[str, Any]) -> str:
    """Return what a cell put out, apart from figures and from where its texts are divided."""
    told: list[str] = []
    for output in cell.get("outputs", ()):
        assert output["output_type"] != "error", output
        data = output.get("data", {})
        text = "".join(
            data.get("text/markdown") or data.get("text/plain") or output.get("text", "")
        )
        if not text.startswith("<sub>"):
            told += text.split()
    return " ".join(told)


def _labels(cell: dict[str, Any]) -> int:
    """Return how many answers of a cell say that they are scripted."""
    return str(cell.get("outputs")).count("scripted replies")
