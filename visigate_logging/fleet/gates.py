"""What is known of each gate: when it was last heard, and what it last said of itself."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from visigate_logging.exceptions import RefusedError
from visigate_logging.fleet.arrivals import Sender
from visigate_logging.host import State

if TYPE_CHECKING:
    import sqlite3

SCHEMA = """
CREATE TABLE IF NOT EXISTS fleet_gate (
    site TEXT, gate TEXT, heard REAL NOT NULL, told REAL NOT NULL DEFAULT 0, state TEXT NOT NULL DEFAULT '{}',
    PRIMARY KEY (site, gate)
) WITHOUT ROWID;
"""
SILENT = 3 * 3600.0
"""Seconds without a word after which a gate is silent: it tells its state each minute."""
_MOST_WORST = 5
_MOST_DAYS = 7
_LONGEST = 200
_METRICS = {
    "disk_free": "visigate_log_filesystem_free_bytes",
    "disk_size": "visigate_log_filesystem_size_bytes",
    "power_cut": "visigate_last_power_cut_timestamp_seconds",
    "waiting": "visigate_forward_pending_records",
    "outbox": "visigate_outbox_messages",
    "backup": "visigate_backup_timestamp_seconds",
}
"""What is kept of the metrics, and from which; of several samples the sum, of times the oldest."""
_OLDEST = {"backup"}


@dataclass(frozen=True)
class Gate:
    """One gate.

    Args:
        sender: its site and name.
        heard: when it last said something, by the hub's clock, seconds since 1970.
        told: the value of ``heard`` for which its silence was told; 0 for never.
        state: what it said of itself: ``version``, ``booted_at``, ``offset`` (seconds that its clock is ahead of the
            hub's), ``open`` groups, the ``worst`` of them, ``daily`` errors with today's last, and of its metrics
            ``disk_free``, ``disk_size``, ``power_cut``, ``waiting``, ``outbox``, ``backup``; what it did not say is
            missing.
    """

    sender: Sender
    heard: float
    told: float = 0.0
    state: Mapping[str, Any] = field(default_factory=dict)

    def silent_for(self, now: float) -> float:
        """Return for how many seconds it has said nothing; 0 unless that is so long that it counts as silent."""
        return now - self.heard if now - self.heard > SILENT else 0.0


def gates_in(connection: "sqlite3.Connection") -> list[Gate]:
    """Return all gates, by site and name."""
    rows = connection.execute("SELECT site, gate, heard, told, state FROM fleet_gate ORDER BY site, gate")
    return [Gate(Sender(site, gate), heard, told, orjson.loads(state)) for site, gate, heard, told, state in rows]


def gates_of(directory: Path) -> Callable[[], list[Gate]] | None:
    """Return what tells the gates that the collector of a state directory knows; None where none has been at work."""
    if not any(directory.glob("collect-*.lock")):
        return None
    state = State(directory, SCHEMA)

    def gates() -> list[Gate]:
        with state.transaction() as connection:
            return gates_in(connection)

    return gates


def heard(connection: "sqlite3.Connection", times: Mapping[Sender, float]) -> None:
    """Take down when gates were heard, inside a transaction of the caller's."""
    connection.executemany(
        "INSERT INTO fleet_gate (site, gate, heard) VALUES (?, ?, ?) "
        "ON CONFLICT DO UPDATE SET heard = max(heard, excluded.heard)",
        [(sender.site, sender.gate, min(at, time.time())) for sender, at in times.items()],
    )


def note_state(connection: "sqlite3.Connection", sender: Sender, body: bytes, at: float) -> None:
    """Keep what a gate has said of itself, inside a transaction of the caller's.

    Args:
        connection: to the state file.
        sender: the gate.
        body: its message.
        at: when the hub got it, seconds since 1970.

    Raises:
        RefusedError: it is no state.
    """
    try:
        kept = orjson.dumps(_kept(orjson.loads(body), at)).decode()
    except (ValueError, TypeError, LookupError, AttributeError, OverflowError) as error:
        raise RefusedError(f"no state: {type(error).__name__}: {error}") from None
    heard(connection, {sender: at})
    connection.execute(
        "UPDATE fleet_gate SET state = ? WHERE site = ? AND gate = ?", (kept, sender.site, sender.gate)
    )


def note_told(connection: "sqlite3.Connection", gates: Iterable[Gate]) -> None:
    """Take down that the silence of gates has been told."""
    connection.executemany(
        "UPDATE fleet_gate SET told = ? WHERE site = ? AND gate = ?",
        [(gate.heard, gate.sender.site, gate.sender.gate) for gate in gates],
    )


def _kept(told: Mapping[str, Any], at: float) -> dict[str, Any]:
    """Return what is kept of a state, each of its type: anybody may have sent it who could."""
    worst = [
        {name: str(group.get(name, ""))[:_LONGEST] for name in ("group", "title", "severity")}
        | {"count": int(group.get("count", 0))}
        for group in told["worst"][:_MOST_WORST]
    ]
    values: dict[str, list[float]] = {}
    for metric in told["metrics"]:
        values.setdefault(str(metric["name"]), []).append(float(metric["value"]))
    found = {name: values[metric] for name, metric in _METRICS.items() if values.get(metric)}
    return {
        "version": str(told["version"])[:_LONGEST],
        "booted_at": datetime.fromisoformat(told["booted_at"]).timestamp(),
        "offset": round(datetime.fromisoformat(told["time"]).timestamp() - at),
        "open": int(told["groups"].get("open", 0)),
        "worst": worst,
        "daily": [int(n) for n in told.get("daily", ())][-_MOST_DAYS:],
    } | {name: min(given) if name in _OLDEST else sum(given) for name, given in found.items()}
