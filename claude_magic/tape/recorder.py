"""A proxy on loopback that takes down what the Messages API answers."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from .loopback import LoopbackServer

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Mapping

    from starlette.types import ASGIApp

    from .recording import Recording
    from .upstream import Upstream

#: The header by which the proxy knows those that it serves.
TOKEN_HEADER = "x-claude-magic-tape"  # noqa: S105 - its name


class Recorder(LoopbackServer):
    """A proxy on 127.0.0.1 between Claude Code and the Messages API.

    It forwards the Messages API and nothing else, for those that know the token of this run alone,
    with whatever credential they send, which it neither keeps nor writes down. It ends with this
    process. `start` and `stop` belong to one thread at a time.

    Parameters
    ----------
    recording
        Takes the answers down; belongs to the proxy's thread while it runs.
    upstream
        Where requests go.
    """

    def __init__(self, recording: Recording, upstream: Upstream) -> None:
        super().__init__()
        # Claude Code's environment holds it, and a tool may print that.
        recording.hide(self.token)
        self._recording = recording
        self._upstream = upstream
        self._problems: list[str] = []

    @property
    def problems(self) -> list[str]:
        """Why answers could not be taken down, oldest first."""
        return list(self._problems)

    def variables(self, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
        """Return what makes Claude Code talk to the proxy, with the credential that it has.

        Parameters
        ----------
        environ
            The environment that is added to.

        Raises
        ------
        TapeError
            If the proxy does not run.
        """
        own = environ.get("ANTHROPIC_CUSTOM_HEADERS", "").strip("\n")
        headers = f"{TOKEN_HEADER}: {self.token}"
        unproxied = environ.get("NO_PROXY") or environ.get("no_proxy") or ""
        unproxied = ",".join(filter(None, (unproxied, "127.0.0.1")))
        return {
            "ANTHROPIC_BASE_URL": self.url,
            "ANTHROPIC_CUSTOM_HEADERS": f"{own}\n{headers}" if own else headers,
            "NO_PROXY": unproxied,
            "no_proxy": unproxied,
        }

    def _token_in(self, headers: Mapping[str, str]) -> str:
        return headers.get(TOKEN_HEADER, "")

    def _application(self, stopping: asyncio.Event) -> ASGIApp:
        from .forwarding import forwarding_endpoint  # noqa: PLC0415 - starlette is heavy

        return forwarding_endpoint(
            self.token,
            self._recording,
            self._upstream,
            stopping,
            self._problems.append,
        )
