"""Keeps secrets out of what Claude is told: by the names of values, and by their looks.

It is a net under a person's own care, not a wall: a password in a variable ``x`` that looks like
nothing passes. In doubt a value that stands next to a secret's name is masked.
"""

from __future__ import annotations

import re
import string

from .named_values import NamedValues
from .secret_names import MASK


def mask(text: str) -> str:
    """Return a text with `MASK` in place of all that looks like a secret, and the rest as it is.

    Masked are keys and tokens of known shapes, private key blocks, passwords in URLs, bearer
    tokens, and whatever stands as the value of a name that `is_secret`. The time taken grows with
    the length of the text and no faster; masking twice changes nothing more. Any thread may call.
    """
    return NamedValues(mask_shapes(text)).masked()


def mask_shapes(text: str) -> str:
    """Return a text with `MASK` in place of what is a secret by its looks alone.

    For code and prose that must go on to work: the names of values do not count here.
    """
    text = _mask_private_keys(text)
    text = re.sub(_IN_URL, rf"\1:{MASK}@", text)
    text = re.sub(_BEARER, rf"\1{MASK}", text, flags=re.IGNORECASE)
    return re.sub(_SHAPE, MASK, text, flags=re.VERBOSE)


# `re` compiles these when a text is first looked at, and keeps them: to do so here would take a
# fifteenth of `%load_ext`.
_IN_URL = r"""(?<=://)([^\s:/@"'<>]*):([^\s/"'<>]+)@"""
_BEARER = r"(?<!\w)(bearer[ \t]+)(?=[\w.~+/=-]*\d)[\w.~+/=-]{12,}"
# Each shape begins at a word, so that a long run of letters is not tried again at every letter of
# it, and takes the word to its end, so that no other shape begins where a masked one ends.
_SHAPE = r"""(?<!\w)(?:
      sk-(?:ant|proj|svcacct|admin|or)-[\w-]{8,}            # Anthropic, OpenAI, OpenRouter
    | sk-(?=[A-Za-z_-]{0,99}[0-9])[\w-]{20,}
    | gh[pousr]_[A-Za-z0-9]{16,} | github_pat_\w{16,}
    | gl(?:pat|dt|rt|cbt|ptt|ft|soat|agent|oas)-[\w-]{16,}
    | (?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16,}                  # AWS, maybe with its other half
      (?:[\s,:;"'|]{1,4}[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+]))?
    | AIza[\w-]{30,} | ya29\.[\w-]{20,} | GOCSPX-[\w-]{20,}  # Google
    | xox[a-z]-[\w-]{10,} | xapp-[\w-]{20,}                  # Slack
    | (?:[sr]k_(?:live|test)|whsec)_[A-Za-z0-9]{10,}         # Stripe
    | (?:hf|npm|gsk|lin_api|dop_v1|shpat|shpss|ntn|r8)_[A-Za-z0-9]{20,}
    | (?:pypi|xai|pplx)-[\w-]{30,} | hvs\.[\w-]{20,}
    | SG\.[\w-]{16,}\.[\w-]{16,}
    | (?<!-)eyJ[\w-]{5,}\.[\w-]{5,}(?:\.[\w-]*){1,4}         # JSON Web Tokens
    )[\w-]*"""

_KEY_MARK = re.compile(r"-----(BEGIN|END) [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
#: What a key's lines consist of, with the escapes that a repr makes of line ends.
_KEY_BODY = re.compile(r"[A-Za-z0-9+/=\s\\]*")
_BODY_CHARACTERS = f"{string.ascii_letters}{string.digits}+/=\\{string.whitespace}"


def _mask_private_keys(text: str) -> str:
    """Mask private key blocks, and halves of them where a text was cut."""
    masked = []
    at = 0
    begun: list[re.Match[str]] = []
    for mark in _KEY_MARK.finditer(text):
        if mark[1] == "BEGIN":
            begun.append(mark)
            continue
        if begun:
            start = begun[0].start()
        else:  # the beginning was cut off
            start = at + len(text[at : mark.start()].rstrip(_BODY_CHARACTERS))
        masked += [text[at:start], MASK]
        at = mark.end()
        begun.clear()
    for mark in begun:  # the end was cut off
        body = _KEY_BODY.match(text, mark.end())
        masked += [text[at : mark.start()], MASK]
        at = body.end() if body else mark.end()
    return "".join([*masked, text[at:]])
