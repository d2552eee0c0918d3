"""Say whether all is well, on one screen; also without a subcommand."""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from visigate_logging.cli.arguments import JSON, LOG, STATE_DIR, Args
from visigate_logging.cli.command import FAILED
from visigate_logging.cli.locations import find_config, find_log
from visigate_logging.cli.output import answer, bold, complain, dim, painted, paragraph
from visigate_logging.cli.records import brief
from visigate_logging.cli.selection import absent
from visigate_logging.cli.table import Brief, Column, briefly, table
from visigate_logging.health.log import banners
from visigate_logging.health.state_dir import health_of
from visigate_logging.present.severities import COLOURS, rank, worst_first
from visigate_logging.present.words import counted, spoken
from visigate_logging.store.groups import Group
from visigate_logging.store.store import ErrorStore

ARGUMENTS = (LOG, JSON, STATE_DIR)
DAYS = 30
WORST = 5
GROUPS = 200
"""Groups of the last day that are looked at."""
COLUMNS = (
    Column("COUNT", right=True),
    Column("LAST"),
    Column("SEVERITY", dropped=1, colours=COLOURS),
    Column("ERROR", stretches=True),
    Column("GROUP"),
)
NEXT = "more: visigate-errors recent, show, groups GROUP, doctor; --help names all"


def run(args: Args) -> int:
    """Say whether error handling is well, and which errors of the last day are open."""
    log = args.log or find_log()
    if not log.parent.exists() and not args.log and not find_config().exists():
        complain(f"{absent(log)}; there is no logging.yaml here or above, either")
        return FAILED
    store = ErrorStore(log)
    found = _found(store, args.state_dir or store.path.parent / "state")
    data = found | {"worst": [group.to_dict() for group in found["worst"]]}
    is_well = found["healthy"] and not found["severities"].get("CRITICAL")
    return answer(args, data, _told(store, found), failed=not is_well)


def _found(store: ErrorStore, state: Path) -> dict[str, Any]:
    health = banners(store, health_of(state, store))
    if not store.path.parent.is_dir():
        days, open_ = [], []
    else:
        days = store.timeline(days=DAYS)
        since = datetime.now(UTC) - timedelta(days=1)
        open_ = [g for g in store.groups(GROUPS, days=2, state="open") if g.last_seen > since]
    last = store.timeline(hours=24) if days else []
    severities = sum((Counter(hour["severities"]) for hour in last), Counter[str]())
    newest = max((group.last_seen for group in open_), default=None)
    return {
        "log": str(store.path),
        "healthy": not health,
        "health": [banner._asdict() for banner in health],
        "errors": sum(severities.values()),
        "severities": dict(sorted(severities.items(), key=lambda item: rank(item[0]))),
        "trend": store.trends(DAYS)["total"]["trend"] if days else "too few days",
        "newest": newest and newest.isoformat(),
        "open": len(open_),
        "worst": sorted(open_, key=worst_first)[:WORST],
    }


def _told(store: ErrorStore, found: Mapping[str, Any]) -> Iterator[str]:
    if found["healthy"]:
        yield painted("ok  ", "green") + f"  error handling; log {store.path}"
    for banner in found["health"]:
        yield paragraph(painted("FAIL" if banner["severity"] == "error" else "warn", "red") + "  ", banner["text"])
    yield paragraph(*_counts(found))
    if found["worst"]:
        yield ""
        yield bold(f"open groups of the last 24 hours: {found['open']}; counts are those since yesterday, 00:00")
        keys = briefly((group.key for group in found["worst"]), ends=False)
        yield table(COLUMNS, [_row(group, keys[group.key]) for group in found["worst"]])
    yield dim(NEXT)


def _counts(found: Mapping[str, Any]) -> tuple[str, str]:
    mark = painted("FAIL", "red") if found["severities"].get("CRITICAL") else painted("ok  ", "green")
    told = counted(found["errors"], "error") + " in 24 hours"
    kinds = ", ".join(f"{n} {name}" for name, n in found["severities"].items())
    newest = found["newest"] and datetime.now(UTC) - datetime.fromisoformat(found["newest"])
    last = f"; the last {spoken(max(newest.total_seconds(), 0.0))} ago" if newest else ""
    trend = "" if found["trend"] == "too few days" else f"; {found['trend']} over {DAYS} days"
    return f"{mark}  ", f"{told}{f': {kinds}' if kinds else ''}{last}{trend}"


def _row(group: Group, key: Brief) -> tuple[str | Brief, ...]:
    what = f"{group.title} ({group.module})"
    return str(sum(group.daily)), brief(group.last_seen.isoformat()), group.severity, what, key
