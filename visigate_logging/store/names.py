"""What groups are called."""

import sqlite3
from typing import NamedTuple

__all__ = ["GroupName", "group_names"]


class GroupName(NamedTuple):
    """What a group is called, and when its first and its newest error were."""

    key: str
    title: str
    culprit: str
    first: int
    last: int
    latest: str


def group_names(db: sqlite3.Connection) -> dict[int, GroupName]:
    """Return names of groups by number; one that has others as its parts is called as its newest error is."""
    sql = "SELECT {}, key, title, culprit, first, last, latest FROM {} WHERE heir IS NULL"
    if not db.execute("SELECT 1 FROM merged LIMIT 1").fetchone():
        return {row[0]: GroupName._make(row[1:]) for row in db.execute(sql.format("id", "grp"))}
    found: dict[int, GroupName] = {}
    for group, *values in db.execute(sql.format("root", "family") + " ORDER BY id = root DESC"):
        known, name = found.get(group), GroupName._make(values)
        if known:
            newest = max(known, name, key=lambda n: n.last)
            name = newest._replace(key=known.key, first=min(known.first, name.first))
        found[group] = name
    return found
