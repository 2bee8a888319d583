"""The far end: the Messages API that a recording forwards to."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from claude_magic.errors import TapeError
from claude_magic.masking import mask

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable, Mapping

    import httpx

_DEFAULT_URL = "https://api.anthropic.com"

#: Where Claude Code talks to a cloud in its own way, there is no Messages API to forward to.
CLOUDS = ("CLAUDE_CODE_USE_BEDROCK", "CLAUDE_CODE_USE_VERTEX", "CLAUDE_CODE_USE_FOUNDRY")

#: How long a connection may take, in seconds. An answer may take as long as it takes: Claude Code
#: itself knows when to give up.
_CONNECT_TIMEOUT_S = 30.0

#: What is between two neighbours and goes no further.
_HOP_BY_HOP = frozenset(
    (
        *("connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding"),
        *("proxy-authenticate", "proxy-authorization", "upgrade", "host", "expect"),
        # The body is handed on as it reads, not as it is packed.
        *("content-length", "content-encoding", "accept-encoding"),
    ),
)


@dataclass(frozen=True, slots=True)
class Upstream:
    """Where a recording forwards to.

    Attributes
    ----------
    url
        The base URL.
    environ
        Proxies and certificates, by the variables that Claude Code and httpx know.
    """

    url: str
    environ: Mapping[str, str]

    @classmethod
    def of(cls, environ: Mapping[str, str] | None = None) -> Upstream:
        """Return the Messages API that an environment configures.

        Raises
        ------
        TapeError
            If it configures none.
        """
        known = os.environ if environ is None else environ
        for cloud in CLOUDS:
            if known.get(cloud, "").lower() in {"1", "true", "yes", "on"}:
                raise TapeError(
                    f"{cloud} is set: a tape is recorded from the Messages API, and Claude Code"
                    " would talk to a cloud in its own way. Unset it for the recording.",
                )
        url = known.get("ANTHROPIC_BASE_URL") or _DEFAULT_URL
        if not _is_http(url):
            raise TapeError(
                f"ANTHROPIC_BASE_URL={mask(url)!r} is no http or https URL, so nothing can be"
                " recorded."
            )
        return cls(url.rstrip("/"), dict(known))

    def client(self) -> httpx.AsyncClient:
        """Return an HTTP client; belongs to one event loop.

        Raises
        ------
        TapeError
            If a certificate or a proxy that is configured cannot be used.
        """
        import httpx  # noqa: PLC0415 - only a recording needs it

        try:
            return httpx.AsyncClient(
                verify=self._trusted(),
                timeout=httpx.Timeout(None, connect=_CONNECT_TIMEOUT_S),
                limits=httpx.Limits(max_connections=None),
            )
        except (OSError, ValueError, ImportError) as error:
            raise TapeError(f"The recording cannot reach {mask(self.url)}: {error}") from error

    def _trusted(self) -> ssl.SSLContext:
        import httpx  # noqa: PLC0415

        context = httpx.create_ssl_context()
        context.load_default_certs()
        # As Claude Code does.
        authorities = self.environ.get("NODE_EXTRA_CA_CERTS")
        if authorities:
            context.load_verify_locations(authorities)
        certificate = self.environ.get("CLAUDE_CODE_CLIENT_CERT")
        if certificate:
            # Without a passphrase OpenSSL would ask the terminal for it, and wait.
            context.load_cert_chain(
                certificate,
                self.environ.get("CLAUDE_CODE_CLIENT_KEY"),
                self.environ.get("CLAUDE_CODE_CLIENT_KEY_PASSPHRASE", ""),
            )
        return context


def _is_http(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:  # brackets of no address
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname)


def passed_on(
    headers: Iterable[tuple[bytes, bytes]], without: Iterable[str] = ()
) -> list[tuple[bytes, bytes]]:
    """Return the headers that go on to the next neighbour, but those ``without``.

    As bytes, because a value may be in any encoding, and is handed on as it is.
    """
    stay = {*_HOP_BY_HOP, *without}
    return [(name, value) for name, value in headers if name.decode("latin-1").lower() not in stay]
