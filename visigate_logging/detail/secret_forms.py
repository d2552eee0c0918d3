"""What secrets look like in a text, wherever they stand.

Each form has hints: plain substrings, in lower case, without which it cannot be there. Most texts have none, and cost
no regular expression. All quantifiers are bounded or give nothing back, so that no text makes a pattern slow.
"""

import re
from collections.abc import Iterable, Sequence

__all__ = ["FORMS", "INSIDE_WORDS", "MASK", "Form", "pair_form"]

MASK = "***"

Form = tuple[tuple[str, ...], re.Pattern[str], str]
"""Hints, pattern, and what stands for a match."""

INSIDE_WORDS = ("password", "passwd", "passphrase", "secret", "apikey")
"""Long enough to be no accident inside another word: PGPASSWORD, clientsecret."""

# A quoted value ends at its quote, or with the line where that is missing; a bracketed one at its bracket; another at
# white space or at what separates values. What was taken is never given back: that keeps the time linear.
_QUOTED = (
    r"(?:[bBrRuUfF]{0,2}(?:\"(?:[^\"\\\n]|\\.)*+\"?|'(?:[^'\\\n]|\\.)*+'?)"
    r"|\\\"(?:[^\"\\\n]|\\[^\"\n])*+(?:\\\")?|\\'(?:[^'\\\n]|\\[^'\n])*+(?:\\')?)"
)
_BARE = r"(?:[^\s,;&\"'<>(){}\[\]\\]|[)}\]](?=\w)|\\(?![\"'])|[(\[{](?![\"']))++"
_VALUE = rf"(?:{_QUOTED}|[(\[{{][^\n(){{}}\[\]]*+[)\]}}]?|{_BARE}(?:(?:[(\[{{]|\s?=\s?)?{_QUOTED})?)"
_ARGUMENT = rf"(?:{_QUOTED}|[^\s\"']++)"
_NEXT = r"[\"']?,?\s{1,3}"  # from one argument to the next, on a command line or in the list that subprocess tells

# rtsp://user:pass@host: the password may hold an unescaped / or @, the port may not be taken for one.
_USERINFO = re.compile(
    r"(?<=://)(?:[^\s:/@?#\"'<>]{0,128}:(?!\d{1,5}(?:[/?#\s]|$))[^\s\"'<>]{0,256}|[^\s/?#\"'<>:@]{1,256})@"
)
# Secrets in an address without a login: of Telegram's bots, of Slack's and Discord's webhooks; API keys, signatures.
_ADDRESS = re.compile(
    r"((?:/bot(?=\d{6,12}:[\w\-]{20})|\bhooks\.slack\.com/services/|/api/webhooks/\d{1,20}/)"
    r"|[?&](?:key|sig|x-amz-signature)=(?=[^\s&#\"'<>]{0,64}\d)(?=[^\s&#\"'<>]{16}))[^\s?&#\"'<>/]++(?:/[\w\-]{1,64}){0,2}",
    re.IGNORECASE,
)
# curl -u admin:password. Two numbers are a user and a group.
_LOGIN = re.compile(
    rf"((?<![\w\-])(?:-u(?:{_NEXT}[\"']?)|--(?:proxy-)?user(?:{_NEXT}[\"']?|=[\"']?)))"
    r"(?!\d{1,9}:\d{1,9}(?![^\s\"',)\]]))[^\s:\"']{1,128}:(?!//)[^\s\"']++"
)
_COMMAND = re.compile(
    rf"(\b(?:curl\b[^\n]{{0,100}}?[\s\"']-[A-Za-z]{{0,4}}u(?:{_NEXT})?[\"']?[^\s:\"']{{1,64}}:(?!//)"
    r"|(?:mysql|mariadb)[^\n]{0,100}?[\s\"']-p(?=[^\s\"',\])])"
    rf"|mosquitto_[^\n]{{0,100}}?[\s\"']-P{_NEXT})){_ARGUMENT}"
)
_PEM = re.compile(r"-----BEGIN ([A-Z0-9 ]{1,40})-----.*?(?:-----END \1-----|\Z)", re.DOTALL)
# A word of prose after it is none: "Basic authentication", "bearer of".
_SCHEME = re.compile(
    r"\b((?i:Bearer|Basic|Digest|Negotiate))(\s{1,4})(?![A-Za-z]?[a-z]{0,24}(?:-[a-z]{1,24}){0,3}(?![\w+/=~\-]|\.\w))"
    r"[A-Za-z0-9+/=._~\-]{6,}"
)
# What HTTP Digest sends in place of the password can be guessed at (RFC 7616, 5.8).
_RESPONSE = re.compile(r"(\bresponse\\?[\"']?\s?[=:]\s?\\?[\"']?)[0-9a-fA-F]{32,128}\b")
# The look behind keeps a search from starting again inside what it has seen, which would take quadratic time.
_TOKEN = re.compile(
    r"(?<![\w\-])eyJ[A-Za-z0-9_\-]{5,}\.[A-Za-z0-9_\-.]*"  # JSON Web Token, RFC 7519
    r"|\bA[KS]IA[A-Z0-9]{16}\b|\bgithub_pat_\w{20,}"
    r"|(?<![\w\-])sk-[A-Za-z0-9_\-]{20,}|(?<![\w\-])xox[abprs]-[A-Za-z0-9\-]{10,}"
)
_GITHUB = re.compile(r"gh(?<![A-Za-z0-9]gh)[pousr]_[A-Za-z0-9]{20,}")

FORMS: Sequence[Form] = (
    (("://",), _USERINFO, f"{MASK}@"),
    (("http",), _ADDRESS, rf"\1{MASK}"),
    (("-u",), _LOGIN, rf"\1{MASK}"),
    (("curl", "mysql", "mariadb", "mosquitto_"), _COMMAND, rf"\1{MASK}"),
    (("-----begin ",), _PEM, rf"-----BEGIN \1----- {MASK}"),
    (("bearer", "basic", "digest", "negotiate"), _SCHEME, rf"\1\2{MASK}"),
    (("digest",), _RESPONSE, rf"\1{MASK}"),
    (("eyj", "akia", "asia", "github_pat_", "sk-", "xox"), _TOKEN, MASK),
    (("gh",), _GITHUB, MASK),
)
"""What is a secret by its own look or by where it stands."""


def pair_form(phrases: Iterable[tuple[str, ...]]) -> Form:
    """A secret key and its value: of a header, a mapping or an assignment, of XML, of a command line, in a sentence.

    Args:
        phrases: the words of each secret key, in lower case.
    """
    spelled = sorted(("[_\\- ]?".join(map(re.escape, p)) for p in phrases), key=len, reverse=True)
    # Whole words, as the hump of a camel also is: dbAuth and authDb, but neither author nor AUTHOR.
    start = r"(?:(?<![A-Za-z])|(?-i:(?<=[a-z])(?=[A-Z])))"
    end = r"(?:e?s)?(?-i:(?![a-z])(?!(?<=[A-Z])[A-Z]))"
    name = rf"(?:{start}(?:{'|'.join(spelled)}){end}|{'|'.join(INSIDE_WORDS)})"
    sign = r"\\?[\"']?\s{0,3}(?:=>|:=|[=:]|,(?=\s{0,3}[\"']))\s{0,3}"
    forms = (
        r"((?:authorization|cookie)s?\\?[\"']?\s{0,3}[:=,]\s{0,3}[\"']?)[^\r\n\"']+",
        rf"({name}\w{{0,40}}{sign}){_VALUE}",
        rf"({start}pw{end}{sign}){_VALUE}",
        # The pins of a board have one to three digits.
        rf"({start}pins?{end}(?:{sign}\\?[\"']?|\s(?:(?:is|was)\s)?|>(?=\d+</)))\d{{4,12}}(?!\w|\.\d)",
        rf"(<(?:[\w\-]{{1,40}}:)?\w{{0,40}}?{name}\w{{0,40}}(?:\s[^<>]{{0,256}})?>(?:<!\[CDATA\[)?)[^<]{{1,1024}}(?=</)",
        rf"((?<![\w\-])--?(?:\w[\w\-]{{0,40}})?(?:{name}|\bpw)\s{{1,3}})(?!-)\S+",
        rf"(sshpass{_NEXT}[\"']?-p(?:{_NEXT})?|nmcli\b[^\n]{{0,100}}?\spassword\s){_ARGUMENT}",
        # password 'x', password is x1: "password is needed" tells nothing.
        r"((?:password|passwd|passphrase|passcode)s?\s(?:(?:is|was)\s)?)"
        r"(?:\\?\"(?:[^\"\\\n]|\\[^\"\n]){1,128}+\\?\"|[bBrRuU]?'(?:[^'\\\n]|\\.){1,128}+')",
        r"((?:password|passwd|passphrase|passcode)\s(?:is|was)\s)(?=\S{0,63}\d)(?=\S{0,63}[a-z])\S{6,}",
    )
    hints = {"pin", "pw", *(phrase[0] for phrase in phrases)}
    shortest = tuple(sorted(h for h in hints if not any(other != h and other in h for other in hints)))
    # Most characters begin none of these: to look at them first makes the search three times as fast.
    first = "".join(re.escape(word[0]) for word in (*hints, *INSIDE_WORDS, "nmcli"))
    pattern = re.compile(rf"(?=[\-<{first}])(?:{'|'.join(forms)})", re.IGNORECASE)
    return shortest, pattern, "".join(rf"\{number + 1}" for number in range(len(forms))) + MASK
