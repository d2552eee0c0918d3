"""An exception that is only there as text: what a stdlib QueueHandler or SocketHandler has left of it."""

import contextlib
import logging
import re
from collections.abc import Callable, Mapping
from typing import Any, cast

import orjson

from visigate_logging.detail.codes import code_told
from visigate_logging.detail.frames import ExceptionData, Frame
from visigate_logging.detail.lookup import class_named, module_of_file, qualified_name
from visigate_logging.detail.positions import Place
from visigate_logging.detail.stacks import HEADING, Places
from visigate_logging.detail.tracebacks import CAUSE_LINE, CONTEXT_LINE, MAX_EXCEPTIONS

STACK_HEADING = "Stack (most recent call last):\n"

MEMBERS = "\n  +-+-"  # what is below belongs to the members of a group
_HEADING = re.compile(
    r"(?:\A|\n)(?=(?:  \+ Exception Group )?Traceback \(most recent call last\):\n|(?:  \| .*\n){1,20}  \+-\+-)"
)
# f"Traceback: {traceback.format_exc()}"
_INLINE = re.compile(r"([^\n]*[^\s+][ \t]*)(?:  \+ Exception Group )?Traceback \(most recent call last\):\n")
# An exception that was never raised has no heading, only its name or what a group or a SyntaxError shows before it.
_NAME = re.compile(
    r"\n(?=(?:[\w<>]+\.)+[A-Za-z_]\w*(?::|$)|\w*(?:Error|Exception|Warning|Exit|Interrupt|Iteration)(?::|$)"
    r"|  \| |  File \".+\", line \d+$)",
    re.M,
)
_BORDER = re.compile(r"^  [|+] ", re.M)
_FRAME = re.compile(
    r'^  File "(?P<file>.+)", line (?P<line>\d+), in (?P<name>.+)\n(?P<code>    .*\n)?'
    r"(?:(?:    .*\n){0,20}  \[Previous line repeated (?P<repeats>\d+) more times?\]\n)?",
    re.M,
)
# What Python adds to some exceptions' texts when it prints them.
_SUGGESTION = re.compile(r"(?:\. Did you (?:mean|forget to import)|\. Or did you forget to import)[^\n]*\?$", re.M)
MAX_REPEATS = 1000
"""Frames that a folded line stands for."""
_SUGGESTED_FOR = (NameError, AttributeError, ImportError)
_KEYS = ("exception", "exc_info", "traceback")
"""What structlog and others put a traceback under."""
_PARTS = (HEADING, STACK_HEADING, CAUSE_LINE, CONTEXT_LINE, MEMBERS)
_RELATION = re.compile(f"({re.escape(CAUSE_LINE)}|{re.escape(CONTEXT_LINE)})")


def told_in(record: logging.LogRecord, message: str) -> tuple[str, str, Any]:
    """Return what a record has as text: its message, a traceback, and the stack of the call.

    Args:
        record: what was logged.
        message: its message, formatted.
    """
    if record.exc_text:
        return message, str(record.exc_text), record.stack_info
    event = record.msg if isinstance(record.msg, Mapping) else _json(message)  # as structlog has it
    if event is not None:
        text = next((t for t in map(event.get, _KEYS) if isinstance(t, str) and HEADING in f"{t}\n"), "")
        return message, text, record.stack_info
    if not is_in(message):
        return message, "", record.stack_info
    message, text, stack = split(message)
    return message, text, stack or record.stack_info


def _json(message: str) -> Mapping[str, Any] | None:
    if message[:1] == "{" and message[-1:] == "}" and HEADING[:-1] in message:
        with contextlib.suppress(ValueError):
            return cast(Mapping[str, Any], orjson.loads(message))
    return None


def is_in(message: str) -> bool:
    """Return whether a traceback or a stack is in a message."""
    return "\n" in message and any(part in message for part in _PARTS)


def split(message: str) -> tuple[str, str, str]:
    """Return a message, the traceback behind it, and the stack behind that; what is not there is empty."""
    message, _, stack = (
        message.rpartition(f"\n{STACK_HEADING}") if f"\n{STACK_HEADING}" in message else (message, "", "")
    )
    start, end = _bounds(message)
    return message[:start], message[end:], f"{STACK_HEADING}{stack}" if stack else ""


def _bounds(message: str) -> tuple[int, int]:
    """Return where a message ends and its traceback begins; a cause never raised stands before the first heading."""
    behind_words = _INLINE.match(message)
    if behind_words:
        return len(behind_words[1].rstrip()), behind_words.end(1)
    heading = _HEADING.search(message)
    relation = _RELATION.search(message, 0, heading.end() if heading else len(message))
    if relation is not None:
        cause = _NAME.search(message, 0, relation.start())
        end = cause.end() if cause else message.find("\n", 0, relation.start()) + 1
        return max(end - 1, 0), end
    return heading.span() if heading else (len(message), len(message))


class WrittenException:
    """One exception of a chain that is only there as text; see :class:`~visigate_logging.detail.tracebacks.Grouped`.

    Args:
        name: of its class, dotted, as the last line has it.
        message: the text behind the name.
        stack: where it was raised.
        relation: as in :class:`ExceptionData`.
        parent: as in :class:`ExceptionData`.
    """

    def __init__(
        self, name: str, message: str, stack: Places[Place], relation: str | None = None, parent: int | None = None
    ) -> None:
        self.kind = class_named(name)
        self.message = _SUGGESTION.sub("", message) if issubclass(self.kind, _SUGGESTED_FOR) else message
        self.code = code_told(self.kind, message)
        self.stack = stack
        self.relation = relation
        self.parent = parent

    @property
    def data(self) -> ExceptionData:
        """It as plain data."""
        kind, stack = self.kind, self.stack
        return ExceptionData(
            kind.__name__, kind.__module__, self.message, (), self.relation, self.parent, stack.frames, stack.omitted
        )


def exceptions_in(record: logging.LogRecord) -> list[WrittenException]:
    """Return the exceptions that a record has as text alone, the one that was logged first; nothing is masked.

    Args:
        record: one without a live exception.
    """
    try:
        message = record.getMessage()
    except Exception:  # it does not fit its arguments
        message = str(record.msg)
    _, text, _ = told_in(record, message)
    return parse(text, lambda _file, _module: True) if text else []


def parse(text: str, in_app: Callable[[str, str], bool]) -> list[WrittenException]:
    """Return the exceptions of a traceback's text, the one that was logged first.

    Args:
        text: what ``traceback.format_exception`` gave.
        in_app: tells from a file and a module whether they are the application's own code.
    """
    *led_to, last = _RELATION.split(text)
    found = [_exception(last, in_app)]
    while led_to and len(found) < MAX_EXCEPTIONS:
        relation = "cause" if led_to.pop() == CAUSE_LINE else "context"
        found.append(_exception(led_to.pop(), in_app, relation, len(found) - 1))
    return found


def _exception(
    text: str, in_app: Callable[[str, str], bool], relation: str | None = None, parent: int | None = None
) -> WrittenException:
    if text.startswith(("  + Exception Group", "  | ")):
        text = _BORDER.sub("", text.partition(MEMBERS)[0])
    tail = text[text.rfind(HEADING) + len(HEADING) :] if HEADING in text else text
    places: list[Place] = []
    end = 0
    for match in _FRAME.finditer(tail):
        places += [_place(match, in_app)] * (1 + min(int(match["repeats"] or 0), MAX_REPEATS))
        end = match.end()
    lines = tail[end:].splitlines()
    while lines and (not lines[0].strip() or lines[0].startswith(" ")):  # carets under a line
        lines.pop(0)
    kind, _, message = "\n".join(lines).partition(":")
    name = kind.strip().splitlines()[0] if kind.strip() else "Exception"
    return WrittenException(name, message.strip(), Places(tuple(places)), relation, parent)


def _place(match: re.Match[str], in_app: Callable[[str, str], bool]) -> Place:
    file, line, name, code = match["file"], int(match["line"]), match["name"], (match["code"] or "").strip()
    module = module_of_file(file)
    frame = Frame(file, line, name, module, code, in_app(file, module))
    qualname = qualified_name(file, line, name, code)
    return Place(frame, qualname, (file, qualname))
