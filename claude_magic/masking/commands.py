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


#: Programs by the options that take a password, where the option alone has no telling name.
_PROGRAMS: dict[str, tuple[re.Pattern[str], ...]] = {
    "curl": (_option("-u|-U|--user|--proxy-user", attached=True, user=True),),
    "https?": (_option("-a|--auth", user=True),),
    "(?:mysql|mariadb)[a-z-]*": (re.compile(rf"(?<![\w-])(-p(?=[^\s,\"'])){_VALUE}"),),
    "mongo[a-z]*": (_option("-p"),),
    "sshpass": (_option("-p", attached=True),),
    "(?:docker|podman|nerdctl|helm|oras|crane|buildah|skopeo|az|oc)": (_option("-p"),),
    "redis-cli": (_option("-a"),),
    "(?:ldapsearch|ldapadd|ldapmodify|ldapwhoami|ldapdelete)": (_option("-w"),),
    "(?:sqlcmd|bcp|osql|tsql|isql)": (_option("-P", attached=True),),
    "(?:cqlsh|influx|rabbitmqadmin|clickhouse-client|vsql|beeline|xfreerdp|kafkacat)": (
        _option("-p|-w"),
    ),
    "(?:7z[ar]?|rar|unrar)": (re.compile(rf"(?<![\w-])(-p(?=\S)){_VALUE}"),),
    "(?:zip|unzip)": (_option("-P"),),
    "(?:smbclient|rpcclient|net)": (
        re.compile(r"""((?<![\w-])-U[ "']{1,2}[^\s"'%]{1,100}%)[^\s"']{1,200}"""),
    ),
    "openssl": (re.compile(r"(-pass(?:in|out)?[ ]+pass:)[^\s\"']{1,200}"), _option("-k")),
    "(?:wget|lftp|ncftp|smbmap|crackmapexec|evil-winrm|impacket-\\w+)": (_option("-p"),),
}
_PROGRAM = re.compile(
    r"(?<![\w.-])(?:"
    + "|".join(f"(?P<p{place}>{name})" for place, name in enumerate(_PROGRAMS))
    + r")(?=[\s\"',.])"
)
_OPTIONS = tuple(_PROGRAMS.values())
#: A command ends here, or after so many characters.
_COMMAND = re.compile(r"(?:[^\n;|&\\]|\\[^n]|\\\n){0,600}")

_SEP = r"(?:\s|\\[nrt]){1,40}"
_WORD = r"""[^\s"'\\]{1,200}"""
_OTHERS: tuple[tuple[str, re.Pattern[str]], ...] = (
    (
        "passw",
        re.compile(
            rf"""(?<!\w)((?:machine{_SEP}{_WORD}|default)(?:{_SEP}(?:login|account){_SEP}{_WORD}){{0,2}}
            {_SEP}(?:password|passwd){_SEP}){_WORD}""".replace("\n            ", "")
        ),
    ),
    (
        ":",
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
        if sign in text:
            text = pattern.sub(rf"\1{MASK}", text)
    shown = []
    done = at = 0
    while program := _PROGRAM.search(text, at):
        command = _COMMAND.match(text, program.end())
        at = command.end() if command else program.end()
        line = text[program.end() : at]
        for option in _OPTIONS[int((program.lastgroup or "p0")[1:])]:
            line = option.sub(rf"\1{MASK}", line)
        shown += [text[done : program.end()], line]
        done = at
    return "".join([*shown, text[done:]])
