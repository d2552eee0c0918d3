"""How a gate is, in one message: for who looks after many."""

import platform
import sys
import time
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from visigate_logging._version import __version__
from visigate_logging.forward.options import ForwardOptions
from visigate_logging.health.metrics import metrics_of
from visigate_logging.host.clock import clock, utc_text
from visigate_logging.store.store import ErrorStore

if TYPE_CHECKING:
    from visigate_logging.config.objects import Object

_MOST_GROUPS = 20
_DAYS = 7
_PATIENCE = 2.0
"""Seconds for an index that is far behind: the next minute has more of it."""


def described(options: ForwardOptions, objects: "Iterable[Object] | None" = None) -> bytes:
    """Return as JSON how the gate is whose log is forwarded.

    Args:
        options: of the forward handler.
        objects: handlers of the configuration; None for those of the one that runs in this process.

    Raises:
        StoreError: the log cannot be read.
        ConfigurationError: the configuration cannot be read.
    """
    if objects is None:
        # Not imported for it, as it brings YAML: where nobody has, no configuration runs in this process.
        apply = sys.modules.get("visigate_logging.config.apply")
        applied = apply.running() if apply else None
        objects = _objects_of(applied.source.path, applied.source.hash) if applied else ()
    with ErrorStore(options.log) as store:
        store.patience = _PATIENCE
        return orjson.dumps(gate_state(store, options.state_dir, objects))


@lru_cache(maxsize=1)
def _objects_of(path: Path, _hash: str) -> "tuple[Object, ...]":
    from visigate_logging.config.check import examine
    from visigate_logging.config.load import read

    return tuple(examine(read(path)))


def gate_state(store: ErrorStore, directory: Path, objects: "Iterable[Object]") -> dict[str, Any]:
    """Return the gate's state as plain data: metrics, open groups, boot, clock, versions.

    Args:
        store: the errors.
        directory: the state directory.
        objects: handlers of the configuration, from which backups are known.

    Raises:
        StoreError: the log cannot be read.
    """
    now = clock()
    groups = store.groups(_MOST_GROUPS, days=_DAYS, order="severity", state="open")
    return {
        "time": utc_text(),
        "host": platform.node(),
        "version": __version__,
        "boot_id": now.boot_id,
        "booted_at": utc_text(time.time() - now.seconds),
        "daily": [day["total"] for day in store.timeline(days=_DAYS)],
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
