"""What there is to group an error by, and the key that it gets by the rules of ``grouping``."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from visigate_logging.detail.bounded import Bounded
from visigate_logging.detail.codes import class_name, codes_in
from visigate_logging.detail.grouping import key_of_parts, mask
from visigate_logging.detail.positions import Place
from visigate_logging.detail.tracebacks import Grouped

MAX_TEXT = 1000
"""Characters that are kept of the text of a member of a group."""
MAX_KNOWN = 1024
"""Groupings of texts that are remembered."""
MAX_REMEMBERED = 1024
"""Characters of a text whose grouping is remembered."""
RECURSES = 10
"""Times that a function is on a stack before it is taken for the one that recurses."""

_KEEPS_NAMES = (AttributeError, NameError, ImportError, TypeError)


class Grouping(NamedTuple):
    """A group's key and what it was made of.

    Args:
        key: version and hash, as in ``v1:3f2a…``.
        why: the parts that are known of the error, under their names.
    """

    key: str
    why: dict[str, Any]


_known: Bounded[tuple[str | tuple[str, ...], ...], Grouping] = Bounded(MAX_KNOWN)


def explicit(value: Any) -> Grouping:
    """Return the group that the application named, with ``extra={"fingerprint": …}`` or ``exc.fingerprint``."""
    why = {"named": tuple(map(str, value)) if isinstance(value, list | tuple) else str(value)}
    return Grouping(key_of_parts(why, ""), why)


def by_message(logger: str, culprit: tuple[str, ...], message: str, template: str = "") -> Grouping:
    """Return the group of a record without an exception.

    Args:
        logger: name of the logger.
        culprit: module and function of the logging call, and what else tells one from another.
        message: what was logged.
        template: the literal parts of the message, with ``{}`` between them, when the call has any.
    """
    look = (logger, culprit, message, template)
    known = _known.get(look)
    if known is None:
        told = {"template": template, "codes": codes_in(message)} if template else {"message": mask(message)}
        why = {"logger": logger, "culprit": culprit, **told}
        known = Grouping(key_of_parts(why, message), why)
        if len(message) <= MAX_REMEMBERED:
            _known.keep(look, known)
    return known


def by_event(logger: str, where: str, event: str | Sequence[str], codes: Sequence[str], message: str) -> Grouping:
    """Return the group of a record whose message is a mapping.

    Args:
        logger: name of the logger.
        where: module and function of the logging call.
        event: what the mapping says for itself; else its keys.
        codes: statuses and the like in it.
        message: the mapping as a text.
    """
    named = mask(event) if isinstance(event, str) else tuple(event)
    why = {"logger": logger, "culprit": (where,), "event": named, "codes": tuple(codes)}
    return Grouping(key_of_parts(why, message), why)


def by_exception(chain: Sequence[Grouped], messages: Sequence[str]) -> Grouping:
    """Return the group of an exception.

    Args:
        chain: from ``walk_chain``, or what a text tells of one.
        messages: ``str()`` of each exception of the chain, without secrets.
    """
    why = _parts(chain, messages, 0)
    return Grouping(key_of_parts(why, messages[0]), why)


def _parts(chain: Sequence[Grouped], messages: Sequence[str], index: int) -> dict[str, Any]:
    raised = chain[index]
    if issubclass(raised.kind, BaseExceptionGroup):
        inner = [i for i, other in enumerate(chain) if other.parent == index and other.relation == "member"]
        members = {key_of_parts(m, messages[i]): m for i in inner for m in [_member(chain, messages, i)]}
        return {"members": tuple(members[key] for key in sorted(members))}
    code = raised.code
    why: dict[str, Any] = {
        "type": class_name(raised.kind),
        "code": code,
        "culprit": _culprit(raised, has_code=bool(code)),
        "message": "",
        "causes": _causes(chain, index),
    }
    if root := _root(chain, index):
        why["root"] = root
    if issubclass(raised.kind, _KEEPS_NAMES):
        why["keeps_names"] = True
    if not issubclass(raised.kind, RecursionError):  # which call met the limit, and so the text, is chance
        why["message"] = mask(messages[index], keep_names="keeps_names" in why)
    return why


def _member(chain: Sequence[Grouped], messages: Sequence[str], index: int) -> dict[str, Any]:
    """Return the parts of a member of a group, with its text: the record has no field for that."""
    why = _parts(chain, messages, index)
    return why if "members" in why else {**why, "text": messages[index][:MAX_TEXT]}


def _root(chain: Sequence[Grouped], index: int) -> str:
    """Return the system's innermost code behind an error that a library raised, or that was made of another."""
    raised, root = chain[index], ""
    positions = raised.stack.positions
    is_made = any(other.parent == index and other.relation == "cause" for other in chain)
    if raised.code or (positions and positions[-1].frame.in_app and not is_made):
        return ""
    for i in range(index + 1, len(chain)):
        if chain[i].parent == index and chain[i].relation in ("cause", "context"):
            index = i
            if issubclass(chain[i].kind, OSError):
                root = chain[i].code or root
    return root


def _causes(chain: Sequence[Grouped], index: int) -> tuple[str, ...]:
    causes = []
    for i in range(index + 1, len(chain)):
        raised = chain[i]
        if raised.parent == index and raised.relation == "cause":
            index = i
            name, code = class_name(raised.kind), raised.code
            causes.append(f"{name} {code}" if code else name)
    return tuple(causes)


def _culprit(raised: Grouped, *, has_code: bool) -> tuple[str, ...]:
    stack = raised.stack
    own = stack.own or stack.positions
    if not own:
        return ()
    is_own = stack.positions[-1].frame.in_app
    if issubclass(raised.kind, RecursionError):
        if functions := _recursion(own):
            return functions
        if functions := _recursion(stack.positions):  # a library's: own code inside it, as a hook, is there by chance
            is_own, own = False, _outside(stack.positions, functions)
            if not own:
                return functions
    inner = own[-1]
    if has_code or is_own:
        return (inner.statement,)
    caller = next((p for p in reversed(own) if p.code is not inner.code), None)
    return (inner.statement,) if caller is None else (inner.statement, caller.statement)


def _recursion(positions: Sequence[Place]) -> tuple[str, ...]:
    """Return the functions that call each other, without the line at which the limit happened to be met."""
    counts = Counter(position.function for position in positions)
    most = max(counts.values())
    if most < RECURSES:  # other code does
        return ()
    return tuple(sorted(name for name, count in counts.items() if count * 2 > most))


def _outside(positions: Sequence[Place], functions: Sequence[str]) -> tuple[Place, ...]:
    """Return the own code that stands before the innermost calls of the functions that recurse."""
    inside = [at for at, position in enumerate(positions) if position.function in functions]
    return tuple(p for p in positions[: inside[-RECURSES]] if p.frame.in_app)
