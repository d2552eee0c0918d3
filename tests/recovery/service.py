"""A service of a gate as a process of its own: configured by dictConfig, with its database open while it runs."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

__all__ = ["Service", "configuration", "running"]

SCRIPT = '''
import json, logging, logging.config, sqlite3, sys
from contextlib import closing

folder, database = sys.argv[1:3]
connection = None
sys.modules["service"] = sys.modules["__main__"]


def close(_context):
    """What the service offers as release."""
    global connection
    if connection is not None:
        connection.close()
    connection = None


log = logging.getLogger("gate.database")


def hold():
    """Open the database and keep it open."""
    global connection
    connection = sqlite3.connect(database, timeout=2, isolation_level=None, check_same_thread=False)
    connection.execute("SELECT count(*) FROM vehicles").fetchone()


def look():
    """Read everything over a connection for this request alone, as a web page does; an error is logged."""
    try:
        with closing(sqlite3.connect(database, timeout=2, isolation_level=None)) as request:
            request.execute("SELECT * FROM vehicles ORDER BY note").fetchall()
            request.execute("SELECT plate FROM vehicles ORDER BY plate").fetchall()
            request.execute("SELECT sum(valid) FROM permits").fetchall()
            if request.execute("PRAGMA integrity_check").fetchall() != [("ok",)]:
                error = sqlite3.DatabaseError("database disk image is malformed")
                error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
                raise error
    except sqlite3.Error as error:
        log.exception("the vehicles cannot be read")
        logging._handlers["recovery"].wait(100)
        return error.sqlite_errorcode
    return 0


def insert(plate):
    try:
        connection.execute("INSERT INTO vehicles (plate, note) VALUES (?, '')", (plate,))
    except sqlite3.Error as error:
        return str(error)
    return "ok"


logging.config.dictConfig(json.load(open(f"{folder}/logging.json")))
print("ready", flush=True)
for line in sys.stdin:
    name, *arguments = json.loads(line)
    print(json.dumps(globals()[name](*arguments)), flush=True)
logging.shutdown()
'''


def configuration(folder: Path, database: Path, backup: Path, **procedure: Any) -> Path:
    """A ``logging.json`` in ``folder``: the recovery as it is shipped, and a log of what is told, ``told.log``."""
    given = {
        "exceptions": ["DatabaseError", "sqlite3.DatabaseError"],
        "steps": [{"restore_sqlite": {"database": str(database), "backups": [str(backup)]}}],
        "verify": {"probe": {"probe_sqlite": {"database": str(database)}}, "interval": 0},
    } | procedure
    values = {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"plain": {"format": "%(levelname)s %(message)s"}},
        "handlers": {
            "recovery": {
                "class": "visigate_logging.RecoveryHandler",
                "procedures": {"database": given},
                "state_dir": str(folder / "state"),
            },
            "told": {"class": "logging.FileHandler", "filename": str(folder / "told.log"), "formatter": "plain"},
        },
        "loggers": {"visigate_logging": {"handlers": ["told"], "level": "INFO"}},
        "root": {"level": "INFO", "handlers": ["recovery"]},
    }
    path = folder / "logging.json"
    path.write_text(json.dumps(values))
    return path


running: list["Service"] = []


class Service:
    """The process."""

    def __init__(self, folder: Path, database: Path) -> None:
        (folder / "service.py").write_text(SCRIPT)
        self.process = subprocess.Popen(
            [sys.executable, str(folder / "service.py"), str(folder), str(database)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        running.append(self)
        assert self._line() == "ready"

    def _line(self) -> str:
        assert self.process.stdout
        return self.process.stdout.readline().strip()

    def call(self, name: str, *arguments: Any) -> Any:
        """Call one of its functions."""
        assert self.process.stdin
        self.process.stdin.write(json.dumps([name, *arguments]) + "\n")
        self.process.stdin.flush()
        return json.loads(self._line())

    def stop(self) -> None:
        """Let it end."""
        if self in running:
            running.remove(self)
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait(60)
        assert self.process.stdout
        self.process.stdout.close()

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()
        self.stop()
