"""The moments before an error: the last records of this process, kept in memory until an error asks for them."""

import logging
import time
import weakref
from collections import deque
from typing import Any, NamedTuple

from visigate_logging.detail import masking
from visigate_logging.detail.forms import plain_form
from visigate_logging.detail.log_record import OWN_COUNT, given_with, task_of
from visigate_logging.detail.values import Sanitiser, safe_str, word
from visigate_logging.host.clock import rfc3339
from visigate_logging.host.forks import in_forked_child

MAX_TEXT = 1000
"""Characters that are kept of a message, or of a value that is filled into it."""
MAX_SHOWN = 300
"""Characters of a message that an error carries."""
MAX_ALL = 4000
"""Characters of all messages that an error carries."""
MAX_GIVEN = 8
"""Values that are kept of what came with ``extra``."""

_SIMPLE = frozenset((int, float, bool, type(None)))


class Breadcrumb(NamedTuple):
    """A record as it is kept: nothing in it keeps an object of the application alive.

    Args:
        monotonic: seconds of ``time.monotonic``.
        created: seconds since the epoch.
        level: name of the level.
        logger: name of the logger.
        message: what was logged, its arguments not filled in.
        args: these, when they are simple.
        thread: number of the thread.
        task: name of the asyncio task.
        given: what came with ``extra``, as far as it is simple.
    """

    monotonic: float
    created: float
    level: str
    logger: str
    message: str
    args: Any
    thread: int | None
    task: str
    given: dict[str, Any]


class Trail:
    """The last records of the process.

    Args:
        capacity: how many are kept.
        max_age: seconds after which an error carries a record no more.
    """

    def __init__(self, capacity: int, max_age: float) -> None:
        self.kept: deque[tuple[Any, ...]] = deque(maxlen=capacity)
        """The fields of a :class:`Breadcrumb` each, oldest first."""
        self._max_age = max_age
        _trails.add(self)

    def __len__(self) -> int:
        return len(self.kept)

    def close(self) -> None:
        """Let errors carry no more of what is kept here."""
        _trails.discard(self)

    def clear(self) -> None:
        """Forget what is kept."""
        self.kept.clear()

    def inherit(self, other: "Trail") -> None:
        """Take what another has kept before."""
        room = (self.kept.maxlen or 0) - len(self.kept)
        self.kept.extendleft(list(reversed(other.kept))[:room])

    def add(self, record: logging.LogRecord) -> None:
        """Keep a record; what is not simple in it is put into words now."""
        message, args = record.msg, record.args
        if (args and not _are_simple(args)) or type(message) is not str or len(message) > MAX_TEXT:
            message, args = _in_words(record), None
        self.kept.append(
            (
                time.monotonic(),
                record.created,
                record.levelname,
                record.name,
                message,
                args,
                record.thread,
                task_of(record),
                _simple_given(record) if len(record.__dict__) > OWN_COUNT else None,
            )
        )

    def told(self, record: logging.LogRecord, clean: Sanitiser) -> list[dict[str, Any]]:
        """Return what was kept before a record, oldest first, without that record itself.

        Args:
            record: an error.
            clean: bounds texts and masks the secrets in them.
        """
        now, own = time.monotonic(), (record.thread, task_of(record))
        found: list[dict[str, Any]] = []
        left = MAX_ALL
        for kept in map(Breadcrumb._make, reversed(list(self.kept))):
            if now - kept.monotonic > self._max_age or left <= 0:
                break
            if kept.created != record.created or kept.thread != record.thread:
                found.append(_told(kept, now, clean) | {"own": (kept.thread, kept.task) == own})
                left -= len(found[-1]["message"])
        return found[::-1]


_trails: "weakref.WeakSet[Trail]" = weakref.WeakSet()


@in_forked_child
def _forget() -> None:
    """Forget in a child what was logged in its parent."""
    for trail in list(_trails):
        trail.clear()


def before(record: logging.LogRecord, clean: Sanitiser) -> list[dict[str, Any]]:
    """Return the records before an error, oldest first; none where nothing keeps them.

    Args:
        record: the error.
        clean: bounds texts and masks the secrets in them.
    """
    trail = max(_trails, key=len, default=None)
    return [] if trail is None else trail.told(record, clean)


def _are_simple(args: Any) -> bool:
    if type(args) is not tuple:
        return False
    for value in args:
        if type(value) is str:
            if len(value) > MAX_TEXT:
                return False
        elif type(value) not in _SIMPLE:
            return False
    return True


def _in_words(record: logging.LogRecord) -> str:
    """Return the message of a record whose arguments are not simple: an array, say, is told by its shape."""
    clean = masking.sanitiser(MAX_TEXT)
    if type(record.msg) is not str:
        return safe_str(clean.value(record.msg))[:MAX_TEXT]
    args: Any = record.args
    try:
        if type(args) is tuple:
            text = record.msg % tuple(map(_as_argument, args))
        else:
            text = record.msg % {name: _as_argument(args[name]) for name in args} if args else record.msg
    except Exception:  # it does not fit its arguments, or these are too complex for their format
        text = f"{record.msg} {clean.value(args)}"
    return text[:MAX_TEXT]


def _as_argument(value: Any) -> Any:
    """Return a value as it may be filled in: numbers as they are, all else bounded."""
    if type(value) in _SIMPLE:
        return value
    text = plain_form(value) if hasattr(type(value), "__array__") else value
    if issubclass(type(value), (dict, list, tuple, set, frozenset)):
        text = masking.sanitiser(MAX_TEXT).value(value)
    return safe_str(text)[:MAX_TEXT]


def _simple_given(record: logging.LogRecord) -> dict[str, Any]:
    simple = {
        name: value[:MAX_SHOWN] if type(value) is str else value
        for name, value in given_with(record).items()
        if type(value) is str or type(value) in _SIMPLE
    }
    return dict(list(simple.items())[:MAX_GIVEN])


def _told(kept: Breadcrumb, now: float, clean: Sanitiser) -> dict[str, Any]:
    try:
        text = kept.message % kept.args if kept.args else kept.message
    except Exception:  # it does not fit its arguments
        text = f"{kept.message} {kept.args}"
    text = clean.text(text)
    told = {
        "timestamp": rfc3339(int(kept.created * 1_000_000)),
        "age": round(now - kept.monotonic, 3),
        "level": word(kept.level),
        "logger": clean.text(word(kept.logger)),
        "message": text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…",
    }
    return told | {"additional_info": clean.value(kept.given)} if kept.given else told
