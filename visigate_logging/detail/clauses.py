"""Where in its function a frame stands: in an ``except`` clause, in what runs while an exception passes, or neither.

Read from the exception table and the instructions of its code, so that neither source nor cooperation is needed. The
shapes are those that CPython's compiler gives handlers:

- a handler begins with ``PUSH_EXC_INFO``; an ``except`` clause then compares the exception (``CHECK_EXC_MATCH``,
  ``CHECK_EG_MATCH``) or, without a class, drops it (``POP_TOP``). All else is a ``finally`` or the end of a ``with``.
- what runs in a handler, its first instruction included, is protected by a clean-up that drops the exception again.

See Objects/exception_handling_notes.txt (3.11, 3.12) or InternalDocs/exception_handling.md (3.13) of CPython.
"""

import functools
import opcode
from collections.abc import Iterator
from types import CodeType
from typing import Literal, NamedTuple

from visigate_logging.detail.bounded import Bounded

Clause = Literal["except", "passing"]
"""``passing``: a ``finally``, or the end of a ``with``, while an exception is on its way."""

MAX_DEPTH = 64
"""Nested handlers that are looked at; CPython's compiler allows 20 blocks."""

_OP = opcode.opmap
_MATCHES = {_OP["CHECK_EXC_MATCH"], _OP["CHECK_EG_MATCH"]}
_BLANK = {_OP["CACHE"], _OP["NOP"], _OP["EXTENDED_ARG"]}
# What no expression has that names the class of an exception, and each statement has somewhere.
_STATEMENT = {
    number
    for name, number in _OP.items()
    if name.startswith(("POP_", "STORE_", "DELETE_", "RETURN_", "RERAISE", "RAISE_", "FOR_", "PUSH_EXC"))
    and "_JUMP_" not in name
}


class _Entry(NamedTuple):
    """A line of an exception table, in bytes: an exception between start and end goes on at target."""

    start: int
    end: int
    target: int


_clauses: Bounded[int, tuple[CodeType, Clause | None]] = Bounded(512)
"""By the addresses of instructions, whose code is kept alive: its own hash would be that of all its constants."""


def clause_at(code: CodeType, instruction: int) -> Clause | None:
    """Return the innermost handler that an instruction stands in.

    Args:
        code: any code object.
        instruction: offset in bytes, as ``frame.f_lasti`` and ``tb.tb_lasti`` have it.
    """
    known = _clauses.get(id(code) + instruction)
    if known is None or known[0] is not code:
        clause = next((handler.clause for handler in _shape(code).around(instruction)), None)
        known = _clauses.keep(id(code) + instruction, (code, clause))
    return known[1]


def is_caught_there(code: CodeType, raised_at: int, instruction: int) -> bool:
    """Return whether an instruction stands in a handler that takes what comes from another instruction.

    Args:
        code: that both are in.
        raised_at: where the exception came from, as ``tb.tb_lasti`` has it.
        instruction: the one that may be in a handler of it.
    """
    shape = _shape(code)
    return not shape.takers(raised_at).isdisjoint(shape.around(instruction))


@functools.lru_cache(maxsize=512)
def is_raise(code: CodeType, instruction: int) -> bool:
    """Return whether an instruction raises an exception that it names: ``raise e``, and not ``raise`` alone."""
    raises, count = code.co_code[instruction : instruction + 2]
    return raises == _OP["RAISE_VARARGS"] and count > 0


class _Handler(NamedTuple):
    clause: Clause
    cleanup: int


class _Shape:
    """The handlers of a code object."""

    def __init__(self, code: CodeType) -> None:
        self._entries = _parsed(code.co_exceptiontable)
        instructions = code.co_code
        self._begun: dict[int, _Handler] = {}
        for target in {entry.target for entry in self._entries}:
            cleanup = self._goes_to(target)
            if instructions[target] == _OP["PUSH_EXC_INFO"] and cleanup is not None:
                self._begun[target] = _Handler(_kind(instructions, target), cleanup)
        self._ended = {handler.cleanup: handler for handler in self._begun.values()}

    def _goes_to(self, instruction: int) -> int | None:
        """Return where an exception at an instruction goes on."""
        return next((e.target for e in self._entries if e.start <= instruction < e.end), None)

    def takers(self, instruction: int) -> set[_Handler]:
        """Return the handlers that an exception from an instruction may come to, outwards."""
        found = set()
        target = self._goes_to(instruction)
        for _ in range(MAX_DEPTH):
            if target is None:
                break
            if target in self._begun:
                found.add(self._begun[target])
            target = self._goes_to(self._begun[target].cleanup if target in self._begun else target)
        return found

    def around(self, instruction: int) -> Iterator[_Handler]:
        """Yield the handlers that an instruction stands in, innermost first."""
        for _ in range(MAX_DEPTH):
            target = self._goes_to(instruction)
            if target is None:
                return
            if target in self._ended:
                yield self._ended[target]
            # A handler that would take an exception from here is not one that is being run.
            instruction = self._begun[target].cleanup if target in self._begun else target


@functools.lru_cache(maxsize=128)
def _shape(code: CodeType) -> _Shape:
    return _Shape(code)


def _kind(instructions: bytes, handler: int) -> Clause:
    """Return whether a handler is an except clause, from what it does first."""
    first = True
    for op in instructions[handler + 2 :: 2]:
        if op in _MATCHES or (first and op == _OP["POP_TOP"]):
            return "except"
        if op in _STATEMENT or op == _OP["WITH_EXCEPT_START"]:
            break
        first = first and op in _BLANK
    return "passing"


def _parsed(table: bytes) -> list[_Entry]:
    """Read an exception table: its numbers have six bits a byte, the highest first; bit 6 says that more follow."""
    numbers: list[int] = []
    value = 0
    for byte in table:
        value = value << 6 | byte & 63
        if not byte & 64:
            numbers.append(value)
            value = 0
    starts, lengths, targets = numbers[::4], numbers[1::4], numbers[2::4]
    return [_Entry(s * 2, (s + n) * 2, t * 2) for s, n, t in zip(starts, lengths, targets, strict=True)]
