"""What led to an exception."""

from collections import deque
from collections.abc import Iterator

__all__ = ["led_to"]

_MOST = 100


def led_to(error: BaseException) -> Iterator[BaseException]:
    """An exception, then its causes, contexts, what it wraps as ``orig`` and members of groups, nearest first.

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
        cause = one.__cause__
        before = one.__context__ if cause is None and not one.__suppress_context__ else cause
        members = one.exceptions if isinstance(one, BaseExceptionGroup) else ()
        waiting.extend(e for e in (before, _wrapped(one), *members) if isinstance(e, BaseException))


def _wrapped(error: BaseException) -> object:
    """The driver's own exception, as SQLAlchemy has it."""
    try:
        return getattr(error, "orig", None)
    except Exception:  # a hostile property
        return None
