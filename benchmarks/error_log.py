"""A log as a gate writes it, for the benchmarks of the reading side: types, modules, times, incidents."""

import itertools
import random
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from visigate_logging.detail.record import ErrorDetail, ExceptionData, Frame

DAYS = 90
GROUPS = 60
TO_A_FILE = 100_000
KINDS = [
    ("ConnectionRefusedError", "gate.camera", "grab", "camera", "ERROR", "camera"),
    ("TimeoutError", "gate.camera", "read_frame", "camera", "WARNING", "camera"),
    ("UnidentifiedImageError", "gate.recognition", "decode", "recognition", "ERROR", "recognition"),
    ("JSONDecodeError", "gate.recognition", "parse_answer", "recognition", "ERROR", "recognition"),
    ("OperationalError", "gate.database", "store_vehicle", "database", "CRITICAL", "web"),
    ("KeyError", "gate.web", "system_status", "application", "ERROR", "web"),
]


def templates() -> list[tuple[bytes, ...]]:
    """Of each kind of error the line, cut where the time, the seconds, the host and the event's id belong."""
    cut = []
    for group in range(GROUPS):
        error_type, module, function, category, severity, process = KINDS[group % len(KINDS)]
        frames = tuple(
            Frame(
                f"/home/pi/visigate/src/{module.replace('.', '/')}.py",
                40 + 11 * i,
                f"{function}_{i}",
                module,
                f"answer = self.source_{group}.read(timeout=self.timeout)",
                i > 1,
            )
            for i in range(3 + group % 5)
        )
        shown = "".join(f'  File "{f.file}", line {f.line}, in {f.function}\n    {f.code}\n' for f in frames)
        message = f"device {group} did not answer within 5.0 seconds"
        record = ErrorDetail(
            timestamp="@TIME@",
            error_type=error_type,
            error_message=message,
            module=module,
            function=function,
            traceback=f"Traceback (most recent call last):\n{shown}{error_type}: {message}\n",
            additional_info={"device": f"rtsp://10.0.0.{group}/stream", "attempt": group % 3, "timeout": 5.0},
            event_id="@ID@",
            logger=module,
            message="device failed",
            message_template="device failed",
            severity=severity,
            category=category,
            fingerprint=f"v1:{group:016x}",
            culprit=f"{module} in {function}: answer = self.source_{group}.read(timeout=self.timeout)",
            exceptions=(ExceptionData(error_type, "builtins", message, frames=frames),),
            file=frames[-1].file,
            line=frames[-1].line,
            process=process,
            pid=1200 + group % 3,
            thread="MainThread",
            host="@HOST@",
            service="visigate",
            release="2.4.1",
            boot_id="5f0c6d1e8a7b4c3d9e2f1a0b4c5d6e7f",
            monotonic=123456.789,
        )
        cut.append(tuple(re.split(rb"@TIME@|@ID@|@HOST@|123456\.789", record.to_json() + b"\n")))
    return cut


def happenings(records: int, chance: random.Random) -> list[tuple[float, int]]:
    """When in 90 days which group: two thirds in incidents of minutes to hours, the others at any time."""
    weights = list(itertools.accumulate(1 / (rank + 1) for rank in range(GROUPS)))
    found: list[tuple[float, int]] = []
    while len(found) < records:
        (group,) = chance.choices(range(GROUPS), cum_weights=weights)
        begin = chance.random() * DAYS * 86400
        if chance.random() < 0.01:
            pause, length = chance.choice((1, 5, 30)), chance.expovariate(1 / 200)
            times = (begin + i * pause * (0.9 + 0.2 * chance.random()) for i in range(int(length)))
            found += [(min(time, DAYS * 86400), group) for time in times]
        else:
            found.append((begin, group))
    return sorted(found[:records])


def lines(records: int, *, seed: int = 1, now: datetime | None = None) -> Iterator[bytes]:
    """So many lines of a details file, the oldest first."""
    chance = random.Random(seed)
    cut = templates()
    begin = (now or datetime.now(UTC)) - timedelta(days=DAYS)
    for seconds, group in happenings(records, chance):
        start, after_time, after_seconds, after_host, end = cut[group]
        when = begin + timedelta(seconds=seconds)
        host = b"gate-north" if chance.random() < 0.7 else b"gate-south"
        event = uuid7(when, chance)
        stamp = when.isoformat(timespec="microseconds").replace("+00:00", "Z").encode()
        yield b"".join((start, stamp, after_time, b"%.3f" % seconds, after_seconds, host, after_host, event, end))


def uuid7(when: datetime, chance: random.Random) -> bytes:
    """An event's id, as the writers make it."""
    milliseconds = int(when.timestamp() * 1000)
    return f"{milliseconds:012x}7{chance.getrandbits(12):03x}{1 << 63 | chance.getrandbits(62):016x}".encode()


def write_log(directory: Path, records: int) -> Path:
    """A details file with rotated ones beside it, together so many records."""
    log = directory / "details.jsonl"
    files = -(-records // TO_A_FILE)
    stream = lines(records)
    for number in range(files - 1, -1, -1):
        name = log.with_name(f"{log.name}.{number}") if number else log
        with name.open("wb") as out:
            out.writelines(itertools.islice(stream, TO_A_FILE))
    return log
