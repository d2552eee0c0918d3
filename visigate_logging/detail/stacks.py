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

from visigate_logging.detail.bounded import Bounded
from visigate_logging.detail.frames import Frame, Frames
from visigate_logging.detail.modules import imported_name
from visigate_logging.detail.positions import Place, Position, SimpleFrames, Source, all_current, frame_summaries
from visigate_logging.detail.values import utf8

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

    __slots__ = ("is_kept", "masked", "sources")

    def __init__(self, positions: tuple[Position, ...]) -> None:
        super().__init__(positions)
        self.is_kept = False
        """Whether it is that of all tracebacks with the same code positions."""
        self.sources = tuple({p.source for p in positions})
        self.masked = self._text([p.masked for p in positions])

    @property
    def text(self) -> str:
        """What the standard library prints for the stack."""
        return self._text([p.text for p in self.positions])

    def _text(self, texts: Sequence[str]) -> str:
        """Return the texts, with runs of one line folded as ``traceback.StackSummary.format`` does."""
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
        self._positions: Bounded[int, Position] = Bounded(MAX_POSITIONS)
        # By the addresses of instructions, which in CPython are those of their code objects and an offset: what is
        # kept here keeps its code alive, so that no other code can have them.
        self._stacks: Bounded[tuple[int, ...], Stack] = Bounded(MAX_STACKS)
        self._simple = SimpleFrames()

    def stacks(self, tracebacks: Sequence[TracebackType | None]) -> list[Stack]:
        """Return the rendered stacks of the tracebacks of a chain.

        Args:
            tracebacks: the outermost entry of each; None gives an empty stack.
        """
        now = time.monotonic()
        found = []
        for tb in tracebacks:
            stack = self._known(tb, now)
            if stack is None:
                rendered = self._render(tracebacks)
                return [self._keep(tb, tuple(p)) for tb, p in zip(tracebacks, rendered, strict=True)]
            found.append(stack)
        return found

    def _known(self, tb: TracebackType | None, now: float) -> Stack | None:
        """Return the stack of a traceback that was met before, when its sources are what they were."""
        addresses: list[int] = []
        while tb is not None:
            addresses.append(id(tb.tb_frame.f_code) + tb.tb_lasti)
            tb = tb.tb_next
        stack = self._stacks.get(tuple(addresses))
        return stack if stack is not None and all_current(stack.sources, now) else None

    def _keep(self, tb: TracebackType | None, positions: tuple[Position, ...]) -> Stack:
        addresses = tuple([id(entry.tb_frame.f_code) + entry.tb_lasti for entry in _entries(tb)])
        stack = self._stacks.get(addresses)
        if stack is None or stack.positions != positions:
            stack = Stack(positions)
            known = self._positions
            if len(positions) <= MAX_KEPT and tuple(map(known.get, addresses)) == positions:
                stack.is_kept = True
                self._stacks.keep(addresses, stack)
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
                self._positions.keep(id(position.code) + entry.tb_lasti, position)
        return [
            [known[id(e.tb_frame.f_code), e.tb_lasti, s.lineno] for e, s in zip(*stack, strict=True)]
            for stack in zip(entries, summaries, strict=True)
        ]

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
        names = code.co_filename, code.co_name, module
        file, name, module = names if text.isascii() and module.isascii() else map(utf8, names)
        frame = Frame(file, summary.lineno or 0, name, module, line, in_app)
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
