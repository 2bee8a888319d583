"""Looks whether everything that claude-magic stands on is there: `claude-magic doctor`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass
from enum import Enum
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ._version import __version__
from .errors import StartError
from .masking import mask
from .shadowing import find_shadowing
from .variables import TAPE_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

#: So long may a program take to answer, in seconds.
_TIMEOUT_S = 60.0

#: Longest name of the folder for temporary files that leaves room for sockets in it, in bytes;
#: their paths have at most 103 bytes on macOS and 107 on Linux.
LONGEST_TEMPORARY_BYTES = 80

_CLOUDS = {
    "CLAUDE_CODE_USE_BEDROCK": "Amazon Bedrock",
    "CLAUDE_CODE_USE_VERTEX": "Google Vertex AI",
    "CLAUDE_CODE_USE_FOUNDRY": "Microsoft Foundry",
}

_METHODS = {
    "api_key": "an API key",
    "oauth_token": "a login's token from the environment",
    "claude.ai": "a login with a Claude account",
    "console": "a login with a Console account",
}

#: JupyterLab's part of the widgets.
_WIDGET_EXTENSION = "@jupyter-widgets/jupyterlab-manager"

#: Run in a kernel, where it tells what is there.
_PROBE = """
import json, sys
import ipykernel
kernel = get_ipython().kernel
print(json.dumps({
    "python": sys.executable,
    "ipykernel": ipykernel.__version__,
    "control": isinstance(getattr(kernel, "control_handlers", None), dict),
}))
"""


class State(Enum):
    """How something is."""

    FINE = "fine"
    #: Something less works, or looks worse.
    LIMITED = "limited"
    #: No cell can be answered.
    BROKEN = "broken"


_MARKS = {State.FINE: "✓", State.LIMITED: "!", State.BROKEN: "✗"}


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found about one thing.

    Attributes
    ----------
    name
        The thing.
    state
        How it is.
    told
        What was found; holds no secret.
    remedy
        What to do about it; empty if nothing.
    """

    name: str
    state: State
    told: str
    remedy: str = ""


def examine(environ: Mapping[str, str] = os.environ) -> list[Finding]:
    """Look at everything, and return what was found; takes a few seconds.

    Nothing is sent to any API.

    Parameters
    ----------
    environ
        The environment that a kernel would have.
    """
    checks: list[Callable[[Mapping[str, str]], list[Finding]]] = [
        _temporary,
        _working,
        _home,
        _libraries,
        _claude_code,
        _login,
        _far_end,
        _kernel,
        _jupyterlab,
        _widgets,
        _sandbox,
    ]
    return [
        # A net under all of it: a path or an answer of another program may hold anything.
        Finding(finding.name, finding.state, mask(finding.told), finding.remedy)
        for check in checks
        for finding in check(environ)
    ]


def report(findings: list[Finding], *, as_json: bool) -> str:
    """Return findings as one screen, or as JSON."""
    if as_json:
        told = [{**asdict(finding), "state": finding.state.value} for finding in findings]
        document = {"claude-magic": __version__, "fine": is_fine(findings), "findings": told}
        return json.dumps(document, indent=2, ensure_ascii=False)
    width = max(len(finding.name) for finding in findings)
    lines = [f"claude-magic {__version__}"]
    for finding in findings:
        lines.append(f"{_MARKS[finding.state]} {finding.name:<{width}}  {finding.told}")
        if finding.remedy:
            lines.append(f"  {'':<{width}}  → {finding.remedy}")
    return "\n".join(lines)


def is_fine(findings: list[Finding]) -> bool:
    """Tell whether a cell can be answered."""
    return all(finding.state is not State.BROKEN for finding in findings)


def _temporary(environ: Mapping[str, str]) -> list[Finding]:
    from .session.folders import make_temporary_folder, temporary_folder_named  # noqa: PLC0415

    name, wanted = temporary_folder_named(environ)
    set_it = "set TMPDIR to a folder that you can write before the kernel starts"
    try:
        folder = make_temporary_folder("claude-magic-doctor-", environ)
    except StartError as error:
        return [Finding("temporary files", State.BROKEN, error.reason, set_it)]
    folder.rmdir()
    used = str(folder.parent)
    if wanted is not None and os.path.realpath(wanted) != os.path.realpath(used):
        told = f"{used}; {name}={wanted!r} is missing, read-only or not valid UTF-8"
        return [Finding("temporary files", State.LIMITED, told, f"{set_it}, or unset {name}")]
    if len(os.fsencode(used)) > LONGEST_TEMPORARY_BYTES:
        told = f"{used}; too long for the sockets of some commands"
        return [Finding("temporary files", State.LIMITED, told, f"{set_it}, with a shorter name")]
    if os.name == "posix" and os.statvfs(used).f_flag & os.ST_NOEXEC:
        told = f"{used}, mounted noexec: programs that are built there do not run"
        return [Finding("temporary files", State.LIMITED, told, set_it)]
    return [Finding("temporary files", State.FINE, used)]


def _working(_: Mapping[str, str]) -> list[Finding]:
    from .session.folders import working_folder  # noqa: PLC0415

    try:
        return [Finding("working directory", State.FINE, str(working_folder()))]
    except StartError as error:
        return [Finding("working directory", State.BROKEN, error.reason, "cd to another")]


def _home(environ: Mapping[str, str]) -> list[Finding]:
    from .session.folders import home_folder  # noqa: PLC0415

    try:
        home = home_folder(environ)
    except StartError as error:
        remedy = "set HOME to a folder that you can write before the kernel starts"
        return [Finding("home directory", State.BROKEN, error.reason, remedy)]
    return [Finding("home directory", State.FINE, str(home))]


def _libraries(_: Mapping[str, str]) -> list[Finding]:
    """Tell of files that a kernel in this folder would import in the place of our dependencies."""
    try:
        folder = str(Path.cwd())
    except OSError:
        return []
    behind = [entry for entry in sys.path if entry and not _is_same(entry, folder)]
    return [
        Finding(
            "libraries",
            State.BROKEN,
            f"{path} would be imported in the place of {name!r}",
            "rename it, then restart the kernel",
        )
        for name, path in find_shadowing(folder, behind).items()
    ]


def _is_same(one: str, other: str) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)


def _claude_code(environ: Mapping[str, str]) -> list[Finding]:
    reinstall = "pip install --force-reinstall claude-agent-sdk"
    try:
        from .session import claude_program  # noqa: PLC0415 - loads the SDK

        told = _output([str(claude_program()), "--version"], environ).strip()
    except (OSError, ImportError, subprocess.SubprocessError) as error:
        return [Finding("Claude Code", State.BROKEN, _reason(error), reinstall)]
    sdk = version("claude-agent-sdk")
    return [Finding("Claude Code", State.FINE, f"{told}, from claude-agent-sdk {sdk}")]


def _login(environ: Mapping[str, str]) -> list[Finding]:
    for variable, cloud in _CLOUDS.items():
        if environ.get(variable, "").lower() in {"1", "true", "yes", "on"}:
            return [Finding("login", State.FINE, f"{cloud}, by {variable}")]
    log_in = "run `claude-magic login`, or set ANTHROPIC_API_KEY before the kernel starts"
    try:
        from .session import claude_program  # noqa: PLC0415 - loads the SDK

        told = json.loads(
            _output([str(claude_program()), "auth", "status"], environ, checked=False)
        )
        logged_in, method = bool(told["loggedIn"]), str(told.get("authMethod", ""))
    except (OSError, ImportError, subprocess.SubprocessError, ValueError, KeyError) as error:
        return [Finding("login", State.BROKEN, f"unknown: {_reason(error)}", log_in)]
    if not logged_in:
        return [Finding("login", State.BROKEN, "no API key and no login", log_in)]
    return [Finding("login", State.FINE, _METHODS.get(method, method or "logged in"))]


def _far_end(environ: Mapping[str, str]) -> list[Finding]:
    """Tell what the API is, where it is not Anthropic's own."""
    findings = []
    if environ.get("ANTHROPIC_BASE_URL"):
        # The host alone: a gateway's address may hold a key.
        host = _host(environ["ANTHROPIC_BASE_URL"])
        told = f"{host or 'no address'}, by ANTHROPIC_BASE_URL"
        state = State.FINE if host else State.BROKEN
        findings.append(
            Finding("API", state, told, "" if host else "set it to an http or https URL"),
        )
    if environ.get(TAPE_VARIABLE):
        told = f"kernels talk to a tape, by {TAPE_VARIABLE}"
        findings.append(Finding("tape", State.LIMITED, told, "unset it to talk to Claude"))
    return findings


def _host(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:  # brackets of no address
        return None


def _kernel(environ: Mapping[str, str]) -> list[Finding]:
    try:
        told = json.loads(_asked_of_kernel(environ))
    except (OSError, RuntimeError, ValueError, ImportError) as error:
        remedy = f"{sys.executable} -m pip install --force-reinstall ipykernel"
        return [Finding("kernel", State.BROKEN, f"no kernel starts: {_reason(error)}", remedy)]
    kernel = f"ipykernel {told['ipykernel']} in {told['python']}"
    found = Finding("kernel", State.FINE, kernel)
    if told["control"]:
        control = Finding("control channel", State.FINE, "buttons work while a cell runs")
    else:
        remedy = "pip install --upgrade ipykernel"
        without = "not there: questions come as text, buttons wait for the cell"
        control = Finding("control channel", State.LIMITED, without, remedy)
    return [found, control]


def _asked_of_kernel(environ: Mapping[str, str]) -> str:
    from jupyter_client.manager import start_new_kernel  # noqa: PLC0415 - takes a while

    manager, client = start_new_kernel(
        startup_timeout=_TIMEOUT_S,
        env=dict(environ),
        extra_arguments=["--IPKernelApp.log_level=CRITICAL"],
    )
    said: list[str] = []

    def hear(message: dict[str, Any]) -> None:
        if message["msg_type"] == "stream":
            said.append(message["content"]["text"])

    try:
        client.execute_interactive(
            _PROBE, timeout=_TIMEOUT_S, output_hook=hear, store_history=False, allow_stdin=False
        )
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    return "".join(said)


def _jupyterlab(_: Mapping[str, str]) -> list[Finding]:
    lab = _version("jupyterlab")
    if lab is None:
        told = "not installed here; terminals and other front ends do without"
        return [Finding("JupyterLab", State.LIMITED, told, "pip install 'jupyterlab>=4.3'")]
    found = Finding("JupyterLab", State.FINE, lab)
    folder = _lab_extension("claude-magic")
    if folder is None:
        told = "not installed: no status in the status bar, no highlighting"
        remedy = "pip install --force-reinstall claude-magic"
        return [found, Finding("Lab extension", State.LIMITED, told, remedy)]
    own = _extension_version(folder)
    if own != __version__:
        told = f"of version {own}, and claude-magic is {__version__}"
        remedy = "pip install --force-reinstall claude-magic, then reload the page"
        return [found, Finding("Lab extension", State.LIMITED, told, remedy)]
    return [found, Finding("Lab extension", State.FINE, own)]


def _widgets(_: Mapping[str, str]) -> list[Finding]:
    told = f"ipywidgets {_version('ipywidgets')}"
    if _version("jupyterlab") is None or _lab_extension(_WIDGET_EXTENSION) is not None:
        return [Finding("widgets", State.FINE, told)]
    told += "; JupyterLab has nothing of it: no status panel, and none of our Lab extension"
    remedy = "pip install --force-reinstall ipywidgets jupyterlab_widgets, then reload the page"
    return [Finding("widgets", State.LIMITED, told, remedy)]


def _sandbox(_: Mapping[str, str]) -> list[Finding]:
    own = "commands are asked for and run with your rights"
    needed = {"linux": ("bwrap", "socat"), "darwin": ("sandbox-exec",)}.get(sys.platform)
    if needed is None:
        return [Finding("sandbox", State.LIMITED, f"{own}; Claude Code has none here")]
    missing = [program for program in needed if shutil.which(program) is None]
    if missing:
        told = f"{own}; Claude Code's own sandbox lacks {' and '.join(missing)}"
        packages = " ".join("bubblewrap" if name == "bwrap" else name for name in missing)
        return [Finding("sandbox", State.LIMITED, told, f"install {packages}")]
    return [Finding("sandbox", State.FINE, f"{own}; Claude Code's own sandbox is possible")]


def _lab_extension(name: str) -> Path | None:
    from jupyter_core.paths import jupyter_path  # noqa: PLC0415 - comes with ipykernel

    try:
        folders = jupyter_path("labextensions")
    except RuntimeError:  # no home directory
        return None
    for folder in folders:
        # Path.is_file raises where the user may not look.
        if os.path.isfile(os.path.join(folder, name, "package.json")):  # noqa: PTH113, PTH118
            return Path(folder, name)
    return None


def _extension_version(folder: Path) -> str:
    try:
        return str(json.loads((folder / "package.json").read_text(encoding="utf-8"))["version"])
    except (OSError, ValueError, KeyError):
        return "unknown"


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _output(command: list[str], environ: Mapping[str, str], *, checked: bool = True) -> str:
    quiet = {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1"}
    return subprocess.run(  # noqa: S603 - ours
        command,
        env={**environ, **quiet},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=checked,
        timeout=_TIMEOUT_S,
    ).stdout


def _reason(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
