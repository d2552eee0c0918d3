"""The numbers of facets and groups in the index: looked up, or given."""

from collections.abc import Sequence
from typing import Any

from visigate_logging.store.facets import NAMES, word_of, words_of
from visigate_logging.store.identity import LONGEST, group_key, identify, older_keys
from visigate_logging.store.index import Index
from visigate_logging.triage.splits import part_of

MOST_TRIED = 50
"""Messages of a group whose older keys are looked for: they differ by message, and most groups have but one."""
MAX_FACETS = 50_000
"""Facets that are remembered; a hostile log may make any number."""
FUTURE, PAST = 1 << 62, -1 << 62
"""When a group begins and ends that has no error yet."""


def numbers_of(index: Index, record: dict[str, Any]) -> tuple[int, int]:
    """Return the numbers of a record's facet and group, looked up or given."""
    words = (*words_of(record), group_key(record))
    found = index.numbers.get(words)
    if found is None:
        for known in (index.numbers, index.facets):
            if len(known) >= MAX_FACETS:
                known.clear()
        found = index.numbers[words] = _intern(index, words, record)
    if words[-1] in index.splits:
        index.split_groups.add(found[1])
    return found


def part_numbers(index: Index, record: dict[str, Any], whole: tuple[int, int]) -> tuple[int, int]:
    """Return the numbers of the part of its group that a record is of by decision; those of the whole for none."""
    parts = index.splits.get(group_key(record)) if whole[1] in index.split_groups else None
    into = part_of(record, parts) if parts else ""
    return numbers_of(index, {**record, "fingerprint": into}) if into else whole


def _intern(index: Index, words: Sequence[str], record: dict[str, Any]) -> tuple[int, int]:
    own, group = _group(index, words[-1], record)
    columns = ", ".join((*NAMES, "own", "grp"))
    marks = ", ".join("?" * (len(NAMES) + 2))
    values = (*words[: len(NAMES) + 1], own)
    index.db.execute(f"INSERT OR IGNORE INTO facet ({columns}) VALUES ({marks})", values)  # noqa: S608 -- names of ours
    sql = f"SELECT id FROM facet WHERE ({columns}) = ({marks})"  # noqa: S608 -- names of ours
    (number,) = index.db.execute(sql, values).fetchone()
    return number, group


def _group(index: Index, key: str, record: dict[str, Any]) -> tuple[int, int]:
    """Return the numbers of the group with a key, and of the one that it is part of."""
    index.db.execute(
        "INSERT OR IGNORE INTO grp (key, title, culprit, first, last, latest) VALUES (?, ?, ?, ?, ?, ?)",
        (key, title(record), word_of(record.get("culprit"), LONGEST), FUTURE, PAST, identify(record)),
    )
    number, heir = index.db.execute("SELECT id, coalesce(heir, id) FROM grp WHERE key = ?", (key,)).fetchone()
    return number, heir


def claim(index: Index, group: int, record: dict[str, Any], message: object) -> None:
    """Have what earlier rules kept under other keys be part of a record's group, unless its like was met before.

    Args:
        index: in a transaction.
        group: the number of the group.
        record: one of its records.
        message: what is the same in those that are like it.
    """
    if len(index.claimed) >= MAX_FACETS:
        index.claimed.clear()
    tried = index.claimed.setdefault(group, set())
    if type(message) in (str, bytes) and hash(message) not in tried and len(tried) < MOST_TRIED:
        tried.add(hash(message))
        for older in older_keys(record):
            _inherit(index, group, older)


def _inherit(index: Index, group: int, older: str) -> None:
    """Make a group the heir of one with an older key: that one's errors, and since when it is known, are its own."""
    row = index.db.execute("SELECT id, first, last, heir FROM grp WHERE key = ?", (older,)).fetchone()
    if row is None:
        sql = (
            "INSERT INTO grp (key, title, culprit, first, last, latest, heir) "
            "SELECT ?, title, culprit, first, last, latest, id FROM grp WHERE id = ?"
        )
        index.db.execute(sql, (older, group))
        return
    old, first, _, heir = row
    if old == group:
        return
    index.db.execute("UPDATE grp SET first = min(first, ?) WHERE id = ?", (first, group))
    if heir is None:  # the first that claims it; of errors that are told apart now, who knows
        index.db.execute("UPDATE grp SET heir = ? WHERE id = ? OR heir = ?", (group, old, old))
        index.db.execute(
            "UPDATE grp SET (last, latest, title, culprit) = "
            "(SELECT last, latest, title, culprit FROM grp AS old WHERE old.id = ?) "
            "WHERE id = ? AND last < (SELECT last FROM grp AS old WHERE old.id = ?)",
            (old, group, old),
        )
        index.db.execute("DELETE FROM burst_state WHERE grp IN (?, ?)", (old, group))
        index.facets.clear()
        index.numbers.clear()


def carried_facet(index: Index, number: int, record: dict[str, Any]) -> int:
    """Return the facet under which an index of an older form has counted a record: as far as it had its columns."""
    key = group_key(record)
    if (number, key) not in index.carried:
        row = index.db.execute("SELECT value FROM meta WHERE key = 'carried'").fetchone()
        had = row[0].split() if row else []
        same = " AND ".join(f"old.{name} = " + (f"facet.{name}" if name in had else "''") for name in NAMES)
        same += " AND old.own = " + ("facet.own" if "own" in had else "'{}'")
        sql = (
            f"SELECT old.id FROM facet JOIN facet AS old ON {same} JOIN grp ON grp.id = old.grp "  # noqa: S608 -- names of ours
            "WHERE facet.id = ? AND grp.key = ?"
        )
        found = index.db.execute(sql, (number, key)).fetchone()
        index.carried[number, key] = found[0] if found else number
    return index.carried[number, key]


def title(record: dict[str, Any]) -> str:
    """Return what a group is called by one of its errors: type and first line of the message."""
    message = word_of(record.get("error_message"), LONGEST).partition("\n")[0]
    return f"{word_of(record['error_type'])}: {message}"[:LONGEST]
