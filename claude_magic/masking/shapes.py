"""Shapes of keys and tokens that are secrets by their looks alone.

The prefixes are those that the services document; most are also in the rules of gitleaks and of
detect-secrets. Neither is a dependency. detect-secrets 1.5 knows half of these shapes, needs
requests and PyYAML, and its patterns for URLs, JWTs and names take quadratic time on text that a
model can choose; gitleaks is a Go program.
"""

from __future__ import annotations

import re
from itertools import pairwise

from .secret_names import MASK

# Each shape begins at a word, so that a long run of letters is not tried again at every letter of
# it, and takes the word to its end, so that no other shape begins where a masked one ends. Every
# repetition is of one class of characters, which keeps the time linear.
#: Prefixes that are followed by random characters.
_PREFIXED = r"""
      sk-(?:ant|proj|svcacct|admin|or)-[\w-]{8,}            # Anthropic, OpenAI, OpenRouter
    | sk-(?=[A-Za-z_-]{0,99}[0-9])[\w-]{20,}
    | gh[pousr]_[A-Za-z0-9]{16,} | github_pat_\w{16,}
    | (?:gl(?:pat|dt|rt|cbt|ptt|ft|soat|agent|oas|imt|ffct|rtr)|gloas)-[\w.-]{16,}
    | GR1348941[\w-]{20,}
    | (?:AKIA|ASIA|ABIA|ACCA|A3T[A-Z0-9])[A-Z0-9]{16,}      # AWS, maybe with its other half
      (?:[\s,:;"'|]{1,4}[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+]))?
    | ABSK[A-Za-z0-9+/=]{40,}                                # Bedrock
    | LTAI[A-Za-z0-9]{16,24}                                 # Alibaba
    | AIza[\w-]{30,} | ya29\.[\w-]{20,} | GOCSPX-[\w-]{20,} | 1//0[\w-]{30,}  # Google
    | xox[a-z](?:\.xox[a-z])?-[\w-]{10,} | xapp-[\w-]{20,}   # Slack
    | (?:[sr]k_(?:live|test)|whsec)_[A-Za-z0-9+/=]{10,}      # Stripe
    | sq0(?:csp|atp|idp)-[\w-]{22,} | EAAA[\w-]{56,}         # Square
    | (?:hf|api_org|npm|gsk|lin_api|shpat|shpss|shpca|shppa|ntn|r8|jina|rubygems|glsa|glc|fw|sbp
        |figd|dckr_pat|dckr_oat|pscale_(?:tkn|pw|oauth)|sntrys|sntryu|PMAT|rnd|csk|lsv2_(?:pt|sk)
        |do[opr]_v1|pul|sgp|ccipat|ops|phx|vcp|dapi_|secret)_(?=\w{0,60}\d)[A-Za-z0-9_=-]{20,}
    | (?:pypi|xai|pplx|nvapi|tvly|PMAK|CFPAT|HRKU|NRAK|NRJS|NRII|tskey|pat|csk|fal)-
        (?=[\w-]{0,60}\d)[\w-]{24,}
    | AT(?:ATT|CTT|BB)[\w=-]{24,}                            # Atlassian
    | (?:hvs|hvb|hvr)\.[\w-]{20,}                            # HashiCorp
    | (?:FlyV1[ ]f|f)[mo][12]r?_[\w+/=,-]{40,}
    | dapi[0-9a-f]{32}(?:-\d)?                               # Databricks
    | dp\.(?:pt|ct|sa|scim|audit|st(?:\.[\w-]{1,40})?)\.[A-Za-z0-9]{30,}  # Doppler
    | (?:SK|sk)[0-9a-f]{32}                                  # Twilio
    | SG\.[\w-]{16,}\.[\w-]{16,}                             # SendGrid
    | key-[0-9a-f]{32} | [0-9a-f]{32}-us[0-9]{1,2}           # Mailgun, Mailchimp
    | AGE-SECRET-KEY-1[A-Z0-9]{50,}
    | [0-9]{8,10}:AA[\w-]{32,}                               # Telegram
    | [MNO][\w-]{23,27}\.[\w-]{6}\.[\w-]{27,40}              # Discord
    | oy2[a-z0-9]{43} | [sp]k\.eyJ[\w-]{10,}\.[\w-]{10,}     # NuGet, Mapbox
    | (?<!-)eyJ[\w-]{5,}\.[\w-]{5,}(?:\.[\w-]*){1,4}         # JSON Web Tokens
"""
#: Where a word begins, also after an escape: ``\nghp_…``, ``%3Dghp_…``.
WORD_BEGINS = r"(?:(?<!\w)|(?<=\\[nrtbf])|(?<=%[0-9A-Fa-f]{2}))"
_SHAPE = rf"{WORD_BEGINS}(?:{_PREFIXED})[\w-]*"

_IN_URL = r"""(?<=://)([^\s:/@"'<>]{0,256}):([^\s/"'<>]+)@"""
#: A password with a slash in it, and no port before the slash.
_SLASH_IN_URL = (
    r"""(?<=://)([^\s:/@"'<>]{0,256}):(?!\d{1,5}/)([^\s/@"'<>]{1,256}/[^\s@"'<>,]{0,256})@"""
)
_BEARER = r"(?<!\w)(bearer[ \t]+)(?=[\w.~+/=-]*\d)[\w.~+/=-]{12,}"
#: Addresses that let anyone who knows them post.
_WEBHOOK = r"""(hooks\.slack\.com/(?:services|workflows|triggers)/
    |discord(?:app)?\.com/api/(?:v\d{1,2}/)?webhooks/
    |hooks\.zapier\.com/hooks/catch/
    |maker\.ifttt\.com/trigger/[\w-]{1,80}/with/key/
    |\.webhook\.office\.com/webhookb2/
    |outlook\.office(?:365)?\.com/webhook/
    |api\.telegram\.org/bot)[\w%/:@.-]{16,}"""
#: Parameters of URLs whose values grant access, if they look random.
_QUERY = r"""((?:[?&;]|&amp;|\\u0026|%26)(?:key|sig|signature|x-(?:amz|goog)-(?:signature|security-token
    |credential)|code|hmac|sharedaccesssignature)(?:=|%3D))
    (?=[\w.~+/%-]{0,400}\d)[\w.~+/%-]{16,}={0,2}"""
_SESSION = r"""(?<!\w)((?:PHPSESSID|JSESSIONID|ASP\.NET_SessionId|connect\.sid|sessionid)=)[\w%.:+/-]{16,}"""

#: Random characters without a prefix: an AWS secret key, an Azure account key, an old Vault token.
_RANDOM = r"""(?<![\w/+=.-])(?:[A-Za-z0-9/+]{40}(?![\w/+=-])|[A-Za-z0-9/+]{86}==)
    |(?<![\w.])s\.[A-Za-z0-9]{24}(?![\w(.])"""
#: How often the kind of character must change in them, per character; words change seldom.
_CHANGES = 0.36


def mask_prefixed(text: str) -> str:
    """Mask what is a secret by its looks: prefixed keys, passwords in URLs, webhooks."""
    text = re.sub(_IN_URL, rf"\1:{MASK}@", text)
    text = re.sub(_SLASH_IN_URL, rf"\1:{MASK}@", text)
    text = re.sub(_BEARER, rf"\1{MASK}", text, flags=re.IGNORECASE)
    text = re.sub(_WEBHOOK, rf"\1{MASK}", text, flags=re.VERBOSE)
    text = re.sub(_SHAPE, MASK, text, flags=re.VERBOSE)
    text = re.sub(_QUERY, rf"\1{MASK}", text, flags=re.VERBOSE | re.IGNORECASE)
    text = re.sub(_SESSION, rf"\1{MASK}", text)
    return re.sub(_RANDOM, _if_random, text, flags=re.VERBOSE)


def _if_random(found: re.Match[str]) -> str:
    kinds = [_kind(character) for character in found[0]]
    changes = sum(before != after for before, after in pairwise(kinds))
    return MASK if {"A", "a", "1"} <= {*kinds} and changes > _CHANGES * len(kinds) else found[0]


def _kind(character: str) -> str:
    if character.isdigit():
        return "1"
    if character.isalpha():
        return "A" if character.isupper() else "a"
    return character
