"""Records as readers get them: each field of the type that it should have, whoever wrote the line."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any, NamedTuple

from visigate_logging.detail.frames import ExceptionData, Frame
from visigate_logging.detail.record import ErrorDetail
from visigate_logging.host.clock import utc_text
from visigate_logging.store.times import parse_timestamp


def read_record(data: Mapping[str, Any], at: int) -> ErrorDetail:
    """Return a line's object as a record.

    Args:
        data: the object.
        at: when it happened, microseconds since 1970. If that is not what the record says of itself, its clock was
            wrong: the time that was worked out goes along as ``about``.
    """
    record = ErrorDetail.from_dict(typed(data))
    if parse_timestamp(data["timestamp"]) != at:
        record.__dict__["about"] = utc_text(at // 1_000_000)
    return record


def about(record: ErrorDetail) -> str:
    """Return when a record whose clock was wrong really was, as a timestamp; empty where it says so itself."""
    found: str = record.__dict__.get("about", "")
    return found


def typed(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return a line's object with each known field of the type that a detail record has; what cannot be is left out.

    Nothing is changed in what our own writers make.
    """
    return {
        name: value if (fit := FITS.get(name)) is None or type(value) is fit.kind else fit.how(value)
        for name, value in data.items()
    }


class Fit(NamedTuple):
    """The type that values of a field have mostly, and what is made of others."""

    kind: type | None
    how: Callable[[Any], Any]


def _text(value: Any) -> str:
    return value if type(value) is str else "" if value is None else str(value)


def _word(value: Any) -> str | None:
    return value if type(value) is str else None


def _index(value: Any) -> int | None:
    return value if type(value) is int else None


def _number(value: Any) -> int:
    return value if type(value) is int else 0


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if type(value) is dict else {} if value is None else {"value": value}


def _texts(value: Any) -> list[str]:
    return [_text(item) for item in value] if type(value) is list else []


def _mappings(value: Any) -> tuple[Mapping[str, Any], ...]:
    return tuple(item for item in value if type(item) is dict) if type(value) is list else ()


def _all(shape: Mapping[str, Fit]) -> Fit:
    """Return what makes a list of objects that have every field of a shape."""
    fields_ = [(name, *fit) for name, fit in shape.items()]

    def fit(value: Any) -> list[dict[str, Any]]:
        objects = [item for item in value if type(item) is dict] if type(value) is list else []
        return [
            {name: own if type(own := item.get(name)) is kind else how(own) for name, kind, how in fields_}
            for item in objects
        ]

    return Fit(None, fit)


HOW: dict[Any, Fit] = {
    str: Fit(str, _text),
    int: Fit(int, _number),
    bool: Fit(bool, bool),
    str | None: Fit(str, _word),
    int | None: Fit(int, _index),
    tuple[str, ...]: Fit(None, _texts),
    Mapping[str, Any]: Fit(dict, _mapping),
    Sequence[Mapping[str, Any]]: Fit(None, _mappings),
}


def _shape(kind: type, **nested: Fit) -> dict[str, Fit]:
    public = [f for f in fields(kind) if not f.name.startswith("_")]
    return {f.name: HOW[f.type] for f in public if f.type in HOW} | nested


FITS = _shape(ErrorDetail, exceptions=_all(_shape(ExceptionData, frames=_all(_shape(Frame)))))
