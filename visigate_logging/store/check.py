"""Whether an index says what the files say."""

import sqlite3
from pathlib import Path

from visigate_logging.store.catchup import catch_up
from visigate_logging.store.index import Index, prepared

__all__ = ["check_index"]


def check_index(db: sqlite3.Connection, log: Path) -> list[str]:
    """What is wrong with an index that is up to date, as sentences; nothing when it is right.

    Args:
        db: the index.
        log: the details file; this and the rotated ones are read anew into an index in memory.
    """
    problems = [text for (text,) in db.execute("PRAGMA integrity_check") if text != "ok"]
    fresh = Index(prepared(), None)
    try:
        catch_up(fresh, log)
        for what, sql in QUESTIONS.items():
            there, here = db.execute(sql).fetchone()[0], fresh.db.execute(sql).fetchone()[0]
            if there != here:
                problems.append(f"{what}: {there} in the index, {here} in the files")
    finally:
        fresh.close()
    return problems


QUESTIONS = {
    "records": "SELECT count(*) FROM record",
    "sum of their times": "SELECT total(at) FROM record",
    "places of records": "SELECT total(offset) + total(length) FROM record",
    "unreadable places": "SELECT count(*) FROM unreadable",
}
