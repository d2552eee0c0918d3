"""Find what differs between the errors of a group."""

import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, tzinfo
from typing import NamedTuple

import orjson

from visigate_logging.detail.record import ErrorDetail
from visigate_logging.store.facets import NAMES, Filter, counts_of, facets_of
from visigate_logging.store.statistics import cells
from visigate_logging.store.times import Period, from_micros

__all__ = ["Spread", "releases_of", "spread", "varying", "varying_facets"]


def varying(records: Sequence[ErrorDetail], most: int = 5) -> dict[str, dict[str, int]]:
    """Return what differs between the errors of a group: of each field with several values the most frequent."""
    fields = (
        "error_message",
        "message",
        "severity",
        "host",
        "process",
        "thread",
        "line",
        "release",
        "service",
    )
    values: dict[str, Counter[str]] = {name: Counter(str(getattr(r, name)) for r in records) for name in fields}
    for name in {name for r in records for name in r.additional_info}:
        values[f"additional_info.{name}"] = Counter(str(r.additional_info.get(name, "—")) for r in records)
    return {name: dict(seen.most_common(most)) for name, seen in sorted(values.items()) if len(seen) > 1}


def varying_facets(db: sqlite3.Connection, period: Period, key: str, most: int = 5) -> dict[str, dict[str, int]]:
    """Return, for each facet of which the errors of a group have several values, how many have each.

    Args:
        db: the index.
        period: in which they are counted.
        key: of the group.
        most: so many values, the most frequent.
    """
    numbers = facets_of(db, Filter({"group": key})) or []
    counts = Counter[int]()
    for facet, _day, n in cells(db, period.limits, by_day=period.tz is None, facets=numbers):
        if facet in numbers:
            counts[facet] += n
    words: dict[int, dict[str, str]] = {}
    for number, own, *values in db.execute(
        f"SELECT id, own, {', '.join(NAMES)} FROM facet WHERE id IN (SELECT value FROM json_each(?))",  # noqa: S608 -- names of ours
        (orjson.dumps(list(counts)).decode(),),
    ):
        words[number] = dict(zip(NAMES, values, strict=True)) | orjson.loads(own)
    found = {
        name: counts_of((own.get(name, ""), counts[number]) for number, own in words.items())
        for name in dict.fromkeys(name for own in words.values() for name in own)
    }
    return {name: dict(list(values.items())[:most]) for name, values in found.items() if len(values) > 1}


def releases_of(db: sqlite3.Connection, key: str, tz: tzinfo | None) -> dict[str, datetime]:
    """Return in which releases a group has occurred, and when first in each, the newest first."""
    first: dict[str, int] = {}
    for number in facets_of(db, Filter({"group": key})) or []:
        (release,) = db.execute("SELECT release FROM facet WHERE id = ?", (number,)).fetchone()
        (at,) = db.execute("SELECT min(at) FROM record WHERE facet = ?", (number,)).fetchone()
        if release and at is not None:
            first[release] = min(at, first.get(release, at))
    return {release: from_micros(at, tz) for release, at in sorted(first.items(), key=lambda item: -item[1])}


class Spread(NamedTuple):
    """Where a group has been.

    Args:
        places: the values of the facets that were asked for, of each place.
        release: in which it was first seen; empty where that is not known.
    """

    places: Sequence[tuple[str, ...]]
    release: str


def spread(db: sqlite3.Connection, keys: Iterable[str], names: Sequence[str]) -> dict[str, Spread]:
    """See :meth:`ErrorStore.spread`."""
    columns = ", ".join("json_extract(own, ?)" for _ in names)
    first = "(SELECT min(at) FROM record WHERE facet = facet.id)"
    sql = f"SELECT {first}, release, {columns} FROM facet WHERE id IN (SELECT value FROM json_each(?))"  # noqa: S608 -- names of ours
    found = {}
    for key in keys:
        numbers = orjson.dumps(facets_of(db, Filter({"group": key})) or []).decode()
        rows = db.execute(sql, [*(f'$."{name}"' for name in names), numbers]).fetchall()
        places = sorted({row[2:] for row in rows if all(row[2:])})
        if places:
            release = min((row[:2] for row in rows if row[0] is not None), default=(0, ""))[1]
            found[key] = Spread(places, release)
    return found
