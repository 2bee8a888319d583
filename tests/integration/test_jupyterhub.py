"""Two users' servers on one machine, in a real JupyterHub that runs the recipe of docs/jupyterhub.

As root the servers belong to two users of the system, who share /tmp and whose homes are open for
all to read. Elsewhere they belong to one, with two homes; then what the system keeps apart is
skipped.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest
from support.accounts import REPOSITORY, UIDS, reaching, why_not
from support.processes import alive, wait_until_gone
from support.sterile import sterile_environment

from claude_magic.notebook.configuration import SYSTEM_PROMPT
from claude_magic.tape import MessagesServer, Reply

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.hub import Gateway, Hub, HubKernel

    from claude_magic.tape import MessagesRequest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="JupyterHub does not run there")

ALICE, BOB = "alice", "bob"

#: What each of them told Claude.
WORDS = {ALICE: "marmalade", BOB: "quagmire"}

#: What the Hub has in its environment and no user may have.
OF_THE_HUB = f"of-the-hub-{secrets.token_hex(8)}"


def _missing(what: str) -> NoReturn:
    """Skip where something is not there, but not in CI, where a skip would go unseen."""
    if os.environ.get("CI") == "true":
        pytest.fail(what)
    pytest.skip(what)


@dataclass(frozen=True)
class Place:
    """A JupyterHub that runs, and two users who have talked with Claude.

    Attributes
    ----------
    hub, gateway, api
        The Hub; what knows each user by a key; the Messages API, whose key the gateway alone has.
    kernels, homes, uids, keys
        By user: the kernel of a notebook, the home, the id and the key.
    together
        Why both users have one id; None if they have not.
    earlier
        What was in the temporary folder before, such as what a run left that was killed.
    """

    hub: Hub
    gateway: Gateway
    api: MessagesServer
    kernels: dict[str, HubKernel]
    homes: dict[str, Path]
    uids: dict[str, int]
    keys: dict[str, str]
    together: str | None
    earlier: frozenset[Path]

    def ask(self, user: str, prompt: str) -> str:
        """Have a user ask Claude, and return the answer."""
        ran = self.kernels[user].run(f"%%claude\n{prompt}")
        assert ran.status == "ok", ran.error
        return "\n".join(ran.answers)

    def session(self, user: str) -> dict[str, Any]:
        """Return a user's session: its id, and the ids of its supervisor and Claude Code."""
        told = self.kernels[user].tell(_SESSION)
        assert isinstance(told, dict)
        return told

    def left_by(self, user: str) -> list[Path]:
        """Return what lies in the temporary folder that a user has made since."""
        found = []
        for path in set(Path("/tmp").iterdir()) - self.earlier:  # noqa: S108
            with suppress(FileNotFoundError):  # another test's, which has just gone
                if path.lstat().st_uid == self.uids[user]:
                    found.append(path)
        return found

    def require_two_users(self) -> None:
        """Leave out a test of what the system keeps apart, where there is nothing to be kept."""
        if self.together is not None:
            pytest.skip(self.together)


_SESSION = """
import claude_magic, json
session = claude_magic.current_session()
print(json.dumps({"id": session.session_id, "pids": session.pids}))
"""


def _answer(request: MessagesRequest) -> Reply:
    said = [turn.text for turn in request.visible_turns if turn.role == "user"]
    return Reply.of(f"You said: {' / '.join(said)}")


@pytest.fixture(scope="module")
def uids(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, int], str | None]:
    """Give each user an id, and say why it is one and the same."""
    reason = why_not(tmp_path_factory.mktemp("staging"))
    if reason is None:
        return dict(zip(WORDS, UIDS, strict=True)), None
    if os.getuid() == 0:
        _missing(reason)
    return dict.fromkeys(WORDS, os.getuid()), reason


@pytest.fixture(scope="module")
def homes(uids: tuple[dict[str, int], str | None]) -> Iterator[dict[str, Path]]:
    """Make homes that everybody may read, with the recipe's settings for IPython."""
    # Not below pytest's own folder, which is closed to other users; and short, because the names of
    # the kernels' sockets begin with it.
    folder = Path(tempfile.mkdtemp(prefix="hub-", dir="/tmp"))
    folder.chmod(0o711)
    made = {}
    for user, uid in uids[0].items():
        home = folder / user
        profile = home / ".ipython" / "profile_default"
        profile.mkdir(parents=True)
        # A system's own place for it is /etc/ipython, which is not the tests'.
        shutil.copy(REPOSITORY / "docs" / "jupyterhub" / "ipython_config.py", profile)
        for path in (home, *home.rglob("*")):
            os.chown(path, uid, uid if os.getuid() == 0 else -1)
        home.chmod(0o755)
        made[user] = home
    yield made
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def place(
    uids: tuple[dict[str, int], str | None],
    homes: dict[str, Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Place]:
    for package in ("jupyterhub", "configurable_http_proxy", "jupyterhub_idle_culler"):
        if find_spec(package) is None:
            _missing(f"{package} is not installed, and the test of the Hub needs it")
    from support.hub import Gateway, Hub  # noqa: PLC0415 - may be missing

    keys = {user: f"key-of-{user}-{secrets.token_hex(8)}" for user in WORDS}
    folder, staging = tmp_path_factory.mktemp("hub"), tmp_path_factory.mktemp("mounts")
    kept = folder / "gateway-keys.json"
    kept.touch(mode=0o600)
    kept.write_text(json.dumps(keys))
    environment = {
        **sterile_environment(tmp_path_factory.mktemp("home")),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "ANTHROPIC_API_KEY": OF_THE_HUB,
        "DATABASE_URL": OF_THE_HUB,
    }
    given: dict[str, Any] = {
        "uids": uids[0],
        "homes": {user: str(home) for user, home in homes.items()},
    }

    def wrapped(command: list[str]) -> list[str]:
        return reaching(command, staging) if uids[1] is None else command

    earlier = frozenset(Path("/tmp").iterdir())  # noqa: S108 - where the kernels of all users write
    with MessagesServer(_answer) as api, Gateway(keys, api) as gateway:
        hub = Hub(folder, environment, {**given, "gateway": gateway.url}, wrapped)
        kernels: dict[str, HubKernel] = {}
        try:
            hub.wait().start(*WORDS)
            for user in WORDS:
                kernels[user] = hub.open_notebook(user, f"{user}.ipynb")
            there = Place(hub, gateway, api, kernels, homes, uids[0], keys, uids[1], earlier)
            for user, word in WORDS.items():
                assert kernels[user].run("%load_ext claude_magic").status == "ok"
                assert there.ask(user, f"My word is {word}.") == f"You said: My word is {word}."
            yield there
        finally:
            for kernel in kernels.values():
                kernel.close()
            hub.end()


def test_each_user_asks_with_a_key_of_their_own(place: Place) -> None:
    for user, body in place.gateway.asked:
        assert WORDS[user] in body
        assert not [word for other, word in WORDS.items() if other != user and word in body]
    assert {user for user, _ in place.gateway.asked} == {ALICE, BOB}
    # The key that costs money is the gateway's alone.
    assert {request.headers["x-api-key"] for request in place.api.requests} == {place.api.token}


def test_the_settings_of_the_recipe_hold(place: Place) -> None:
    told = place.kernels[ALICE].tell(
        "import json\n"
        "set_ = get_ipython().magics_manager.registry['ClaudeMagics']\n"
        "print(json.dumps([set_.max_live_sessions, set_.budget_usd, set_.deadline_s]))"
    )
    assert told == [2, 5.0, 600.0]
    assert {request.body["model"] for request in place.api.requests} == {"claude-sonnet-5-5"}


_ENVIRONMENTS = """
import json, os
of_claude = open("/proc/{claude}/environ", "rb").read().split(b"\\0")
print(json.dumps([dict(os.environ), dict(os.fsdecode(e).split("=", 1) for e in of_claude if e)]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has /proc")
def test_a_server_gets_what_the_recipe_lists_and_claude_code_less_of_it(place: Place) -> None:
    _, claude = place.session(ALICE)["pids"]
    kernel, of_claude = place.kernels[ALICE].tell(_ENVIRONMENTS.format(claude=claude))
    assert kernel["ANTHROPIC_API_KEY"] == place.keys[ALICE]
    assert kernel["MEM_LIMIT"] == str(3 * 2**30)
    assert OF_THE_HUB not in kernel.values()
    # The Hub's own token reaches the kernel, and no further.
    assert kernel["JUPYTERHUB_API_TOKEN"]
    assert not [name for name in of_claude if name.startswith(("JUPYTER", "JPY_"))]
    values = set(of_claude.values())
    assert not values & {kernel["JUPYTERHUB_API_TOKEN"], place.keys[ALICE], place.api.token}
    assert of_claude["ANTHROPIC_BASE_URL"] == place.gateway.url


def test_neither_sees_the_others_sessions(place: Place) -> None:
    sessions = {user: place.session(user) for user in WORDS}
    for user, other in ((ALICE, BOB), (BOB, ALICE)):
        kernel = place.kernels[user]
        kernel.run("%claude_reset")
        listed = kernel.run("%claude_sessions --past --all").contents("display_data")
        assert WORDS[user] in str(listed)
        assert WORDS[other] not in str(listed)
        ran = kernel.run(f"%claude_connect --resume {sessions[other]['id']}")
        assert ran.status == "error"
        assert f"There is no conversation '{sessions[other]['id']}'" in ran.stdout
        ran = kernel.run(f"%claude_connect --resume {sessions[user]['id']}")
        assert ran.status == "ok", ran.error
    for user, word in WORDS.items():
        # What the other one tried was no more than a question.
        assert place.ask(user, "Go on.") == f"You said: My word is {word}. / Go on."


_LOOK = """
import json, os
found = {"owned": [], "open": [], "telling": []}
def look(path):
    try:
        if os.lstat(path).st_uid != OWNER:
            return
        found["owned"].append(path)
        if not os.access(path, os.R_OK):
            return
        found["open"].append(path)
        if os.path.isdir(path) and not os.path.islink(path):
            for name in os.listdir(path):
                look(os.path.join(path, name))
        elif os.path.isfile(path) and b"WORD" in open(path, "rb").read():
            found["telling"].append(path)
    except OSError:
        pass
look("HOME")
for folder in ("/tmp", "/var/tmp", "/dev/shm"):
    for name in os.listdir(folder):
        look(os.path.join(folder, name))
print(json.dumps(found))
"""


def _looks(place: Place, user: str, at: str) -> dict[str, list[str]]:
    """Return what a user finds on the machine that another one owns, and what of it tells.

    What is not open to the user is not looked into.
    """
    look = _LOOK.replace("OWNER", str(place.uids[at])).replace("WORD", WORDS[at])
    found = place.kernels[user].tell(look.replace("HOME", str(place.homes[at])))
    assert isinstance(found, dict)
    return found


def test_what_one_keeps_the_other_cannot_read(place: Place) -> None:
    place.require_two_users()
    home = place.homes[ALICE]
    place.ask(ALICE, "Keep that.")
    mine = _looks(place, ALICE, ALICE)
    # Her transcript, and the title in her record, are there to be found.
    assert any("/.claude/projects/" in path for path in mine["telling"])
    assert any("/claude-magic/sessions/" in path for path in mine["telling"])
    assert any("/claude-magic/leases/" in path for path in mine["open"])
    temporary = [path for path in mine["open"] if path.startswith("/tmp/claude-magic-")]  # noqa: S108
    assert temporary
    # Outside of her home and our folder there is nothing of hers.
    elsewhere = {path for path in mine["owned"] if not path.startswith(f"{home}")}
    assert {path for path in elsewhere if not path.startswith("/tmp/claude-magic-")} == set()  # noqa: S108

    theirs = _looks(place, BOB, ALICE)
    assert str(home) in theirs["open"]  # he may look into it
    of_claude = {path for path in theirs["open"] if "claude" in path.removeprefix(str(home))}
    # Where a tool fails or a kernel ends early, Claude Code writes a log.
    log = f"{home}/.cache/claude-cli-nodejs"
    of_claude = {path for path in of_claude if path != log and not path.startswith(f"{log}/")}
    # While Claude Code writes its settings, an empty folder beside them is its lock.
    assert of_claude <= {f"{home}/.claude.json.lock"}
    # IPython's own history and that log are why the recipe has homes closed.
    assert {Path(path).name.partition("-")[0] for path in theirs["telling"]} <= {"history.sqlite"}
    home.chmod(0o700)
    assert _looks(place, BOB, ALICE)["open"] == []


_PROCESSES = """
import json, os
def read(path):
    try:
        return open(path, "rb").read().decode(errors="replace")
    except OSError:
        return None
shown = {"environ": [], "cmdline": []}
for pid in filter(str.isdigit, os.listdir("/proc")):
    for name in shown:
        try:
            if os.stat(f"/proc/{pid}").st_uid == OWNER:
                shown[name].append(read(f"/proc/{pid}/{name}"))
        except OSError:
            pass
print(json.dumps(shown))
"""


def test_no_process_shows_a_key_or_a_prompt_to_the_other(place: Place) -> None:
    place.require_two_users()
    # A conversation that goes on is started in another way than one that begins.
    place.kernels[ALICE].run("%claude_disconnect")
    place.ask(ALICE, "Hello again.")
    look = _PROCESSES.replace("OWNER", str(place.uids[ALICE]))
    mine = place.kernels[ALICE].tell(look)
    assert place.keys[ALICE] in str(mine["environ"])  # she finds it, so it is there to be found
    theirs = place.kernels[BOB].tell(look)
    assert theirs["environ"]
    assert not [each for each in theirs["environ"] if each is not None]
    arguments = "".join(theirs["cmdline"])
    assert "--resume" in arguments
    token = place.kernels[ALICE].tell(
        "import json, os; print(json.dumps(os.environ['JUPYTERHUB_API_TOKEN']))"
    )
    for secret in (place.keys[ALICE], place.api.token, token, WORDS[ALICE], SYSTEM_PROMPT[:40]):
        assert secret not in arguments


_LISTEN = """
import json, zmq
ports = [
    int(row.split()[1].rpartition(":")[2], 16)
    for row in open("/proc/net/tcp").readlines()[1:]
    if row.split()[3] == "0A" and row.split()[7] == "OWNER"
]
ear = zmq.Context.instance().socket(zmq.SUB)
ear.subscribe(b"")
for port in ports:
    ear.connect(f"tcp://127.0.0.1:{port}")
print(json.dumps(ports))
"""

_HEARD = """
heard = []
while ear.poll(1000):
    heard.append(ear.recv().decode(errors="replace"))
ear.close(linger=0)
print(json.dumps(heard))
"""


def test_what_a_kernel_puts_out_the_other_cannot_hear(place: Place) -> None:
    place.require_two_users()
    ports = place.kernels[BOB].tell(_LISTEN.replace("OWNER", str(place.uids[ALICE])))
    assert ports  # her server's, at least, which wants a token
    place.ask(ALICE, "Out with it.")
    assert place.kernels[BOB].tell(_HEARD) == []


def test_a_server_that_was_culled_goes_on_where_it_was(place: Place) -> None:
    before = {user: place.session(user) for user in WORDS}
    said = place.ask(ALICE, "Until later.")
    place.kernels[ALICE].close()
    place.hub.stop(ALICE)
    assert wait_until_gone(before[ALICE]["pids"], within_s=5) == []
    if place.together is None:
        assert place.left_by(ALICE) == []
    place.hub.start(ALICE)
    place.kernels[ALICE] = place.hub.open_notebook(ALICE, f"{ALICE}.ipynb")
    place.kernels[ALICE].run("%load_ext claude_magic")
    ran = place.kernels[ALICE].run("%claude_connect --last")
    assert ran.status == "ok", ran.error
    assert place.ask(ALICE, "Still there?") == f"{said} / Still there?"
    # The other one's conversation has seen nothing of all this.
    assert place.session(BOB) == before[BOB]
    assert all(map(alive, before[BOB]["pids"]))
    assert place.ask(BOB, "And you?").startswith(f"You said: My word is {WORDS[BOB]}.")
    assert place.ask(BOB, "Really?").endswith("And you? / Really?")
