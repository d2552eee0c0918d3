"""Text and frames of a live exception, each code position rendered once.

The standard library stats and parses the source of every frame each time it formats a traceback. Here it
renders a position the first time; afterwards the text comes from a cache, as long as the source is the one that
:mod:`linecache` has. Where equality with the standard library cannot be had so cheaply, it does the work.
"""

import linecache
import operator
import os
import re
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from types import CodeType, TracebackType
from typing import Any

import orjson

__all__ = ["ExceptionData", "Frame", "Position", "RaisedException", "StackCache", "format_exception", "walk_chain"]

MAX_POSITIONS = 4096
"""Code positions kept in a cache; past that it starts anew."""
CHECK_EVERY = 0.001
"""Seconds for which a source file that was unchanged is taken to be so still."""
MAX_STACKS = 256
"""Whole stacks kept in a cache."""
MAX_FRAMES = 100
"""Frames kept as data for each exception: the outer and the inner ones."""
MAX_NOTES = 100
"""Notes kept as data for each exception."""
MAX_MEMBERS = 50
"""Members of a group kept as data."""
MAX_EXCEPTIONS = 200
"""Exceptions kept as data for each error."""

MAIN_MODULES = ("__main__", "__mp_main__")
"""What the module that was run is called, also in a child of multiprocessing."""

REPEATS_SHOWN = 3  # as in traceback.StackSummary.format
CAUSE_LINE = "\nThe above exception was the direct cause of the following exception:\n\n"
CONTEXT_LINE = "\nDuring handling of the above exception, another exception occurred:\n\n"
HEADING = "Traceback (most recent call last):\n"


@dataclass(slots=True)
class Frame:
    """One position on a stack.

    Args:
        file: path of the source file, as Python reports it.
        line: line number, from 1.
        function: name of the function (``<module>`` at the top of a file).
        module: dotted name of the module.
        code: text of the line, stripped; empty when there is no source.
        in_app: whether this is the application's own code.
    """

    file: str
    line: int
    function: str
    module: str
    code: str
    in_app: bool
    _json: bytes = field(default=b"", repr=False, compare=False)

    def as_culprit(self, function: str) -> dict[str, Any]:
        """The fields of a detail record that name this position.

        Args:
            function: qualified name of the function, for the culprit's line.
        """
        return {
            "module": self.module,
            "function": self.function,
            "file": self.file,
            "line": self.line,
            "culprit": f"{self.module} in {function}",
        }

    def to_json(self) -> bytes:
        """The frame as JSON; serialised before when it came from a cache."""
        return self._json or orjson.dumps(self)


@dataclass
class ExceptionData:
    """One exception of a chain.

    Args:
        type: name of the class.
        module: module of the class.
        message: ``str()`` of the exception.
        notes: PEP 678 notes.
        relation: how it belongs to its parent: ``cause``, ``context`` or group ``member``; None for the one
            that was logged.
        parent: index in the chain of the exception it belongs to; None for the one that was logged.
        frames: oldest first.
        frames_omitted: how many frames were left out of the middle.
        members_omitted: how many members of a group were left out.
    """

    type: str
    module: str
    message: str
    notes: tuple[str, ...] = ()
    relation: str | None = None
    parent: int | None = None
    frames: tuple[Frame, ...] = ()
    frames_omitted: int = 0
    members_omitted: int = 0
    _json: bytes = field(default=b"", repr=False, compare=False)

    def to_json(self) -> bytes:
        """The exception as JSON; serialised once."""
        if not self._json:
            frames = b"[" + b",".join([f.to_json() for f in self.frames]) + b"]"
            values = {**self.__dict__, "frames": orjson.Fragment(frames)}
            del values["_json"]
            self._json = orjson.dumps(values)
        return self._json


class Source:
    """The state of one file's lines in :mod:`linecache` when positions in it were rendered."""

    __slots__ = ("_checked", "entry", "filename")

    def __init__(self, filename: str) -> None:
        self.filename = filename
        self.entry = linecache.cache.get(filename)
        self._checked = 0.0

    def is_current(self, now: float) -> bool:
        """Whether the standard library would still find the same lines.

        Args:
            now: of ``time.monotonic``; in a flood the file is looked at once a millisecond.
        """
        if now - self._checked < CHECK_EVERY:
            return True
        self._checked = now
        return self._is_unchanged()

    def _is_unchanged(self) -> bool:
        entry = linecache.cache.get(self.filename)
        if entry is not self.entry:
            return False
        if entry is None:
            return self.filename.startswith("<") and self.filename.endswith(">")
        if len(entry) == 1:  # a loader that has not been asked, or had nothing
            return not os.path.exists(self.filename)
        size, mtime, _lines, path = entry
        if mtime is None:
            return True
        try:
            stat = os.stat(path)
        except (OSError, ValueError):
            return False
        return stat.st_size == size and stat.st_mtime == mtime


class Position:
    """One rendered code position.

    Args:
        code: the code object, kept so that its id stays its own.
        source: state of the source file.
        text: what the standard library prints for it.
        masked: the same with secrets masked.
        frame: the same as data, masked.
    """

    __slots__ = ("code", "frame", "identity", "masked", "source", "text")

    def __init__(self, code: CodeType, source: Source, text: str, masked: str, frame: Frame) -> None:
        self.code = code
        self.source = source
        self.text = text
        self.masked = masked
        self.frame = frame
        self.identity = (frame.file, frame.line, frame.function)

    @property
    def function(self) -> str:
        """Module and qualified name, alike whether the module is imported or run."""
        module = PurePath(self.frame.file).stem if self.frame.module in MAIN_MODULES else self.frame.module
        return f"{module}.{self.code.co_qualname}"

    @property
    def statement(self) -> str:
        """The function and the text of the line, white space folded."""
        return f"{self.function}: {' '.join(self.frame.code.split())}"


class Stack:
    """The rendered positions of one traceback, oldest first, and what is the same each time it is met.

    Args:
        positions: all of them.
    """

    __slots__ = ("frames", "masked", "omitted", "own", "positions", "sources")

    def __init__(self, positions: tuple[Position, ...]) -> None:
        self.positions = positions
        self.sources = tuple({p.source for p in positions})
        self.masked = self._text([p.masked for p in positions])
        self.own = tuple(p for p in positions if p.frame.in_app)
        frames = tuple(p.frame for p in positions)
        self.omitted = max(0, len(frames) - MAX_FRAMES)
        self.frames = frames[: MAX_FRAMES // 2] + frames[-MAX_FRAMES // 2 :] if self.omitted else frames

    @property
    def text(self) -> str:
        """What the standard library prints for the stack."""
        return self._text([p.text for p in self.positions])

    @property
    def innermost(self) -> Position | None:
        """The culprit: the innermost position in the application's own code, else the innermost of all."""
        return (self.own or self.positions or (None,))[-1]

    def _text(self, texts: Sequence[str]) -> str:
        """The texts, with runs of one line folded as ``traceback.StackSummary.format`` does."""
        parts = [HEADING] if texts else []
        last: tuple[str, int, str] | None = None
        count = 0
        for position, text in zip(self.positions, texts, strict=True):
            if position.identity != last:
                parts.append(_repeats(count))
                last = position.identity
                count = 0
            count += 1
            if count <= REPEATS_SHOWN:
                parts.append(text)
        parts.append(_repeats(count))
        return "".join(parts)


def _repeats(count: int) -> str:
    more = count - REPEATS_SHOWN
    return f"  [Previous line repeated {more} more time{'s' if more > 1 else ''}]\n" if more > 0 else ""


class StackCache:
    """Renders tracebacks, each code position once.

    Args:
        mask: takes secrets out of a text.
        in_app: tells from a file's path and a module's name whether it is the application's own code.
    """

    def __init__(self, mask: Callable[[str], str], in_app: Callable[[str, str], bool]) -> None:
        self._mask = mask
        self._in_app = in_app
        self._positions: dict[int, Position] = {}
        self._stacks: dict[tuple[Position, ...], Stack] = {}
        self._simple = _SimpleFrames()

    def stack(self, tb: TracebackType | None) -> Stack:
        """The rendered stack of a traceback.

        Args:
            tb: the outermost entry; None gives an empty stack.
        """
        known = self._positions
        found: list[Position] = []
        entry = tb
        while entry is not None:
            code = entry.tb_frame.f_code
            position = known.get(id(code) + entry.tb_lasti)  # in CPython the address of the instruction
            if position is None or position.code is not code:
                return self._kept(self._render(tb))
            found.append(position)
            entry = entry.tb_next
        stack = self._kept(found)
        now = time.monotonic()
        for source in stack.sources:
            if not source.is_current(now):
                return self._kept(self._render(tb))
        return stack

    def _kept(self, positions: list[Position]) -> Stack:
        key = tuple(positions)
        stack = self._stacks.get(key)
        if stack is None:
            if len(self._stacks) >= MAX_STACKS:
                self._stacks.clear()
            stack = self._stacks[key] = Stack(key)
        return stack

    def _render(self, tb: TracebackType | None) -> list[Position]:
        """Have the standard library render the positions that are not known, or whose source has changed."""
        # The limit keeps sys.tracebacklimit out: as data, all frames are wanted.
        summaries = traceback.TracebackException(Exception, _NOTHING, tb, limit=sys.maxsize).stack
        sources: dict[str, Source] = {}
        found: list[Position | None] = []
        new: list[tuple[int, TracebackType, Source, traceback.FrameSummary, str]] = []
        for entry, summary in zip(_entries(tb), summaries, strict=True):
            code = entry.tb_frame.f_code
            position = self._positions.get(id(code) + entry.tb_lasti)
            source = sources.get(code.co_filename)
            if source is None:
                source = sources[code.co_filename] = Source(code.co_filename)
            if position is None or position.code is not code or position.source.entry is not source.entry:
                new.append((len(found), entry, source, summary, self._simple(summaries, summary)))
                position = None
            found.append(position)
        together = "".join([*sources, *(text.partition("\n")[2] for *_, text in new)])
        mask = _unchanged if self._mask(together) == together else self._mask
        for index, entry, source, summary, text in new:
            found[index] = self._keep(self._position(entry, source, summary, text, mask), entry)
        return [position for position in found if position is not None]

    def _keep(self, position: Position, entry: TracebackType) -> Position:
        # An entry made by hand has a line of its own, which is printed where the code knows none.
        if entry.tb_lasti >= 0 and position.frame.line:
            if len(self._positions) >= MAX_POSITIONS:
                self._positions.clear()
            self._positions[id(position.code) + entry.tb_lasti] = position
        return position

    def _position(
        self,
        entry: TracebackType,
        source: Source,
        summary: traceback.FrameSummary,
        text: str,
        mask: Callable[[str], str],
    ) -> Position:
        code = entry.tb_frame.f_code
        named = entry.tb_frame.f_globals.get("__name__")
        module = named if isinstance(named, str) else ""
        in_app = self._in_app(code.co_filename, module)
        line = mask((summary.line or "").strip())
        frame = Frame(code.co_filename, summary.lineno or 0, code.co_name, module, line, in_app)
        return Position(code, source, text, mask(text), _serialised(frame))


class _SimpleFrames:
    """Text of a frame as the standard library has it, without parsing the source where that changes nothing.

    Up to Python 3.12 the source is parsed only to mark the operator of an operation or a subscript; a segment
    without a character of one has none. The first such text of a process is compared with the standard library's:
    if another patch release prints otherwise, it does all the work.
    """

    def __init__(self) -> None:
        self._is_proven: bool | None = None if sys.version_info < (3, 13) else False

    def __call__(self, stack: traceback.StackSummary, frame: traceback.FrameSummary) -> str:
        text = "" if self._is_proven is False else self._text(frame)
        if text and self._is_proven:
            return text
        # A subclass of the standard library's may leave a frame out.
        full = stack.format_frame_summary(frame) or ""
        if text:
            self._is_proven = text == full
        return full

    def _text(self, frame: traceback.FrameSummary) -> str:
        """The text; empty where the standard library has to be asked."""
        start, end = frame.colno, frame.end_colno
        if frame.lineno is None or frame.lineno != frame.end_lineno or start is None or end is None:
            return ""
        line = linecache.getline(frame.filename, frame.lineno)
        if not line.isascii() or _OPERATOR.search(line, start, end):
            return ""
        head = f'  File "{frame.filename}", line {frame.lineno}, in {frame.name}\n'
        stripped = line.strip()
        if not stripped:
            return head
        if end - start >= len(stripped):
            return f"{head}    {stripped}\n"
        indent = " " * (4 + start + 1 - (len(line) - len(stripped)))
        return f"{head}    {stripped}\n{indent}{'^' * (end - start)}\n"


_OPERATOR = re.compile(r"[-+*/%@<>&|^\[]")


def _unchanged(text: str) -> str:
    return text


_NOTHING = Exception()


def _entries(tb: TracebackType | None) -> Iterator[TracebackType]:
    while tb is not None:
        yield tb
        tb = tb.tb_next


def _serialised(frame: Frame) -> Frame:
    try:
        encoded = orjson.dumps(frame)
    except (TypeError, ValueError):  # a surrogate in a path or a source line
        frame = Frame(
            _utf8(frame.file), frame.line, _utf8(frame.function), _utf8(frame.module), _utf8(frame.code), frame.in_app
        )
        encoded = orjson.dumps(frame)
    frame._json = encoded
    return frame


def _utf8(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


class RaisedException:
    """One live exception of a chain.

    Args:
        value: the exception.
        relation: as in :class:`ExceptionData`.
        parent: as in :class:`ExceptionData`.
        stack: where it was raised.

    Raises:
        Exception: whatever the exception raises when it is looked at.
    """

    __slots__ = ("is_linear", "is_special", "members_omitted", "notes", "parent", "relation", "stack", "value")

    def __init__(self, value: BaseException, relation: str | None, parent: int | None, stack: Stack) -> None:
        self.value = value
        self.relation = relation
        self.parent = parent
        self.stack = stack
        self.members_omitted = 0
        self.notes: Any = getattr(value, "__notes__", None)
        # Printed as its own stack and lines, after those of its cause or context. The standard library follows
        # the chain of an exception only when that is true as a condition.
        self.is_linear = not isinstance(value, BaseExceptionGroup) and bool(value)
        self.is_special = self.notes is not None or isinstance(value, _SPECIAL)


# Their last lines are more than type and text: a position in the source, or "Did you mean".
_SPECIAL = (SyntaxError, NameError, AttributeError, ImportError) if sys.version_info >= (3, 12) else SyntaxError


def walk_chain(exc: BaseException, tb: TracebackType | None, cache: StackCache) -> list[RaisedException]:
    """The exceptions that belong to one, itself first: what Python would print, as a list.

    Args:
        exc: the exception that was logged.
        tb: its traceback (``exc_info`` may carry another one than the exception).
        cache: renders the stacks.
    """
    found = [RaisedException(exc, None, None, cache.stack(tb))]
    seen = {id(exc)}
    for index, raised in enumerate(found):  # grows while it is walked
        for value, relation in _related(raised, seen):
            if len(found) >= MAX_EXCEPTIONS:
                return found
            found.append(RaisedException(value, relation, index, cache.stack(value.__traceback__)))
    return found


def _related(raised: RaisedException, seen: set[int]) -> list[tuple[BaseException, str]]:
    exc = raised.value
    related: list[tuple[BaseException, str]] = []
    cause, context = exc.__cause__, exc.__context__
    if cause is not None and id(cause) not in seen:
        related.append((cause, "cause"))
    elif context is not None and not exc.__suppress_context__ and id(context) not in seen:
        related.append((context, "context"))
    if isinstance(exc, BaseExceptionGroup):
        raised.members_omitted = max(0, len(exc.exceptions) - MAX_MEMBERS)
        related += [(member, "member") for member in exc.exceptions[:MAX_MEMBERS] if id(member) not in seen]
    seen.update([id(value) for value, _ in related])
    return related


def format_exception(
    chain: Sequence[RaisedException],
    tb: TracebackType | None,
    messages: Sequence[str] | None = None,
    mask: Callable[[str], str] | None = None,
) -> str:
    """What ``"".join(traceback.format_exception(...))`` gives, from positions that are already rendered.

    Args:
        chain: from :func:`walk_chain`.
        tb: the traceback of the first exception.
        messages: texts of the exceptions, when they are known; else they are asked.
        mask: takes secrets out of texts; None leaves the text as the standard library has it.
    """
    if len(chain) >= MAX_EXCEPTIONS or "tracebacklimit" in sys.__dict__ or not all(map(_linear, chain)):
        first = chain[0].value
        text = "".join(traceback.format_exception(type(first), first, tb))
        return mask(text) if mask else text
    parts: list[str] = []
    for index in range(len(chain) - 1, -1, -1):
        raised = chain[index]
        parts.append(raised.stack.masked if mask else raised.stack.text)
        if raised.is_special:
            last = _special_lines(raised.value, raised.value.__traceback__ if index else tb)
            parts.append(mask(last) if mask else last)
        else:
            parts.append(_last_line(raised.value, messages[index] if messages else safe_str(raised.value)))
        if raised.relation is not None:
            parts.append(CAUSE_LINE if raised.relation == "cause" else CONTEXT_LINE)
    return "".join(parts)


_linear = operator.attrgetter("is_linear")


def _special_lines(exc: BaseException, tb: TracebackType | None) -> str:
    return "".join(traceback.TracebackException(type(exc), exc, tb, limit=0).format_exception_only())


def _last_line(exc: BaseException, text: str) -> str:
    kind = type(exc)
    module, name = kind.__module__, kind.__qualname__
    if module not in ("__main__", "builtins"):  # as the standard library has it
        name = f"{module if isinstance(module, str) else '<unknown>'}.{name}"
    return f"{name}: {text}\n" if text else f"{name}\n"


def safe_str(exc: object) -> str:
    """``str()`` of an exception, or what the standard library prints when that raises."""
    try:
        return str(exc)
    except BaseException:  # whatever a hostile __str__ raises must not reach the application
        return "<exception str() failed>"
