"""What led to an exception."""

from collections import deque
from collections.abc import Iterator

_MOST = 100


def led_to(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception, then its causes, contexts, what it wraps as ``orig`` and members of groups, nearest first.

    Each is given once, and 100 at most.
    """
    waiting = deque([error])
    seen: set[int] = set()
    while waiting and len(seen) < _MOST:
        one = waiting.popleft()
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        waiting.extend(_next(one))


def _next(error: BaseException) -> list[BaseException]:
    try:
        cause = error.__cause__
        before = error.__context__ if cause is None and not error.__suppress_context__ else cause
        members = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
        found = [before, _wrapped(error), *members]
        return [e for e in found if isinstance(e, BaseException)]
    except Exception:  # a hostile property may raise anything
        return []


def _wrapped(error: BaseException) -> object:
    """Return the driver's own exception, as SQLAlchemy has it."""
    try:
        return getattr(error, "orig", None)
    except Exception:  # a hostile property may raise anything
        return None
