"""The detail record: what is known of one error, as plain data."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Self

import orjson

__all__ = ["ErrorDetail", "ExceptionData", "Frame"]


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class ExceptionData:
    """One exception of a chain.

    Args:
        type: name of the class.
        module: module of the class.
        message: ``str()`` of the exception.
        notes: PEP 678 notes.
        relation: how it belongs to its parent: ``cause``, ``context`` or ``member`` of a group; None for the one
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


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorDetail:
    """What is known of one error; see docs/record.md for what each field means.

    The first seven fields are the names that VisiGate uses; they never change.
    """

    timestamp: str
    error_type: str
    error_message: str
    module: str
    function: str
    traceback: str
    additional_info: Mapping[str, Any] = field(default_factory=dict)
    event_id: str = ""
    level: str = "ERROR"
    logger: str = "root"
    message: str = ""
    message_template: str = ""
    severity: str = "ERROR"
    category: str = ""
    fingerprint: str = ""
    culprit: str = ""
    exceptions: tuple[ExceptionData, ...] = ()
    file: str = ""
    line: int = 0
    process: str = ""
    pid: int = 0
    thread: str = ""
    task: str = ""
    host: str = ""
    service: str = ""
    release: str = ""
    boot_id: str = ""
    monotonic: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """The record as plain dicts, lists, strings and numbers, in the order of the fields."""
        plain: dict[str, Any] = orjson.loads(self.to_json())
        return plain

    def to_json(self) -> bytes:
        """The record as one line of UTF-8 JSON, without the newline."""
        return orjson.dumps(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """A record read back; fields that are missing get their defaults, unknown ones are passed over."""
        known = {f.name for f in fields(cls)}
        values: dict[str, Any] = {"traceback": "", "function": "", "module": "", "error_message": ""}
        values |= {k: v for k, v in data.items() if k in known}
        values["exceptions"] = tuple(_exception(e) for e in data.get("exceptions") or ())
        return cls(**values)


def _exception(data: Mapping[str, Any]) -> ExceptionData:
    known = {f.name for f in fields(ExceptionData)}
    frame_keys = {f.name for f in fields(Frame)}
    values: dict[str, Any] = {k: v for k, v in data.items() if k in known}
    values["notes"] = tuple(data.get("notes") or ())
    values["frames"] = tuple(
        Frame(**{k: v for k, v in f.items() if k in frame_keys}) for f in data.get("frames") or ()
    )
    return ExceptionData(**values)
