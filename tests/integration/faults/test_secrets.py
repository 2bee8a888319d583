"""Planted secrets are looked for wherever they could come out."""

from __future__ import annotations

import base64
import json
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbclient
import nbformat
import pytest
from support.processes import carriers, wait_for_program

from claude_magic.tape import Hold, Reply, ToolUse

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.kernel import Kernel

    from claude_magic.tape import MessagesRequest

#: What a kernel may hold that is nobody's business, by variable.
SECRETS = {
    "AWS_ACCESS_KEY_ID": "wombat-aws-id",
    "AWS_SECRET_ACCESS_KEY": "wombat-aws-secret",
    "JUPYTERHUB_API_TOKEN": "wombat-hub",
    "JPY_API_TOKEN": "wombat-jupyter",
    "GITHUB_TOKEN": "wombat-github",
    "HF_TOKEN": "wombat-hub-of-models",
    "OPENAI_API_KEY": "wombat-other-api",
    "DATABASE_URL": "postgresql://wombat-user:wombat-password@localhost/wombat",
    "GOOGLE_APPLICATION_CREDENTIALS": "wombat-google",
    "AZURE_CLIENT_SECRET": "wombat-azure",
    "SSH_AUTH_SOCK": "wombat-socket",
    "MY_OWN_SECRET": "wombat-own",
}

_LOG = """
import logging
logging.basicConfig(filename="everything.log", level=logging.DEBUG, force=True)
"""

_CELLS = [
    "%load_ext claude_magic",
    "%%claude -o reply\nPrint the environment.",
    "reply",
    "%claude_status",
    "%claude_sessions",
    "%claude_disconnect",
    "%claude_connect",
    "%%claude -s other --tools none\nHello",
    "import claude_magic; (claude_magic.current_session().options, claude_magic.current_session())",
]


def _model(request: MessagesRequest) -> Reply:
    """Have the model print all that a command can see of its environment, and repeat it."""
    if request.tool_result_count:
        return Reply.of("\n".join(result.text for result in request.tool_results))
    look = "env; cat /proc/$PPID/environ /proc/$$/environ /proc/$PPID/cmdline | tr '\\0' '\\n'"
    if "Bash" in request.tools:
        return Reply.of(ToolUse("Bash", {"command": look}))
    return Reply.of("Hello.")


@pytest.mark.promise(
    "The kernel's secrets reach neither Claude Code nor its commands.", against="model"
)
def test_no_secret_comes_out_anywhere(
    start_kernel: Callable[..., Kernel],
    api: Any,
    sterile: dict[str, str],
    tmp_path: Path,
    figure: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    api.otherwise = _model
    home = tmp_path / "home"
    home.mkdir()
    environment = {
        **api.environment,
        **SECRETS,
        "HOME": str(home),
        "CLAUDE_CONFIG_DIR": str(home / "claude"),
        "TMPDIR": str(tmp_path),
    }
    secrets = [*SECRETS.values(), "wombat", api.server.token]
    kernel = start_kernel(environment)
    kernel.run(_LOG)
    kernel.run("%load_ext claude_magic")
    kernel.converse(tools=("Bash",), allowed_tools=("Bash",))
    shown = json.dumps([kernel.run(cell).messages for cell in _CELLS], default=str)
    answered = str(api.requests)
    assert "CLAUDE_CONFIG_DIR" in shown  # the command did print an environment
    assert "ANTHROPIC_BASE_URL" in shown

    # What stands in the process table while a command runs.
    gate = threading.Event()
    api.replies[:] = [
        Reply.of(ToolUse("Bash", {"command": "tail -f /dev/null", "run_in_background": True})),
        Reply.of("It runs.", Hold(gate)),
    ]
    cell = kernel.start("%%claude\nRun it.")
    api.server.wait_for_requests(len(api.server.requests) + 2)
    # Claude Code says that a command runs before its shell has become that.
    commands = wait_for_program("tail", f"CLAUDE_CONFIG_DIR={home / 'claude'}", within_s=10)
    assert commands
    family = carriers(f"CLAUDE_CONFIG_DIR={home / 'claude'}")
    supervisor, claude = _family(family)
    visible = {
        pid: Path("/proc", str(pid), name).read_bytes().decode(errors="replace")
        for pid in family
        for name in (("cmdline",) if pid in {kernel.pid, supervisor} else ("environ", "cmdline"))
    }
    assert {claude, *commands} <= set(visible)
    gate.set()
    kernel.finish(cell)

    # A notebook that was run from beginning to end, and stored.
    document = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(source) for source in _CELLS],
    )
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    nbclient.NotebookClient(document, timeout=60, kernel_name="python3").execute(cwd=str(tmp_path))
    nbformat.write(document, tmp_path / "notebook.ipynb")

    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.suffix == ".jsonl" for path in files)
    assert any(path.name == "everything.log" for path in files)
    written = {str(path): path.read_text(errors="replace") for path in files}
    bodies = {f"request {n}": json.dumps(each.body) for n, each in enumerate(api.requests)}
    places = {"iopub": shown, "answers": answered, **bodies, **visible, **written}
    for secret in secrets:
        found = {place: _around(secret, text) for place, text in places.items() if secret in text}
        assert not found, secret
    # Authentication worked all the same, by the header that it belongs to.
    assert all(each.headers["x-api-key"] == api.server.token for each in api.requests)
    figure(
        f"0 of {len(secrets)} secrets in {len(shown):,} characters of output, {len(bodies)} bodies "
        f"of requests, {len(files)} files, and what {len(family)} processes show of themselves",
    )


#: Cells that put a value where only a look through the kernel finds it, and the value.
HELD = {
    "deep": ("deep = {'db': [{'password': 'wombat-deep-1'}]}", "wombat-deep-1"),
    "object": (
        (
            "class Config:\n"
            "    def __init__(self):\n        self.api_key = 'wombat-' + 'object-2'\n"
            "    def __getattr__(self, name):\n        raise SystemExit(name)\nconfig = Config()"
        ),
        "wombat-object-2",
    ),
    "deleted": ("tmp_token = 'wombat-' + 'deleted-3'", "wombat-deleted-3"),
    "deleted at once": (
        "own_token = 'wombat-at-once-4'\nat_once = 'a ' + own_token\ndel own_token",
        "wombat-at-once-4",
    ),
    "deleted in a file": ("exec(open('setup_of_mine.py').read())", "wombat-in-a-file-5"),
    "assigned anew": ("password = 'wombat-' + 'earlier-6'", "wombat-earlier-6"),
    "environment": (
        "import os; os.environ['DATABASE_URL'] = 'postgres://u:wombat-' + 'url-7@h/d'",
        "wombat-url-7",
    ),
    "argument": (
        "def login(password):\n    1 / 0\nlogin('wombat-' + 'argument-8')",
        "wombat-argument-8",
    ),
    "word": ("pw = 'swordfishing'", "swordfishing"),
    "short": ("pwd = 'Zq7!'", "Zq7!"),
}
_LOOKS = """
import base64, json
shown = [part + kind for kind in (
    {values!r}
) for part in ("a ", "b ")]
del tmp_token
password = "wombat-later-6"
encoded = [base64.b64encode(("u:" + each).encode()).decode() for each in {values!r}]
cut = "x" * 1990 + {values!r}[0]
"""


@pytest.mark.promise(
    "Values of secret variables stay masked after the variable is gone.",
    against="model",
)
def test_known_values_are_masked_for_the_life_of_the_kernel(
    start_kernel: Callable[..., Kernel], api: Any, tmp_path: Path, figure: Callable[[str], None]
) -> None:
    values = [value for _, value in HELD.values()]
    names = ["shown", "encoded", "cut", "at_once", "from_file", "deep", "config"]
    looks = [
        ToolUse("mcp__kernel__recent_cells", {"count": 20}),
        ToolUse("mcp__kernel__last_error", {}),
        *(ToolUse("mcp__kernel__inspect_variable", {"name": name}) for name in names),
        ToolUse("mcp__kernel__run_python", {"code": "print(shown); print(json.dumps(encoded))"}),
    ]

    def model(request: MessagesRequest) -> Reply:
        return Reply.of("Done.") if request.tool_result_count else Reply.of(*looks)

    api.otherwise = model
    kernel = start_kernel({**api.environment, "TMPDIR": str(tmp_path)})
    kernel.run("%load_ext claude_magic")
    kernel.run(
        "_ = open('setup_of_mine.py', 'w').write("
        "\"a_token = 'wombat-in-a-file-5'\\nfrom_file = 'a ' + a_token\\ndel a_token\")"
    )
    for cell, _ in HELD.values():
        kernel.run(cell)
    kernel.run(_LOOKS.format(values=values))
    told = kernel.run('%%claude --allow "kernel"\nLook @shown @encoded')
    assert told.status == "ok", told.error
    results = [result.text for request in api.requests for result in request.tool_results]
    assert len(results) >= len(looks)
    bodies = json.dumps([request.body for request in api.requests], ensure_ascii=False)
    assert bodies.count("•••") > len(values)
    for value in values:
        assert value not in bodies, _around(value, bodies)
        encoded = base64.b64encode(f"u:{value}".encode()).decode()[4:-4]
        # A few characters of base64 may be a part of anything.
        assert len(encoded) < 8 or encoded not in bodies, _around(encoded, bodies)
    figure(f"0 of {len(values)} values in {len(results)} results and {len(bodies):,} characters")


def _around(secret: str, text: str) -> str:
    place = text.index(secret)
    return text[max(0, place - 80) : place + len(secret) + 40]


def _family(pids: list[int]) -> tuple[int, int]:
    """Return the supervisor and Claude Code among processes."""
    for pid in pids:
        command = Path("/proc", str(pid), "cmdline").read_bytes()
        if b"supervisor.py" in command:
            (claude,) = [each for each in pids if _parent(each) == pid]
            return pid, claude
    raise AssertionError("there is no supervisor")


def _parent(pid: int) -> int:
    stat = Path("/proc", str(pid), "stat").read_text()
    return int(stat.rpartition(")")[2].split()[1])
