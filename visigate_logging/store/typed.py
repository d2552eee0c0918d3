"""Records as readers get them: each field of the type that it should have, whoever wrote the line."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any

from visigate_logging.detail.frames import ExceptionData, Frame
from visigate_logging.detail.record import ErrorDetail
from visigate_logging.host.clock import utc_text
from visigate_logging.store.times import parse_timestamp

__all__ = ["ErrorDetail", "ExceptionData", "Frame", "about", "read_record", "typed"]


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
    return {name: FITS[name](value) if name in FITS else value for name, value in data.items()}


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


def _all(shape: Mapping[str, Callable[[Any], Any]]) -> Callable[[Any], list[dict[str, Any]]]:
    """Return what makes a list of objects that have every field of a shape."""

    def fit(value: Any) -> list[dict[str, Any]]:
        objects = [item for item in value if type(item) is dict] if type(value) is list else []
        return [{name: how(item.get(name)) for name, how in shape.items()} for item in objects]

    return fit


HOW: dict[Any, Callable[[Any], Any]] = {
    str: _text,
    int: _number,
    bool: bool,
    str | None: _word,
    int | None: _index,
    tuple[str, ...]: _texts,
    Mapping[str, Any]: _mapping,
    Sequence[Mapping[str, Any]]: _mappings,
}


def _shape(kind: type, **nested: Callable[[Any], Any]) -> dict[str, Callable[[Any], Any]]:
    public = [f for f in fields(kind) if not f.name.startswith("_")]
    return {f.name: HOW[f.type] for f in public if f.type in HOW} | nested


FITS = _shape(ErrorDetail, exceptions=_all(_shape(ExceptionData, frames=_all(_shape(Frame)))))
