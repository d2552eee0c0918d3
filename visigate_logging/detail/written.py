"""An exception that is only there as text: what a stdlib QueueHandler or SocketHandler has left of it."""

import re
from collections.abc import Callable
from pathlib import PurePath

from visigate_logging.detail.frames import ExceptionData, Frame
from visigate_logging.detail.stacks import HEADING, MAX_FRAMES
from visigate_logging.detail.tracebacks import CAUSE_LINE, CONTEXT_LINE, MAX_EXCEPTIONS

__all__ = ["is_in", "parse", "split"]

STACK_HEADING = "Stack (most recent call last):\n"

MEMBERS = "\n  +-+-"  # what is below belongs to the members of a group
_HEADING = re.compile(
    r"(?:\A|\n)(?=(?:  \+ Exception Group )?Traceback \(most recent call last\):\n|(?:  \| .*\n){1,20}  \+-\+-)"
)
# An exception that was never raised has no heading, only its name or what a group or a SyntaxError shows before it.
_NAME = re.compile(
    r"\n(?=(?:[\w<>]+\.)+[A-Za-z_]\w*(?::|$)|\w*(?:Error|Exception|Warning|Exit|Interrupt|Iteration)(?::|$)"
    r"|  \| |  File \".+\", line \d+$)",
    re.M,
)
_BORDER = re.compile(r"^  [|+] ", re.M)
_FRAME = re.compile(r'^  File "(?P<file>.+)", line (?P<line>\d+), in (?P<name>.+)\n(?P<code>    .*\n)?', re.M)
_PARTS = (HEADING, STACK_HEADING, CAUSE_LINE, CONTEXT_LINE, MEMBERS)
_RELATION = re.compile(f"({re.escape(CAUSE_LINE)}|{re.escape(CONTEXT_LINE)})")


def is_in(message: str) -> bool:
    """Whether a traceback or a stack is in a message."""
    return "\n" in message and any(part in message for part in _PARTS)


def split(message: str) -> tuple[str, str, str]:
    """A message, the traceback behind it, and the stack behind that; what is not there is empty."""
    message, _, stack = (
        message.rpartition(f"\n{STACK_HEADING}") if f"\n{STACK_HEADING}" in message else (message, "", "")
    )
    start, end = _bounds(message)
    return message[:start], message[end:], f"{STACK_HEADING}{stack}" if stack else ""


def _bounds(message: str) -> tuple[int, int]:
    """Where a message ends and its traceback begins; a cause never raised stands before the first heading."""
    heading = _HEADING.search(message)
    relation = _RELATION.search(message, 0, heading.end() if heading else len(message))
    if relation is not None:
        cause = _NAME.search(message, 0, relation.start())
        end = cause.end() if cause else message.find("\n", 0, relation.start()) + 1
        return max(end - 1, 0), end
    return heading.span() if heading else (len(message), len(message))


def parse(text: str, in_app: Callable[[str, str], bool]) -> tuple[ExceptionData, ...]:
    """The exceptions of a traceback's text, the one that was logged first: type, message and frames.

    Args:
        text: what ``traceback.format_exception`` gave.
        in_app: tells from a file and a module whether they are the application's own code.
    """
    *led_to, last = _RELATION.split(text)
    found = [_exception(last, in_app)]
    while led_to and len(found) < MAX_EXCEPTIONS:
        relation = "cause" if led_to.pop() == CAUSE_LINE else "context"
        found.append(_exception(led_to.pop(), in_app, relation, len(found) - 1))
    return tuple(found)


def _exception(
    text: str, in_app: Callable[[str, str], bool], relation: str | None = None, parent: int | None = None
) -> ExceptionData:
    if text.startswith(("  + Exception Group", "  | ")):
        text = _BORDER.sub("", text.partition(MEMBERS)[0])
    tail = text[text.rfind(HEADING) + len(HEADING) :] if HEADING in text else text
    frames = []
    end = 0
    for match in _FRAME.finditer(tail):
        module = PurePath(match["file"]).stem
        code = (match["code"] or "").strip()
        frames.append(
            Frame(match["file"], int(match["line"]), match["name"], module, code, in_app(match["file"], module))
        )
        end = match.end()
    lines = tail[end:].splitlines()
    while lines and (not lines[0].strip() or lines[0].startswith(" ")):  # carets under a line
        lines.pop(0)
    kind, _, message = "\n".join(lines).partition(":")
    name = kind.strip().splitlines()[0] if kind.strip() else "Exception"
    module, _, bare = name.rpartition(".")
    omitted = max(0, len(frames) - MAX_FRAMES)
    kept = frames[: MAX_FRAMES // 2] + frames[-MAX_FRAMES // 2 :] if omitted else frames
    return ExceptionData(bare, module or "builtins", message.strip(), (), relation, parent, tuple(kept), omitted)
