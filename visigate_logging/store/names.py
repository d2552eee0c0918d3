"""What groups are called."""

import sqlite3
from typing import NamedTuple


class GroupName(NamedTuple):
    """What a group is called, and when its first and its newest error were."""

    key: str
    title: str
    culprit: str
    first: int
    last: int
    latest: str


def group_names(db: sqlite3.Connection, key: str | None = None) -> dict[int, GroupName]:
    """Return names of groups by number; one that has others as its parts is called as its newest error is.

    Args:
        db: the index.
        key: of the only group that is asked for; None for all.
    """
    only = "AND root = (SELECT root FROM family WHERE key = ?)" if key else ""
    sql = (
        "SELECT root, key, title, culprit, first, last, latest FROM family "  # noqa: S608 -- ours
        f"WHERE heir IS NULL {only} ORDER BY id = root DESC"
    )
    found: dict[int, GroupName] = {}
    for group, *values in db.execute(sql, (key,) if key else ()):
        known, name = found.get(group), GroupName._make(values)
        if known:
            newest = max(known, name, key=lambda n: n.last)
            name = newest._replace(key=known.key, first=min(known.first, name.first))
        found[group] = name
    return found
