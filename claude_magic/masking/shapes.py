"""Shapes of keys and tokens that are secrets by their looks alone.

The prefixes are those that the services document; most are also in the rules of gitleaks and of
detect-secrets. Neither is a dependency. detect-secrets 1.5 knows half of these shapes, needs
requests and PyYAML, and its patterns for JWTs and OpenAI keys take quadratic time on text that a
model can choose; gitleaks is a Go program.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import pairwise

from .secret_names import MASK

# Each shape begins at a word, so that a long run of letters is not tried again at every letter of
# it, and takes the word to its end, so that no other shape begins where a masked one ends. Every
# repetition is of one class of characters, which keeps the time linear.
#: Patterns by the signs of which a text has at least one. Most texts have none of them.
_SHAPES: tuple[tuple[tuple[str, ...], str], ...] = (
    # Anthropic, OpenAI, OpenRouter
    (
        ("sk-",),
        r"sk-(?:ant|proj|svcacct|admin|or)-[\w-]{8,} | sk-(?=[A-Za-z_-]{0,99}[0-9])[\w-]{20,}",
    ),
    (("gh", "github_pat_"), r"gh[pousr]_[A-Za-z0-9]{16,} | github_pat_\w{16,}"),
    (
        ("gl", "GR1348941"),
        r"""(?:gl(?:pat|dt|rt|cbt|ptt|ft|soat|agent|oas|imt|ffct|rtr)|gloas)-[\w.-]{16,}
        | GR1348941[\w-]{20,}""",
    ),
    (  # AWS, maybe with its other half; Bedrock; Alibaba
        ("AKIA", "ASIA", "ABIA", "ACCA", "A3T", "ABSK", "LTAI"),
        r"""(?:AKIA|ASIA|ABIA|ACCA|A3T[A-Z0-9])[A-Z0-9]{16,}
        (?:[\s,:;"'|]{1,4}[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+]))?
        | ABSK[A-Za-z0-9+/=]{40,} | LTAI[A-Za-z0-9]{16,24}""",
    ),
    (  # Google
        ("AIza", "ya29.", "GOCSPX-", "1//0"),
        r"AIza[\w-]{30,} | ya29\.[\w-]{20,} | GOCSPX-[\w-]{20,} | 1//0[\w-]{30,}",
    ),
    (("xox", "xapp-"), r"xox[a-z](?:\.xox[a-z])?-[\w-]{10,} | xapp-[\w-]{20,}"),  # Slack
    (  # Stripe, Square
        ("k_live", "k_test", "whsec_", "sq0", "EAAA"),
        r"""(?:[sr]k_(?:live|test)|whsec)_[A-Za-z0-9+/=]{10,} | sq0(?:csp|atp|idp)-[\w-]{22,}
        | EAAA[\w-]{56,}""",
    ),
    (
        ("_",),
        r"""(?:hf|api_org|npm|gsk|lin_api|shpat|shpss|shpca|shppa|ntn|r8|jina|rubygems|glsa|glc|fw
        |sbp|figd|dckr_pat|dckr_oat|pscale_(?:tkn|pw|oauth)|sntrys|sntryu|PMAT|rnd|csk
        |lsv2_(?:pt|sk)|do[opr]_v1|pul|sgp|ccipat|phx|vcp|secret)_
        (?=[A-Za-z0-9=-]{0,60}\d)[A-Za-z0-9=-][A-Za-z0-9_=-]{19,}""",
    ),
    (
        ("-",),
        r"""(?:pypi|xai|pplx|nvapi|tvly|PMAK|CFPAT|HRKU|NRAK|NRJS|NRII|tskey|csk|fal)-
        (?=[\w-]{0,60}\d)[\w-]{24,}""",
    ),
    (("ATATT", "ATCTT", "ATBB"), r"AT(?:ATT|CTT|BB)[\w=-]{24,}"),  # Atlassian
    (("hvs.", "hvb.", "hvr."), r"hv[sbr]\.[\w-]{20,}"),  # HashiCorp
    (("fm2_", "fm1", "fo1_"), r"f(?:m1[ra]?|m2|o1)_[\w+/=,-]{40,}"),  # Fly
    (("dapi",), r"dapi[0-9a-f]{32}(?:-\d)?"),  # Databricks
    (("dp.",), r"dp\.(?:pt|ct|sa|scim|audit|st(?:\.[\w-]{1,40})?)\.[A-Za-z0-9]{30,}"),  # Doppler
    (("SK", "sk"), r"(?:SK|sk)[0-9a-f]{32}"),  # Twilio
    (("SG.",), r"SG\.[\w-]{16,}\.[\w-]{16,}"),  # SendGrid
    (("key-", "-us"), r"key-[0-9a-f]{32} | [0-9a-f]{32}-us[0-9]{1,2}"),  # Mailgun, Mailchimp
    (("AGE-SECRET-KEY-1",), r"AGE-SECRET-KEY-1[A-Z0-9]{50,}"),
    ((":AA",), r"[0-9]{8,10}:AA[\w-]{32,}"),  # Telegram
    (("oy2", "k.eyJ"), r"oy2[a-z0-9]{43} | [sp]k\.eyJ[\w-]{10,}\.[\w-]{10,}"),  # NuGet, Mapbox
    (("eyJ",), r"(?<!-)eyJ[\w-]{5,}\.[\w-]{5,}(?:\.[\w-]*){1,4}"),  # JSON Web Tokens
)
#: Where a word begins, also after an escape: ``\nghp_…``, ``%3Dghp_…``.
_WORD_BEGINS = r"(?:(?<!\w)|(?<=\\[nrtbf])|(?<=%[0-9A-Fa-f]{2}))"

# `re` compiles these when a text first has their sign, and keeps them.
#: Patterns of which the first group is kept, by the signs of which a text has at least one.
_AFTER: tuple[tuple[tuple[str, ...], str, str], ...] = (
    (("@",), r"""(://[^\s:/@"'<>]{0,256}:)[^\s/"'<>]+(?=@)""", ""),
    # A password with a slash in it, and no port before the slash.
    (
        ("@",),
        r"""(://[^\s:/@"'<>]{0,256}:)(?!\d{1,5}/)[^\s/@"'<>]{1,256}/[^\s@"'<>,]{0,256}(?=@)""",
        "",
    ),
    (("bearer",), r"((?<!\w)bearer[ \t]+)(?=[\w.~+/=-]*\d)[\w.~+/=-]{12,}", "(?i)"),
    # Addresses that let anyone who knows them post.
    (("hooks.slack.com",), r"(hooks\.slack\.com/(?:services|workflows|triggers)/)[\w/-]{16,}", ""),
    (("/webhooks/",), r"(discord(?:app)?\.com/api/(?:v\d{1,2}/)?webhooks/)[\w/-]{16,}", ""),
    (("hooks.zapier",), r"(hooks\.zapier\.com/hooks/catch/)[\w/-]{8,}", ""),
    (
        ("maker.ifttt",),
        r"(maker\.ifttt\.com/trigger/[\w-]{1,80}/(?:json/)?with/key/)[\w-]{16,}",
        "",
    ),
    (("webhookb2/", ".com/webhook/"), r"(office(?:365)?\.com/webhook(?:b2)?/)[\w/@-]{16,}", ""),
    (("api.telegram",), r"(api\.telegram\.org/(?:file/)?bot)[\w:-]{16,}", ""),
    # Parameters of URLs whose values grant access, if they look random.
    (
        ("key", "sig", "code", "hmac", "credential"),
        r"""((?:[?&;]|&amp;|\\u0026|%26)(?:key|sig|signature|code|hmac|sharedaccesssignature
        |x-(?:amz|goog)-(?:signature|security-token|credential))(?:=|%3D))
        (?=[\w.~+/%-]{0,400}\d)[\w.~+/%-]{16,}={0,2}""",
        "(?ix)",
    ),
    (
        ("sess", "connect.sid"),
        r"((?<!\w)(?:phpsessid|jsessionid|asp\.net_sessionid|connect\.sid|sessionid)=)[\w%.:+/-]{16,}",
        "(?i)",
    ),
    # An old Vault token; a Discord bot's, whose first part is no secret.
    (("s.",), r"(s\.(?<![\w.]s\.))[A-Za-z0-9]{24}(?![\w(.])", ""),
    ((".",), r"(\.(?<=[\w-]{24}\.))[\w-]{6}\.[\w-]{27,40}(?![\w-])", ""),
)

#: Random characters without a prefix: an AWS secret key, an Azure account key.
_RANDOM = r"[A-Za-z0-9/+]{40,}={0,2}"
_RANDOM_LENGTHS = {(40, 0), (86, 2)}
_TOUCHES = frozenset("_/+=.-")
#: Before the last line of wrapped base64.
_LINE_BEFORE = r"[A-Za-z0-9+/]{60}(?:\n|\\n)\s{0,20}\Z"
_WRAPPED = 84
#: How often the kind of character must change in them, per character; words change seldom.
_CHANGES = 0.36


def mask_prefixed(text: str) -> str:
    """Mask what is a secret by its looks: prefixed keys, passwords in URLs, webhooks."""
    lower = text.lower()
    for signs, pattern, flags in _AFTER:
        if any(sign in lower for sign in signs):
            text = re.sub(flags + pattern, rf"\1{MASK}", text)
    present = tuple(
        place for place, (signs, _) in enumerate(_SHAPES) if any(sign in text for sign in signs)
    )
    if present:
        text = _shapes(present).sub(MASK, text)
    return re.sub(_RANDOM, _if_random, text)


@lru_cache(maxsize=64)
def _shapes(present: tuple[int, ...]) -> re.Pattern[str]:
    """Return one pattern for several shapes."""
    patterns = "|".join(f"(?:{_SHAPES[place][1]})" for place in present)
    return re.compile(rf"{_WORD_BEGINS}(?:{patterns})[\w-]*", re.VERBOSE)


def _if_random(found: re.Match[str]) -> str:
    text, run = found.string, found[0]
    bare = run.rstrip("=")
    if (len(bare), len(run) - len(bare)) not in _RANDOM_LENGTHS:
        return run
    around = text[max(0, found.start() - 1) : found.start()] + text[found.end() : found.end() + 1]
    if any(each in _TOUCHES or each.isalnum() for each in around):
        return run
    if re.search(_LINE_BEFORE, text[max(0, found.start() - _WRAPPED) : found.start()]):
        return run  # the last line of an image
    kinds = [_kind(character) for character in bare]
    changes = sum(before != after for before, after in pairwise(kinds))
    return MASK if {"A", "a", "1"} <= {*kinds} and changes > _CHANGES * len(kinds) else run


def _kind(character: str) -> str:
    if character.isdigit():
        return "1"
    if character.isalpha():
        return "A" if character.isupper() else "a"
    return character
