"""Find what differs between the errors of a group, and where and when they have been."""

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Any, NamedTuple

import orjson

from visigate_logging.detail.record import ErrorDetail
from visigate_logging.insight.correlation import only_at
from visigate_logging.store.facets import NAMES, NONE, Filter, counts_of, facets_of
from visigate_logging.store.times import QUARTER, Period, from_micros

FIELDS = ("error_message", "message", "severity", "host", "process", "thread", "line", "release", "service")
MOST = 5
"""Values that are told of one field, the most frequent."""
COMMON = {"type", "module", "severity", "category"}
"""Facets that a group has one value of anyway."""


def differences(records: Sequence[ErrorDetail]) -> dict[str, dict[str, int]]:
    """Return what differs between the errors of a group: of each field with several values the most frequent."""
    values: dict[str, Counter[str]] = {name: Counter(str(getattr(r, name)) for r in records) for name in FIELDS}
    for name in {name for r in records for name in r.additional_info}:
        values[f"additional_info.{name}"] = Counter(str(r.additional_info.get(name, "—")) for r in records)
    return {name: dict(seen.most_common(MOST)) for name, seen in sorted(values.items()) if len(seen) > 1}


class Counted(NamedTuple):
    """How many errors of a facet there were, and its words by name, those of the application's own as well."""

    n: int
    words: Mapping[str, str]


def counted(db: sqlite3.Connection, period: Period) -> dict[int, Counted]:
    """Return the facets of which there were errors in a period, by number."""
    n = "(SELECT sum(n) FROM daily WHERE daily.facet = facet.id AND start >= ?)"
    sql = f"SELECT id, {n}, own, {', '.join(NAMES)} FROM facet"  # noqa: S608 -- names of ours
    return {
        number: Counted(n, dict(zip(NAMES, words, strict=True)) | (orjson.loads(own) if own != NONE else {}))
        for number, n, own, *words in db.execute(sql, (period.limits[0] // QUARTER,))
        if n
    }


def compared(own: Mapping[int, int], all_: Mapping[int, Counted]) -> dict[str, Any]:
    """Return ``facets`` and ``only``: in what the errors of a group differ, and what all of them share.

    Args:
        own: how many errors of it there are of each facet.
        all_: what all facets are, and how many errors there are of each.
    """
    mine = [all_[number]._replace(n=n) for number, n in own.items() if number in all_]
    return {"facets": _differing(mine), "only": _only(mine, all_.values())}


def _differing(facets: Sequence[Counted]) -> dict[str, dict[str, int]]:
    """Return, for each name of which some facets have several words, how many errors have each, the most frequent."""
    found = {
        name: counts_of((one.words.get(name, ""), one.n) for one in facets)
        for name in dict.fromkeys(name for one in facets for name in one.words)
    }
    return {name: dict(list(values.items())[:MOST]) for name, values in found.items() if len(values) > 1}


def _only(own: Iterable[Counted], all_: Iterable[Counted]) -> dict[str, str]:
    """Return the words that all errors of a group have, though others have others."""
    summed = []
    for facets in (own, all_):
        counts = defaultdict[str, Counter[str]](Counter)
        for n, words in facets:
            for name in words.keys() - COMMON:
                counts[name][words[name]] += n
        summed.append(counts)
    return only_at({name: list(values.items()) for name, values in summed[0].items()}, summed[1])


def releases_of(db: sqlite3.Connection, own: Sequence[int], tz: tzinfo | None) -> dict[str, datetime]:
    """Return in which releases some facets have occurred, and when first in each, the newest first."""
    sql = (
        "SELECT release, min((SELECT min(at) FROM record WHERE facet = facet.id)) AS at FROM facet "
        "WHERE release != '' AND id IN (SELECT value FROM json_each(?)) GROUP BY release HAVING at NOTNULL"
    )
    first = dict(db.execute(sql, (orjson.dumps(list(own)).decode(),)))
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
