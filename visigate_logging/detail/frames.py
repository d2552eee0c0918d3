"""Exceptions and the frames they passed through, as plain data."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

import orjson


@dataclass  # without slots: orjson reads the dict of an instance six times as fast
class Frame:
    """One position on a stack.

    Args:
        file: path of the source file, as Python reports it.
        line: line number, from 1.
        function: name of the function (``<module>`` at the top of a file).
        module: dotted name of the module, alike whether it is imported or run.
        code: text of the line, stripped; empty when there is no source.
        in_app: whether this is the application's own code.
        values: of its local variables, by their names, where they were looked at.
    """

    file: str
    line: int
    function: str
    module: str
    code: str
    in_app: bool
    values: Mapping[str, Any] = field(default_factory=dict)

    def with_values(self, values: Mapping[str, Any]) -> Self:
        """Return the same with the values of its local variables."""
        return replace(self, values=values)

    def as_culprit(self, function: str) -> dict[str, Any]:
        """Return the fields of a detail record that name this position.

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


class Frames(tuple[Frame, ...]):
    """The frames of a stack, which many exceptions may share; serialised once."""

    _json = b""

    def to_json(self) -> bytes:
        """Return the frames as a JSON array."""
        if not self._json:
            self._json = orjson.dumps([{k: v for k, v in vars(f).items() if k != "values" or v} for f in self])
        return self._json


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

    def to_json(self) -> bytes:
        """Return the exception as JSON."""
        frames = self.frames if isinstance(self.frames, Frames) else Frames(self.frames)
        return orjson.dumps({**self.__dict__, "frames": orjson.Fragment(frames.to_json())})

    def with_frames(self, frames: Frames) -> Self:
        """Return the same with other frames."""
        return replace(self, frames=frames)


class Chain(tuple[ExceptionData, ...]):
    """The exceptions of an error, which many records may share; serialised once."""

    _json = b""

    def to_json(self) -> bytes:
        """Return the exceptions as a JSON array."""
        if not self._json:
            self._json = orjson.dumps([orjson.Fragment(one.to_json()) for one in self])
        return self._json

    def to_fragment(self) -> orjson.Fragment:
        """Return the same as a part of other JSON."""
        return orjson.Fragment(self._json or self.to_json())
