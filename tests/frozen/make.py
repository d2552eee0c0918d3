"""Make the frozen installation: a directory as a released version leaves it after a bad night.

    PYTHONPATH=RELEASED python -m tests.frozen.make VERSION

runs the processes of a gate with the code in RELEASED, a checkout of that version, in /opt/visigate (which must not
be there), and packs what they leave into ``tests/frozen/VERSION.tar.xz``, with ``expected.json`` beside it: what
was put in, by this script's own count. It is run once for each release and never again: what it has made is kept.
"""

import contextlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tarfile
import time
from pathlib import Path

from tests.delivery.servers import Server, wait_for

PLACE = Path("/opt/visigate")
LOG = PLACE / "logs/errors/details.jsonl"
STATE = PLACE / "logs/errors/state"
PORT = 8925

CONFIG = f"""\
version: 1
disable_existing_loggers: false
visigate: {{service: frozen gate, release: "1.4.2", watch: false}}
filters:
  classify:
    (): visigate_logging.Classifier
    rules:
      - {{exceptions: [CameraError, BarrierError, PrinterError], category: hardware, severity: CRITICAL}}
formatters:
  text: {{(): visigate_logging.TextFormatter}}
  detail: {{(): visigate_logging.DetailFormatter, mask_keys: [plate]}}
handlers:
  error_log:
    class: visigate_logging.SharedRotatingFileHandler
    level: ERROR
    formatter: text
    filters: [classify]
    filename: logs/errors/error.log
    maxBytes: 4000
    backupCount: 2
  details:
    class: visigate_logging.JsonFileHandler
    level: ERROR
    formatter: detail
    filters: [classify]
    filename: logs/errors/details.jsonl
    maxBytes: 12000
    backupCount: 2
  recovery:
    class: visigate_logging.RecoveryHandler
    state_dir: logs/errors/state
    procedures:
      camera: {{exceptions: [CameraError], key: [camera], steps: [{{command: {{argv: ["true"]}}}}], max_attempts: 2}}
      barrier: {{exceptions: [BarrierError], steps: [{{command: {{argv: ["false"]}}}}], max_attempts: 1}}
      database:
        exceptions: [sqlite3.DatabaseError]
        steps: [{{restore_sqlite: {{database: gate.db, backups: [backup.db]}}}}]
  mail:
    class: visigate_logging.ThrottledSMTPHandler
    formatter: detail
    filters: [classify]
    mailhost: localhost:{PORT}
    fromaddr: gate@example.org
    toaddrs: [admin@example.org]
    state_dir: logs/errors/state
    group_wait: 0.1
    interval: 0.5
    max_interval: 0.5
    max_per_hour: 1000
root:
  level: INFO
  handlers: [error_log, details, recovery, mail]
"""

GATE = '''\
"""The gate: logs errors as its arguments say, each as KIND=COUNT."""

import contextlib
import logging
import sqlite3
import sys
import time

import visigate_logging


class CameraError(Exception):
    """A camera does not answer."""


class BarrierError(Exception):
    """The barrier does not move."""


class PrinterError(Exception):
    """The printer has no paper."""


def fail(kind, number):
    """Fail, and say so."""
    try:
        if kind == "database":
            with contextlib.closing(sqlite3.connect("gate.db")) as connection:
                connection.execute("SELECT sum(length(plate)) FROM vehicles").fetchall()
        raise {"camera": CameraError, "barrier": BarrierError, "printer": PrinterError}[kind](
            f"{kind} fails with a code of {number}"
        )
    except Exception as error:
        extra = {"camera": "north", "plate": "MAB123", "number": number}
        logging.getLogger(f"VisiGate.{kind}").exception("%s does not work: %s", kind, error, extra=extra)


if __name__ == "__main__":
    visigate_logging.configure("logging.yaml")
    for argument in sys.argv[1:]:
        kind, _, count = argument.partition("=")
        if kind == "sleep":
            time.sleep(float(count))
        else:
            for number in range(int(count)):
                fail(kind, number)
'''


def gate(*what: str) -> None:
    """Let a process of the gate live and end."""
    subprocess.run([sys.executable, "gate.py", *what], cwd=PLACE, check=True, timeout=60)


def counted() -> dict:
    """What the released reader says, which also brings its index up to date."""
    import visigate_logging

    store = visigate_logging.ErrorStore(LOG)
    groups = store.groups()
    return {"total": store.statistics(days=2)["total_errors"], "groups": {g.key: g.count for g in groups.groups}}


def restore_interrupted() -> None:
    """Damage the database while somebody writes to it, and kill who waits with its restore."""
    with contextlib.closing(sqlite3.connect(PLACE / "gate.db", isolation_level=None)) as connection:
        connection.execute("CREATE TABLE vehicles (plate TEXT)")
        connection.executemany("INSERT INTO vehicles VALUES (?)", [(f"MAB{n:05}",) for n in range(2000)])
        shutil.copy(PLACE / "gate.db", PLACE / "backup.db")
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO vehicles VALUES ('not committed')")
        with (PLACE / "gate.db").open("r+b") as file:
            file.seek(2 * 4096)
            file.write(b"\xa5" * 2 * 4096)
        process = subprocess.Popen([sys.executable, "gate.py", "database=1", "sleep=60"], cwd=PLACE)
        wait_for(lambda: list(PLACE.glob("gate.db.damaged-*")))  # the restore is under way, and waits for the writer
        pids = ["ps", "-o", "pid=", "--ppid", str(process.pid)]
        children = subprocess.run(pids, capture_output=True, text=True, check=True).stdout.split()
        process.kill()
        process.wait()
        for child in children:
            os.kill(int(child), signal.SIGKILL)
        time.sleep(0.5)  # before the writer lets go
    assert list((STATE / "recovery").glob("*.pending"))


def bad_night() -> None:
    """Let everything happen."""
    with Server(port=PORT) as server:
        gate("camera=5", "barrier=2", "sleep=2")
        counted()
        for _ in range(4):  # the oldest lines are rotated out, once they have been counted
            gate("camera=3", "sleep=1.5")
            counted()
        server.inbox.answers["DATA"] = "550 no such user here"
        gate("printer=1", "sleep=2")
        server.inbox.answers.clear()
    gate("barrier=4", "sleep=2")  # the server is away: these are in a mail of the outbox …
    gate("camera=6", "printer=3", "sleep=2")  # … and these in the books
    restore_interrupted()


def on_trial() -> None:
    """Leave a configuration on trial that nobody confirms any more."""
    shutil.copy(PLACE / "logging.yaml", PLACE / "trial.yaml")
    (PLACE / "wanted.yaml").write_text(CONFIG.replace("level: INFO", "level: DEBUG"), "utf-8")
    command = [sys.executable, "-m", "visigate_logging", "apply", "wanted.yaml", "--config", "trial.yaml"]
    process = subprocess.Popen([*command, "--confirm", "60"], cwd=PLACE, stdin=subprocess.PIPE)
    wait_for(lambda: (PLACE / "trial.yaml").read_bytes() == (PLACE / "wanted.yaml").read_bytes())
    process.kill()
    process.communicate()


def read_state() -> dict:
    """The rows of the state file, by SQLite alone."""
    copy = PLACE / "copy"
    shutil.copytree(STATE, copy)
    with sqlite3.connect(copy / "state.sqlite3") as connection:
        rows = connection.execute("SELECT handler, field, sum(n) FROM counts GROUP BY handler, field").fetchall()
        letters = connection.execute("SELECT id FROM mail_letters WHERE NOT reached AND NOT sent").fetchall()
        budgets = connection.execute("SELECT key, budget FROM recovery WHERE key != '(reboot)'").fetchall()
        failures = connection.execute("SELECT handler, text FROM failures").fetchall()
    connection.close()
    shutil.rmtree(copy)
    return {
        "counts": rows,
        "letters": [letter for (letter,) in letters],
        "attempts": {key: len(json.loads(budget)["attempts"]) for key, budget in budgets},
        "failures": dict(failures),
    }


def main(version: str) -> None:
    """Make it, count what is in it, and pack it."""
    import visigate_logging

    released = Path(visigate_logging.__file__).parent.parent
    PLACE.mkdir(parents=True)
    # Under a neutral path: it stands in tracebacks.
    shutil.copytree(released / "visigate_logging", PLACE / "lib/visigate_logging")
    os.environ["PYTHONPATH"] = str(PLACE / "lib")
    (PLACE / "logging.yaml").write_text(CONFIG, "utf-8")
    (PLACE / "gate.py").write_text(GATE, "utf-8")
    shutil.copy(released / "logging.yaml", PLACE / "shipped.yaml")
    on_trial()
    bad_night()
    expected = {"version": version, "store": counted(), "state": read_state()}
    lines = {p.name: p.read_bytes().splitlines() for p in sorted(LOG.parent.glob("details.jsonl*"))}
    expected["events"] = {name: [json.loads(line)["event_id"] for line in found] for name, found in lines.items()}
    with LOG.open("ab") as file:  # what a power cut leaves
        file.write(b'{"timestamp":"2026-02-01T03:0' + bytes(7))
    expected["audit"] = len((STATE / "recovery.jsonl").read_bytes().splitlines())
    shutil.rmtree(PLACE / "lib")
    shutil.rmtree(PLACE / "__pycache__", ignore_errors=True)
    (PLACE / "expected.json").write_text(json.dumps(expected, indent=1), "utf-8")
    with tarfile.open(Path(__file__).with_name(f"{version}.tar.xz"), "w:xz") as packed:
        packed.add(PLACE, ".")
    shutil.rmtree(PLACE)


if __name__ == "__main__":
    main(sys.argv[1])
