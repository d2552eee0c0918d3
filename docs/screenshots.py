"""Make the pictures of the pages in docs/images: ``python -m docs.screenshots``; needs what ``make test`` installs.

What they show is made here: a month of a gate with two cameras, a database and a recogniser.
"""

import os
import random
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.records import uuid7
from tests.serving import served
from tests.web import chromium
from visigate_logging.detail.record import ErrorDetail, ExceptionData, Frame

IMAGES = Path(__file__).parent / "images"
NOW = datetime.now(UTC)
DESK, PHONE = {"width": 1180, "height": 820}, {"width": 390, "height": 800}
KINDS = (
    ("CameraError", "rtsp://***@10.0.0.21/stream1 gives no picture", "camera.grab", "camera", "ERROR", 5.0),
    ("TimeoutError", "no frame within 5.0 s from camera entrance", "camera.read_frame", "camera", "WARNING", 3.0),
    ("DatabaseError", "database disk image is malformed", "database.record_entry", "database", "CRITICAL", 0.15),
    ("RecognitionError", "frame.jpg is truncated: no end marker", "recognition.check", "recognition", "ERROR", 1.2),
    ("JSONDecodeError", "Expecting ',' delimiter: line 1", "recognition.read_plate", "recognition", "ERROR", 0.7),
    ("KeyError", "'entrance'", "status.system_status", "application", "ERROR", 0.4),
    ("ConnectionResetError", "Connection reset by peer", "barrier.raise_bar", "network", "WARNING", 0.9),
)
"""Type, message, module and function, category, severity, and how many a day."""
SOURCE = '''"""The camera at the entrance."""

from gate.errors import CameraError


class Camera:
    """An RTSP source."""

    def grab(self) -> bytes:
        """One picture."""
        try:
            return self.stream.read(timeout=self.timeout)
        except OSError as error:
            raise CameraError(f"{self.url} gives no picture") from error
        finally:
            self.last_grab = clock()
'''


def main() -> None:
    """Make all pictures."""
    IMAGES.mkdir(exist_ok=True)
    directory = Path(tempfile.gettempdir(), "visigate-pictures")
    directory.mkdir()
    with sync_playwright() as playwright:
        log = directory / "details.jsonl"
        shown = write_month(log)
        browser = chromium.launch(playwright)
        if browser is None:
            raise SystemExit("no Chromium; `make test` gets one")
        with served("--log", log) as address:
            for name, path, size, scheme in (
                ("list", "", DESK, "light"),
                ("list-phone", "", PHONE, "dark"),
                ("detail", f"/{shown.event_id}", DESK | {"height": 1180}, "light"),
                ("detail-phone", f"/{shown.event_id}", PHONE, "light"),
                ("group", f"/groups/{shown.fingerprint}", DESK, "dark"),
            ):
                page = browser.new_page(viewport=size, color_scheme=scheme)
                page.goto(address + path)
                page.screenshot(path=IMAGES / f"{name}.png")
        browser.close()
    shutil.rmtree(directory)


def write_month(log: Path) -> ErrorDetail:
    """A log of a month, and the last camera error in it."""
    chance = random.Random(7)  # noqa: S311 -- it keeps no secret
    source = log.with_name("camera.py")
    source.write_text(SOURCE)
    os.utime(source, (NOW.timestamp() - 40 * 86400,) * 2)  # older than the errors, so that it is shown
    records = sorted(happenings(chance, str(source)), key=lambda record: record.timestamp)
    with log.open("wb") as out:
        for record in records:
            out.write(record.to_json() + b"\n")
        out.write(b'{"timestamp":"2026-\0\0\0\n')
    return [record for record in records if record.error_type == "CameraError"][-1]


def happenings(chance: random.Random, source: str) -> Iterator[ErrorDetail]:
    """Errors of each kind: some a day, more on bad days, the cameras' more and more."""
    for number, kind in enumerate(KINDS):
        for day in range(30):
            usual = (
                kind[-1] * (2.5 - day / 15 if kind[0] == "CameraError" else 1) * (6 if chance.random() < 0.06 else 1)
            )
            for _ in range(int(usual * 2 * chance.random() + chance.random())):
                when = NOW - timedelta(days=day, minutes=1 + chance.random() * 900)
                yield record(number, when, chance.getrandbits(60), source)
    yield record(0, NOW - timedelta(seconds=190), 1, source)


def record(number: int, when: datetime, key: int, source: str) -> ErrorDetail:
    """One error of a kind."""
    error_type, message, place, category, severity, _ = KINDS[number]
    module, function = f"gate.{place}".rsplit(".", 1)
    where = source if error_type == "CameraError" else f"/opt/visigate/{module.replace('.', '/')}.py"
    own = Frame(where, 14, function, module, 'raise CameraError(f"{self.url} gives no picture") from error', True)
    loop = Frame("/opt/visigate/gate/worker.py", 88, "watch", "gate.worker", "picture = camera.grab()", True)
    library = [
        Frame("/usr/lib/python3.11/socket.py", line, name, "socket", code, False)
        for line, name, code in (
            (851, "create_connection", "raise exceptions[0]"),
            (836, "create_connection", "sock.connect(sa)"),
        )
    ]
    read = replace(own, line=12, code="return self.stream.read(timeout=self.timeout)")
    return ErrorDetail(
        timestamp=when.isoformat(timespec="microseconds").replace("+00:00", "Z"),
        error_type=error_type,
        error_message=message,
        module=module,
        function=function,
        traceback=f"Traceback (most recent call last):\n{error_type}: {message}\n",
        additional_info={"camera": "entrance", "attempt": key % 3 + 1, "url": "rtsp://***@10.0.0.21/stream1"},
        event_id=uuid7(when, key),
        logger=module,
        message="no picture from camera entrance",
        severity=severity,
        category=category,
        fingerprint=f"v1:{number:016x}",
        culprit=f"{module} in {function}",
        grouping={"type": error_type, "culprit": [f"{module}.{function}"], "message": message},
        exceptions=(
            ExceptionData(error_type, module, message, frames=(loop, own)),
            ExceptionData(
                "ConnectionRefusedError", "builtins", "[Errno 111] Connection refused",
                relation="cause", parent=0, frames=(read, *library),
            ),
        ),
        file=where,
        line=14,
        process=category,
        pid=812,
        thread="MainThread",
        host="gate-north",
        service="visigate",
        release="2.4.1",
    )  # fmt: skip


if __name__ == "__main__":
    main()
