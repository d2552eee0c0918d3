"""Look at the log, its index, and the disk: what stands on top of pages and of the summary."""

import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from visigate_logging.present.words import grouped, size
from visigate_logging.store.store import ErrorStore

MOST = 1000
"""Unreadable places that are counted one by one."""
NEARLY_FULL = 0.95
FULL = 0.99


class Banner(NamedTuple):
    """One thing that is not well: ``warning`` or ``error``, and what, in a sentence."""

    severity: str
    text: str


HealthSource = Callable[[], Iterable[tuple[str, str]]]
"""Tells what the host knows: pairs of severity and sentence, such as records dropped or mail not delivered."""


def banners(store: ErrorStore, health: HealthSource | None) -> list[Banner]:
    """Return all that is not well: what the host tells, then the log, its index, unreadable places, a full disk."""
    told = [Banner(*pair) for pair in health()] if health else []
    return [*told, *_absent(store), *_index(store), *_unreadable(store), *_disk(store)]


def _absent(store: ErrorStore) -> list[Banner]:
    """Tell of a log that is gone or shut: without it no news would look like good news."""
    try:
        os.close(os.open(store.path, os.O_RDONLY | os.O_NONBLOCK))
    except OSError as error:
        return [Banner("error", f"{store.path}: {error.strerror}; what happens now is not seen here")]
    return []


def _index(store: ErrorStore) -> list[Banner]:
    """Tell how far an index that is being made has come."""
    return [Banner("warning", f"{note}: what is older comes as it goes on")] if (note := store.building) else []


def _unreadable(store: ErrorStore) -> list[Banner]:
    places = store.unreadable(MOST)
    if not places:
        return []
    many = f"{grouped(MOST)} or more" if len(places) == MOST else grouped(len(places))
    last = places[0]
    return [
        Banner(
            "warning",
            f"{many} unreadable {'place' if len(places) == 1 else 'places'} in the log, "
            f"the last in {Path(last['file']).name} at byte {grouped(last['offset'])}: {last['problem']}",
        )
    ]


def _disk(store: ErrorStore) -> list[Banner]:
    try:
        disk = shutil.disk_usage(store.path.parent)
    except OSError:
        return []
    used = 1 - disk.free / disk.total if disk.total else 0.0
    if used < NEARLY_FULL:
        return []
    severity = "error" if used >= FULL else "warning"
    return [Banner(severity, f"the disk is {used:.0%} full: {size(disk.free)} free of {size(disk.total)}")]
