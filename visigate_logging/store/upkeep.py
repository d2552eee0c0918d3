"""Looking after a log: what of it is unreadable, what is old, and whether its index says what the files say."""

import sqlite3
from collections.abc import Container, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from visigate_logging.host.log_files import LogFile
from visigate_logging.store.catchup import catch_up
from visigate_logging.store.clocks import ReaderClock
from visigate_logging.store.fetch import fetch
from visigate_logging.store.index import Index, Row, prepared
from visigate_logging.store.ingest import drop_damaged
from visigate_logging.store.times import micros


def overview(db: sqlite3.Connection, files: Mapping[int, LogFile]) -> dict[str, Any]:
    """Return what answers rest on: files, their bytes, records and unreadable places."""
    return {
        "files": [str(file.path) for file in files.values()],
        "bytes": sum(file.size for file in files.values()),
        "records": db.execute("SELECT count(*) FROM record").fetchone()[0],
        "unreadable": db.execute("SELECT count(*) FROM unreadable").fetchone()[0],
    }


def unreadable_places(db: sqlite3.Connection, files: Mapping[int, LogFile], limit: int) -> list[dict[str, Any]]:
    """See :meth:`ErrorStore.unreadable`."""
    rows = db.execute("SELECT * FROM unreadable ORDER BY source DESC, offset DESC LIMIT ?", (limit,))
    return [
        {"file": str(files[source].path), "offset": offset, "length": length, "problem": problem}
        for source, offset, length, problem in rows
        if source in files
    ]


def files_before(db: sqlite3.Connection, files: Mapping[int, LogFile], time: datetime) -> list[LogFile]:
    """Return the files in which all records are older than a time."""
    old = {row[0] for row in db.execute("SELECT id FROM source WHERE last < ?", (micros(time),))}
    return [file for source, file in files.items() if source in old]


def check_index(db: sqlite3.Connection, files: Mapping[int, LogFile], log: Path, reader: ReaderClock) -> list[str]:
    """Return what is wrong with an index that is up to date, as sentences; nothing when it is right.

    Args:
        db: the index.
        files: by source, as the index was brought up to date with them.
        log: the details file; this and the rotated ones are read anew into an index in memory.
        reader: what the reader's own clock says.
    """
    problems = [text for (text,) in db.execute("PRAGMA integrity_check") if text != "ok"]
    fresh = Index(prepared(), None)
    try:
        read, _ = catch_up(fresh, log, reader)
        noted = db.execute("SELECT source, offset FROM unreadable")
        _drop_found(fresh, read, {(files[source].ino, offset) for source, offset in noted if source in files})
        for what, sql in QUESTIONS.items():
            there, here = db.execute(sql).fetchone()[0], fresh.db.execute(sql).fetchone()[0]
            if there != here:
                problems.append(f"{what}: {there} in the index, {here} in the files")
    finally:
        fresh.close()
    return problems


def _drop_found(fresh: Index, files: Mapping[int, LogFile], noted: Container[tuple[int, int]]) -> None:
    """Look at the lines between whose ends an index has noted damage: catching up alone finds none of that."""
    rows = [row for row in fresh.db.execute("SELECT * FROM record") if (files[row[2]].ino, row[3]) in noted]
    damaged: list[Row] = []
    fetch(rows, files, damaged)
    drop_damaged(fresh, damaged)


QUESTIONS = {
    "records": "SELECT count(*) FROM record",
    "sum of their times": "SELECT total(at % 1000000007) FROM record",  # exact in whatever order
    "places of records": "SELECT total(offset) + total(length) FROM record",
    "unreadable places": "SELECT count(*) FROM unreadable",
}
