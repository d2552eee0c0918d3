"""The stacks of live exceptions, each code position rendered once.

The standard library stats and parses the source of every frame each time it formats a traceback. Here it
renders a position the first time; afterwards the text comes from a cache, as long as the source is the one that
:mod:`linecache` has.
"""

import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from types import CodeType, TracebackType
from typing import Generic, TypeVar

from visigate_logging.detail.frames import Frame, Frames
from visigate_logging.detail.modules import imported_name
from visigate_logging.detail.positions import Place, Position, SimpleFrames, Source, frame_summaries
from visigate_logging.detail.values import utf8

__all__ = ["Places", "Stack", "StackCache"]

MAX_POSITIONS = 4096
"""Code positions kept in a cache; past that it starts anew."""
MAX_STACKS = 256
"""Whole stacks kept in a cache."""
MAX_KEPT = 5000
"""Positions of a stack that is kept: a deeper recursion is put together each time."""
MAX_FRAMES = 100
"""Frames kept as data for each exception: the outer and the inner ones."""

REPEATS_SHOWN = 3  # as in traceback.StackSummary.format
HEADING = "Traceback (most recent call last):\n"


P = TypeVar("P", bound=Place)


class Places(Generic[P]):
    """The positions of one traceback, oldest first, and what is the same each time it is met.

    Args:
        positions: all of them.
    """

    __slots__ = ("frames", "omitted", "own", "positions")

    def __init__(self, positions: tuple[P, ...]) -> None:
        self.positions = positions
        self.own = tuple(p for p in positions if p.frame.in_app)
        frames = tuple(p.frame for p in positions)
        self.omitted = max(0, len(frames) - MAX_FRAMES)
        kept = frames[: MAX_FRAMES // 2] + frames[-MAX_FRAMES // 2 :] if self.omitted else frames
        self.frames = Frames(kept)

    @property
    def innermost(self) -> P | None:
        """The culprit: the innermost position in the application's own code, else the innermost of all."""
        return (self.own or self.positions or (None,))[-1]


class Stack(Places[Position]):
    """The rendered positions of the traceback of a live exception.

    Args:
        positions: all of them.
    """

    __slots__ = ("masked", "sources")

    def __init__(self, positions: tuple[Position, ...]) -> None:
        super().__init__(positions)
        self.sources = tuple({p.source for p in positions})
        self.masked = self._text([p.masked for p in positions])

    @property
    def text(self) -> str:
        """What the standard library prints for the stack."""
        return self._text([p.text for p in self.positions])

    def _text(self, texts: Sequence[str]) -> str:
        """The texts, with runs of one line folded as ``traceback.StackSummary.format`` does."""
        parts = [HEADING] if texts else []
        last: object = None
        count = 0
        for position, text in zip(self.positions, texts, strict=True):
            if position.identity is None or position.identity != last:
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
        self._simple = SimpleFrames()

    def stacks(self, tracebacks: Sequence[TracebackType | None]) -> list[Stack]:
        """The rendered stacks of the tracebacks of a chain.

        Args:
            tracebacks: the outermost entry of each; None gives an empty stack.
        """
        now = time.monotonic()
        found = []
        for tb in tracebacks:
            stack = self.known(tb, now)
            if stack is None:
                return [self._kept(positions) for positions in self._render(tracebacks)]
            found.append(stack)
        return found

    def known(self, tb: TracebackType | None, now: float) -> Stack | None:
        """The stack of a traceback, when all its positions are known and their sources what they were.

        Args:
            tb: the outermost entry.
            now: of ``time.monotonic``.
        """
        known = self._positions
        found: list[Position] = []
        entry = tb
        while entry is not None:
            code = entry.tb_frame.f_code
            position = known.get(id(code) + entry.tb_lasti)  # in CPython the address of the instruction
            if position is None or position.code is not code:
                return None
            found.append(position)
            entry = entry.tb_next
        stack = self._kept(found)
        for source in stack.sources:
            if not source.is_current(now):
                return None
        return stack

    def _kept(self, positions: list[Position]) -> Stack:
        key = tuple(positions)
        stack = self._stacks.get(key)
        if stack is None:
            if len(self._stacks) >= MAX_STACKS:
                self._stacks.clear()
            stack = Stack(key)
            if len(key) <= MAX_KEPT:
                self._stacks[key] = stack
        return stack

    def _render(self, tracebacks: Sequence[TracebackType | None]) -> list[list[Position]]:
        """Render the positions that are not known, or whose source has changed."""
        entries = [list(_entries(tb)) for tb in tracebacks]
        summaries = [frame_summaries(tb) for tb in tracebacks]
        sources: dict[str, Source] = {}
        known: dict[_Place, Position] = {}
        new: dict[_Place, tuple[TracebackType, Source, traceback.FrameSummary, str]] = {}
        for entry, summary in zip(chain(*entries), chain(*summaries), strict=True):
            code = entry.tb_frame.f_code
            place = (id(code), entry.tb_lasti, summary.lineno)
            if place in known or place in new:
                continue
            position = self._positions.get(id(code) + entry.tb_lasti)
            source = sources.get(code.co_filename) or sources.setdefault(code.co_filename, Source(code.co_filename))
            if position is None or position.code is not code or position.source.entry is not source.entry:
                new[place] = (entry, source, summary, self._simple(summary))
            else:
                known[place] = position
        together = "".join([*sources, *(text.partition("\n")[2] for *_, text in new.values())])
        mask = _unchanged if self._mask(together) == together else self._mask
        for place, (entry, source, summary, text) in new.items():
            position = known[place] = self._position(entry, source, summary, text, mask)
            # An entry made by hand has a line of its own, which is printed where the code knows none.
            if summary.colno is not None or _has_line(position.code, entry.tb_lasti):
                self._keep(position, entry.tb_lasti)
        return [
            [known[id(e.tb_frame.f_code), e.tb_lasti, s.lineno] for e, s in zip(*stack, strict=True)]
            for stack in zip(entries, summaries, strict=True)
        ]

    def _keep(self, position: Position, instruction: int) -> None:
        if len(self._positions) >= MAX_POSITIONS:
            self._positions.clear()
        self._positions[id(position.code) + instruction] = position

    def _position(
        self,
        entry: TracebackType,
        source: Source,
        summary: traceback.FrameSummary,
        text: str,
        mask: Callable[[str], str],
    ) -> Position:
        code = entry.tb_frame.f_code
        module = imported_name(entry.tb_frame.f_globals)
        in_app = self._in_app(code.co_filename, module)
        line = mask((summary.line or "").strip())
        frame = Frame(utf8(code.co_filename), summary.lineno or 0, utf8(code.co_name), utf8(module), line, in_app)
        return Position(code, source, text, mask(text), frame)


def _has_line(code: CodeType, instruction: int) -> bool:
    return any(line and start <= instruction < end for start, end, line in code.co_lines())


def _unchanged(text: str) -> str:
    return text


_Place = tuple[int, int, int | None]  # code object, instruction, line


def _entries(tb: TracebackType | None) -> Iterator[TracebackType]:
    while tb is not None:
        yield tb
        tb = tb.tb_next
