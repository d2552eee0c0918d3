"""The audit trail: every decision and step of a recovery, one synced line of JSON each."""

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from visigate_logging.recovery.steps.base import Context

__all__ = ["Audit"]

MAX_BYTES = 2_000_000  # then the file becomes NAME.1


class Audit:
    """The file ``recovery.jsonl`` in the state directory.

    Args:
        directory: the state directory; made when it is not there.
    """

    def __init__(self, directory: Path) -> None:
        self.path = directory / "recovery.jsonl"

    def write(self, event: str, context: Context, **fields: Any) -> None:
        """Append one line, and wait until the disk has it: the next step may end this process or the host."""
        known = {
            "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "event": event,
            "procedure": context.procedure,
            "key": context.key,
            "event_id": context.event_id,
            "error_type": context.error_type,
        }
        line = json.dumps(known | fields, default=str).encode() + b"\n"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            if self.path.stat().st_size > MAX_BYTES:
                self.path.replace(f"{self.path}.1")
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            os.write(descriptor, line)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def read(self) -> Iterator[dict[str, Any]]:
        """The lines, the oldest first; what a power cut has torn is passed over."""
        for path in (Path(f"{self.path}.1"), self.path):
            with suppress(FileNotFoundError), path.open("rb") as file:
                for line in file:
                    with suppress(ValueError):
                        yield json.loads(line)
