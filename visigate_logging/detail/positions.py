"""One code position as the standard library prints it, and whether its source is still the same."""

import itertools
import linecache
import os
import re
import sys
import traceback
from collections.abc import Iterable
from keyword import iskeyword
from types import CodeType, TracebackType

from visigate_logging.detail.frames import Frame
from visigate_logging.detail.values import utf8

CHECK_EVERY = 0.001
"""Seconds for which a source file that was unchanged is taken to be so still."""


class Source:
    """The state of one file's lines in :mod:`linecache` when positions in it were rendered."""

    __slots__ = ("checked", "entry", "filename")

    def __init__(self, filename: str) -> None:
        self.filename = filename
        self.entry = linecache.cache.get(filename)
        self.checked = 0.0
        """When it was last looked at, by ``time.monotonic``."""

    def is_current(self, now: float) -> bool:
        """Return whether the standard library would still find the same lines.

        Args:
            now: of ``time.monotonic``.
        """
        self.checked = now
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


def all_current(sources: Iterable[Source], now: float) -> bool:
    """Return whether the files of sources still have the same lines.

    Args:
        sources: those that were looked at in the last millisecond are taken to be so.
        now: of ``time.monotonic``.
    """
    return not [source for source in sources if now - source.checked >= CHECK_EVERY and not source.is_current(now)]


class Place:
    """A position on a stack, as groups look at it.

    Args:
        frame: it as data, masked.
        qualname: qualified name of the function.
        code: what is the same for all places in the function.
    """

    __slots__ = ("code", "frame", "qualname")

    def __init__(self, frame: Frame, qualname: str, code: object) -> None:
        self.frame = frame
        self.qualname = qualname
        self.code = code

    @property
    def function(self) -> str:
        """Module and qualified name of the function."""
        return f"{self.frame.module}.{self.qualname}"

    @property
    def statement(self) -> str:
        """The function and the text of the line, white space folded."""
        return f"{self.function}: {' '.join(self.frame.code.split())}"


class Position(Place):
    """One rendered code position.

    Args:
        code: the code object, kept so that its id stays its own.
        source: state of the source file.
        text: what the standard library prints for it.
        masked: the same with secrets masked.
        frame: the same as data, masked.
    """

    code: CodeType
    __slots__ = ("identity", "masked", "source", "text")

    def __init__(self, code: CodeType, source: Source, text: str, masked: str, frame: Frame) -> None:
        super().__init__(frame, utf8(code.co_qualname), code)
        self.source = source
        self.text = text
        self.masked = masked
        # What the standard library folds repeated lines by; positions without a line it never folds.
        self.identity = (code.co_filename, frame.line, code.co_name) if frame.line else None


if sys.version_info >= (3, 13):

    def frame_summaries(tb: TracebackType | None) -> list[traceback.FrameSummary]:
        """Return the frames of a traceback as the standard library takes them out of it."""
        # The limit keeps sys.tracebacklimit out: as data, all frames are wanted.
        return traceback.TracebackException(Exception, _NOTHING, tb, limit=sys.maxsize).stack

    _NOTHING = Exception()

else:

    def frame_summaries(tb: TracebackType | None) -> list[traceback.FrameSummary]:
        """Return the frames of a traceback as the standard library takes them out of it, and do no more than that."""
        found = []
        while tb is not None:
            frame, code = tb.tb_frame, tb.tb_frame.f_code
            line, end_line, column, end_column = _span(code, tb.tb_lasti)
            linecache.lazycache(code.co_filename, frame.f_globals)
            found.append(
                traceback.FrameSummary(
                    code.co_filename,
                    tb.tb_lineno if line is None else line,
                    code.co_name,
                    lookup_line=False,
                    end_lineno=end_line,
                    colno=column,
                    end_colno=end_column,
                )
            )
            tb = tb.tb_next
        for filename in {frame.filename for frame in found}:
            linecache.checkcache(filename)
            linecache.getlines(filename)
        return found

    def _span(code: CodeType, instruction: int) -> tuple[int | None, int | None, int | None, int | None]:
        if instruction < 0:
            return None, None, None, None
        return next(itertools.islice(code.co_positions(), instruction // 2, None))


class SimpleFrames:
    """Text of a frame as the standard library has it, without parsing the source where that changes nothing.

    Up to Python 3.12 the source is parsed only to mark the operator of an operation or a subscript; a segment
    without a character of one has none. The first such text of a process is compared with the standard library's:
    if another patch release prints otherwise, it does all the work.
    """

    def __init__(self) -> None:
        self._is_proven: bool | None = None if sys.version_info < (3, 13) else False

    def __call__(self, frame: traceback.FrameSummary) -> str:
        """Return the text of one frame."""
        text = "" if self._is_proven is False else self._text(frame)
        if text and self._is_proven:
            return text
        # A subclass of the standard library's may leave a frame out.
        full = traceback.StackSummary().format_frame_summary(frame) or ""
        if text:
            self._is_proven = text == full
        return full

    def _text(self, frame: traceback.FrameSummary) -> str:
        """Return the text; empty where the standard library has to be asked."""
        start, end = frame.colno, frame.end_colno
        if frame.lineno is None or frame.lineno != frame.end_lineno or start is None or end is None:
            return ""
        line = linecache.getline(frame.filename, frame.lineno)
        if not line.isascii():
            return ""
        head = f'  File "{frame.filename}", line {frame.lineno}, in {frame.name}\n'
        stripped = line.strip()
        if not stripped:
            return head
        carets = "^" * (end - start)
        if _OPERATOR.search(line, start, end):
            bracket = outer_subscript(line[start:end])
            if not bracket:
                return ""
            carets = "~" * bracket + carets[bracket:]
        elif end - start >= len(stripped):
            return f"{head}    {stripped}\n"
        indent = " " * (start + 1 - (len(line) - len(stripped)))
        return f"{head}    {stripped}\n    {indent}{carets}\n"


_OPERATOR = re.compile(r"[-+*/%@<>&|^\[]")
_TOKEN = re.compile(r"'[^']*'|\"[^\"]*\"|[\w.]+|[^\w.]")
_VALUE = re.compile(r"'.*'|\".*\"|[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")
_ATTRIBUTE = re.compile(r"(?:\.[A-Za-z_]\w*)+")
_FORMATTED = re.compile(r"\b(?:f|fr|rf)['\"]", re.IGNORECASE)


def outer_subscript(source: str) -> int:
    """Return where the bracket opens, when an expression is plainly a subscript, as in ``names[key]``; else 0.

    Args:
        source: ASCII text of an expression, in one line.
    """
    if "\\" in source or _FORMATTED.search(source):  # texts that these tokens do not know
        return 0
    depth = opened = 0
    for match in _TOKEN.finditer(source):
        piece = match[0]
        if piece in "([{":
            opened = opened if depth else match.start()
            depth += 1
        elif piece in ")]}":
            depth -= 1
        elif piece in "'\"":
            return 0
        elif not depth:
            plain = (_ATTRIBUTE if match.start() else _VALUE).fullmatch(piece)
            if not plain or any(map(iskeyword, piece.split("."))):
                return 0
        if depth < 0:
            return 0
    return opened if not depth and source[opened] == "[" and source[-1] == "]" else 0
