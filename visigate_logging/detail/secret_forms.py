"""What secrets look like in a text, wherever they stand.

Each form has hints: plain substrings, in lower case, without which it cannot be there. Most texts have none, and cost
no regular expression. All quantifiers are bounded or give nothing back, so that no text makes a pattern slow.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import chain

from visigate_logging.detail import secret_sql
from visigate_logging.detail.secret_names import GLUED, GLUED_TO, INSIDE_WORDS
from visigate_logging.detail.secret_numbers import mask_numbers
from visigate_logging.detail.token_formats import TOKENS

MASK = "***"

Form = tuple[tuple[str, ...], Callable[[str], str]]
"""Hints, and what masks such secrets in a text."""

_ESCAPED = r"&quot;|&#(?:3[49]|x2[27]);|%2[27]|\\u002[27]|\\{2,15}[\"']"  # quotes, escaped for where they stand

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
    r"|[?&](?:key|sig|x-amz-signature|code)=(?=[^\s&#\"'<>]{0,64}\d)(?=[^\s&#\"'<>]{16}))[^\s?&#\"'<>/]++(?:/[\w\-]{1,64}){0,2}",
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
# What smtplib shows of a login (RFC 4954), also in an answer to 334.
_SMTP = re.compile(
    r"(\bAUTH (?:PLAIN|LOGIN|XOAUTH2|NTLM|CRAM-MD5|EXTERNAL) |\bsend: b?'(?=[A-Za-z0-9+/]{4,}={0,2}\\r))"
    r"[A-Za-z0-9+/]{4,}+={0,2}"
)
# A login whose password holds what it should have escaped, where a host and the end of the address follow.
_LOOSE_USERINFO = re.compile(
    r"(?<=://)[^\s:/@?#\"'<>]{1,64}:(?!\d{1,5}[/?#\s\"',])(?![\s/])[^\n@]{1,48}@"
    r"(?=[\w.\-]{2,253}(?::\d{1,5})?(?:[/?#\s\"',;)\]]|$))"
)
# The look behind keeps a search from starting again inside what it has seen, which would take quadratic time.
_FIRST = "".join(sorted({token.pattern.lstrip("(?:")[0] for token in TOKENS} - {"\\", "["}))
_TOKEN = re.compile(
    rf"(?=[{_FIRST}MNOg\d])(?<![\w\-])(?:{'|'.join(token.pattern for token in TOKENS)})(?![A-Za-z0-9])"
)
SHORTEST_TOKEN = 20
"""Characters that any of them has."""
_RUN = re.compile(
    r"(?<![\w\-.:+=~])[\w\-.:+=~]{20,}+"
)  # only these are looked at: a search among all words would take too long


def _mask_tokens(text: str) -> str:
    long = (word for word in text.split() if len(word) >= SHORTEST_TOKEN)
    if not any(map(_TOKEN.search, chain.from_iterable(map(_RUN.findall, long)))):
        return text
    return _RUN.sub(lambda run: _TOKEN.sub(MASK, run[0]), text)


def _filled(template: str) -> Callable[[re.Match[str]], str]:
    """Fill a template with a match's groups; `re` would import to do so, which an interpreter that ends cannot."""
    parts = re.split(r"\\(\d+)", template)
    return lambda match: "".join((match[int(part)] or "") if i % 2 else part for i, part in enumerate(parts))


FORMS: Sequence[Form] = (
    (("://",), partial(_USERINFO.sub, f"{MASK}@")),
    (("rtsp://", "http://", "https://", "mqtt://", "ftp://"), partial(_LOOSE_USERINFO.sub, f"{MASK}@")),
    (("http",), partial(_ADDRESS.sub, _filled(rf"\1{MASK}"))),
    (("-u",), partial(_LOGIN.sub, _filled(rf"\1{MASK}"))),
    (("curl", "mysql", "mariadb", "mosquitto_"), partial(_COMMAND.sub, _filled(rf"\1{MASK}"))),
    (("-----begin ",), partial(_PEM.sub, _filled(rf"-----BEGIN \1----- {MASK}"))),
    (("bearer", "basic", "digest", "negotiate"), partial(_SCHEME.sub, _filled(rf"\1\2{MASK}"))),
    (("digest",), partial(_RESPONSE.sub, _filled(rf"\1{MASK}"))),
    (("auth ", "send: "), partial(_SMTP.sub, _filled(rf"\1{MASK}"))),
    (("",), _mask_tokens),
    (("",), partial(mask_numbers, shown=MASK)),
)
"""What is a secret by its own look or by where it stands."""


# After a colon in prose stands what went wrong as often as a secret. A sentence is none, nor is the name of an error,
# of a type, of a file, or a word that says how it is; a token with a digit, or one by itself, is.
_SAID = (
    r"(?:required|missing|invalid|expired|denied|failed|failure|wrong|empty|unknown|ok|rejected|revoked|locked|changed"
    r"|incorrect|accepted|refused|unauthorized|forbidden|timeout|timed|unavailable|disabled|enabled|mismatch|unsupported"
    r"|absent|unset|found|valid|not|none|null|nil|true|false|str|int|bytes|bool|float|dict|list|object|any|error)\b(?![=\d])"
)
_NAMED = (
    r"\[(?:Errno|WinError|SSL|X509)\b|\((?:\w{1,40}\.){1,5}\w{1,60}\)|(?!Secret)[A-Za-z_][\w.]{0,80}\((?!\s)"
    r"|[\w.]{0,80}(?:Error|Exception|Warning|Timeout)\b|[\w.\-]{1,80}:\s|\{\s?[\"'](?:error|message|detail|code|status|reason)"
)
_PLACE = r"[a-z][a-z+.\-]{1,12}://|(?:~|\.{0,2})/[^\s\"'<>]{1,256}(?=\s[a-z]|\.\w{1,5}\b)"
_SENTENCE = (
    r"[^\W\d_]++(?:['\u2019\-][^\W\d_]++)*+[,;:.!?]?\s{1,3}\S|\d++(?:\.\d++)*+(?:\s?[%°]|[a-z]{1,3})?\s[A-Za-z]"
)
_TOLD = rf"(?!{_SAID}|{_NAMED}|{_PLACE}|{_SENTENCE})"
_HOLE = r"(?:\?|%s|%\(\w+\)s|\$\d|\{\})(?=[\s,;)\]\"']|$)"  # what is filled in later is no secret
_OF_PYTHON = r"(?!\s(?:object|codec|has no|takes|argument|instance|and '|must be|attribute)\b)"

_SCHEMES = (
    r"(?:Basic|Bearer|Digest|Negotiate|NTLM|Token|ApiKey|Api-Key|Key|OAuth|Hawk|MAC|SharedAccessSignature"
    r"|AWS4-HMAC-SHA256|WSSE)\s{1,3}(?![A-Za-z]?[a-z]{0,24}(?:\s|$|[.,;:]))"
)


def key_forms(phrases: Iterable[tuple[str, ...]]) -> tuple[Form, ...]:
    """Return the forms of a key and its value: in a header, mapping, assignment, XML, command line, or sentence.

    Before these the values of an SQL statement, which have their keys elsewhere.

    Args:
        phrases: the words of each secret key, in lower case.
    """
    phrases = [*phrases, *((_percent_escaped("".join(p)),) for p in phrases if not "".join(p).isascii())]
    spelled = sorted(("[_\\- ]?".join(map(re.escape, p)) for p in phrases), key=len, reverse=True)
    # Whole words, as the hump of a camel also is: dbAuth and authDb, but neither author nor AUTHOR.
    start = r"(?:(?<![A-Za-z])|(?-i:(?<=[a-z])(?=[A-Z])))"
    end = r"(?:e?s)?(?-i:(?![a-z])(?!(?<=[A-Z])[A-Z]))"
    name = rf"(?:{start}(?:{'|'.join(spelled)}|{GLUED}){end}|{'|'.join(INSIDE_WORDS)})"
    quote = r"\\?[\"']"
    annotation = r":\s?[A-Za-z_][\w.\[\]]{0,40}\s?=(?=\s?[\"'])"
    assigned = rf"{quote}?\s{{0,3}}(?:=>|:=|=|,(?=\s{{0,3}}[\"'])|{annotation})"
    sign = rf"(?:{assigned}|{quote}\s{{0,3}}:(?:\s{{4,200}}(?=[\"']))?)\s{{0,3}}"
    either = r"\\?[\"']?\s{0,3}(?:=>|:=|[=:]|,(?=\s{0,3}[\"']))\s{0,3}"
    forms = (
        # A block of YAML: all lines that are indented.
        rf"({name}\w{{0,40}}{quote}?:[ \t]?[|>][+\-\d]?[ \t]*\n)(?:[ \t]++(?![\w.\-]{{1,64}}:\s)[^\n]*\n?)++",
        rf"(authorizations?{quote}?\s{{0,3}}[:=,]\s{{0,3}}[\"']?(?={_SCHEMES}))[^\r\n\"']+",
        rf"(cookies?{quote}?\s{{0,3}}[:=,]\s{{0,3}}[\"']?)(?=[\w.\-]{{1,64}}=)[^\r\n\"']+",
        rf"({name}\w{{0,40}}{sign})(?!{_HOLE}){_VALUE}",
        rf"({name}\w{{0,40}}(?:\s(?:is|was))?\s{{0,3}}:\s{{0,3}}){_TOLD}(?:(?>{_QUOTED}){_OF_PYTHON}|(?!\\?[\"']){_VALUE})",
        rf"({start}pw{end}{either}){_VALUE}",
        # The pins of a board have one to three digits.
        rf"({start}pins?{end}(?:{either}\\?[\"']?|\s(?:(?:is|was)\s)?|>(?=\d+</)))\d{{4,12}}(?!\w|\.\d)",
        rf"(<(?:[\w\-]{{1,40}}:)?[\w\-]{{0,40}}?{name}\w{{0,40}}(?:\s[^<>]{{0,256}})?>(?:<!\[CDATA\[)?)[^<]{{1,1024}}(?=</)",
        rf"((?<![\w\-])--?(?:\w[\w\-]{{0,40}})?(?:{name}|\bpw)\s{{1,3}})(?!-|(?:is|was|has|must|and|or|not|needs|requires)\s)\S+",
        rf"(sshpass{_NEXT}[\"']?-p(?:{_NEXT})?|nmcli\b[^\n]{{0,100}}?\spassword\s){_ARGUMENT}",
        # password 'x', password is x1: "password is needed" tells nothing.
        r"((?:password|passwd|passphrase|passcode)s?\s(?:(?:is|was)\s)?)"
        rf"(?:\\?\"(?:[^\"\\\n]|\\[^\"\n]){{1,128}}+\\?\"|[bBrRuU]?'(?:[^'\\\n]|\\.){{1,128}}+'){_OF_PYTHON}",
        r"((?:password|passwd|passphrase|passcode)\s(?:is|was)\s)(?=\S{0,63}\d)(?=\S{0,63}[a-z])\S{6,}",
    )
    hints = {"pin", "pw", "token", "pass", *(hint for phrase in phrases for hint in _hints(phrase))}
    shortest = tuple(sorted(h for h in hints if not any(other != h and other in h for other in hints)))
    # Most characters begin none of these: to look at them first makes the search three times as fast.
    first = "".join({re.escape(word[0]) for word in (*hints, *INSIDE_WORDS, *GLUED_TO, "nmcli")})
    pattern = re.compile(rf"(?=[\-<{first}])(?:{'|'.join(forms)})", re.IGNORECASE)
    shown = "".join(rf"\{number + 1}" for number in range(len(forms))) + MASK
    gap = r"(?:\s|%20|\+){0,3}"
    escaped = re.compile(
        rf"({name}\w{{0,40}}(?:{_ESCAPED})?{gap}(?:[=:]|%3[AaDd]|&#(?:58|61|x3[ad]);){gap}(?:{_ESCAPED}))"
        rf"(?:(?!{_ESCAPED})[^\n]){{1,256}}+|({name}\w{{0,40}}%3[AaDd])[^\s&%\"',;<>]{{1,256}}",
        re.IGNORECASE,
    )
    return (
        (secret_sql.HINTS, secret_sql.sql_mask(name, MASK)),
        (("%3", "%22", "&quot;", "&#", "\\\\", "\\u0022"), partial(escaped.sub, _filled(rf"\1\2{MASK}"))),
        (shortest, partial(pattern.sub, _filled(shown))),
    )


def _percent_escaped(word: str) -> str:
    return "".join(chr(byte) if byte < 128 else f"%{byte:02x}" for byte in word.encode())


def _hints(phrase: tuple[str, ...]) -> list[str]:
    """Return what a text with a phrase has, and few others: its first word, where that is not in too many texts."""
    if phrase == ("sid",):
        return [*map("sid".__add__, "=:\"'>\\"), "_sid"]
    if "%" in phrase[0]:
        return []  # those are looked for among what is escaped
    if phrase[0] in {"door", "gate", "connection"} or not "".join(phrase).isascii():
        return [sign.join(phrase) for sign in ("", " ", "_", "-")]
    return [phrase[-1] if phrase[0] == "mot" else phrase[0]]
