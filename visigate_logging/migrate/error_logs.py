"""get_error_logs: the newest errors as VisiGate's own module gave them."""

import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from visigate_logging.detail.record import ErrorDetail
from visigate_logging.migrate.error_handler import LOG_DIR
from visigate_logging.migrate.legacy import read_legacy
from visigate_logging.store.store import ErrorStore


def get_error_logs(log_dir: str | os.PathLike[str] = LOG_DIR, limit: int = 10) -> list[dict[str, Any]]:
    """Return the newest errors, the newest first, those of VisiGate's old files included.

    Args:
        log_dir: the directory in whose ``errors`` the files are.
        limit: how many, at most.

    Returns:
        Dicts with ``timestamp``, ``type``, ``message``, ``traceback``, ``module``, ``function`` and ``system_info``;
        an empty list when there is nothing.
    """
    directory = Path(log_dir, "errors")
    if not directory.is_dir():
        return []
    with ErrorStore(directory / "details.jsonl") as store:
        found = {detail.event_id: detail for detail in (*store.recent(limit), *_old(directory, limit))}
    newest = sorted(found.values(), key=lambda detail: detail.timestamp, reverse=True)
    return [_as_before(detail) for detail in newest[: max(0, limit)]]


def _old(directory: Path, limit: int) -> Iterator[ErrorDetail]:
    """Yield what was written before, whether it has been imported or not: the id tells that it is the same."""
    for path in sorted(directory.glob("error_*.json"), reverse=True)[: max(0, limit)]:
        with suppress(OSError, ValueError):
            yield read_legacy(path)


def _as_before(detail: ErrorDetail) -> dict[str, Any]:
    here = {"python_version": sys.version, "platform": sys.platform}  # of the process that asks
    where = {"host": detail.host, "process": detail.process, "pid": detail.pid, "release": detail.release}
    return {
        "timestamp": detail.timestamp,
        "type": detail.error_type,
        "message": detail.error_message,
        "traceback": detail.traceback,
        "module": detail.module,
        "function": detail.function,
        "system_info": detail.additional_info.get("system_info") or here | where,
    }
