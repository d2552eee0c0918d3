"""The facets that errors are filtered and counted by: one list, from which columns, options and filters are made.

A new one is one line here. Those of the application's own, such as ``camera``, are in each record's ``facets``.
"""

import sqlite3
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import orjson

from visigate_logging.exceptions import StoreError

WORD = 200
"""Characters that the index keeps of a name; the records on disk keep all."""
MOST_OWN = 8
"""Facets of the application's own that are kept of one record."""
NONE = "{}"
GROUP = "group"
"""The filter by fingerprint, which is no facet: a group has a row of its own in the index."""


class Facet(NamedTuple):
    """One thing that errors are filtered and counted by.

    Args:
        name: as a filter, an option, and a column of the index.
        field: of the record.
        counts: its name among the statistics.
        example: of a value, for help texts.
    """

    name: str
    field: str
    counts: str
    example: str


FACETS = (
    Facet("type", "error_type", "error_types", "TimeoutError"),
    Facet("module", "module", "modules", "gate.camera"),
    Facet("category", "category", "categories", "camera"),
    Facet("severity", "severity", "severities", "CRITICAL"),
    Facet("host", "host", "hosts", "gate-north"),
    Facet("process", "process", "processes", "camera"),
    Facet("service", "service", "services", "visigate"),
    Facet("logger", "logger", "loggers", "VisiGate.barrier"),
    Facet("release", "release", "releases", "2.4.1"),
    Facet("handled", "handled", "handled", "true"),
)
NAMES = tuple(facet.name for facet in FACETS)


class Filter:
    """Which records.

    Args:
        words: values by name: of NAMES, ``group``, or a facet of the application's own. None does not matter.
    """

    def __init__(self, words: Mapping[str, str | None]) -> None:
        asked = {name: word for name, word in words.items() if word is not None}
        self.group = asked.pop(GROUP, None)
        self.words = {name: asked.pop(name) for name in NAMES if name in asked}
        self.own = asked

    def __bool__(self) -> bool:
        """Return whether anything is asked for."""
        return bool(self.group is not None or self.words or self.own)


def facets_of(db: sqlite3.Connection, asked: Filter) -> list[int] | None:
    """Return the numbers of the facets that a filter lets through; None for all of them.

    Raises:
        StoreError: a name is that of no facet.
    """
    if not asked:
        return None
    clauses = [f"{name} = ?" for name in asked.words]
    values: list[Any] = list(asked.words.values())
    for name, word in asked.own.items():
        if name not in (known := _own_names(db)):
            raise StoreError(f"errors have no facet {name!r}; they have {', '.join((*NAMES, *known))}")
        clauses.append("EXISTS (SELECT 1 FROM json_each(own) WHERE key = ? AND value = ?)")
        values += [name, word]
    if asked.group is not None:
        clauses.append(f"grp IN ({family_of(db, _root_of(db, asked.group))})")
    return [row[0] for row in db.execute(f"SELECT id FROM facet WHERE {' AND '.join(clauses)}", values)]  # noqa: S608 -- names of ours


def roots_of(db: sqlite3.Connection, keys: Iterable[str]) -> dict[str, int]:
    """Return the numbers of the groups that keys lead to; one by one, since JSON in SQLite ends at a zero byte."""
    return {key: root for key in keys if (root := _root_of(db, key))}


def _root_of(db: sqlite3.Connection, key: str) -> int:
    """Return the number of the group that a key leads to; 0 for none."""
    row = db.execute("SELECT root FROM family WHERE key = ?", (key,)).fetchone()
    return row[0] if row else 0


def family_of(db: sqlite3.Connection, root: int) -> str:
    """Return the numbers of the groups that are part of one, itself as well, as SQL has a list."""
    merged = [root, *(row[0] for row in db.execute("SELECT grp FROM merged WHERE root = ?", (root,)))]
    sql = "SELECT id FROM grp WHERE heir = ?"
    return ", ".join(map(str, [*merged, *(row[0] for one in merged for row in db.execute(sql, (one,)))]))


def _own_names(db: sqlite3.Connection) -> list[str]:
    sql = "SELECT DISTINCT key FROM facet, json_each(facet.own) ORDER BY key"
    return [row[0] for row in db.execute(sql)]


def choices_of(db: sqlite3.Connection) -> dict[str, list[str]]:
    """Return the values of each facet, those of the application's own behind the others."""
    found = {
        name: [row[0] for row in db.execute(f"SELECT DISTINCT {name} FROM facet ORDER BY 1")]  # noqa: S608 -- names of ours
        for name in NAMES
    }
    for name in _own_names(db):
        sql = "SELECT DISTINCT value FROM facet, json_each(facet.own) WHERE key = ? ORDER BY value"
        found[name] = [row[0] for row in db.execute(sql, (name,))]
    return found


def words_of(record: Mapping[str, Any]) -> list[str]:
    """Return the values of a record's facets, in the order of FACETS, and its own ones as JSON."""
    return [*(word_of(record.get(facet.field)) for facet in FACETS), own_facets(record.get("facets"))]


def own_facets(given: Any) -> str:
    """Return facets of the application's own in one spelling.

    Args:
        given: the record's ``facets``, an object; anything else is none.
    """
    if type(given) is not dict or not given:
        return NONE
    named = {word_of(name): word_of(value) for name, value in list(given.items())[:MOST_OWN]}
    kept = {name: value for name, value in named.items() if value and name not in (*NAMES, GROUP)}
    return orjson.dumps(kept, option=orjson.OPT_SORT_KEYS).decode()


def word_of(value: object, longest: int = WORD) -> str:
    """Return a value as text that SQLite takes: no lone surrogates, not too long."""
    if value is True or value is False:
        return "true" if value else "false"
    value = scalar(value)
    text = value if isinstance(value, str) else "" if value is None else repr(value)
    return text[:longest].encode("utf-8", "replace").decode()


def scalar(value: object) -> object:
    """Return a value of the kinds that fields of ours have; what is within a nested one may not have been read."""
    return None if isinstance(value, dict | list) else value


def counts_of(words: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Return counts summed by name, the most frequent first."""
    summed: dict[str, int] = {}
    for word, n in words:
        summed[word] = summed.get(word, 0) + n
    return dict(sorted(summed.items(), key=lambda item: (-item[1], item[0])))


ALIASES = {"WARN": "WARNING", "FATAL": "CRITICAL", "CRIT": "CRITICAL", "ERR": "ERROR"}
"""Other names of levels, as :mod:`logging` and syslog have them."""


def spelt(value: str, known: Iterable[str]) -> str | None:
    """Return a value as it occurs, whatever case it was given in; None when it does not occur."""
    words = list(known)
    wanted = {value.casefold(), ALIASES.get(value.upper(), value).casefold()}
    return value if value in words else next((word for word in words if word.casefold() in wanted), None)


def fits(record: Mapping[str, Any], asked: Filter) -> bool:
    """Return whether a filter lets a record through; its group is the one that the record itself names."""
    own = record.get("facets")
    return (
        (asked.group is None or record.get("fingerprint") == asked.group)
        and all(word_of(record.get(f.field)) == asked.words[f.name] for f in FACETS if f.name in asked.words)
        and all(isinstance(own, Mapping) and word_of(own.get(name)) == word for name, word in asked.own.items())
    )
