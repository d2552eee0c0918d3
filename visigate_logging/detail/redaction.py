"""Secrets out of texts and mappings, before anything is written or sent.

A text is first searched for a few plain substrings that all secrets have in common: most texts have none, and
cost no regular expression. All quantifiers are bounded, so that no text makes a pattern slow.
"""

import re
from collections.abc import Iterable

__all__ = ["MASK", "Redactor"]

MASK = "***"

MAX_KEY = 256
"""Characters of a key that are looked at."""

SECRET_KEYS = (
    "password", "passwd", "passphrase", "pwd", "pass", "psk", "passcode", "secret", "token", "api_key",
    "access_key", "private_key", "credential", "authorization", "auth", "cookie", "session_id", "csrf", "jwt",
    "pin_code",
)  # fmt: skip
"""A key is secret when it has one of these among its words: ``db_password``, ``X-Api-Key``, ``userToken``."""

# Long enough to be no accident inside another word: PGPASSWORD, clientsecret.
_INSIDE_WORDS = ("password", "passwd", "passphrase", "secret", "apikey")

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\dA-Za-z_]+")

# rtsp://user:pass@host: the password may hold an unescaped / or @, the port may not be taken for one.
_USERINFO = re.compile(
    r"(?<=://)(?:[^\s:/@?#\"'<>]{0,128}:(?!\d{1,5}(?:[/?#\s]|$))[^\s\"'<>]{0,256}|[^\s/?#\"'<>:@]{1,256})@"
)
_PEM = re.compile(r"-----BEGIN ([A-Z0-9 ]{1,40})-----.*?(?:-----END \1-----|\Z)", re.DOTALL)
# curl -u admin:password, on a command line or in the list that subprocess tells when a command fails.
_LOGIN = re.compile(
    r"((?<![\w\-])(?:-u|--(?:proxy-)?user)(?:[\"']?,?\s{1,3}[\"']?|=[\"']?))[^\s:\"']{1,128}:(?!//)[^\s\"']++"
)
# A word of prose after it is none: "Basic authentication", "bearer of".
_SCHEME = re.compile(
    r"\b((?i:Bearer|Basic|Digest|Negotiate))(\s{1,4})(?![A-Za-z]?[a-z]{0,24}(?:-[a-z]{1,24}){0,3}(?![\w+/=~\-]|\.\w))"
    r"[A-Za-z0-9+/=._~\-]{6,}"
)
# The look behind keeps a search from starting again inside what it has seen, which would take quadratic time.
_TOKEN = re.compile(
    r"(?<![\w\-])eyJ[A-Za-z0-9_\-]{5,}\.[A-Za-z0-9_\-.]*"  # JSON Web Token, RFC 7519
    r"|\bA[KS]IA[A-Z0-9]{16}\b|\bgh[pousr]_[A-Za-z0-9]{20,}|\bgithub_pat_\w{20,}"
    r"|(?<![\w\-])sk-[A-Za-z0-9_\-]{20,}|(?<![\w\-])xox[abprs]-[A-Za-z0-9\-]{10,}"
)
_TOKEN_HINTS = ("eyj", "akia", "asia", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "sk-", "xox")
_SCHEME_HINTS = ("bearer", "basic", "digest", "negotiate")

# A quoted value ends at its quote, or with the line where that is missing; a bracketed one at its bracket; another at
# white space or at what separates values. What was taken is never given back: that keeps the time linear.
_QUOTED = (
    r"(?:[bBrRuUfF]{0,2}(?:\"(?:[^\"\\\n]|\\.)*+\"?|'(?:[^'\\\n]|\\.)*+'?)"
    r"|\\\"(?:[^\"\\\n]|\\[^\"\n])*+(?:\\\")?|\\'(?:[^'\\\n]|\\[^'\n])*+(?:\\')?)"
)
_BARE = r"(?:[^\s,;&\"'<>(){}\[\]\\]|[)}\]](?=\w)|\\(?![\"'])|[(\[{](?![\"']))++"
_VALUE = rf"(?:{_QUOTED}|[(\[{{][^\n(){{}}\[\]]*+[)\]}}]?|{_BARE}(?:(?:[(\[{{]|\s?=\s?)?{_QUOTED})?)"


class Redactor:
    """Masks secrets.

    Args:
        mask_keys: further keys whose values are secret, beside :data:`SECRET_KEYS`.
    """

    def __init__(self, mask_keys: Iterable[str] = ()) -> None:
        keys = [*SECRET_KEYS, *filter(_words, mask_keys)]
        self._phrases = {tuple(_words(k)) for k in keys}
        self._key_hints = tuple(sorted({_words(k)[0] for k in keys}))
        self._known: dict[str, bool] = {}
        self._pair = _pair_pattern(self._phrases)

    def is_secret(self, key: str) -> bool:
        """Whether the value under a key is a secret, by the words of the key."""
        known = self._known.get(key)
        if known is None:
            known = self._names_secret(key)
            if len(key) <= MAX_KEY:
                if len(self._known) >= 1024:
                    self._known.clear()
                self._known[key] = known
        return known

    def _names_secret(self, key: str) -> bool:
        words = _words(key[:MAX_KEY])
        if any(part in word for word in words for part in _INSIDE_WORDS):
            return True
        return any(
            all(word in (part, f"{part}s", f"{part}es") for word, part in zip(words[i:], phrase, strict=False))
            for phrase in self._phrases
            for i in range(len(words) - len(phrase) + 1)
        )

    def text(self, text: str) -> str:
        """A text with the secrets in it masked."""
        low = text.lower()
        if "://" in low:
            text = _USERINFO.sub(f"{MASK}@", text)
        if "-u" in low:
            text = _LOGIN.sub(rf"\1{MASK}", text)
        if "-----begin " in low:
            text = _PEM.sub(rf"-----BEGIN \1----- {MASK}", text)
        for hint in _SCHEME_HINTS:
            if hint in low:
                text = _SCHEME.sub(rf"\1\2{MASK}", text)
                break
        for hint in _TOKEN_HINTS:
            if hint in low:
                text = _TOKEN.sub(MASK, text)
                break
        for hint in self._key_hints:
            if hint in low:
                return self._pair.sub(_keep_key, text)
        return text


def _pair_pattern(phrases: Iterable[tuple[str, ...]]) -> re.Pattern[str]:
    """A secret key and its value: of a header, of a mapping or an assignment, of a command line."""
    spelled = sorted(("[_\\- ]?".join(map(re.escape, p)) for p in phrases), key=len, reverse=True)
    # Whole words, as the hump of a camel also is: dbAuth and authDb, but neither author nor AUTHOR.
    start = r"(?:(?<![A-Za-z])|(?-i:(?<=[a-z])(?=[A-Z])))"
    end = r"(?:e?s)?(?-i:(?![a-z])(?!(?<=[A-Z])[A-Z]))"
    name = rf"(?:{start}(?:{'|'.join(spelled)}){end}|{'|'.join(_INSIDE_WORDS)})"
    between = r"\w{0,40}\\?[\"']?\s{0,3}(?:=>|:=|[=:]|,(?=\s{0,3}[\"']))\s{0,3}"
    header = r"((?:authorization|cookie)s?\\?[\"']?\s{0,3}[:=,]\s{0,3}[\"']?)[^\r\n\"']+"
    pair = rf"({name}{between}){_VALUE}"
    option = rf"((?<![\w\-])--?(?:\w[\w\-]{{0,40}})?{name}\s{{1,3}})(?!-)\S+"
    return re.compile(f"{header}|{pair}|{option}", re.IGNORECASE)


def _keep_key(match: re.Match[str]) -> str:
    return f"{match[1] or match[2] or match[3]}{MASK}"


def _words(key: str) -> list[str]:
    return [word.lower() for word in _WORDS.findall(key)]
