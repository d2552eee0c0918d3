"""The form of the index, and how one of another form is taken over.

The form has a number, which is part of the file's name: programs of different versions, as there are while an update
is under way, each have their own file instead of deleting the other's. A new form begins with what the old one has
counted; the records are then read anew from the log, the newest first, while questions are answered.
"""

import sqlite3
from contextlib import suppress
from pathlib import Path

from visigate_logging.store.facets import NAMES

APPLICATION = 0x56474958
"""PRAGMA application_id: an SQLite file without it is not ours and is not touched."""
VERSION = 3
PAGE = 4096
CARRIED = ("grp", "facet", "tally")
"""Tables that a new form takes over, as far as it has their columns: what they say of files that are gone cannot be
had again."""

SCHEMA = f"""
CREATE TABLE source (
    id INTEGER PRIMARY KEY,
    head BLOB NOT NULL,             -- digest of the first line: which content this is, whatever its name
    dev INTEGER, ino INTEGER, size INTEGER, mtime_ns INTEGER,   -- as last read to the end
    indexed INTEGER NOT NULL,       -- bytes read so far
    counted INTEGER NOT NULL,       -- bytes whose records are in the counts
    first INTEGER, last INTEGER,    -- times of its records
    present INTEGER NOT NULL,
    carried INTEGER NOT NULL DEFAULT 0  -- bytes whose records an index of an older form has counted
) STRICT;
CREATE TABLE grp (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    title TEXT NOT NULL, culprit TEXT NOT NULL,
    first INTEGER NOT NULL, last INTEGER NOT NULL,
    latest TEXT NOT NULL,           -- id of its latest record; empty where it has to be looked up
    heir INTEGER                    -- the group that it is part of, since rules give its errors another key
) STRICT;
CREATE INDEX grp_by_last ON grp (last);
CREATE INDEX grp_by_heir ON grp (heir);
CREATE TABLE facet (
    id INTEGER PRIMARY KEY,
    {"".join(f"{name} TEXT NOT NULL DEFAULT '', " for name in NAMES)}
    own TEXT NOT NULL DEFAULT '{{}}', -- of the application's own, a JSON object
    grp INTEGER NOT NULL,
    UNIQUE (grp, {", ".join(NAMES)}, own)
) STRICT;
CREATE TABLE record (
    at INTEGER NOT NULL,            -- microseconds since 1970, as worked out where the clock was wrong
    tie BLOB NOT NULL,              -- the lower half of the event's id
    source INTEGER NOT NULL, offset INTEGER NOT NULL, length INTEGER NOT NULL, facet INTEGER NOT NULL,
    clock INTEGER NOT NULL,         -- whose time it bears; 0 for none that is known
    repeats INTEGER NOT NULL,       -- whether it tells of an exception that an earlier one told of: not counted
    PRIMARY KEY (at, tie)
) WITHOUT ROWID, STRICT;
CREATE TABLE clock (                -- the clock of a boot, for as long as nobody put it forward or back
    id INTEGER PRIMARY KEY,
    boot TEXT NOT NULL,
    epoch INTEGER NOT NULL,         -- the boot's beginning by this clock, microseconds since 1970
    until REAL NOT NULL,            -- seconds since the boot of the last record with it
    first INTEGER NOT NULL, last INTEGER NOT NULL,      -- times that its records bear
    shift INTEGER NOT NULL,         -- microseconds that its records have been moved by
    guess INTEGER                   -- the boot's beginning as its neighbours in the file have it, for want of better
) STRICT;
CREATE INDEX clock_by_boot ON clock (boot);
CREATE TABLE tally (                -- counts for each quarter of an hour; facet 0 is everything
    facet INTEGER NOT NULL, quarter INTEGER NOT NULL, n INTEGER NOT NULL,
    PRIMARY KEY (facet, quarter)
) WITHOUT ROWID, STRICT;
CREATE TABLE daily (                -- the same for each day of meta's zone, by its first quarter
    start INTEGER NOT NULL, facet INTEGER NOT NULL, n INTEGER NOT NULL,
    PRIMARY KEY (start, facet)
) WITHOUT ROWID, STRICT;
CREATE TABLE burst_state (             -- what the rule for bursts remembers of a group; 0 is everything
    grp INTEGER PRIMARY KEY,
    upto INTEGER NOT NULL,          -- the first hour that it has not seen
    rule TEXT NOT NULL, bursts TEXT NOT NULL
) STRICT;
CREATE TABLE merged (               -- by decision: the group that one is part of, in the end; both without an heir
    grp INTEGER PRIMARY KEY,
    root INTEGER NOT NULL
) STRICT;
CREATE INDEX merged_by_root ON merged (root);
CREATE TABLE unreadable (
    source INTEGER NOT NULL, offset INTEGER NOT NULL, length INTEGER NOT NULL, problem TEXT NOT NULL,
    PRIMARY KEY (source, offset)
) WITHOUT ROWID, STRICT;
CREATE TABLE meta (key TEXT PRIMARY KEY, value ANY) WITHOUT ROWID, STRICT
"""
BY_FACET = (
    "CREATE INDEX IF NOT EXISTS record_by_facet ON record (facet, at, tie)",
    "CREATE INDEX IF NOT EXISTS daily_by_facet ON daily (facet, start, n)",
)
"""Made once all files have been read for the first time: sorted at once it takes half as long."""
FAMILY = """
CREATE TEMP VIEW IF NOT EXISTS family AS -- each group, and which it is part of: by newer rules, then by decision
SELECT grp.*, coalesce(merged.root, heir, id) AS root FROM grp LEFT JOIN merged ON merged.grp = coalesce(heir, id)
"""


def prepare(db: sqlite3.Connection, older: Path | None = None) -> bool:
    """Make the tables of a new index.

    Args:
        db: a connection in autocommit.
        older: an index of an older form, whose counts a new one begins with.

    Returns:
        False for a database of another kind or form.
    """
    db.execute(f"PRAGMA page_size={PAGE}")
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=NORMAL")
    db.execute("PRAGMA cache_size=-8000")
    db.execute("PRAGMA temp_store=MEMORY")
    db.execute("PRAGMA wal_autocheckpoint=4000")
    if version_of(db) == (APPLICATION, VERSION):
        db.execute(FAMILY)
        return True
    with db:
        db.execute("BEGIN IMMEDIATE")
        if version_of(db) == (APPLICATION, VERSION):  # another process was faster
            db.execute(FAMILY)
            return True
        if db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
            return False
        for statement in SCHEMA.split(";\n"):
            db.execute(statement)
        if older:
            with suppress(sqlite3.Error):  # damaged, or locked: its counts are lost, as with any index that is
                carry_over(older, db)
        db.execute(FAMILY)
        db.execute(f"PRAGMA application_id={APPLICATION}")
        db.execute(f"PRAGMA user_version={VERSION}")
    return True


def version_of(db: sqlite3.Connection) -> tuple[int, int]:
    """Return which application's file it is, and of which form."""
    return (
        db.execute("PRAGMA application_id").fetchone()[0],
        db.execute("PRAGMA user_version").fetchone()[0],
    )


def carry_over(older: Path, db: sqlite3.Connection) -> None:
    """Take counts over from an index of an older form: all or nothing.

    Each record that is read again is then taken out of the old counts when it comes into the new ones.

    Raises:
        sqlite3.Error: the old one cannot be read.
    """
    source = sqlite3.connect(f"{older.absolute().as_uri()}?mode=ro", uri=True, timeout=1.0)
    db.execute("SAVEPOINT carried")
    try:
        application, version = version_of(source)
        if application == APPLICATION and version < VERSION:
            source.execute("BEGIN")
            columns = [_copy(source, db, table) for table in CARRIED]
            db.execute("INSERT INTO meta VALUES ('carried', ?)", (" ".join(columns[CARRIED.index("facet")]),))
            rows = source.execute("SELECT id, head, max(counted, indexed) FROM source").fetchall()
            db.executemany(
                "INSERT INTO source (id, head, indexed, counted, present, carried) VALUES (?, ?, 0, 0, 0, ?)", rows
            )
    except sqlite3.Error:
        db.execute("ROLLBACK TO carried")
        raise
    finally:
        db.execute("RELEASE carried")
        source.close()


def _copy(source: sqlite3.Connection, db: sqlite3.Connection, table: str) -> list[str]:
    """Copy the columns that both have; which these are."""
    there, here = ({row[1] for row in c.execute(f"PRAGMA table_info({table})")} for c in (source, db))
    common = sorted(there & here)
    columns, marks = ", ".join(common), ", ".join("?" * len(common))
    rows = source.execute(f"SELECT {columns} FROM {table}")  # noqa: S608 -- names from the two schemas
    db.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", rows)  # noqa: S608 -- names of ours
    return common
