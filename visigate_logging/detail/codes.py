"""Codes that tell errors of one kind apart: of exceptions, of texts, of what is given as a mapping."""

import errno
import re
import sys
from collections.abc import Mapping
from typing import Any

from visigate_logging.detail.bounded import Bounded
from visigate_logging.detail.modules import MAIN_MODULES, imported_name
from visigate_logging.detail.values import word

MAX_CODES = 4
"""Codes of a text that count."""
MAX_TOLD = 2000
"""Characters of an exception's text in which its code is looked for."""
MAX_CLASSES = 1024
"""Classes that are remembered."""

_STATUS = ("status_code", "status", "code")
_CODES = frozenset(("sqlite_errorname", "returncode", "response", *_STATUS))
_KEYS = {
    **dict.fromkeys(("status", "status_code", "http_status"), "HTTP"),
    **dict.fromkeys(("exit_code", "exitcode", "returncode"), "exit"),
    **dict.fromkeys(("errno", "code"), "errno"),
    "signal": "signal",
}

_SIGN = r"['\"]?\s{0,2}(?:(?:is|was|of)\s|[:=(\[]{1,2})?\s?['\"]?"
_PHRASE = (
    r"(?=\s(?:OK|Bad Request|Unauthorized|Forbidden|Not Found|Method Not Allowed|Request Timeout|Conflict|Gone"
    r"|Too Many Requests|Internal Server Error|Bad Gateway|Service (?:Temporarily )?Unavailable|Gateway Time-?out)\b)"
)
CODE_IN_TEXT = (
    r"\b(?:(?:HTTP(?:S|/\d(?:\.\d)?)?|status|response)(?:[ _\-]?(?:status|error|code|response)){0,2}"
    rf"{_SIGN}(?P<HTTP>[1-5]\d\d)\b"
    rf"|(?:exit(?:ed)?|return(?:ed)?|rc)(?: non-zero exit)?(?: with)?(?:[ _]?(?:code|status|value))?"
    rf"{_SIGN}(?P<exit>-?\d{{1,5}})\b(?!\s\w)(?![.,]\d)"
    rf"|\[?(?:errno|WinError|error code|err(?:or)?[ _]?no\.?){_SIGN}(?P<errno>-?\d{{1,5}})\b\]?"
    rf"|signal{_SIGN}(?P<signal>\d{{1,2}})\b"
    rf"|(?P<phrase>[1-5]\d\d){_PHRASE})"
)
"""A status, exit code, errno or signal with the word that says so; the group that matched has the number."""
_IN_TEXT = re.compile(CODE_IN_TEXT, re.IGNORECASE)


def codes_in(text: str) -> tuple[str, ...]:
    """Return the codes that stand in a text: ``HTTP 500``, ``exit 137``, ``errno 28``, ``signal 9``."""
    found = []
    for match in _IN_TEXT.finditer(text):
        kind = match.lastgroup or ""
        found.append(f"{'HTTP' if kind == 'phrase' else kind} {match[kind]}")
        if len(found) == MAX_CODES:
            break
    return tuple(dict.fromkeys(found))


def codes_given(values: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the codes that a mapping has under their usual names, its keys in lower case or not."""
    numbers = {k.lower(): v for k, v in values.items() if type(v) is int or (type(v) is str and v.isdecimal())}
    return tuple(f"{kind} {numbers[name]}" for name, kind in _KEYS.items() if name in numbers)[:MAX_CODES]


def error_code(exc: BaseException) -> str:
    """Return the code that an exception carries beside its type; empty when it has none.

    The name of SQLite's error, of the operating system's (``ECONNREFUSED``), an HTTP status, or what a program
    returned.
    """
    kind = type(exc)
    try:
        may_have = _classes[kind][1] or not _CODES.isdisjoint(exc.__dict__)
        return _error_code(exc) if may_have else ""
    except Exception:  # a hostile property
        return ""


def _error_code(exc: BaseException) -> str:
    if isinstance(exc, OSError) and exc.errno is not None:
        reason = exc.__dict__.get("reason")
        if isinstance(reason, str):  # of TLS, whose numbers are not the system's
            return word(reason)
        return errno.errorcode.get(exc.errno, str(exc.errno))
    name = getattr(exc, "sqlite_errorname", None)
    if isinstance(name, str):
        return word(name)
    status = _http_status(exc)
    if status is not None:
        return f"HTTP {status}"
    returned = getattr(exc, "returncode", None)
    return f"returned {returned}" if isinstance(returned, int) else ""


# SQLite's own words for its codes, as sqlite3_errstr has them; of several codes with one text the plain one.
_SQLITE = {
    "database is locked": "SQLITE_BUSY",
    "database table is locked": "SQLITE_LOCKED",
    "attempt to write a readonly database": "SQLITE_READONLY",
    "disk I/O error": "SQLITE_IOERR",
    "database disk image is malformed": "SQLITE_CORRUPT",
    "file is not a database": "SQLITE_NOTADB",
    "database or disk is full": "SQLITE_FULL",
    "unable to open database file": "SQLITE_CANTOPEN",
    "UNIQUE constraint failed": "SQLITE_CONSTRAINT_UNIQUE",
    "NOT NULL constraint failed": "SQLITE_CONSTRAINT_NOTNULL",
    "CHECK constraint failed": "SQLITE_CONSTRAINT_CHECK",
    "FOREIGN KEY constraint failed": "SQLITE_CONSTRAINT_FOREIGNKEY",
    "no such table": "SQLITE_ERROR",
    "no such column": "SQLITE_ERROR",
}
_TOLD = re.compile(
    r"\[Errno (?P<errno>-?\d+)\]"
    r"|\[(?:SSL|X509): (?P<tls>\w+)\]"
    r"|HTTP Error (?P<urllib>\d{3}): |(?P<requests>\d{3}) (?:Client|Server) Error: "
    r"|(?P<werkzeug>\d{3}) [A-Z][\w' -]+: "
    r"|.* returned non-zero exit status (?P<exit>-?\d+)\.$|.* died with <Signals\.\w+: (?P<signal>\d+)>\.$",
    re.S,
)


def code_told(kind: type[BaseException], message: str) -> str:
    """Return the code that the exception with a message carried, as far as the message tells.

    Args:
        kind: its class, or what stands for it.
        message: ``str()`` of it.
    """
    if kind.__module__ == "sqlite3":
        return next((code for text, code in _SQLITE.items() if message.startswith(text)), "")
    match = _TOLD.match(message[:MAX_TOLD])
    what = match.lastgroup if match else None
    if match is None or what is None:
        return ""
    number = match[what]
    if what == "errno":
        return errno.errorcode.get(int(number), number) if issubclass(kind, OSError) else ""
    if what == "werkzeug" and not kind.__module__.startswith("werkzeug"):
        return ""
    return {"tls": number, "exit": f"returned {number}", "signal": f"returned -{number}"}.get(what, f"HTTP {number}")


def class_name(kind: type) -> str:
    """Return the name of a class for keys: alike whether its module is imported or run."""
    return _classes[kind][0]


def _look_at_class(kind: type) -> tuple[str, bool]:
    """Return the name of a class for keys, and whether the class itself has a code."""
    module, name = word(kind.__module__), word(kind.__qualname__)
    if module in MAIN_MODULES:
        module = imported_name(vars(sys.modules.get(module)) if module in sys.modules else {"__name__": module})
    name = name if module == "builtins" else f"{module}.{name}"
    return name, issubclass(kind, OSError) or any(hasattr(kind, attribute) for attribute in _CODES)


_classes: Bounded[type, tuple[str, bool]] = Bounded(MAX_CLASSES, _look_at_class)


def _http_status(exc: BaseException) -> int | None:
    for holder in (exc, getattr(exc, "response", None)):
        for name in _STATUS:
            status = getattr(holder, name, None)
            if isinstance(status, int) and 100 <= status <= 599:
                return status
    return None
