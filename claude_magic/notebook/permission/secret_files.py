"""Files that are likely to hold secrets: their names, and globs that exclude them."""

from __future__ import annotations

import re
from fnmatch import translate
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

from claude_magic import masking

from . import file_names

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Folders that hold keys and tokens. Everything in them is secret.
FOLDERS = (
    *(".aws", ".azure", ".bluemix", ".docker", ".dropbox", ".fly", ".gcloud", ".gem", ".gnupg"),
    *(".gradle", ".jupyter", ".kaggle", ".keychain", ".keychains", ".kube", ".m2", ".minikube"),
    *(".mozilla", ".oci", ".password-store", ".pki", ".secret", ".secrets", ".snowsql", ".ssh"),
    *(".step", ".subversion", ".terraform.d", ".thunderbird", ".vault", "gcloud", "keychains"),
    *("keyrings", "legacy_credentials", "private-keys-v1.d", "secrets", "wireguard"),
)

#: Files that hold keys and tokens, as globs without case.
FILES = (
    # Environment files.
    *(".env*", "*.env", "*.env.*", ".flaskenv", ".renviron", "renviron.site"),
    # Keys and key stores.
    *("*.jks", "*.kdb", "*.kdbx", "*.key", "*.keychain", "*.keychain-db", "*.keyring"),
    *("*.keystore", "*.keytab", "*.ovpn", "*.p12", "*.p8", "*.pem", "*.pfx", "*.pkcs12", "*.ppk"),
    *("*.kwallet", "*.truststore", "*.pk8", "id_dsa*", "id_ecdsa*", "id_ed25519*", "id_rsa*"),
    *("id_xmss*", "identity.age", "key.txt", "keys.txt", "keys.json", "master.key", "wg*.conf"),
    *("ssh_host_*_key", "secring.*", "authorized_keys"),
    # Words for themselves, whatever follows.
    *("credential", "credential.*", "credentials*", ".credentials*", "*.credentials"),
    *("secret", "secret.*", "secrets", "secrets.*", ".secret*", "*.secret", "*.secrets"),
    *("shadow", "shadow-", "gshadow", "gshadow-", "master.passwd"),
    *("password.txt", "passwords.*", ".password*", ".passwd*", ".htpasswd*", ".htdigest"),
    *("token", "token.json", "token.txt", "tokens.json", "tokens.yml", "tokens.yaml", ".token*"),
    *(
        ".vault*",
        "vault.yml",
        "vault.yaml",
        "vault-pass*",
        "vault_pass*",
        "*.vault",
        "ansible_vault*",
    ),
    # Cloud providers.
    *("access_tokens.db", "accesstokens.json", "application_default_credentials*", "azureauth*"),
    *("azureprofile.json", "client_secret*", "*accesskeys*.csv", "rootkey*.csv", "new_user_cred*"),
    *("service-account*", "service_account*", "serviceaccount*", "*adminsdk*.json", "gha-creds*"),
    *(
        "google-services.json",
        "googleservice-info.plist",
        ".boto",
        ".s3cfg",
        "s3cfg",
        ".passwd-s3fs",
    ),
    *("msal_token_cache*", "*.publishsettings", ".edgerc", ".oci*"),
    # Terraform, Kubernetes, containers.
    *("*.tfstate", "*.tfstate.*", "*.tfvars", "*.tfvars.json", "credentials.tfrc*", ".terraformrc"),
    *(
        "terraform.rc",
        "kubeconfig*",
        "*.kubeconfig",
        "kube.config",
        ".dockercfg",
        ".dockerconfigjson",
    ),
    # Git and its hosts, package managers.
    *(
        ".git-credentials*",
        "hosts.yml",
        "hosts.yaml",
        "auth.json",
        "auth.toml",
        "auth.yml",
        "auth.yaml",
    ),
    *("netrc", ".netrc*", "_netrc", ".npmrc", "npmrc", ".yarnrc", ".yarnrc.yml", ".pnpmrc"),
    *(".pypirc", "pypirc", "pip.conf", "pip.ini", ".condarc", "condarc", "condarc.yml"),
    *("gradle.properties", "nuget.config", "settings-security.xml", ".gem-credentials"),
    *(".cargo-credentials", "lerna-credentials"),
    # Databases.
    *(".pgpass*", "pgpass.conf", ".my.cnf", "my.cnf", ".mylogin.cnf", ".mongorc.js"),
    *(".pg_service.conf", "pg_service.conf", "tnsnames.ora", "sqlnet.ora", ".odbc.ini", "odbc.ini"),
    *("profiles.yml", ".snowsql*", "connections.toml", ".databrickscfg*", "database.yml"),
    *("redis.conf", ".rediscli_auth", "influx*.config"),
    # Data science.
    *("kaggle.json", ".comet.config", "rclone.conf", "jupyter_*config*.json", "jupyter_cookie_*"),
    *(
        "stored_tokens",
        ".wandbrc",
        ".mlflow",
        ".openai*",
        ".anthropic*",
        ".claude.json",
        "jpserver-*",
    ),
    *("kernel-*.json", "nbserver-*", "notebook_cookie_secret"),
    # Histories, mail and browsers.
    *(".*_history", "history.sqlite", "consolehost_history.txt", ".lesshst"),
    *("logins.json", "logins-backup.json", "key3.db", "key4.db", "signons.sqlite", "cookies"),
    *("cookies.sqlite", "cookies.txt", "cookies.json", "cookiejar*", "login data*", "web data"),
    *(".msmtprc", ".mbsyncrc", ".offlineimaprc", ".fetchmailrc", ".muttrc", ".smbcredentials"),
    *(".cifscredentials", ".ftpconfig", "sftp-config.json", "sftp.json", "filezilla.xml"),
    *("recentservers.xml", "sitemanager.xml", "wpa_supplicant.conf", "*.nmconnection"),
    *("wp-config.php", "local_settings.py", ".remote-sync.json", "*.rdp", "*.agilekeychain"),
)

#: Files that hold keys where they are, as folder and name.
PLACES = (
    *((".git", "config"), (".hg", "hgrc"), ("git", "credentials"), ("gh", "config.yml")),
    *(("glab-cli", "config.yml"), ("huggingface", "token"), ("huggingface", "stored_tokens")),
    *((".huggingface", "token"), ("doctl", "config.yaml"), ("heroku", "config.json")),
    *(("containers", "auth.json"), ("pypoetry", "auth.toml"), ("composer", "auth.json")),
    *((".cargo", "config.toml"), ("uv", "credentials.toml"), ("mongodb", "config.yaml")),
    *(
        (".vscode", "settings.json"),
        (".databricks", "token-cache.json"),
        (".continue", "config.json"),
    ),
    *((".ipython", "security"), ("snowflake", "config.toml")),
    *((".config", "hub"), ("wandb", "settings"), ("rclone", "rclone.conf")),
    *((".sf", "alias.json"), (".netlify", "config.json"), (".vercel", "auth.json")),
    *(("stripe", "config.toml"), ("ngrok", "ngrok.yml"), ("ngrok2", "ngrok.yml")),
)

#: Words that say of a data file that secrets are in it; `masking.is_secret` decides about the rest.
_WORDS = (
    *("password", "passwords", "passwd", "passwds", "passphrase", "passphrases", "passcode", "pwd"),
    *("pwds", "passwort", "kennwort", "secret", "secrets", "credential", "credentials", "cred"),
    *("creds", "token", "apikey", "apikeys", "accesskey", "accesstoken", "authtoken"),
    *("secretkey", "privatekey", "clientsecret", "jwt", "mnemonic"),
)
#: Words that say so at the end of a name only.
_LAST = ("key", "keys", "tokens")
#: Words that make a key something else than a secret, before it.
_OTHER_KEYS = frozenset(
    {
        *("primary", "foreign", "answer", "sort", "partition", "data", "dictionary"),
        *("dict", "color", "colour", "legend", "map", "survey", "question", "public"),
        *("pub", "group", "join", "index", "row", "column", "field", "piano", "music"),
        *("hot", "short", "figure", "plot", "code", "variable", "var", "sample", "test"),
        *("cross", "lookup", "id", "surrogate", "natural", "composite", "unique"),
    },
)
#: Endings of files that hold data. Source code and prose with such a word is about secrets.
_DATA = (
    *("txt", "text", "json", "jsonl", "json5", "yml", "yaml", "toml", "ini", "cfg", "cnf", "conf"),
    *("config", "properties", "env", "csv", "tsv", "xml", "plist", "pickle", "pkl", "joblib", "db"),
    *("sqlite", "sqlite3", "xlsx", "xls", "ods", "docx", "doc", "odt", "rtf", "pdf", "numbers"),
    *("dat", "data", "bin", "log", "out", "sh", "bat", "ps1", "sql", "rds", "rdata", "parquet"),
    *("feather", "arrow", "h5", "mat", "npy", "npz"),
)
_KEY_FILES = frozenset({"", "txt", "json", "yml", "yaml", "toml", "ini", "cfg", "conf", "csv"})
_WORD = re.compile("[A-Z]+(?![a-z])|[A-Z]?[a-z]+")

#: Endings of a file whose secret is in its name's first part.
_ALL_ENDINGS = (*_DATA, *file_names.BACKUP_ENDINGS, *file_names.PACKED_ENDINGS)

_IS_FILE = re.compile("|".join(map(translate, FILES)))
_PLACE_GLOBS = tuple((folder, re.compile(translate(name))) for folder, name in PLACES)


def holds_secrets(parts: tuple[str, ...], named: int = 0) -> bool:
    """Return whether a path is likely to hold secrets. Any thread; the disk is not looked at.

    Parameters
    ----------
    parts
        The path's parts.
    named
        Parts before this index name no file: the person chose to work there. Folders such as
        ``.ssh`` count nevertheless, but for the last of the parts before.
    """
    for index, part in enumerate(parts):
        seen = file_names.visible(part)
        if seen.casefold() in FOLDERS and (index >= named or seen.startswith(".")):
            return True
        if index >= named and is_secret_name(seen):
            return True
    return any(
        _is_place(file_names.plain(folder), name)
        for folder, name in pairwise(parts[max(0, named - 1) :])
    )


@lru_cache(maxsize=4096)
def is_secret_name(name: str) -> bool:
    """Return whether a file of that name, as `file_names.visible` returns it, holds secrets."""
    if len(name) > file_names.LONGEST:
        return True  # no file has such a name, and to judge it takes long
    return any(
        _IS_FILE.fullmatch(origin.casefold()) is not None
        or origin.casefold() in FOLDERS
        or _has_secret_words(origin)
        for origin in file_names.with_origins(name)
    )


def _is_place(folder: str, name: str) -> bool:
    origins = [each.casefold() for each in file_names.with_origins(file_names.visible(name))]
    return any(
        folder == known and any(pattern.fullmatch(origin) for origin in origins)
        for known, pattern in _PLACE_GLOBS
    )


def _has_secret_words(name: str) -> bool:
    """Return whether a name has a word like the name of a secret variable."""
    stem, _, ending = name.rpartition(".") if "." in name[1:] else (name, "", "")
    words = [word.lower() for word in _WORD.findall(stem)]
    ending = ending.casefold()
    # /etc/passwd has had no passwords in it for decades.
    if not words or (not ending and words == ["passwd"]):
        return False
    if words[-1] in {"key", "keys"} and ending in _KEY_FILES:
        before = words[-2] if len(words) > 1 else ""
        return before not in _OTHER_KEYS and (bool(before) or ending == "txt")
    if ending and ending not in _DATA:
        return False
    # Without an ending a file is not told from a folder: only the last word counts.
    if not ending and re.search(r"[A-Za-z][0-9]{0,2}$", stem) is None:
        return False
    counted = words if ending else words[-1:]
    named = words[-1] in _LAST or any(word.endswith(_WORDS) for word in counted)
    return named and masking.is_secret(stem)


# -- globs for ripgrep ---------------------------------------------------------------------------

#: Beginnings of the marks of copies, behind one character that is no letter, as globs.
_INNER_MARKS = (
    *file_names.BACKUP_ENDINGS,
    *("checkpoint", "conflicted", "-?copy", "v[0-9]", "[0-9]", "(", "~"),
)
_MARKS = (
    *_INNER_MARKS,
    *file_names.PACKED_ENDINGS,
    *("dpkg", "ucf", "journal", "wal", "shm", "un~", "sw"),
)
_STARTS = (
    *(".", ".#", "._", "#", "~$", "old?", "bak?", "backup?", "copy?", "orig?"),
    *("copy?of?", "copy?(*)?of?", "backup?of?", "kopie?von?"),
)
_SHORT = ("pwd", "pwds", "cred", "creds", "jwt")


@lru_cache(maxsize=1)
def exclusions() -> tuple[str, ...]:
    """Return globs for ripgrep that match every secret name, and some more. Any thread.

    A glob cannot express all of `is_secret_name`: ``token_counts.csv`` is matched too. No glob
    has white space in it, or a brace in braces.
    """
    names = [*FILES, *FOLDERS]
    bare = [name for name in names if not re.search(r"[.*]", name)]
    others = [name for name in names if name not in bare]
    starting = [name for name in names if not name.startswith("*")]
    places = [f"**/{_any_case(folder)}/{_any_case(name)}" for folder, name in PLACES]
    words, data_files = _word_globs()
    named = (
        *_with_marks(_braced(bare)),
        *_with_any_end(_braced(others)),
        *(
            glob
            for stems, ending in _split(names)
            for mark in (f"[!a-zA-Z0-9/]{_braced(_INNER_MARKS)}", "[~(]")
            for glob in _with_any_end(f"{stems}{mark}*.{ending}")
        ),
        *_with_any_end(_braced(_STARTS) + _braced(starting)),
        *(glob for word in words for glob in _with_marks(word)),
        *(glob for data_file in data_files for glob in _with_any_end(data_file)),
    )
    # A slash, in a class too, has ripgrep begin at the root of the search unless ** is before it.
    return (
        *(f"**/{glob}" for glob in named),
        *(glob for place in places for glob in _with_any_end(place)),
    )


def _with_marks(glob: str) -> list[str]:
    return [glob, f"{glob}[!a-zA-Z0-9/]{_braced(_MARKS)}*", f"{glob}[~(,#]*"]


def _with_any_end(glob: str) -> list[str]:
    return [glob, f"{glob}[!a-zA-Z0-9/]*"]


def _split(names: Iterable[str]) -> list[tuple[str, str]]:
    """Return names without stars as globs for their stems and for their ending."""
    stems: dict[str, list[str]] = {}
    for name in names:
        stem, dot, ending = name[1:].rpartition(".")
        if dot and "*" not in name:
            stems.setdefault(_any_case(ending), []).append(name[0] + stem)
    return [(_braced(each), ending) for ending, each in stems.items()]


def _braced(names: Iterable[str]) -> str:
    return "{" + ",".join(map(_any_case, names)) + "}"


def _any_case(glob: str) -> str:
    # Claude Code splits globs at white space.
    return re.sub(
        r"\[.*?\]|[a-z]",
        lambda part: part[0] if part[0][0] == "[" else f"[{part[0]}{part[0].upper()}]",
        glob,
    ).replace(" ", "?")


def _word_globs() -> tuple[list[str], list[str]]:
    """Return globs for names that end with a secret word, and for data files with one."""
    short, last = _braced(_SHORT), _braced(_LAST)
    long = _braced([word for word in _WORDS if word not in (*_SHORT, *_LAST)])
    anywhere = [f"*{long}", f"*[!a-zA-Z/]{short}", short, f"*{_capital((*_WORDS, *_LAST))}"]
    at_end = [f"*[!a-zA-Z/]{last}", f"*{_capital(_LAST)}"]
    words, ending = [*anywhere, *at_end], _braced(_DATA)
    camel = (f"*{{{','.join(_WORDS)}}}", f"*{_capital(_WORDS)}")
    return words, [
        *(f"{word}[0-9]{rest}" for word in words for rest in ("", "[!a-zA-Z/]*")),
        *(f"{word}.{ending}" for word in words),
        *(f"{word}[!a-zA-Z/]*.{ending}" for word in anywhere[:3]),
        *(f"{word}[A-Z]*.{ending}" for word in camel),
        *(f"{word}[!a-zA-Z/]*.{ending}" for word in [f"*{_capital(_WORDS)}"]),
        *(f"{word}[0-9~(,#]*.{ending}" for word in at_end),
        *(f"{word}[!a-zA-Z0-9/]{_braced(_INNER_MARKS)}*.{ending}" for word in at_end),
    ]


def _capital(words: Iterable[str]) -> str:
    return "{" + ",".join(word.capitalize() for word in words) + "}"
