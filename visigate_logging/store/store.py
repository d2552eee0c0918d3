"""ErrorStore: every question about the errors on disk."""

import os
from collections.abc import Iterator
from pathlib import Path

from visigate_logging.detail.record import ErrorDetail
from visigate_logging.exceptions import StoreError, UnknownEventError
from visigate_logging.store.lines import Line, log_files, read_lines

__all__ = ["ErrorStore"]


class ErrorStore:
    """The errors of one log.

    Args:
        path: the details file, or the directory that holds ``details.jsonl``.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        given = Path(path)
        self.path = given / "details.jsonl" if given.is_dir() else given
        self.unreadable: list[tuple[str, Line]] = []

    def recent(self, limit: int = 10) -> list[ErrorDetail]:
        """The newest records, the newest first."""
        records = sorted(self._records(), key=lambda r: (r.timestamp, r.event_id), reverse=True)
        return records[:limit]

    def get(self, event_id: str) -> ErrorDetail:
        """The record with that id.

        Raises:
            UnknownEventError: there is none.
        """
        for record in self._records():
            if record.event_id == event_id:
                return record
        raise UnknownEventError(f"no record in {self.path} and its rotated files has the id {event_id!r}")

    def _records(self) -> Iterator[ErrorDetail]:
        self.unreadable.clear()
        try:
            files = log_files(self.path)
        except OSError as error:
            raise StoreError(f"{self.path.parent}: {error.strerror}; name the log with --log") from error
        for file in files:
            for line in read_lines(file):
                if line.record is None:
                    self.unreadable.append((file.path.name, line))
                else:
                    yield ErrorDetail.from_dict(line.record)
