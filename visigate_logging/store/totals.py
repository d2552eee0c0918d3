"""All that was ever counted, for those who compute the differences themselves."""

import sqlite3
from collections import Counter
from typing import Any

__all__ = ["count_totals"]


def count_totals(db: sqlite3.Connection, limit: int) -> dict[str, Any]:
    """See :meth:`ErrorStore.totals`."""
    kinds, types = Counter[tuple[str, str]](), Counter[str]()
    groups = Counter[str]()
    of_group: dict[str, tuple[str, int]] = {}
    rows = db.execute(
        "SELECT severity, category, type, own.key, own.last, (SELECT sum(n) FROM daily WHERE daily.facet = facet.id) "
        "FROM facet JOIN grp ON grp.id = facet.grp JOIN grp AS own ON own.id = coalesce(grp.heir, grp.id)"
    )
    for severity, category, kind, key, last, n in rows:
        kinds[severity, category] += n or 0
        types[kind] += n or 0
        groups[key] += n or 0
        of_group[key] = (kind, last)
    latest = sorted(of_group, key=lambda key: of_group[key][1], reverse=True)[:limit]
    return {
        "kinds": kinds.most_common(limit),
        "types": types.most_common(limit),
        "groups": [(key, of_group[key][0], groups[key]) for key in latest],
        "last": max((last for _, last in of_group.values()), default=0) / 1e6,
    }
