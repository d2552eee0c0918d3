"""Errors as VisiGate kept them before, one file for each: ``error_YYYYMMDD_HHMMSS.json`` or ``…_Type.json``."""

import dataclasses
import logging
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from visigate_logging.detail.record import ErrorDetail
from visigate_logging.host.clock import rfc3339
from visigate_logging.host.log_files import log_files
from visigate_logging.host.shared_file import SharedFile
from visigate_logging.store.identity import imported_log, legacy_tie
from visigate_logging.store.lines import read_lines
from visigate_logging.store.times import micros

_OTHER_NAMES = {"type": "error_type", "message": "error_message"}
"""Names in the files that VisiGate's own module wrote, and those of the design document."""


def import_files(log: Path, paths: Iterable[Path]) -> Iterator[tuple[Path, str]]:
    """Append files of the old kind to a log, each once, however often this is done.

    Args:
        log: the details file that they go beside.
        paths: the files.

    Yields:
        Each path with what became of it: ``imported``, ``known``, or why it could not be.
    """
    target = imported_log(log)
    known = _known(target)
    file = SharedFile(target)
    try:
        for path in paths:
            try:
                detail = read_legacy(path)
            except (OSError, ValueError) as error:
                yield path, str(error)
                continue
            if detail.event_id in known:
                yield path, "known"
                continue
            file.append(detail.to_json() + b"\n")
            known.add(detail.event_id)
            yield path, "imported"
        file.sync()
    finally:
        file.close()


def _known(target: Path) -> set[str]:
    files = [file for file in log_files(target) if file.path == target]
    return {line.record["event_id"] for file in files for line in read_lines(file) if line.record}


def read_legacy(path: Path) -> ErrorDetail:
    """One such file as a detail record, with secrets masked, and grouped like any other.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not such a file; the message says why.
    """
    data = orjson.loads(path.read_bytes())
    if not isinstance(data, dict):
        raise ValueError("no JSON object")
    data = {_OTHER_NAMES.get(name, name): value for name, value in data.items()}
    kind = data.get("error_type")
    if not isinstance(kind, str):
        raise ValueError("neither error_type nor type is in it")
    when = datetime.fromisoformat(str(data.get("timestamp"))).astimezone(UTC)
    detail = ErrorDetail.from_record(_log_record(data, when))
    return dataclasses.replace(
        detail,
        timestamp=rfc3339(micros(when)),
        error_type=kind,
        error_message=detail.message,
        module=str(data.get("module") or detail.module),
        function=str(data.get("function") or detail.function),
        event_id=f"{micros(when) // 1000 & (1 << 48) - 1:012x}7000{legacy_tie(path.name).hex()}",
        message_template="",
        process="",
        thread="",
        task="",
        boot_id="",
        pid=0,
        monotonic=0.0,
    )


def _log_record(data: dict[str, Any], when: datetime) -> logging.LogRecord:
    """Return the log record that such a file may have come from; percent signs in messages stay what they are."""
    record = logging.LogRecord(
        name=str(data.get("module") or "root"),
        level=logging.ERROR,
        pathname="",
        lineno=0,
        msg="%s",
        args=(data.get("error_message", ""),),
        exc_info=None,
        func=str(data.get("function") or ""),
    )
    record.created = when.timestamp()
    record.exc_text = data.get("traceback") if "Traceback" in str(data.get("traceback")) else None
    info = data.get("additional_info") or {}
    info = info if isinstance(info, dict) else {"additional_info": info}
    if "system_info" in data:
        info = info | {"system_info": data["system_info"]}
    record.__dict__.update(extra(info))
    return record


def extra(info: Mapping[str, Any] | None) -> dict[str, Any]:
    """Additional information as attributes of a log record; a name that means something there gets a ``_``."""
    own = vars(logging.makeLogRecord({})).keys() | {"message", "asctime", "fingerprint", "severity", "category"}
    return {
        f"{name}_" if name in own or str(name).startswith("_") else str(name): v for name, v in (info or {}).items()
    }
