"""How a gate is, in one message: for who looks after many."""

import platform
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from visigate_logging._version import __version__
from visigate_logging.config.objects import Object
from visigate_logging.health.metrics import metrics_of
from visigate_logging.host.clock import clock, utc_text
from visigate_logging.store.store import ErrorStore

_MOST_GROUPS = 20


def gate_state(store: ErrorStore, directory: Path, objects: Iterable[Object]) -> dict[str, Any]:
    """Return the gate's state as plain data: metrics, open groups, boot, clock, versions.

    Args:
        store: the errors.
        directory: the state directory.
        objects: handlers of the configuration, from which backups are known.

    Raises:
        StoreError: the log cannot be read.
    """
    now = clock()
    groups = store.groups(_MOST_GROUPS, days=7, order="count", state="open")
    return {
        "time": utc_text(),
        "host": platform.node(),
        "version": __version__,
        "boot_id": now.boot_id,
        "booted_at": utc_text(time.time() - now.seconds),
        "groups": dict(groups.states),
        "worst": [
            {
                "group": g.key,
                "title": g.title,
                "severity": g.severity,
                "count": g.count,
                "last": g.last_seen.isoformat(),
            }
            for g in groups
        ],
        "metrics": [
            {"name": family.name, "labels": dict(labels), "value": value}
            for family in metrics_of(store, directory, objects)()
            for labels, value in family.samples
        ],
    }
