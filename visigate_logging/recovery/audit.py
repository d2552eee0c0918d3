"""The audit trail: every decision and step of a recovery, one synced line of JSON each."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from visigate_logging.host.clock import utc_text
from visigate_logging.host.json_lines import JsonLines
from visigate_logging.recovery.steps.base import Context

MAX_BYTES = 2_000_000  # then the file becomes NAME.1


class Audit:
    """The file ``recovery.jsonl`` in the state directory.

    Args:
        directory: the state directory; made when it is not there.
    """

    def __init__(self, directory: Path) -> None:
        self._lines = JsonLines(directory / "recovery.jsonl", max_bytes=MAX_BYTES, syncs=True)
        self.path = self._lines.path

    def write(self, event: str, context: Context, **fields: Any) -> None:
        """Append one line, and wait until the disk has it: the next step may end this process or the host."""
        known = {
            "timestamp": utc_text(timespec="milliseconds"),
            "event": event,
            "procedure": context.procedure,
            "key": context.key,
            "event_id": context.event_id,
            "error_type": context.error_type,
        }
        self._lines.append(known | fields)

    def read(self) -> Iterator[dict[str, Any]]:
        """Return the lines, the oldest first; what a power cut has torn is passed over."""
        return self._lines.read()
