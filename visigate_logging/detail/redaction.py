"""Secrets out of texts and mappings, before anything is written or sent.

A text is first searched for a few plain substrings that all secrets have in common: most texts have none, and
cost no regular expression. All quantifiers are bounded, so that no text makes a pattern slow.
"""

import re
from collections.abc import Iterable

__all__ = ["MASK", "Redactor"]

MASK = "***"

SECRET_KEYS = (
    "password", "passwd", "passphrase", "pwd", "passcode", "secret", "token", "api_key", "access_key", "private_key",
    "credential", "authorization", "auth", "cookie", "session_id", "csrf", "jwt", "pin_code",
)  # fmt: skip
"""A key is secret when it has one of these among its words: ``db_password``, ``X-Api-Key``, ``userToken``."""

# Long enough to be no accident inside another word: PGPASSWORD, clientsecret.
_INSIDE_WORDS = ("password", "passwd", "passphrase", "secret", "apikey")

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")

# rtsp://user:pass@host: the password may hold an unescaped / or @, the port may not be taken for one.
_USERINFO = re.compile(
    r"(?<=://)(?:[^\s:/@?#\"'<>]{0,128}:(?!\d{1,5}(?:[/?#\s]|$))[^\s\"'<>]{0,256}|[^\s/?#\"'<>:@]{1,256})@"
)
_PEM = re.compile(r"-----BEGIN ([A-Z0-9 ]{1,40})-----.*?(?:-----END \1-----|\Z)", re.DOTALL)
_SCHEME = re.compile(r"\b((?i:Bearer|Basic|Digest|Negotiate))(\s{1,4})(?![a-z]{1,64}\b)[A-Za-z0-9+/=._~\-]{6,}")
_TOKEN = re.compile(
    r"\beyJ[A-Za-z0-9_\-]{5,}\.[A-Za-z0-9_\-.]*"  # JSON Web Token, RFC 7519
    r"|\bA[KS]IA[A-Z0-9]{16}\b|\bgh[pousr]_[A-Za-z0-9]{20,}|\bgithub_pat_\w{20,}"
    r"|\bsk-[A-Za-z0-9_\-]{20,}|\bxox[abprs]-[A-Za-z0-9\-]{10,}"
)
_TOKEN_HINTS = ("eyj", "akia", "asia", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "sk-", "xox")
_SCHEME_HINTS = ("bearer", "basic", "digest", "negotiate")

# A quoted value ends at its quote, another at white space or what separates values.
_VALUE = r"(?:\\?\"(?:[^\"\\]|\\[^\"])*\\?\"|\\?'(?:[^'\\]|\\[^'])*\\?'|[^\s,;&\"'<>)}\]]+)"


class Redactor:
    """Masks secrets.

    Args:
        mask_keys: further keys whose values are secret, beside :data:`SECRET_KEYS`.
    """

    def __init__(self, mask_keys: Iterable[str] = ()) -> None:
        keys = [*SECRET_KEYS, *mask_keys]
        self._phrases = {tuple(_words(k)) for k in keys}
        self._longest = max(len(p) for p in self._phrases)
        self._key_hints = tuple(sorted({_words(k)[0] for k in keys}))
        self._known: dict[str, bool] = {}
        self._pair = _pair_pattern(self._phrases)

    def is_secret(self, key: str) -> bool:
        """Whether the value under a key is a secret, by the words of the key."""
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= 1024:
                self._known.clear()
            known = self._known[key] = self._names_secret(key)
        return known

    def _names_secret(self, key: str) -> bool:
        words = _words(key[:256])
        if any(part in word for word in words for part in _INSIDE_WORDS):
            return True
        spans = range(1, self._longest + 1)
        return any(tuple(_singular(words[i : i + n])) in self._phrases for n in spans for i in range(len(words)))

    def text(self, text: str) -> str:
        """A text with the secrets in it masked."""
        low = text.lower()
        if "://" in low:
            text = _USERINFO.sub(f"{MASK}@", text)
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
    name = rf"(?:(?<![A-Za-z])(?:{'|'.join(spelled)})s?(?-i:(?![a-z]))|{'|'.join(_INSIDE_WORDS)})"
    between = r"\w{0,40}\\?[\"']?\s{0,3}(?:=>|:=|[=:]|,(?=\s{0,3}[\"']))\s{0,3}"
    header = rf"((?:authorization|cookie){between}[\"']?)[^\r\n\"']+"
    pair = rf"({name}{between}){_VALUE}"
    option = rf"((?<![\w\-])--?(?:\w[\w\-]{{0,40}})?{name}\s{{1,3}})(?!-)\S+"
    return re.compile(f"{header}|{pair}|{option}", re.IGNORECASE)


def _keep_key(match: re.Match[str]) -> str:
    return f"{match[1] or match[2] or match[3]}{MASK}"


def _words(key: str) -> list[str]:
    return [word.lower() for word in _WORDS.findall(key)]


def _singular(words: list[str]) -> list[str]:
    return [w[:-1] if w.endswith("s") and len(w) > 4 else w for w in words]
