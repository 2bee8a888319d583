"""The recipe of docs/jupyterhub, and in what the tests' Hub differs from it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyterhub.spawner import LocalProcessSpawner

if TYPE_CHECKING:
    from collections.abc import Callable

c = get_config()  # type: ignore[name-defined]  # noqa: F821 - JupyterHub provides it
load_subconfig(  # type: ignore[name-defined]  # noqa: F821 - likewise
    str(Path(__file__).parents[2] / "docs" / "jupyterhub" / "jupyterhub_config.py"),
)

given = json.loads(os.environ["HUB_UNDER_TEST"])


class AccountSpawner(LocalProcessSpawner):  # type: ignore[misc]  # untyped
    """Starts servers as users that have a user id and a home, and no entry in the password file."""

    def make_preexec_fn(self, name: str) -> Callable[[], None]:
        home, uid = given["homes"][name], given["uids"][name]

        def become() -> None:
            if uid != os.getuid():
                os.setgroups([])
                os.setgid(uid)
                os.setuid(uid)
            # Not the recipe's, which is systemd's: what is private must not depend on it.
            os.umask(0o022)
            os.chdir(home)

        return become

    def user_env(self, env: dict[str, Any]) -> dict[str, Any]:
        return {
            **env,
            "USER": self.user.name,
            "HOME": given["homes"][self.user.name],
        }


c.JupyterHub.spawner_class = AccountSpawner
c.Spawner.environment["ANTHROPIC_BASE_URL"] = given["gateway"]

# Both servers start at the same time: who asks for one does not wait for it.
c.JupyterHub.tornado_settings = {"slow_spawn_timeout": 0}
c.JupyterHub.bind_url = given["url"]
c.JupyterHub.hub_bind_url = given["hub_url"]
c.ConfigurableHTTPProxy.api_url = given["proxy_url"]
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allowed_users = set(given["homes"])
# The test, who may do what an administrator may.
c.JupyterHub.services += [{"name": "test", "api_token": given["token"]}]
c.JupyterHub.load_roles += [
    {
        "name": "test",
        "services": ["test"],
        "scopes": ["admin:users", "admin:servers", "access:servers", "tokens"],
    },
]
