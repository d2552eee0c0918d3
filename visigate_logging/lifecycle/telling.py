"""An incident that no program saw becomes a record like any other, of the process and the moment that it is about."""

import contextlib
import linecache
import logging
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from visigate_logging.detail.options import DetailOptions
from visigate_logging.detail.record import CACHED_AS, ErrorDetail
from visigate_logging.detail.stacks import HEADING
from visigate_logging.exceptions import IncidentError
from visigate_logging.host.clock import clock
from visigate_logging.lifecycle.dumps import Stack

_TAIL = 4 << 20


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where and when something happened.

    Args:
        name: of the process.
        pid: its number.
        at: seconds since 1970.
        boot_id: of the boot in which it was.
        monotonic: seconds since that boot.
        service, release: of the process's configuration; empty for this one's.
    """

    name: str
    pid: int
    at: float
    boot_id: str
    monotonic: float
    service: str = ""
    release: str = ""
    more: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def here(cls, name: str, **known: Any) -> Self:
        """Return this process and moment."""
        now = clock()
        return cls(name=name, pid=os.getpid(), at=time.time(), boot_id=now.boot_id, monotonic=now.seconds, **known)


def tell(
    logger: str, level: int, kind: type[IncidentError], text: str, origin: Origin, stacks: Sequence[Stack] = ()
) -> None:
    """Hand a record to the handlers of a logger, as if its process had logged it at that moment.

    Args:
        logger: its name.
        level: of the record.
        kind: the type that it is recorded under.
        text: what happened.
        origin: where and when.
        stacks: of the process's threads, the one that counts first.
    """
    frames = stacks[0].frames if stacks else ()
    innermost = frames[-1] if frames else ("", 0, "")
    values: dict[str, Any] = {
        "name": logger,
        "levelno": level,
        "levelname": logging.getLevelName(level),
        "msg": text,
        "exc_text": f"{''.join(_lines(frames))}{kind.__module__}.{kind.__name__}: {text}",
        "pathname": innermost[0],
        "lineno": innermost[1],
        "funcName": innermost[2],
        "module": origin.name,
        "created": origin.at,
        "msecs": origin.at % 1 * 1000,
        "process": origin.pid,
        "processName": origin.name,
        "threadName": stacks[0].name if stacks else "",
        **origin.more,
    }
    if len(stacks) > 1:
        values["threads"] = [stack.as_data() for stack in stacks]
    record = logging.makeLogRecord(values)
    detail = ErrorDetail.from_record(record, _options()).to_dict()
    where = {"boot_id": origin.boot_id, "monotonic": origin.monotonic}
    named = {"service": origin.service, "release": origin.release}
    # As it would have come from that process over a socket: every handler takes it as it is.
    record.__dict__[CACHED_AS] = detail | where | {name: value for name, value in named.items() if value}
    logging.getLogger(logger).handle(record)


def is_told(name: str) -> bool:
    """Return whether a late record of the log has this text in it, a name that nothing else has."""
    for log in logs():
        for path in (log, Path(f"{log}.1")):
            with contextlib.suppress(OSError), path.open("rb") as file:
                file.seek(max(0, path.stat().st_size - _TAIL))
                if name.encode() in file.read():
                    return True
    return False


def logs() -> Iterator[Path]:
    """Return the files that detail records of incidents are written to."""
    for handler in handlers_of(logging.getLogger("visigate")):
        is_log = hasattr(handler, "state_dir") and hasattr(handler.formatter, "format_bytes")
        if is_log and (name := getattr(handler, "baseFilename", "")):
            yield Path(os.path.abspath(name))


def handlers_of(logger: logging.Logger | None) -> Iterator[logging.Handler]:
    """Return the handlers that a logger's records reach."""
    while logger is not None:
        yield from logger.handlers
        logger = logger.parent if logger.propagate else None


def _lines(frames: Sequence[tuple[str, int, str]]) -> Iterator[str]:
    """Frames as a traceback has them."""
    if frames:
        yield HEADING
    for file, line, function in frames:
        yield f'  File "{file}", line {line}, in {function}\n'
        if code := linecache.getline(file, line).strip():
            yield f"    {code}\n"


def _options() -> DetailOptions | None:
    """Return what the installation has set about detail records."""
    found = (getattr(handler.formatter, "options", None) for handler in handlers_of(logging.getLogger("visigate")))
    return next((options for options in found if isinstance(options, DetailOptions)), None)
