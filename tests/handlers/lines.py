"""What stands in a log and its rotated files."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

__all__ = ["raw_lines", "read", "who"]


def raw_lines(log: Path) -> list[bytes]:
    """The lines of all files of a log."""
    return [line for file in log.parent.glob(f"{log.name}*") for line in file.read_bytes().splitlines()]


def read(log: Path) -> tuple[list[dict[str, Any]], list[bytes]]:
    """The records of all files of a log, and the lines that are none."""
    records, broken = [], []
    for line in raw_lines(log):
        try:
            records.append(json.loads(line))
        except ValueError:
            broken.append(line)
    return records, broken


def who(records: list[dict[str, Any]]) -> Counter[tuple[int, int]]:
    """How often each writer's each record is there."""
    return Counter((r["additional_info"]["slot"], r["additional_info"]["n"]) for r in records)
