"""Secrets with a place rather than a name: options of commands, netrc, pgpass, SQL, hashes."""

from __future__ import annotations

import re

from .secret_names import MASK

#: Between an option and its value, in a shell and in a list of arguments.
_GAP = r"""(?:["'],\s{0,20}["']|[ \t=]{1,3}["']?|[ \t]\\\n\s{0,20})"""
_VALUE = r"""(?![$%{<•-])(?:\\[^\nnrt]|[^\s"'\\<>]){1,200}"""
_USER = r"""[^\s"':@]{0,100}:"""


def _option(names: str, *, attached: bool = False, user: bool = False) -> re.Pattern[str]:
    """Return a pattern of a secret that follows an option, directly if it may be attached."""
    gap = rf"(?:{_GAP}|[\"']?)" if attached else _GAP
    return re.compile(rf"(?<![\w-])((?:{names}){gap}{_USER if user else ''}){_VALUE}")


#: Options that take a password, by the programs where their own names do not tell.
_OPTIONS: tuple[tuple[str, tuple[re.Pattern[str], ...]], ...] = (
    ("curl", (_option("-u|-U|--user|--proxy-user", attached=True, user=True),)),
    ("http https", (_option("-a|--auth", user=True),)),
    (
        "mysql mysqldump mysqladmin mysqlimport mysqlsh mariadb mariadb-dump mariadb-admin",
        (re.compile(rf"(?<![\w-])(-p(?=[^\s,\"'])){_VALUE}"),),
    ),
    ("mongo mongosh mongodump mongorestore mongoexport mongoimport", (_option("-p"),)),
    ("sshpass", (_option("-p", attached=True),)),
    ("login", (_option("-p"),)),  # of docker, podman, helm registry, az, oc
    ("redis-cli", (_option("-a"),)),
    ("ldapsearch ldapadd ldapmodify ldapwhoami ldapdelete", (_option("-w"),)),
    ("sqlcmd bcp osql tsql isql", (_option("-P", attached=True),)),
    (
        "cqlsh influx rabbitmqadmin clickhouse-client vsql beeline xfreerdp smbmap evil-winrm",
        (_option("-p|-w"),),
    ),
    ("7z 7za 7zr rar unrar", (re.compile(rf"(?<![\w-])(-p(?=\S)){_VALUE}"),)),
    ("zip unzip", (_option("-P"),)),
    (
        "smbclient rpcclient",
        (re.compile(r"""((?<![\w-])-U[ "']{1,2}[^\s"'%]{1,100}%)[^\s"']{1,200}"""),),
    ),
    ("openssl", (re.compile(r"(-pass(?:in|out)?[ ]+pass:)[^\s\"']{1,200}"), _option("-k"))),
)
_PROGRAMS = tuple(
    # The name first: a text is searched for a literal much faster than for what is before it.
    (name, re.compile(rf"{re.escape(name)}(?<![\w.-]{re.escape(name)})(?=[\s\"',.])"), options)
    for names, options in _OPTIONS
    for name in names.split()
)
#: A command ends here, or after so many characters.
_COMMAND = re.compile(r"(?:[^\n;|&\\]|\\[^n]|\\\n){0,600}")

_SEP = r"(?:\s|\\[nrt]){1,40}"
_WORD = r"""[^\s"'\\]{1,200}"""
#: Patterns of which the first group is kept, by a sign that a text must have.
_OTHERS: tuple[tuple[str | re.Pattern[str], re.Pattern[str]], ...] = (
    (
        "passw",
        re.compile(
            rf"""(?<!\w)((?:machine{_SEP}{_WORD}|default)(?:{_SEP}(?:login|account){_SEP}{_WORD}){{0,2}}
            {_SEP}(?:password|passwd){_SEP}){_WORD}""".replace("\n            ", "")
        ),
    ),
    (
        re.compile(r":(?:\d{4,5}|\*):[\w*-]"),
        # pgpass: host:port:database:user:password. Neither IPv6 nor MAC addresses.
        re.compile(
            r"""(?<![\w:./@-])((?!(?:[0-9A-Fa-f]{1,4}:){4})(?:[A-Za-z*][\w.*-]{0,100}|\d{1,3}(?:\.\d{1,3}){3})
            :(?:\d{4,5}|\*):(?=[\w*-]{0,62}[A-Za-z_*])[\w*-]{1,63}:[A-Za-z_*][\w.*@-]{0,62}:)
            (?:\\[:\\]|[^\s"'\\:,)\]}]){4,200}(?![^\s"'\\,)\]}])""",
            re.VERBOSE,
        ),
    ),
    (
        "sudo",
        re.compile(rf"((?<!\w)(?:echo|printf)[ ]+[\"']?){_VALUE}(?=[\"']?[ ]*\|[ ]*sudo[ ]+-\w*S)"),
    ),
    (
        "ConvertTo-",
        re.compile(r"""(ConvertTo-SecureString[ ]+(?:-String[ ]+)?["'])[^"'\n$]{1,200}"""),
    ),
    (
        "'",
        re.compile(
            r"((?<!\w)(?:PASSWORD|IDENTIFIED[ ]+(?:WITH[ ]+\w{1,40}[ ]+)?BY)[ ]+')[^'\n]{1,200}",
            re.IGNORECASE,
        ),
    ),
    # Hashes of passwords, as in /etc/shadow and htpasswd.
    (
        "$",
        re.compile(
            r"(\$(?:2[abxy]|5|6|7|y|1|apr1|argon2i?d?|scrypt|pbkdf2-\w{1,20})\$)[\w./+=,$-]{20,300}"
        ),
    ),
    ("://", re.compile(r"((?<=://))(?=[\w-]{0,200}\d)[\w-]{20,200}(?=@)")),
)


def mask_commands(text: str) -> str:
    """Mask passwords at known places of command lines, password files and SQL."""
    for sign, pattern in _OTHERS:
        if sign in text if isinstance(sign, str) else sign.search(text):
            text = pattern.sub(rf"\1{MASK}", text)
    if "-" in text:
        for name, program, options in _PROGRAMS:
            if name in text:
                text = _mask_options(text, program, options)
    return text


def _mask_options(text: str, program: re.Pattern[str], options: tuple[re.Pattern[str], ...]) -> str:
    shown = []
    done = at = 0
    while found := program.search(text, at):
        command = _COMMAND.match(text, found.end())
        at = command.end() if command else found.end()
        line = text[found.end() : at]
        for option in options:
            line = option.sub(rf"\1{MASK}", line)
        shown += [text[done : found.end()], line]
        done = at
    return "".join([*shown, text[done:]])
