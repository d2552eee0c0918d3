"""Where a logging call stands: what its statement says for itself, read once from the source."""

import ast
import contextlib
import inspect
import itertools
import linecache
import logging
from types import CodeType, FrameType
from typing import NamedTuple

from visigate_logging.detail.bounded import Bounded
from visigate_logging.detail.templates import Template, templates_in
from visigate_logging.host.headroom import caller_frame

MAX_SITES = 4096
"""Places that are remembered."""
MAX_LINES = 40
"""Lines of a statement that are read."""
MAX_DEPTH = 60
"""Frames between a logging call and this, of the handlers and of libraries around logging."""

_MESSAGE = ("msg", "message", "event")


class Site(NamedTuple):
    """A place in the source that logs.

    Args:
        templates: of the texts that it may log.
        passes_on: whether it logs what its function was called with.
    """

    templates: tuple[Template, ...] = ()
    passes_on: bool = False

    def template(self, message: str) -> Template | None:
        """Return the template that a message was made of; None when there is none that fits."""
        for template in self.templates:
            if template.fits(message):
                return template
        return None


_sites: Bounded[tuple[str, int, str], Site] = Bounded(MAX_SITES)


def site_of(record: logging.LogRecord) -> Site:
    """Return the place of a logging call, read once from its source.

    Nothing is executed. While the call is going on, its source counts only where the code that runs has the same
    texts in it.

    Args:
        record: what was logged.
    """
    place = (record.pathname, record.lineno, record.funcName)
    known = _sites.get(place)
    if known is None:
        try:
            known = _read(record)
        except Exception:  # whatever a file, or who gives its lines, has there
            known = Site()
        _sites.keep(place, known)
    return known


def calling(record: logging.LogRecord) -> FrameType | None:
    """Return the frame that called the logger, while it still does."""
    frame = caller_frame()
    for _ in range(MAX_DEPTH):
        if frame is None or (frame.f_code.co_filename == record.pathname and frame.f_lineno == record.lineno):
            return frame
        frame = frame.f_back
    return None


def _read(record: logging.LogRecord) -> Site:
    frame = calling(record)
    if frame is None:
        call = _statement(linecache.getlines(record.pathname)[record.lineno - 1 :][:MAX_LINES])
        return Site(
            templates_in(a for node in ast.walk(call) if isinstance(node, ast.Call) for a in _arguments(node))
        )
    linecache.checkcache(record.pathname)
    expression = _expression(frame, linecache.getlines(record.pathname, frame.f_globals))
    if not isinstance(expression, ast.Call) or not _is_part(expression, frame.f_code):
        return Site()
    texts = _arguments(expression)
    found = templates_in(texts)
    return Site(found, not found and _passes_on(texts, frame.f_code))


def _expression(frame: FrameType, lines: list[str]) -> ast.expr:
    """Return the call that a frame is in the middle of."""
    positions = next(itertools.islice(frame.f_code.co_positions(), frame.f_lasti // 2, None))
    first, last, start, end = positions
    if first is None or last is None or start is None or end is None or last - first >= MAX_LINES:
        raise ValueError(positions)
    text = [line.encode() for line in lines[first - 1 : last]]
    text[-1] = text[-1][:end]
    text[0] = text[0][start:]
    return ast.parse(b"(" + b"".join(text) + b")", mode="eval").body


def _statement(lines: list[str]) -> ast.AST:
    """Return the statement that begins with the first of some lines."""
    for count in range(1, len(lines) + 1):
        with contextlib.suppress(SyntaxError):
            return ast.parse("".join([lines[0].lstrip(), *lines[1:count]]))
    raise ValueError(lines[:1])


def _is_part(expression: ast.expr, code: CodeType) -> bool:
    """Return whether the code that runs can have been compiled from an expression: it has the same texts in it."""
    return _texts(compile(ast.Expression(expression), code.co_filename, "eval")) <= _texts(code)


def _texts(code: CodeType) -> set[str]:
    flat = (c for constant in code.co_consts for c in (constant if type(constant) is tuple else (constant,)))
    return {constant for constant in flat if type(constant) is str}


def _passes_on(texts: list[ast.expr], code: CodeType) -> bool:
    """Return whether what is logged is made of what the function was called with."""
    count = code.co_argcount + code.co_kwonlyargcount
    count += bool(code.co_flags & inspect.CO_VARARGS) + bool(code.co_flags & inspect.CO_VARKEYWORDS)
    given = {*code.co_varnames[:count]} - {"self", "cls"}
    names = (node.id for text in texts for node in ast.walk(text) if isinstance(node, ast.Name))
    return any(name in given for name in names)


def _arguments(call: ast.Call) -> list[ast.expr]:
    return [*call.args, *(keyword.value for keyword in call.keywords if keyword.arg in _MESSAGE)]
