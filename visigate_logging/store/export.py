"""Errors for other programs: JSON lines and CSV."""

import csv
import io
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any

from visigate_logging.detail.record import ErrorDetail

COLUMNS = (
    "timestamp", "event_id", "severity", "category", "error_type", "error_message", "module", "function",
    "message", "level", "logger", "culprit", "fingerprint", "file", "line", "process", "pid", "thread", "host",
    "service", "release", "traceback",
)  # fmt: skip
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def as_json_lines(records: Iterable[ErrorDetail]) -> Iterator[str]:
    """One JSON object a line, as the details file has them."""
    for record in records:
        yield record.to_json().decode() + "\n"


def as_csv(records: Iterable[ErrorDetail]) -> Iterator[str]:
    """Comma-separated values (RFC 4180) with a header; what is nested is left out."""
    line = io.StringIO()
    writer = csv.writer(line)
    rows = ([_cell(getattr(record, name)) for name in COLUMNS] for record in records)
    for row in chain([COLUMNS], rows):
        writer.writerow(row)
        yield line.getvalue()
        line.seek(0)
        line.truncate()


def _cell(value: Any) -> Any:
    """Return a value that a spreadsheet does not take for a formula (https://owasp.org/www-community/attacks/CSV_Injection)."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


FORMATS: dict[str, Callable[[Iterable[ErrorDetail]], Iterator[str]]] = {"jsonl": as_json_lines, "csv": as_csv}
"""What errors can be exported as."""
