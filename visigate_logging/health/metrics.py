"""What monitoring systems ask: counts of errors, handlers, mails, forwarding, recoveries, backups, and the disk."""

import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from visigate_logging._version import __version__
from visigate_logging.exceptions import VisigateLoggingError
from visigate_logging.health.exposition import Family, Sample
from visigate_logging.host.timeline import Timeline
from visigate_logging.store.store import ErrorStore

if TYPE_CHECKING:
    from visigate_logging.config.objects import Object

MetricsSource = Callable[[], list[Family]]
_DAY = 86_400.0
_MOST = 100
"""Values of a label that are told: types, groups, keys. Those of which there were most errors, or the latest."""
_MOST_REASONS = 20


def metrics_of(store: ErrorStore, directory: Path, objects: "Iterable[Object]" = ()) -> MetricsSource:
    """Return what gives all metrics, as they are when it is called.

    Args:
        store: the errors.
        directory: the state directory.
        objects: handlers of a configuration, from which backups are known.
    """
    sources: dict[str, Callable[[], Iterator[Family]]] = {
        "errors": lambda: _errors(store),
        "log": lambda: _log(store),
        "handlers": lambda: _handlers(directory),
        "outboxes": lambda: _outboxes(directory / "outbox"),
        "forwarding": lambda: _forwarding(directory),
        "recoveries": lambda: _recoveries(directory),
        "timeline": lambda: _events(directory),
        "backups": lambda: _backups(objects),
        "power": lambda: _power_cuts(directory),
    }
    return lambda: [*_about(), *_all(sources)]


def _all(sources: dict[str, Callable[[], Iterator[Family]]]) -> Iterator[Family]:
    """Yield what each source gives; one that fails says so, and the others are told."""
    import sqlite3

    up: list[Sample] = []
    for name, source in sources.items():
        try:
            found = [*source()]
        except (VisigateLoggingError, OSError, ValueError, sqlite3.Error):
            found = []
            up.append(({"source": name}, 0))
        else:
            up.append(({"source": name}, 1))
        yield from found
    yield Family("visigate_metrics_source_up", "gauge", "Whether these metrics could be read.", up)


def _about() -> Iterator[Family]:
    yield Family("visigate_info", "gauge", "The version of the error handling.", [({"version": __version__}, 1)])


def _errors(store: ErrorStore) -> Iterator[Family]:
    found = store.totals(_MOST)
    by_kind: list[Sample] = [({"severity": s, "category": c}, n) for (s, c), n in found["kinds"]]
    by_type: list[Sample] = [({"type": name}, n) for name, n in found["types"]]
    by_group: list[Sample] = [({"group": key, "type": kind}, n) for key, kind, n in found["groups"]]
    yield Family("visigate_errors", "counter", "Errors by severity and category.", by_kind)
    yield Family("visigate_errors_by_type", "counter", "Errors by type, of the most frequent types.", by_type)
    yield Family("visigate_errors_by_group", "counter", "Errors by group, of the latest groups.", by_group)
    states: list[Sample] = [({"state": name}, n) for name, n in store.groups(1).states.items()]
    yield Family("visigate_groups", "gauge", "Groups with errors in the last 30 days by what was decided.", states)
    newest: list[Sample] = [({}, found["last"])] if found["last"] else []
    yield Family("visigate_last_error_timestamp_seconds", "gauge", "When the last error happened.", newest)


def _log(store: ErrorStore) -> Iterator[Family]:
    found = store.health()
    disk = shutil.disk_usage(store.path.parent)
    for name, help_, value in (
        ("log_size_bytes", "Bytes of the log and the files rotated away from it.", found["bytes"]),
        ("log_unreadable_places", "Places in the log that hold no record.", found["unreadable"]),
        ("log_filesystem_free_bytes", "Free space where the log is.", disk.free),
        ("log_filesystem_size_bytes", "Size of the file system where the log is.", disk.total),
    ):
        yield Family(f"visigate_{name}", "gauge", help_, [({}, value)])


def _handlers(directory: Path) -> Iterator[Family]:
    from visigate_logging.host import State, host_counts, host_failures

    state = State(directory)
    if not state.path.exists():
        return
    try:
        sheets, failures = host_counts(state), host_failures(state)
    finally:
        state.close()
    records: list[Sample] = []
    dropped: list[Sample] = []
    for name, sheet in sheets.items():
        counts = {"accepted": sheet["accepted"], "delivered": sheet["delivered"], "folded": sheet["folded"]}
        records += [({"handler": name, "outcome": outcome}, n) for outcome, n in counts.items()]
        reasons = Counter(sheet["dropped"]).most_common(_MOST_REASONS)
        dropped += [({"handler": name, "reason": reason}, n) for reason, n in reasons]
    yield Family(
        "visigate_handler_records", "counter", "Records that a handler took, and what became of them.", records
    )
    yield Family("visigate_handler_dropped_records", "counter", "Records that a handler dropped, by reason.", dropped)
    pending: list[Sample] = [({"handler": name}, sheet["pending"]) for name, sheet in sheets.items()]
    yield Family("visigate_handler_pending_records", "gauge", "Records that wait in a handler.", pending)
    failed: list[Sample] = [({"handler": name}, _seconds(failure["time"])) for name, failure in failures.items()]
    yield Family("visigate_handler_last_failure_timestamp_seconds", "gauge", "When a handler last failed.", failed)


def _events(directory: Path) -> Iterator[Family]:
    since = datetime.now(UTC) - timedelta(days=30)
    found: list[Sample] = [({"event": event}, n) for event, n in Timeline(directory).counts(since).items()]
    help_ = "Events of the host and its processes in the last 30 days: power cuts, crashes, releases."
    yield Family("visigate_events_of_last_month", "gauge", help_, found)


def _outboxes(place: Path) -> Iterator[Family]:
    letters: list[Sample] = []
    oldest: list[Sample] = []
    for box in sorted(place.glob("*/")):
        waiting = [path.stat().st_mtime for path in box.glob("*.eml")]
        refused = len([*(box / "refused").glob("*.eml")])
        letters += [({"outbox": box.name, "state": "waiting"}, len(waiting))]
        letters += [({"outbox": box.name, "state": "refused"}, refused)]
        oldest += [({"outbox": box.name}, max(0.0, time.time() - min(waiting, default=time.time())))]
    yield Family(
        "visigate_outbox_messages", "gauge", "Messages that wait to be sent, and that were refused.", letters
    )
    yield Family("visigate_outbox_oldest_age_seconds", "gauge", "How long the oldest message waits.", oldest)


def _forwarding(directory: Path) -> Iterator[Family]:
    from visigate_logging.forward.progress import read_all

    books = read_all(directory)
    waiting: list[Sample] = [
        ({"handler": name, "lane": lane}, own.pending)
        for name, one in books.items()
        for lane, own in one.lanes.items()
    ]
    sent: list[Sample] = [
        ({"handler": name}, _seconds(one.delivered_at)) for name, one in books.items() if one.delivered_at
    ]
    failing: list[Sample] = [({"handler": name}, bool(one.trouble)) for name, one in books.items()]
    yield Family("visigate_forward_pending_records", "gauge", "Records that wait to be forwarded.", waiting)
    yield Family("visigate_forward_last_success_timestamp_seconds", "gauge", "When a target last took records.", sent)
    yield Family("visigate_forward_failing", "gauge", "Whether the last request to a target failed.", failing)


def _recoveries(directory: Path) -> Iterator[Family]:
    from visigate_logging.recovery.audit import Audit
    from visigate_logging.recovery.budgets import Budgets

    runs, last = Counter[tuple[str, str]](), dict[tuple[str, str], float]()
    for entry in Audit(directory).read():
        if entry.get("event") == "outcome":
            key, when = (str(entry.get("procedure")), str(entry.get("status"))), _seconds(entry.get("timestamp"))
            runs[key] += when > time.time() - _DAY
            last[key] = when
    names = [*last][-_MOST:]
    day: list[Sample] = [({"procedure": p, "status": s}, runs[p, s]) for p, s in names]
    ended: list[Sample] = [({"procedure": p, "status": s}, last[p, s]) for p, s in names]
    yield Family("visigate_recovery_runs_of_last_day", "gauge", "Runs of procedures within 24 hours.", day)
    yield Family("visigate_recovery_last_run_timestamp_seconds", "gauge", "When a procedure last ended so.", ended)
    budgets = Budgets(directory)
    known = budgets.all() if budgets.state.path.exists() else {}
    budgets.state.close()
    attempts: list[Sample] = [({"key": key}, len(one.attempts)) for key, one in [*known.items()][:_MOST]]
    given_up: list[Sample] = [({"key": key}, one.given_up is not None) for key, one in [*known.items()][:_MOST]]
    yield Family("visigate_recovery_attempts", "gauge", "Attempts that a recovery has used of its budget.", attempts)
    yield Family("visigate_recovery_given_up", "gauge", "Whether a recovery has been given up.", given_up)


def _backups(objects: "Iterable[Object]") -> Iterator[Family]:
    newest = _newest_backups(objects) if objects else {}  # nothing is imported for none
    samples: list[Sample] = [({"database": database}, when) for database, when in newest.items()]
    yield Family("visigate_backup_timestamp_seconds", "gauge", "When the newest backup was made; 0: none.", samples)


def _newest_backups(objects: "Iterable[Object]") -> dict[str, float]:
    from visigate_logging.health.host import runners
    from visigate_logging.recovery.application import missing_allowed
    from visigate_logging.recovery.sqlite.backups import generations
    from visigate_logging.recovery.steps.restore_sqlite import RestoreSqlite

    newest: dict[str, float] = {}
    with missing_allowed():
        for runner in runners(objects):
            steps = [planned.step for procedure in runner.procedures.values() for planned in procedure.steps]
            for step in steps:
                if isinstance(step, RestoreSqlite):
                    times = [path.stat().st_mtime for path in generations(step.backups)]
                    if times or Path(step.database).absolute().parent.exists():  # as shipped there is none
                        newest[step.database] = max(times, default=0.0)
            runner.close()
    return newest


def _power_cuts(directory: Path) -> Iterator[Family]:
    from visigate_logging.host.timeline import Timeline

    cuts = [event for event in Timeline(directory).read() if event["event"] == "power"]
    last: list[Sample] = [({}, _seconds(cuts[-1]["time"]))] if cuts else []
    yield Family("visigate_last_power_cut_timestamp_seconds", "gauge", "When the power was last cut.", last)


def _seconds(timestamp: Any) -> float:
    """Return seconds since 1970 of a time as text; 0 when it is none."""
    try:
        return datetime.fromisoformat(str(timestamp)).timestamp()
    except ValueError:
        return 0.0
