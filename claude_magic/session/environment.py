"""Which variables Claude Code inherits.

A kernel's environment holds secrets that are nobody else's business: hub tokens, cloud keys,
database passwords. Claude Code and every command that it runs would inherit them all, so only the
names below pass; whatever else is wanted is named in `SessionOptions.environment`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: Credentials that the supervisor hands over by file descriptor, so that no command that Claude
#: runs inherits them: variable → the variable that names the descriptor.
CREDENTIALS_BY_DESCRIPTOR = {
    "ANTHROPIC_API_KEY": "CLAUDE_CODE_API_KEY_FILE_DESCRIPTOR",
    "CLAUDE_CODE_OAUTH_TOKEN": "CLAUDE_CODE_OAUTH_TOKEN_FILE_DESCRIPTOR",
}

#: Variables that Claude Code gets whatever the kernel's environment and the options say.
#:
#: Its messaging socket lets any process of this user put a prompt into a running session, which
#: sends a paid request without a cell; with this switch there is no socket.
FORCED = {"CLAUDE_CODE_HARBOR_KITE": "0"}

_SYSTEM = """
    HOME LANG LANGUAGE LOGNAME PATH PWD SHELL TERM TMPDIR TMP TEMP TZ USER
    XDG_CACHE_HOME XDG_CONFIG_HOME XDG_DATA_HOME XDG_RUNTIME_DIR XDG_STATE_HOME
    VIRTUAL_ENV CONDA_PREFIX CONDA_DEFAULT_ENV
    COMSPEC PATHEXT SYSTEMDRIVE SYSTEMROOT USERPROFILE APPDATA LOCALAPPDATA PROGRAMDATA
"""

#: What programs on Windows do not start without; it says nothing of the person but the name.
_WINDOWS = """
    ALLUSERSPROFILE COMMONPROGRAMFILES COMMONPROGRAMFILES(X86) COMMONPROGRAMW6432 COMPUTERNAME
    DRIVERDATA HOMEDRIVE HOMEPATH NUMBER_OF_PROCESSORS OS PROCESSOR_ARCHITECTURE
    PROCESSOR_IDENTIFIER PROCESSOR_LEVEL PROCESSOR_REVISION PROGRAMFILES PROGRAMFILES(X86)
    PROGRAMW6432 PSMODULEPATH PUBLIC USERDOMAIN USERNAME WINDIR
"""

_NETWORK = """
    ALL_PROXY HTTP_PROXY HTTPS_PROXY NO_PROXY all_proxy http_proxy https_proxy no_proxy
    CURL_CA_BUNDLE NODE_EXTRA_CA_CERTS REQUESTS_CA_BUNDLE SSL_CERT_DIR SSL_CERT_FILE
    CLAUDE_CODE_CLIENT_CERT CLAUDE_CODE_CLIENT_KEY
"""

_CLAUDE = """
    ANTHROPIC_AUTH_TOKEN ANTHROPIC_BASE_URL ANTHROPIC_BETAS ANTHROPIC_CUSTOM_HEADERS
    ANTHROPIC_MODEL ANTHROPIC_SMALL_FAST_MODEL
    ANTHROPIC_DEFAULT_HAIKU_MODEL ANTHROPIC_DEFAULT_OPUS_MODEL ANTHROPIC_DEFAULT_SONNET_MODEL
    API_TIMEOUT_MS CLAUDE_CONFIG_DIR CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC
    CLAUDE_CODE_EXTRA_BODY CLAUDE_CODE_MAX_OUTPUT_TOKENS CLAUDE_CODE_MAX_RETRIES
    CLAUDE_CODE_TMPDIR CLAUDE_CODE_GIT_BASH_PATH
    ENABLE_TOOL_SEARCH
    DISABLE_ERROR_REPORTING DISABLE_PROMPT_CACHING DISABLE_TELEMETRY DO_NOT_TRACK
    MAX_THINKING_TOKENS
    CLAUDE_AGENT_SDK_CLIENT_APP CLAUDE_AGENT_SDK_VERSION CLAUDE_CODE_ENTRYPOINT
    CLAUDE_CODE_SDK_READS_SESSION_STATE
"""

#: A cloud's credentials pass only where Claude Code was told to use that cloud.
_CLOUDS = {
    "CLAUDE_CODE_USE_BEDROCK": (
        "AWS_",
        "ANTHROPIC_BEDROCK_BASE_URL",
        "CLAUDE_CODE_SKIP_BEDROCK_AUTH",
    ),
    "CLAUDE_CODE_USE_VERTEX": (
        "ANTHROPIC_VERTEX_",
        "CLOUD_ML_REGION",
        "VERTEX_REGION_",
        "GOOGLE_APPLICATION_CREDENTIALS",
        "GOOGLE_CLOUD_PROJECT",
        "CLAUDE_CODE_SKIP_VERTEX_AUTH",
    ),
    "CLAUDE_CODE_USE_FOUNDRY": ("ANTHROPIC_FOUNDRY_", "AZURE_", "CLAUDE_CODE_SKIP_FOUNDRY_AUTH"),
}

_NAMES = frozenset({*f"{_SYSTEM} {_NETWORK} {_CLAUDE}".split(), *CREDENTIALS_BY_DESCRIPTOR})


def inherited_names(environ: Mapping[str, str], extra: Iterable[str] = ()) -> list[str]:
    """Return the names of the variables that Claude Code may see, sorted.

    Parameters
    ----------
    environ
        The environment that it would inherit.
    extra
        Names that pass in any case: those of `SessionOptions.environment`.
    """
    prefixes = ["LC_"]
    names = {*_NAMES, *extra}
    for switch, belongings in _CLOUDS.items():
        if environ.get(switch, "").lower() in {"1", "true", "yes", "on"}:
            names.add(switch)
            prefixes.extend(belongings)
    passing = {name for name in environ if name in names or name.startswith(tuple(prefixes))}
    return sorted(passing | set(extra))


def blanked(environ: Mapping[str, str], extra: Iterable[str] = ()) -> dict[str, str]:
    """Return all other variables without their values, for Windows.

    There Claude Code is a plain child of the kernel, and a plain child's variables can be emptied
    but not removed.

    Parameters
    ----------
    environ
        The environment that it would inherit. Windows knows no case in its names.
    extra
        Names that pass in any case: those of `SessionOptions.environment`.
    """
    told = {name.upper(): value for name, value in environ.items()}
    # Some of the names on the list are in lower case.
    passing = {name.upper() for name in (*inherited_names(told, extra), *_WINDOWS.split(), *_NAMES)}
    return {name: "" for name in environ if name.upper() not in passing}
