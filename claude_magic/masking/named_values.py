"""Masks the values that stand behind secret names in a text."""

from __future__ import annotations

import ast
import re
import warnings

from .secret_names import DIRECTORIES, MASK, is_password, is_secret

_NAME = re.compile(
    r"""(?<![\w-])
    (?P<name>(?:(?:api|access|private|secret|session|account|encryption|signing)[ ](?=key))?
      (?=[\w-]*?(?:p(?:ass|w|swd?|hrase)|secret|token|key|cred|auth|bearer|dsn|cookie|jwt|otp|csrf
        |xsrf|conn|mnemonic|kennwort))
      [\w-]+)(?![\w-])
    (?P<close>\\{0,4}["'`]?\]?)
    (?P<separator>[ \t]{0,40}(?:[!+:]?={1,3}>?|:(?!:|//)|,)[ \t]{0,40}|[ \t]{1,8})""",
    re.VERBOSE | re.IGNORECASE,
)
#: Behind these a name is spoken of, and a colon is no assignment: ``if not token: return``.
_STATEMENT = re.compile(r"\b(?:if|elif|while|not|and|or|in|is|lambda|except|class|as)\s+[\w.]*\Z")
_QUOTE = re.compile(r"""[rRbBuUfF]{0,2}(?P<quote>"{3}|'{3}|\\{1,4}["']|["'`])""")
_QUOTED = {
    '"': re.compile(r'[^"\\\n]*(?:\\.[^"\\\n]*)*"'),
    "'": re.compile(r"[^'\\\n]*(?:\\.[^'\\\n]*)*'"),
    "`": re.compile(r"[^`\\\n]*(?:\\.[^`\\\n]*)*`"),
}
#: Where pprint breaks a long string into several.
_CONTINUED = re.compile(r"""\n[ \t]+[bB]?(?=["'])""")
_SCHEME = re.compile(r"(?:Basic|Bearer|Digest|Token|Negotiate|ApiKey)[ \t]+", re.IGNORECASE)
#: A comma, a quote or a closing bracket belongs to a bare value if more of it seems to follow.
_BARE = re.compile(
    r"""(?:[^\s,;&"'`()\[\]{}>]
    |,(?![\s"'`\d(\[{]|[\w-]{1,60}["']?[ ]?[=:]|$)
    |[)\]}>](?=[^\s,;.:&"'`()\[\]{}>])
    |["'](?=\w))+""",
    re.VERBOSE,
)
_LINE = re.compile(r"[^\n]*")
_COOKIES = re.compile(r"""[^\n"'`]*""")
_BRACKET = re.compile(
    r"""(?P<open>[(\[{])|(?P<close>[)\]}])
    |"[^"\\\n]*(?:\\.[^"\\\n]*)*"|'[^'\\\n]*(?:\\.[^'\\\n]*)*'""",
    re.VERBOSE,
)
#: What stands where a value is expected and tells nothing: types, empty values, look-ups by name.
_TELLS_NOTHING = re.compile(
    r"""(?:None|null|nil|undefined|NaN|nan|<NA>|True|False|true|false|\.\.\.|…
    |str|bytes|int|float|bool|dict|list|tuple|set|object|string|number|Any|SecretStr
    |(?:typing\.)?(?:Optional|Union|list|dict|tuple|set)\[[\w., |]{0,99}\]
    |(?:os\.)?environ\[["']\w{1,99}["']\]
    |(?:os\.)?(?:environ\.get|getenv)\(["']\w{1,99}["']\)
    |(?:getpass\.)?getpass\((?:["'][^"'\n]{0,99}["'])?\))""",
    re.VERBOSE,
)
#: A block scalar of YAML, as it is or in a repr: the lines that follow belong to it.
_BLOCK = re.compile(r"[|>][-+\d]{0,2}[ \t]*(?P<end>\n|\\{1,4}n)")
_ESCAPED_LINES = re.compile(
    # The quotes are of pprint, which begins a new text after each line end.
    r"""(?:(?:["']\n[ \t]{0,99}["'])?[ \t](?:[^\n\\"']|\\{1,4}[^n\n\\"'])*
    (?:\\{1,4}n|(?=\\{0,4}["'\n])|\Z))+""",
    re.VERBOSE,
)
#: A document in a shell or in HCL that ends with the line of this word.
_HERE = re.compile(r"""<<[-~]?["']?(?P<word>\w{1,40})["']?[ \t]*\n""")
_LONGEST_HERE = 20_000
#: Escapes that end right before a name: ``\ntoken=…``.
_ESCAPES = "nrtbf"
#: Code that takes something from a variable: ``self._token``, ``token[2:]``, ``token.lower()``.
_CODE = re.compile(
    r"(?P<name>[A-Za-z_][\w.]*)(?P<then>(?:\[[\w:, -]{0,40}\]|\(\w{0,40}\)|\.\w{1,40}){0,5})"
)
_NUMBER = re.compile(r"[-+]?(?:\d{1,5}|\d*\.\d+(?:[eE][-+]?\d+)?)")
_MORE_WORDS = re.compile(r"[ ][a-z]")
_PATH = re.compile(r"[/~]|[A-Za-z]:\\")
_SCHEMA = re.compile(r"""\\?["']type\\?["']\s*:""")
#: What follows a token of a text: ``{"token": "EU", "pos": "NNP"}``.
_LANGUAGE = re.compile(
    r"""\s*,\s*\\{0,4}["']?(?:pos|ner|tag|label|lemma|dep|token_id|id|ids|idx|index|start|end|score|word
    |entity|logprob|logit|prob|bytes|count|freq|frequency)\w{0,12}\\{0,4}["']?\s*[:=]""",
    re.VERBOSE,
)
_THEN_ASSIGNED = re.compile(r"(?:[ \t]*\|[ \t]*[\w.]{1,60}){0,3}[ \t]*=(?!=)[ \t]*")


class NamedValues:
    """One text whose values behind secret names are to be masked.

    Parameters
    ----------
    text
        Anything: code, reprs, JSON, headers, command lines, prose.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        # Where brackets close that were looked through in vain for the end of another one, so that
        # a text of nothing but opening brackets is not looked through from each of them.
        self._closings: dict[int, int | None] = {}
        self._literals: list[tuple[str, str]] = []
        self._budget = 8 * len(text) + 10_000

    def literals(self) -> list[tuple[str, str]]:
        """Return the names and the values of the string literals among those values."""
        self.masked()
        return self._literals

    def masked(self) -> str:
        """Return the text with `MASK` in place of those values. Any thread may call."""
        text = self._text
        self._literals = []
        parts = []
        done = at = 0
        while named := _NAME.search(text, at):
            at = named.end()
            if not self._has_value(named):
                continue
            at, shown = self._value(named, at)
            parts += [text[done : named.end()], shown]
            done = at
            assigned = ":" in named["separator"] and _THEN_ASSIGNED.match(text, at)
            if assigned:  # what was masked or passed over was an annotation
                at, shown = self._value(named, assigned.end())
                parts += [assigned[0], shown]
                done = at
        return "".join([*parts, text[done:]])

    def _has_value(self, named: re.Match[str]) -> bool:
        text, name, separator = self._text, named["name"][-200:], named["separator"]
        if name[0] in _ESCAPES and text[named.start() - 1 : named.start()] == "\\":
            name = name[1:]
        if not is_secret(name):
            return False
        sign = separator.strip()
        following = text[named.end() : named.end() + 1]
        before = text[max(0, named.start() - 60) : named.start()]
        if not sign:  # --password hunter2
            return name.startswith("-") and not named["close"] and following != "-"
        if sign == ",":  # ("password", "hunter2") and ["--password", "hunter2"]
            quoted = named["close"][-1:] in {'"', "'"} and following in {'"', "'"}
            return quoted and (name.startswith("-") or before[:-1].rstrip().endswith("("))
        return not (sign == ":" and not named["close"] and _STATEMENT.search(before))

    def _value(self, named: re.Match[str], at: int) -> tuple[int, str]:
        """Return where the value ends that begins at a place, and what to show in its stead."""
        text = self._text
        if ":" in named["separator"] and (block := _BLOCK.match(text, at)):
            return self._block(named, block)
        if here := _HERE.match(text, at):
            return self._here(here)
        if quote := _QUOTE.match(text, at):
            return self._literal(named, quote)
        if text[at : at + 1] in {"(", "[", "{"}:
            return self._bracketed(named, at)
        if "cookie" in named["name"].lower() and named["separator"].strip() == ":":
            end = _until(_COOKIES, text, at)
            if end > at and not _TELLS_NOTHING.match(text, at):
                return end, MASK
        return self._bare(named, at)

    def _literal(self, named: re.Match[str], quote: re.Match[str]) -> tuple[int, str]:
        text, at = self._text, quote.start()
        if self._closes(named, quote):
            return at, ""
        end, shown = self._quoted(quote)
        if named["name"].lower() == "token" and _LANGUAGE.match(text, end):
            return end, text[at:end]
        if MASK in shown and quote[0] == quote["quote"]:
            self._note_literal(named["name"], text[at:end])
        return end, shown

    def _block(self, named: re.Match[str], block: re.Match[str]) -> tuple[int, str]:
        text, end = self._text, block.end()
        if block["end"] == "\n":
            line = text[max(0, named.start() - 400) : named.start()].rpartition("\n")[2]
            # Blank lines, and lines that are indented further than the name.
            more = re.compile(rf"[ \t]{{{len(line) - len(line.lstrip()) + 1}}}[^\n]*\n?|[ \t]*\n")
            while end < len(text) and (found := more.match(text, end)):
                end = found.end()
        else:
            end = _until(_ESCAPED_LINES, text, end)
        if end == block.end():
            return end, block[0]
        closed = block["end"] if text.endswith(block["end"], 0, end) else ""
        return end, f"{block[0]}  {MASK}{closed}"

    def _here(self, here: re.Match[str]) -> tuple[int, str]:
        text, end = self._text, None
        if self._budget > 0:
            last = re.compile(rf"\n[ \t]*{here['word']}\b")
            found = last.search(text, here.end() - 1, here.end() + _LONGEST_HERE)
            end = found.start() if found else None
            self._budget -= (end or here.end() + _LONGEST_HERE) - here.end()
        if end is None:  # it was cut off
            end = _until(_LINE, text, here.end())
        return end, here[0] + (MASK if end > here.end() else "")

    def _note_literal(self, name: str, written: str) -> None:
        quote = written[0]
        self._literals.append((name, written.strip(quote)))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of escapes that Python does not know
                value = ast.literal_eval(written)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return
        if type(value) is str:
            self._literals.append((name, value))

    def _bracketed(self, named: re.Match[str], at: int) -> tuple[int, str]:
        text, end = self._text, self._closing(at)
        if end is None:
            return _until(_LINE, text, at), MASK
        inner = text[at + 1 : end - 1].strip()
        if _SCHEMA.match(inner):
            return at + 1, text[at]
        if not inner or _same_name(named["name"], inner):  # f"token: {token}"
            return end, text[at:end]
        return end, f"{text[at]}{MASK}{text[end - 1]}"

    def _bare(self, named: re.Match[str], at: int) -> tuple[int, str]:
        text = self._text
        scheme = _SCHEME.match(text, at)
        start = at = scheme.end() if scheme else at
        while True:
            end = _until(_BARE, text, at)
            if end > start and text[end : end + 1] in {"(", "[", "{"}:
                end = self._closing(end) or end
            if end == at:
                break
            at = end
        value = text[start:at]
        if not value or _TELLS_NOTHING.fullmatch(value) or self._is_ordinary(named, value, at):
            shown = value
        else:
            shown = MASK
        return at, (scheme[0] if scheme else "") + shown

    def _is_ordinary(self, named: re.Match[str], value: str, end: int) -> bool:
        """Tell whether a bare value is code, prose, a small number or the working directory."""
        name = named["name"]
        if _same_name(name, value):
            return True
        if name in DIRECTORIES:
            return (
                _PATH.match(value) is not None
                and self._text[named.start() - 1 : named.start()] != ";"
            )
        if is_password(name):
            return False
        if _NUMBER.fullmatch(value):
            return True
        prose = named["separator"] == ": " and _MORE_WORDS.match(self._text, end)
        return prose is not None and prose is not False and value.isalpha() and value.islower()

    def _closes(self, named: re.Match[str], quote: re.Match[str]) -> bool:
        """Tell whether a quote ends the string that the name stands in: ``input("Password: ")``."""
        mark = quote["quote"]
        if named["close"] or len(quote[0]) > 1:
            return False
        text = self._text
        after = text[quote.end() : quote.end() + 1]
        if after and after not in ")]},+;:% \t\n":
            return False
        line = text[max(0, named.start() - 400) : named.start()].rpartition("\n")[2]
        return line.count(mark) % 2 == 1

    def _quoted(self, quote: re.Match[str]) -> tuple[int, str]:
        text, mark, at = self._text, quote["quote"], quote.end()
        while True:
            if len(mark) == 1:
                match = _QUOTED[mark].match(text, at)
                end = match.end() if match else None
            else:
                found = text.find(mark, at, _until(_LINE, text, at) if mark[0] == "\\" else None)
                end = found + len(mark) if found >= 0 else None
            if end is None:  # it was cut off
                end = len(text) if len(mark) == 3 else _until(_LINE, text, at)  # noqa: PLR2004
                return end, quote[0] + (MASK if end > at else "")
            if end - len(mark) == quote.end():
                return end, quote[0] + mark
            more = _CONTINUED.match(text, end)
            if not more or text[more.end()] != mark:
                return end, quote[0] + MASK + mark
            at = more.end() + 1

    def _closing(self, at: int) -> int | None:
        """Return the place behind the bracket that closes the one at a place, if there is one."""
        if at in self._closings:
            return self._closings[at]
        if self._budget <= 0:
            return len(self._text)  # rather too much than a secret
        opened = []
        closed: dict[int, int | None] = {}
        for token in _BRACKET.finditer(self._text, at):
            if token["open"]:
                opened.append(token.start())
            elif token["close"]:
                closed[opened.pop()] = token.end()
            if not opened:
                self._budget -= token.end() - at
                return token.end()
        self._budget -= len(self._text) - at
        self._closings |= closed
        self._closings |= dict.fromkeys(opened)
        return None


def _same_name(name: str, value: str) -> bool:
    """Tell whether code hands on what a name holds: ``api_key=self._api_key``."""
    code = _CODE.fullmatch(value)
    if not code:
        return False
    wanted = name.strip("_-").replace("-", "_").lower()
    named = code["name"].lower().split(".")
    return named[-1].strip("_") == wanted or (named[0] == wanted and code["then"] != "")


def _until(pattern: re.Pattern[str], text: str, at: int) -> int:
    match = pattern.match(text, at)
    return match.end() if match else at
