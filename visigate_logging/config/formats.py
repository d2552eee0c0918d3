"""Format strings, tried on a record of our own: a wrong one costs each record."""

import logging
import re
import string
from collections.abc import Iterator, Mapping
from typing import Any

from visigate_logging.config.source import ERROR, WARNING
from visigate_logging.options import meant

_PERCENT = re.compile(r"%(?:\((?P<name>[^)]*)\))?(?P<flags>[#0+ -]*)(?:\*|\d+)?(?:\.(?:\*|\d+))?(?P<kind>.?)", re.S)
_OURS = ("severity", "category", "event_id", "culprit", "fingerprint")
"""What records have, beside logging's own, behind our classifier and for our formatters."""
_SURE = 0.8
"""How alike a field must be to a known one, from 0 to 1, to be taken for a slip of the pen."""


class _Anything(int):
    """Whatever an application may give with ``extra=``: it can be formatted as a number and as a text."""

    def __format__(self, spec: str) -> str:
        return "0"

    def __getattr__(self, name: str) -> Any:
        return self

    def __getitem__(self, name: Any) -> Any:
        return self


ANYTHING: Any = _Anything()


class _Values(dict[str, Any]):
    """The attributes of a record, and any others."""

    def __missing__(self, name: str) -> Any:
        return ANYTHING


def sample_record() -> logging.LogRecord:
    """Return a record with all that one has when it is formatted."""
    record = logging.makeLogRecord({"name": "visigate.check", "msg": "a record to try formats on", "levelno": 20})
    record.__dict__ |= {"levelname": "INFO", "message": record.getMessage(), "asctime": "2026-05-04 12:30:00,000"}
    return record


def check_format(text: str, style: str, *, validate: bool) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with a format, each with its severity.

    Args:
        text: the format.
        style: ``%``, ``{`` or ``$``, as for :class:`logging.Formatter`.
        validate: whether the formatter will insist on a field.
    """
    try:
        fields = list(_FIELDS[style](text))
        if validate:
            logging.Formatter(text, style=style)  # type: ignore[arg-type]  # one of the three
        _render(text, style)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        yield f"{text!r:.80} is no format: {error}{_other_style(text, style)}", ERROR
        return
    known = {*vars(sample_record()), *_OURS, "taskName"}
    for field in sorted({*fields} - known):
        if guess := meant(field, known, _SURE):
            yield f"{field} is no field of a record{guess}", WARNING
    if "taskName" in fields and "taskName" not in vars(sample_record()):
        yield "taskName is a field of a record from Python 3.12 on: here each record would fail", ERROR


def _render(text: str, style: str) -> None:
    values = _Values(vars(sample_record()))
    if style == "%":
        _ = text % values
    elif style == "{":
        string.Formatter().vformat(text, (), values)
    else:
        string.Template(text).substitute(values)


# complex: one way to be wrong a line
def _of_percent(text: str) -> Iterator[str]:
    for found in _PERCENT.finditer(text):
        name, kind = found["name"], found["kind"]
        if name is None and kind == "(":
            raise ValueError(f"{text[found.start() :]!r:.20} has no )")
        if name is None and kind != "%":
            raise ValueError(f"a % alone at {found[0]!r}; write %%")
        if (name is None and found[0] != "%%") or (name is not None and kind not in set("diouxXeEfFgGcrsa")):
            cure = f"write %({name})s" if name is not None else "write %%"
            raise ValueError(f"{found[0].rstrip()!r} has no letter that says how; {cure}")
        if name is not None:
            yield name


def _of_braces(text: str) -> Iterator[str]:
    for _, name, _, _ in string.Formatter().parse(text):
        if name is not None:
            if not name or name.isdigit():
                raise ValueError("a field without a name; write {message}")
            yield re.split(r"[.\[]", name)[0]


def _of_dollars(text: str) -> Iterator[str]:
    for found in string.Template.pattern.finditer(text):
        if found["invalid"] is not None:
            raise ValueError("a $ alone; write $$")
        if name := found["named"] or found["braced"]:
            yield name


_FIELDS = {"%": _of_percent, "{": _of_braces, "$": _of_dollars}
_SIGNS: Mapping[str, str] = {"%": r"%\(\w+\)", "$": r"\$\{?\w+", "{": r"\{\w+"}


def _other_style(text: str, style: str) -> str:
    """Return which style the format has been written in, when it is another."""
    if re.search(_SIGNS[style], text):
        return ""
    found = next((other for other, sign in _SIGNS.items() if re.search(sign, text)), "")
    return f'; it is written for style: "{found}"' if found else ""
