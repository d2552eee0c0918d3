"""Which group an error belongs to, and why: rules ``v1``.

The key is made of what stays the same when the same fault happens again: in another process, after a restart,
when lines have shifted. It bears the version of the rules that made it. When rules change, a new version gets a
file of its own beside this one, and old keys stay what they are.
"""

import errno
import hashlib
import re
import sys
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import orjson

from visigate_logging.detail.modules import MAIN_MODULES, imported_name
from visigate_logging.detail.positions import Position
from visigate_logging.detail.tracebacks import RaisedException
from visigate_logging.detail.values import word

__all__ = ["Grouping", "by_exception", "by_message", "explicit", "mask_message"]

VERSION = "v1"
MAX_MESSAGE = 500
"""Characters of a message's first line that count."""
MAX_MASKED = 1024
"""Masked messages that are remembered."""
MAX_KNOWN = 1024
"""Groups, and classes, that are remembered."""
RECURSES = 10
"""Times that a function is on a stack before it is taken for the one that recurses."""

_KEEPS_NAMES = (AttributeError, NameError, ImportError, TypeError)

_EDGE = r"\s()\[\]{}<>,;:=|\"'"
_VARIABLE = re.compile(
    r"(?P<errno>\[(?:Errno|WinError) -?\d+\])"
    r"|(?P<url>\b[a-zA-Z][a-zA-Z0-9+.\-]{1,20}://[^\s'\"<>]+)"
    r"|(?P<email>\b[\w.+\-]{1,64}@[\w\-]+(?:\.[\w\-]+)+)"
    r"|(?P<quoted>(?<!\w)(?:'[^'\n]{0,300}'|\"[^\"\n]{0,300}\"|`[^`\n]{0,300}`)(?!\w))"
    r"|(?P<address>\b0x[0-9a-fA-F]+)"
    rf"|(?P<path>(?<![\w/])(?:~|\.{{1,2}})?/[^{_EDGE}]+|\b[A-Za-z]:\\[^{_EDGE}]+|\b[\w.\-]+(?:/[\w.\-]+)+\.\w{{1,5}}\b)"
    # Number plates whose parts stand apart; in one piece they are tokens with a digit.
    r"|(?P<plate>\b(?:[A-ZÄÖÜ]{1,3}[ \-][A-Z]{1,3}[ \-]?\d{1,4}[A-Z]?|[A-Z]{2}\d{2} [A-Z]{3}|\d{4} [A-Z]{3}"
    r"|[A-Z]{1,3} \d{1,5} [A-Z]{1,3}|\d{1,3} [A-Z]{1,3} \d{1,4}|[A-Z]{1,3} (?=[A-Z]{0,2}\d)[A-Z\d]{2,7})\b)"
    rf"|(?P<token>(?<![^{_EDGE}])[^{_EDGE}\d]*\d[^{_EDGE}]*)"
)
_NAME = re.compile(r"['\"`][\w.]+(?:\(\))?['\"`]")


class Grouping(NamedTuple):
    """A group's key and what it was made of.

    Args:
        key: version and hash, as in ``v1:3f2a…``.
        why: the parts that made the key, under their names.
    """

    key: str
    why: dict[str, Any]


_known: dict[tuple[Any, ...], Grouping] = {}


def _grouping(**why: str | tuple[str, ...]) -> Grouping:
    parts = tuple(why.items())
    known = _known.get(parts)
    if known is None:
        if len(_known) >= MAX_KNOWN:
            _known.clear()
        digest = hashlib.blake2b(orjson.dumps(parts), digest_size=8).hexdigest()
        known = _known[parts] = Grouping(f"{VERSION}:{digest}", why)
    return known


def explicit(value: Any) -> Grouping:
    """The group that the application named, with ``extra={"fingerprint": …}`` or ``exc.fingerprint``."""
    return _grouping(named=tuple(map(str, value)) if isinstance(value, list | tuple) else str(value))


def by_message(logger: str, where: str, message: str) -> Grouping:
    """The group of a record without an exception.

    Args:
        logger: name of the logger.
        where: module and function of the logging call.
        message: the template, when the record has arguments; else the message.
    """
    return _grouping(logger=logger, culprit=(where,), message=mask_message(message))


def by_exception(chain: Sequence[RaisedException], messages: Sequence[str]) -> Grouping:
    """The group of an exception.

    Args:
        chain: from ``walk_chain``.
        messages: ``str()`` of each exception of the chain, without secrets.
    """
    return _group(chain, messages, 0)


def _group(chain: Sequence[RaisedException], messages: Sequence[str], index: int) -> Grouping:
    raised = chain[index]
    if isinstance(raised.value, BaseExceptionGroup):
        keys = {
            _group(chain, messages, i).key
            for i, other in enumerate(chain)
            if other.parent == index and other.relation == "member"
        }
        return _grouping(members=tuple(sorted(keys)))
    code = error_code(raised.value)
    return _grouping(
        type=_class_knows(type(raised.value))[0],
        code=code,
        culprit=_culprit(raised, has_code=bool(code)),
        message=_message(raised.value, messages[index]),
        causes=_causes(chain, index),
    )


def _message(exc: BaseException, message: str) -> str:
    if isinstance(exc, RecursionError):
        return ""  # which call met the limit, and so the text, is chance
    return mask_message(message, keep_names=isinstance(exc, _KEEPS_NAMES))


def _causes(chain: Sequence[RaisedException], index: int) -> tuple[str, ...]:
    causes = []
    for i in range(index + 1, len(chain)):
        raised = chain[i]
        if raised.parent == index and raised.relation == "cause":
            index = i
            name = _class_knows(type(raised.value))[0]
            code = error_code(raised.value)
            causes.append(f"{name} {code}" if code else name)
    return tuple(causes)


def _culprit(raised: RaisedException, *, has_code: bool) -> tuple[str, ...]:
    stack = raised.stack
    own = stack.own or stack.positions
    if not own:
        return ()
    if isinstance(raised.value, RecursionError) and (functions := _recursion(own)):
        return functions
    inner = own[-1]
    if has_code or stack.positions[-1].frame.in_app:
        return (inner.statement,)
    caller = next((p for p in reversed(own) if p.code is not inner.code), None)
    return (inner.statement,) if caller is None else (inner.statement, caller.statement)


def _recursion(positions: Sequence[Position]) -> tuple[str, ...]:
    """The functions that call each other, without the line at which the limit happened to be met."""
    counts = Counter(position.function for position in positions)
    most = max(counts.values())
    if most < RECURSES:  # other code does
        return ()
    return tuple(sorted(name for name, count in counts.items() if count * 2 > most))


_masked: dict[tuple[str, bool], str] = {}


def mask_message(message: str, *, keep_names: bool = False) -> str:
    """The first line of a message with what varies from case to case masked.

    Args:
        message: any text.
        keep_names: leave quoted names, which say what is missing or of a wrong type.
    """
    known = _masked.get((message, keep_names))
    if known is not None:
        return known
    line = message.lstrip().partition("\n")[0][:MAX_MESSAGE]
    masked = _VARIABLE.sub(_mask_name if keep_names else _mask, line).strip()
    if len(message) <= MAX_MESSAGE:
        if len(_masked) >= MAX_MASKED:
            _masked.clear()
        _masked[message, keep_names] = masked
    return masked


def _mask(match: re.Match[str]) -> str:
    kind = match.lastgroup
    if kind == "errno":
        return match[0]
    return "#" if kind in ("plate", "token") else f"<{kind}>"


def _mask_name(match: re.Match[str]) -> str:
    return match[0] if match.lastgroup == "quoted" and _NAME.fullmatch(match[0]) else _mask(match)


def error_code(exc: BaseException) -> str:
    """The code that an exception carries beside its type; empty when it has none.

    The name of SQLite's error, of the operating system's (``ECONNREFUSED``), an HTTP status, or what a program
    returned.
    """
    try:
        return _error_code(exc)
    except BaseException:  # a hostile property
        return ""


def _error_code(exc: BaseException) -> str:
    if isinstance(exc, OSError) and exc.errno is not None:
        reason = exc.__dict__.get("reason")
        if isinstance(reason, str):  # of TLS, whose numbers are not the system's
            return word(reason)
        return errno.errorcode.get(exc.errno, str(exc.errno))
    if not exc.__dict__ and not _class_knows(type(exc))[1]:
        return ""
    name = getattr(exc, "sqlite_errorname", None)
    if isinstance(name, str):
        return word(name)
    status = _http_status(exc)
    if status is not None:
        return f"HTTP {status}"
    returned = getattr(exc, "returncode", None)
    return f"returned {returned}" if isinstance(returned, int) else ""


_STATUS = ("status_code", "status", "code")


_CODES = ("sqlite_errorname", "returncode", "response", *_STATUS)


_classes: dict[type, tuple[str, bool]] = {}


def _class_knows(kind: type) -> tuple[str, bool]:
    """The name of a class for keys, and whether the class itself has a code."""
    known = _classes.get(kind)
    if known is None:
        if len(_classes) >= MAX_KNOWN:
            _classes.clear()
        known = _classes[kind] = _look_at_class(kind)
    return known


def _look_at_class(kind: type) -> tuple[str, bool]:
    module, name = word(kind.__module__), word(kind.__qualname__)
    if module in MAIN_MODULES:
        module = imported_name(vars(sys.modules.get(module)) if module in sys.modules else {"__name__": module})
    name = name if module == "builtins" else f"{module}.{name}"
    return name, any(hasattr(kind, attribute) for attribute in _CODES)


def _http_status(exc: BaseException) -> int | None:
    for holder in (exc, getattr(exc, "response", None)):
        for name in _STATUS:
            status = getattr(holder, name, None)
            if isinstance(status, int) and 100 <= status <= 599:
                return status
    return None
