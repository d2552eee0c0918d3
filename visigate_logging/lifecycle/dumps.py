"""What `faulthandler` writes, as data (https://docs.python.org/3/library/faulthandler.html)."""

import re
from typing import Any, NamedTuple

MOST_BYTES = 262_144
"""Bytes of a dump that are read."""

_START = re.compile(r"Fatal Python error: (?P<fatal>.*)|Timeout \((?P<timeout>[\d:.]+)\)!")
_THREAD = re.compile(
    r"(?:Current )?[Tt]hread 0x(?P<ident>[0-9a-f]+)(?: \[(?P<name>.*)\])? \(most recent call first\):"
)
_ALONE = re.compile(r"Stack \(most recent call first\):")
_FRAME = re.compile(r'  File "(?P<file>.*)", line (?P<line>\d+|\?\?\?) in (?P<function>.*)')
_ESCAPED = re.compile(r"\\x[0-9a-f]{2}|\\u[0-9a-f]{4}|\\U[0-9a-f]{8}")


class Stack(NamedTuple):
    """The stack of one thread.

    Args:
        ident: as `threading.get_ident` gives it; 0 where it is not known.
        is_current: whether the thread is the one that was running.
        frames: file, line and function of each, the innermost last, as in a traceback.
        name: the thread's; empty where the dump has none (before Python 3.14).
    """

    ident: int
    is_current: bool
    frames: tuple[tuple[str, int, str], ...]
    name: str = ""

    def as_data(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {"thread": self.name, "frames": [f"{file}:{line} in {name}" for file, line, name in self.frames]}


class Dump(NamedTuple):
    """What was written at one moment.

    Args:
        fatal: what ended the process, as "Segmentation fault"; empty when nothing did.
        timeout: how long it had made no progress, as "0:00:30"; empty when that was not the reason.
        stacks: of all threads.
    """

    fatal: str
    timeout: str
    stacks: tuple[Stack, ...]

    @property
    def current(self) -> Stack:
        """The stack of the thread that was running; an empty one when it ran no Python."""
        return next((s for s in self.stacks if s.is_current), Stack(0, True, ()))


def read_dumps(content: bytes) -> list[Dump]:
    """Return what is in a dump file, the oldest first; a torn end costs what is torn.

    Args:
        content: of the file.
    """
    found: list[tuple[str, str, list[Stack]]] = []
    frames: list[tuple[str, int, str]] = []
    for line in content[:MOST_BYTES].decode("ascii", "replace").splitlines():
        if start := _START.fullmatch(line):
            found.append((start["fatal"] or "", start["timeout"] or "", []))
        elif (thread := _THREAD.fullmatch(line)) or _ALONE.fullmatch(line):
            if not found or _is_over(found[-1]):
                found.append(("", "", []))
            frames = []
            ident = int(thread["ident"], 16) if thread else 0
            is_current = not thread or line.startswith("Current")
            found[-1][2].append(Stack(ident, is_current, frames, thread["name"] or "" if thread else ""))  # type: ignore[arg-type]  # a list until all its frames are read
        elif frame := _FRAME.fullmatch(line):
            number = int(frame["line"]) if frame["line"].isdigit() else 0
            frames.insert(0, (_unescaped(frame["file"]), number, _unescaped(frame["function"])))
    return [Dump(fatal, timeout, tuple(map(_whole, stacks))) for fatal, timeout, stacks in found]


def _whole(stack: Stack) -> Stack:
    return stack._replace(frames=tuple(stack.frames))


def _is_over(dump: tuple[str, str, list[Stack]]) -> bool:
    """Return whether a dump is complete: the thread that was running comes last, none after a time-out."""
    return any(stack.is_current for stack in dump[2])


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(lambda match: chr(int(match[0][2:], 16)), text)
