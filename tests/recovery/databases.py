"""SQLite databases as a gate has them, ways to damage them, and processes that hold them open."""

import hashlib
import random
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from visigate_logging.recovery.sqlite.files import LOCK

PAGE = 4096
CURRENT, BACKED_UP = 600, 450  # rows now, and when the backup was made

HOLDER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], timeout=5, isolation_level=None)
connection.execute("SELECT count(*) FROM vehicles").fetchone()
if sys.argv[2] == "writing":
    connection.execute("INSERT INTO vehicles (plate, note) VALUES ('BEFORE', '')")
print("ready", flush=True)
for line in sys.stdin:
    try:
        if line.strip() == "close":
            connection.close()
            connection = None
        elif line.strip() == "begin":
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("INSERT INTO vehicles (plate, note) VALUES ('HELD', '')")
        elif line.strip() == "commit":
            connection.execute("COMMIT")
        else:
            connection.execute("INSERT INTO vehicles (plate, note) VALUES (?, '')", (line.strip().upper(),))
        print("ok", flush=True)
    except sqlite3.Error as error:
        print(f"{type(error).__name__} {error}", flush=True)
"""


def make(path: Path, mode: str, rows: int = CURRENT) -> Path:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA journal_mode={mode}")
        connection.execute("PRAGMA application_id=7")
        connection.execute("CREATE TABLE vehicles (id INTEGER PRIMARY KEY, plate TEXT NOT NULL, note TEXT)")
        connection.execute("CREATE INDEX by_plate ON vehicles (plate)")
        connection.execute("CREATE TABLE permits (plate TEXT PRIMARY KEY, valid INTEGER)")
        connection.executemany(
            "INSERT INTO vehicles (plate, note) VALUES (?, ?)", [(f"P{i:05}", "x" * 60) for i in range(rows)]
        )
        connection.executemany("INSERT INTO permits VALUES (?, 1)", [(f"P{i:05}",) for i in range(rows // 2)])
        connection.commit()
    return path


def _overwrite(start: int, stop: int, filling: Callable[[int], bytes]) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        with path.open("r+b") as file:
            file.seek(start)
            file.write(filling(min(stop, path.stat().st_size) - start))

    return damage


def _truncate(size: Callable[[int], int]) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        with path.open("r+b") as file:
            file.truncate(size(path.stat().st_size))

    return damage


def noise(size: int) -> bytes:
    return random.Random(4).randbytes(size)


def _lose_index_entry(path: Path) -> None:
    """Insert a row while the index is struck off the schema: what a lost write leaves."""
    with closing(sqlite3.connect(path, timeout=5)) as connection:
        connection.execute("PRAGMA writable_schema=ON")
        index = connection.execute("SELECT * FROM sqlite_schema WHERE name = 'by_plate'").fetchone()
        connection.execute("DELETE FROM sqlite_schema WHERE name = 'by_plate'")
        connection.commit()
    with closing(sqlite3.connect(path, timeout=5)) as connection:
        connection.execute("PRAGMA writable_schema=ON")
        connection.execute("INSERT INTO vehicles (plate, note) VALUES ('UNINDEXED', '')")
        connection.execute("INSERT INTO sqlite_schema VALUES (?, ?, ?, ?, ?)", index)
        connection.commit()


def _lose_wal(path: Path) -> None:
    path.with_name(path.name + "-wal").unlink(missing_ok=True)


DAMAGE: dict[str, Callable[[Path], None]] = {
    "magic": _overwrite(0, 16, lambda _n: b"not a database!!"),
    "header zeroed": _overwrite(0, 100, bytes),
    "header random": _overwrite(0, 100, noise),
    "page size": _overwrite(16, 18, lambda _n: b"\x02\x00"),
    "schema": _overwrite(100, PAGE, noise),
    "page 1": _overwrite(0, PAGE, noise),
    "pages in the middle": _overwrite(3 * PAGE, 9 * PAGE, noise),
    "all but page 1": _overwrite(PAGE, 1 << 30, noise),
    "half": _truncate(lambda size: size // PAGE // 2 * PAGE),
    "odd": _truncate(lambda size: size // 2 // PAGE * PAGE + 777),
    "10 bytes": _truncate(lambda _size: 10),
    "0 bytes": _truncate(lambda _size: 0),
    "all random": _overwrite(0, 1 << 30, noise),
    "lost index entry": _lose_index_entry,
    "missing file": Path.unlink,
    "missing wal": _lose_wal,
}


class Holder:
    """A process that has a database open."""

    def __init__(self, database: Path, kind: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(database), kind],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._line() == "ready"

    def _line(self) -> str:
        assert self.process.stdout
        return self.process.stdout.readline().strip()

    def tell(self, word: str) -> str:
        assert self.process.stdin
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()
        return self._line()

    def kill(self) -> None:
        self.process.kill()
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(10)

    def end(self) -> None:
        if self.process.poll() is None:
            self.tell("close")
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(10)


@contextmanager
def holder(database: Path, kind: str) -> Iterator[Holder | None]:
    """Nobody, an idle or a writing process with the database open."""
    if kind == "none":
        yield None
        return
    held = Holder(database, kind)
    try:
        yield held
    finally:
        held.end()


def content(path: Path) -> set[str]:
    """The plates of a database, after every check has passed on it."""
    with closing(sqlite3.connect(f"file:{path}?mode=rw", uri=True)) as connection:
        connection.isolation_level = None
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
        assert tables == {"vehicles", "permits"}
        return {plate for (plate,) in connection.execute("SELECT plate FROM vehicles")}


def error_code(path: Path) -> int | None:
    """What an application that looks at everything gets."""
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=rw", uri=True)) as connection:
            connection.execute("SELECT * FROM vehicles ORDER BY note").fetchall()
            connection.execute("SELECT plate FROM vehicles ORDER BY plate").fetchall()
    except sqlite3.Error as error:
        return error.sqlite_errorcode
    return None


def fingerprints(folder: Path) -> dict[str, str]:
    """Every file of a folder, by its bytes, but for the lock of who is at work in it."""
    return {
        str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*"))
        if p.is_file() and p.name != LOCK
    }


def _remove(path: Path) -> None:
    for suffix in ("", "-wal", "-shm", "-journal"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _then_opened(first: Callable[[Path], object], *statements: str) -> Callable[[Path], None]:
    """What an application's next ``connect`` makes of it."""

    def damage(path: Path) -> None:
        first(path)
        with closing(sqlite3.connect(path, timeout=0.2)) as connection:
            for statement in statements or ("SELECT count(*) FROM sqlite_schema",):
                with suppress(sqlite3.Error):
                    connection.execute(statement).fetchall()

    return damage


def _every_other_page(path: Path) -> None:
    for number in range(2, path.stat().st_size // PAGE, 2):
        _overwrite(number * PAGE, (number + 1) * PAGE, noise)(path)


EMPTIED: dict[str, Callable[[Path], None]] = {
    "emptied, then opened": _then_opened(DAMAGE["0 bytes"]),
    "removed, then made anew": _then_opened(_remove),
    "main file removed, then made anew": _then_opened(Path.unlink),
    "emptied, then given a journal mode": _then_opened(DAMAGE["0 bytes"], "PRAGMA journal_mode=wal"),
}
MORE_DAMAGE: dict[str, Callable[[Path], None]] = {
    "zeros in the middle": _overwrite(3 * PAGE, 9 * PAGE, bytes),
    "page 2 zeroed": _overwrite(PAGE, 2 * PAGE, bytes),
    "last page cut": _truncate(lambda size: size - PAGE),
    "kind of page 1": _overwrite(100, 101, lambda _n: b"\xff"),
    "cell pointers": _overwrite(PAGE + 8, PAGE + 40, noise),
    "text of the schema": _overwrite(PAGE - 400, PAGE, noise),
    "every other page": _every_other_page,
    "read version": _overwrite(19, 20, lambda _n: b"\x09"),
}
ALL_DAMAGE = DAMAGE | EMPTIED | MORE_DAMAGE
