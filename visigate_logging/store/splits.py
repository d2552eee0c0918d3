"""Parts of groups that are groups of their own by decision, as the index has them."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence

from visigate_logging.detail.record import ErrorDetail
from visigate_logging.host.log_files import LogFile
from visigate_logging.store.clocks import date_groups
from visigate_logging.store.counts import count
from visigate_logging.store.fetch import fetch
from visigate_logging.store.index import Index, Row
from visigate_logging.store.interning import numbers_of
from visigate_logging.store.search import SELECT
from visigate_logging.store.times import QUARTER
from visigate_logging.triage.splits import Split, part_of, splits_of


def follow_splits(index: Index, files: Mapping[int, LogFile]) -> None:
    """Have errors that are in the index already be of the part that they are of by now, and so the next ones.

    What stood in files that are gone stays counted with the whole group.

    Args:
        index: in a transaction.
        files: by source.
    """
    wanted = _by_key(index)
    if wanted == index.splits:
        return
    index.forget()
    index.splits = wanted
    told = json.dumps(wanted, sort_keys=True)
    row = index.db.execute("SELECT value FROM meta WHERE key = 'splits'").fetchone()
    if row is None or row[0] != told:
        index.db.execute("INSERT OR REPLACE INTO meta VALUES ('splits', ?)", (told,))
        for key, parts in wanted.items():
            _move(index, key, parts, files)


def name_groups(index: Index, rows: Sequence[Row], records: Sequence[ErrorDetail | None]) -> None:
    """Have records that are of a part of their group say so: its key is what leads to their like."""
    for row, record in zip(rows, records, strict=True):
        if record and record.fingerprint in index.splits:
            sql = "SELECT key FROM grp WHERE id = (SELECT grp FROM facet WHERE id = ?)"
            (record.fingerprint,) = index.db.execute(sql, (row[5],)).fetchone()


def _by_key(index: Index) -> dict[str, list[Split]]:
    """Return the parts by each key that leads to a group: that of earlier rules, or that was merged into it, too."""
    split = splits_of(index.decisions.decisions()) if index.decisions else {}
    parts = {part.into for parts in split.values() for part in parts}
    found = dict(split)
    for key in split:
        sql = "SELECT key FROM family WHERE root = (SELECT root FROM family WHERE key = ?)"
        for (other,) in index.db.execute(sql, (key,)):
            if other not in parts:
                found.setdefault(other, split[key])
    return found


def _move(index: Index, key: str, parts: list[Split], files: Mapping[int, LogFile]) -> None:
    sql = f"{SELECT} WHERE facet IN (SELECT facet.id FROM facet JOIN grp ON grp.id = facet.grp WHERE grp.key = ?)"  # noqa: S608 -- names of ours
    rows: list[Row] = index.db.execute(sql, (key,)).fetchall()
    changes = Counter[tuple[int, int]]()
    facets: set[int] = set()
    for row, record in zip(rows, fetch(rows, files, [], partial=True), strict=True):
        into = part_of(vars(record), parts) if record else ""
        if record and into:
            at, facet = row[0], row[5]
            number, _ = numbers_of(index, {**vars(record), "fingerprint": into})
            index.db.execute("UPDATE record SET facet = ? WHERE at = ? AND tie = ?", (number, *row[:2]))
            facets |= {facet, number}
            if not row[7]:
                changes[facet, at // QUARTER] -= 1
                changes[number, at // QUARTER] += 1
    count(index, changes)
    date_groups(index, sorted(facets))
