"""What claude-magic asks of a JupyterHub; jupyterhub.md says why."""

import json
import sys
from pathlib import Path

c = get_config()  # noqa: F821 - JupyterHub provides it

# Limits, and a spawner that enforces them. DockerSpawner and KubeSpawner know the same two names;
# LocalProcessSpawner knows them and enforces nothing.
c.JupyterHub.spawner_class = "systemdspawner.SystemdSpawner"
c.Spawner.mem_limit = "3G"
c.Spawner.cpu_limit = 2.0
c.SystemdSpawner.isolate_tmp = True
c.SystemdSpawner.unit_extra_properties = {"UMask": "0077", "TasksMax": "500"}

# All that a server inherits from the Hub, and what is the same for every user.
c.Spawner.env_keep = ["PATH", "LANG", "LC_ALL"]
c.Spawner.environment = {"ANTHROPIC_BASE_URL": "https://claude-gateway.example.org"}

# Kernels listen on sockets in their user's own folder: on TCP, which is the default, every user of
# the machine can listen to what another one's kernels put out.
c.Spawner.args = ["--KernelManager.transport=ipc"]


def give_own_key(spawner):
    """Give a server the key by which the gateway knows its user; who has none goes without."""
    # In the Hub's working directory, as its cookie secret is, and like that with mode 0600.
    keys = json.loads(Path("gateway-keys.json").read_text())
    if spawner.user.name in keys:
        spawner.environment["ANTHROPIC_API_KEY"] = keys[spawner.user.name]


c.Spawner.pre_spawn_hook = give_own_key

# Servers that nobody uses end after an hour, and every Claude Code in them.
culler = [sys.executable, "-m", "jupyterhub_idle_culler", "--timeout=3600"]
c.JupyterHub.services = [{"name": "idle-culler", "command": culler}]
c.JupyterHub.load_roles = [
    {
        "name": "idle-culler",
        "services": ["idle-culler"],
        "scopes": ["list:users", "read:users:activity", "read:servers", "delete:servers"],
    },
]
