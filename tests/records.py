"""Records and log files for the tests of the reading side."""

import os
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from visigate_logging.detail.record import ErrorDetail, ExceptionData, Frame

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


def uuid7(when: datetime, number: int) -> str:
    """An id as the writers make it (RFC 9562): 48 bits of milliseconds, then the version, then chance."""
    return f"{int(when.timestamp() * 1000):012x}7000{0x8000000000000000 | number:016x}"


def detail(number: int = 0, when: datetime = NOON, **fields: Any) -> ErrorDetail:
    """One record of a camera that does not answer."""
    frames = (
        Frame("/usr/lib/python3.11/socket.py", 851, "create_connection", "socket", "raise exceptions[0]", False),
        Frame("/gate/camera.py", 42, "grab", "gate.camera", "frame = source.read()", True),
    )
    record = ErrorDetail(
        timestamp=when.isoformat(timespec="microseconds").replace("+00:00", "Z"),
        error_type="ConnectionRefusedError",
        error_message="[Errno 111] Connection refused",
        module="gate.camera",
        function="grab",
        traceback="Traceback (most recent call last):\nConnectionRefusedError: [Errno 111] refused\n",
        additional_info={"camera": "north", "attempt": number},
        event_id=uuid7(when, number),
        logger="gate.camera",
        message="camera does not answer",
        message_template="camera does not answer",
        category="camera",
        fingerprint="v1:0011223344556677",
        culprit="gate.camera in grab: frame = source.read()",
        exceptions=(
            ExceptionData("ConnectionRefusedError", "builtins", "[Errno 111] Connection refused", frames=frames),
        ),
        file="/gate/camera.py",
        line=42,
        process="camera",
        pid=4711,
        thread="MainThread",
        host="gate-1",
    )
    return replace(record, **fields)


def write(path: Path, *records: ErrorDetail | bytes) -> Path:
    """Append records, or bytes as they are, as a writer does."""
    with path.open("ab") as stream:
        for record in records:
            stream.write(record if isinstance(record, bytes) else record.to_json() + b"\n")
    return path


def settle(path: Path) -> None:
    """Make a file look as if nobody had written to it for a minute."""
    minute_ago = time.time() - 60
    os.utime(path, (minute_ago, minute_ago))
