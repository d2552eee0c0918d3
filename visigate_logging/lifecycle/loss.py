"""What a power cut has cost: lines that it has torn, and state files that were put aside and begun anew."""

import contextlib
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from visigate_logging.host.clock import boot_id, monotonic
from visigate_logging.host.timeline import when
from visigate_logging.lifecycle.telling import logs

_TAIL = 65_536


def torn(directory: Path) -> dict[str, int]:
    """Return how many lines were torn in the log, and in what is appended to in a state directory, by file.

    A torn line is mended when the next is written: it becomes one of its own, and readers pass it over.

    Args:
        directory: the state directory.
    """
    found = {path.name: _torn_lines(path) for path in {*logs(), *directory.glob("*.jsonl")}}
    return {name: count for name, count in sorted(found.items()) if count}


def put_aside(directory: Path) -> list[str]:
    """Return the names of the state files that were found damaged since the boot, and begun anew.

    Args:
        directory: the state directory.
    """
    found = sorted(directory.glob("*.damaged-*"))
    return [path.name for path in found if _number(path.name) / 1e9 > _booted()]


def _torn_lines(path: Path) -> int:
    """Return how many lines at the end of a file, behind the last of an earlier boot, are none."""
    count = 0
    with contextlib.suppress(OSError), path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _TAIL))
        for line in reversed(file.read().splitlines()):
            found: Any = None
            with contextlib.suppress(orjson.JSONDecodeError):
                found = orjson.loads(line)
            if isinstance(found, dict):
                if not _is_of_this_boot(found):
                    break
            elif line:
                count += 1
    return count


def _is_of_this_boot(line: Mapping[str, Any]) -> bool:
    if "boot_id" in line:
        return bool(line["boot_id"] == boot_id())
    at = when({"time": line.get("time") or line.get("timestamp")})
    return at is not None and at.timestamp() > _booted()


def _booted() -> float:
    return time.time() - monotonic()


def _number(name: str) -> int:
    digits = name.rpartition("-")[2]
    return int(digits) if digits.isdigit() else 0
