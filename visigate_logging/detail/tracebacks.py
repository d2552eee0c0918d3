"""A live exception with all that led to it, as a list and as the standard library prints it.

Where equality with the standard library cannot be had from rendered stacks, it does the work.
"""

import operator
import sys
import traceback
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Protocol

from visigate_logging.detail.codes import error_code
from visigate_logging.detail.stacks import Places, Stack, StackCache
from visigate_logging.detail.values import safe_str, utf8

MAX_NOTES = 100
"""Notes kept as data for each exception."""
MAX_MEMBERS = 50
"""Members of a group kept as data."""
MAX_EXCEPTIONS = 200
"""Exceptions kept as data for each error."""

CAUSE_LINE = "\nThe above exception was the direct cause of the following exception:\n\n"
CONTEXT_LINE = "\nDuring handling of the above exception, another exception occurred:\n\n"


class Grouped(Protocol):
    """An exception of a chain as groups look at it, live or as text."""

    @property
    def kind(self) -> type[BaseException]:
        """Its class."""

    @property
    def code(self) -> str:
        """The code that it carries beside its type; empty when it has none."""

    @property
    def stack(self) -> Places[Any]:
        """Where it was raised."""

    @property
    def relation(self) -> str | None:
        """As in :class:`ExceptionData`."""

    @property
    def parent(self) -> int | None:
        """As in :class:`ExceptionData`."""


class RaisedException:
    """One live exception of a chain.

    Args:
        value: the exception.
        relation: as in :class:`ExceptionData`.
        parent: as in :class:`ExceptionData`.
    """

    stack: Stack
    """Where it was raised; set by :func:`walk_chain`."""

    __slots__ = ("is_linear", "is_special", "members_omitted", "notes", "parent", "relation", "stack", "value")

    def __init__(self, value: BaseException, relation: str | None = None, parent: int | None = None) -> None:
        self.value = value
        self.relation = relation
        self.parent = parent
        self.members_omitted = 0
        self.notes: Any = None
        self.is_linear = False
        try:
            self.notes = getattr(value, "__notes__", None)
            # Printed as its own stack and lines, after those of its cause or context. The standard library
            # follows the chain of an exception only when that is true as a condition.
            self.is_linear = not isinstance(value, BaseExceptionGroup) and bool(value)
        except Exception:  # then the standard library shall say what it makes of it
            self.is_linear = False
        self.is_special = self.notes is not None or isinstance(value, SPECIAL)

    @property
    def kind(self) -> type[BaseException]:
        """Its class."""
        return type(self.value)

    @property
    def code(self) -> str:
        """The code that it carries beside its type; empty when it has none."""
        return error_code(self.value)


# Their last lines are more than type and text: a position in the source, or "Did you mean".
SPECIAL = (SyntaxError, NameError, AttributeError, ImportError) if sys.version_info >= (3, 12) else (SyntaxError,)


def walk_chain(exc: BaseException, tb: TracebackType | None, cache: StackCache) -> list[RaisedException]:
    """Return the exceptions that belong to one, itself first: what Python would print, as a list.

    Args:
        exc: the exception that was logged.
        tb: its traceback (``exc_info`` may carry another one than the exception).
        cache: renders the stacks.
    """
    found = [RaisedException(exc)]
    seen = {id(exc)}
    for index, raised in enumerate(found):  # grows while it is walked
        for value, relation in _related(raised, seen):
            if len(found) < MAX_EXCEPTIONS:
                seen.add(id(value))
                found.append(RaisedException(value, relation, index))
    entries = [tb, *[raised.value.__traceback__ for raised in found[1:]]]
    for raised, stack in zip(found, cache.stacks(entries), strict=True):
        raised.stack = stack
    return found


def printed_before(exc: BaseException, seen: set[int]) -> tuple[BaseException | None, str]:
    """Return the exception that Python prints before this one, and how it belongs to it.

    Args:
        exc: any exception.
        seen: ids of those that were met before: a chain may be a circle.
    """
    cause, context = exc.__cause__, exc.__context__
    if cause is not None and id(cause) not in seen:
        return cause, "cause"
    if context is not None and not exc.__suppress_context__ and id(context) not in seen:
        return context, "context"
    return None, ""


def _related(raised: RaisedException, seen: set[int]) -> list[tuple[BaseException, str]]:
    related = []
    try:
        before, relation = printed_before(raised.value, seen)
        if before is not None:
            related.append((before, relation))
        if isinstance(raised.value, BaseExceptionGroup):
            members = raised.value.exceptions
            raised.members_omitted = max(0, len(members) - MAX_MEMBERS)
            # Also those met before, as the context of a group that was made of them: a group is all its members.
            related += [(member, "member") for member in members[:MAX_MEMBERS]]
    except Exception:  # a hostile property: what was found so far
        raised.is_linear = False
    return related


def format_exception(
    chain: Sequence[RaisedException],
    tb: TracebackType | None,
    messages: Sequence[str] | None = None,
    mask: Callable[[str], str] | None = None,
) -> str:
    """Return what ``"".join(traceback.format_exception(...))`` gives, from positions that are already rendered.

    Args:
        chain: from :func:`walk_chain`.
        tb: the traceback of the first exception.
        messages: texts of the exceptions, when they are known; else they are asked.
        mask: takes secrets out of texts; None leaves the text as the standard library has it.
    """
    if len(chain) < MAX_EXCEPTIONS and "tracebacklimit" not in sys.__dict__ and all(map(_linear, chain)):
        return _joined(chain, tb, messages, mask)
    first = chain[0].value
    try:
        text = "".join(traceback.format_exception(type(first), first, tb))
    except Exception as error:  # a hostile exception may raise anything when it is looked at
        chain, messages = chain[:1], messages[:1] if messages else None
        told = f"[its traceback could not be formatted: {type(error).__name__}]\n"
        return _joined(chain, tb, messages, mask) + told
    return mask(text) if mask else text


def _joined(
    chain: Sequence[RaisedException],
    tb: TracebackType | None,
    messages: Sequence[str] | None,
    mask: Callable[[str], str] | None,
) -> str:
    parts: list[str] = []
    for index in range(len(chain) - 1, -1, -1):
        raised = chain[index]
        parts.append(raised.stack.masked if mask else raised.stack.text)
        if raised.is_special:
            last = _special_lines(raised.value, raised.value.__traceback__ if index else tb)
            parts.append(mask(last) if mask else last)
        else:
            last = _last_line(raised.value, messages[index] if messages else safe_str(raised.value))
            parts.append(utf8(last) if mask else last)
        if raised.relation is not None:
            parts.append(CAUSE_LINE if raised.relation == "cause" else CONTEXT_LINE)
    return "".join(parts)


_linear = operator.attrgetter("is_linear")


def _special_lines(exc: BaseException, tb: TracebackType | None) -> str:
    try:
        return "".join(traceback.TracebackException(type(exc), exc, tb, limit=0).format_exception_only())
    except Exception as error:  # as above
        return f"{_last_line(exc, safe_str(exc))}[its notes could not be read: {type(error).__name__}]\n"


def _last_line(exc: BaseException, text: str) -> str:
    kind = type(exc)
    module, name = kind.__module__, kind.__qualname__
    if module not in ("__main__", "builtins"):  # as the standard library has it
        name = f"{module if isinstance(module, str) else '<unknown>'}.{name}"
    return f"{name}: {text}\n" if text else f"{name}\n"
